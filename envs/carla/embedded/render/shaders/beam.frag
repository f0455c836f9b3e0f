in vec2 q;
in float bright;
out vec4 light;

void main() {
    float f = q.x, s = q.y;
    float beam = bright * exp(-s * s / (2.0 + f * f * 0.10) - f * 0.055) * smoothstep(0.0, 4.0, f) * smoothstep(44.0, 34.0, f);
    light = vec4(0.0, 0.88 * beam, 0.0, 1.0);
}
