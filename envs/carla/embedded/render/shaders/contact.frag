in vec2 q;
layout(location = 0) out vec4 colour_out;
layout(location = 1) out vec4 class_out;

void main() {
    vec2 k = abs(q);
    colour_out = vec4(0.0, 0.0, 0.0, 0.62 * smoothstep(1.0, 0.5, k.x) * smoothstep(1.0, 0.4, k.y));
    class_out = vec4(0.0);
}
