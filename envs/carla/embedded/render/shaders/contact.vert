// The dark below a vehicle.
in vec2 corner;
in vec4 at;
in vec2 half_size;
out vec2 q;

void main() {
    q = corner;
    float c = cos(at.w), s = sin(at.w);
    vec2 k = corner * (half_size + vec2(0.42));
    gl_Position = view_projection * vec4(at.xy + vec2(c * k.x - s * k.y, s * k.x + c * k.y), at.z + 0.02, 1.0);
}
