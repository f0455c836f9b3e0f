// The light cone of a vehicle's head lamps on the ground, seen from above.
in vec2 corner;
in vec4 at;         // front of the vehicle x, y; direction
in float strength;
out vec2 q;         // metres ahead and to the side
out float bright;

void main() {
    q = vec2(corner.x * 22.0 + 22.0, corner.y * 12.0);
    bright = strength;
    vec2 p = at.xy + at.zw * q.x + vec2(-at.w, at.z) * q.y;
    gl_Position = vec4((p - mask_box.xy) * mask_box.z, 0.0, 1.0);
}
