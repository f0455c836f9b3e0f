in vec3 position;
in vec2 uv_in;
out vec2 uv;

void main() {
    uv = uv_in;
    gl_Position = view_projection * vec4(position * 600.0 + eye, 1.0);
    gl_Position.z = gl_Position.w * 0.999999;
}
