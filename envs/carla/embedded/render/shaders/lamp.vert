// The lit lamp of a traffic light: a disc that faces the traffic, never smaller than a pixel.
in vec2 corner;
in vec4 at;         // centre, yaw of the direction it shines to
in vec3 colour;
out vec2 q;
flat out vec3 glow;
out float fogged;

void main() {
    q = corner;
    glow = colour;
    vec3 d = at.xyz - eye;
    float distance_m = length(d);
    fogged = fog_share(distance_m);
    float radius = clamp(1.4 * distance_m / (size.x), 0.115, 0.19);
    vec3 across = vec3(-sin(at.w), cos(at.w), 0.0), out_ = vec3(cos(at.w), sin(at.w), 0.0);
    vec3 p = at.xyz + across * (corner.x * radius) + vec3(0.0, 0.0, corner.y * radius) + out_ * 0.03;
    gl_Position = view_projection * vec4(p, 1.0);
}
