in vec2 q;
flat in vec3 glow;
in float fogged;
layout(location = 0) out vec4 colour_out;
layout(location = 1) out vec4 class_out;

void main() {
    float r = dot(q, q);
    if (r > 1.0) discard;
    vec3 colour = mix(glow * (1.0 - 0.35 * r), fog.rgb, fogged * 0.6);
    colour_out = vec4(sqrt(colour * 0.25), 1.0);
    class_out = vec4(7.0 / 255.0, 0.0, 0.0, 1.0);
}
