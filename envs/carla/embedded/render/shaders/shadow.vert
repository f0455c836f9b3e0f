// Depth seen from the sun.
in vec3 position;
in vec2 uv_in;
in vec2 layer_class;
#ifdef VEHICLE
in vec4 at;
in vec2 stretch;
#endif
out vec2 uv;
flat out float layer;

void main() {
    vec3 p = position;
#ifdef VEHICLE
    float c = cos(at.w), s = sin(at.w);
    vec2 q = position.xy * stretch;
    p = vec3(c * q.x - s * q.y, s * q.x + c * q.y, position.z) + at.xyz;
#endif
    uv = uv_in;
    layer = layer_class.x;
    gl_Position = sun_projection * vec4(p, 1.0);
}
