// The dark below a moving actor.
in vec2 corner;
in vec2 half_size;
out vec2 q;

void main() {
    q = corner;
    gl_Position = view_projection * vec4(placed(vec3(corner * half_size, 0.02)), 1.0);
}
