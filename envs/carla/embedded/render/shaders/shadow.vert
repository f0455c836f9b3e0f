// Depth seen from the sun.
in vec3 position;
in vec2 uv_in;
in vec2 layer_class;
out vec2 uv;
flat out float layer;

void main() {
    uv = uv_in;
    layer = layer_class.x;
    gl_Position = sun_projection * vec4(position, 1.0);
}
