// Moving vehicles flattened along the sun onto the ground, seen from above.
in vec3 position;
in vec4 at;
in vec2 stretch;

void main() {
    float c = cos(at.w), s = sin(at.w);
    vec2 q = position.xy * stretch;
    vec3 p = vec3(c * q.x - s * q.y, s * q.x + c * q.y, position.z) + at.xyz;
    vec2 ground = p.xy - sun.xy * (p.z / max(sun.z, 0.08));
    gl_Position = vec4((ground - mask_box.xy) * mask_box.z, 0.0, 1.0);
}
