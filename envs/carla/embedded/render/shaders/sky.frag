uniform sampler2D sky;
in vec2 uv;
layout(location = 0) out vec4 colour_out;
layout(location = 1) out vec4 class_out;

void main() {
    colour_out = texture(sky, uv);
    class_out = vec4(11.0 / 255.0, 0.0, 0.0, 1.0);
}
