// How much of the sun reaches each vertex of the foliage; kept until the sun moves.
in vec3 position;
in vec3 normal;
out float sun_seen;

void main() {
    vec4 t = sun_projection * vec4(position + normal * 0.12, 1.0);
    sun_seen = texture(shadow_map, t.xyz * 0.5 + 0.5 - vec3(0.0, 0.0, 0.0029));
}
