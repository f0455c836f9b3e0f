// Moving actors flattened along the sun onto the ground below them, seen from above.
in vec3 position;

void main() {
    vec3 p = placed(position);
    vec2 ground = p.xy - sun.xy * ((p.z - row_z.w) / max(sun.z, 0.08));
    gl_Position = vec4((ground - mask_box.xy) * mask_box.z, 0.0, 1.0);
}
