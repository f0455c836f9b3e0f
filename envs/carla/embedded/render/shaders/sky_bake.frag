// The whole sky as a texture: azimuth by elevation (denser near the horizon).
in vec2 q;
layout(location = 0) out vec4 colour_out;

void main() {
    float azimuth = q.x * 3.14159265, elevation = q.y * 0.5 + 0.5;
    elevation = elevation * elevation * 1.5708;
    vec3 d = vec3(cos(azimuth) * cos(elevation), sin(azimuth) * cos(elevation), sin(elevation));
    vec3 c = mix(sky_horizon, sky_top, 1.0 - exp(-d.z * 3.5));
    float s = max(dot(d, sun), 0.0);
    c += sun_colour * (0.10 * pow(s, 8.0) + 0.25 * pow(s, 64.0)) * (1.0 - 0.8 * cloud);
    vec2 x = d.xy / (d.z + 0.12) * vec2(1.0, 1.0 + 14.0 * (wind - 0.02));      // wind draws the clouds out
    float n = texture(clouds, x * 0.11).r * 0.65 + texture(clouds, x * 0.31 + 0.3).r * 0.35;
    float k = smoothstep(1.02 - cloud * 0.85, 1.25 - cloud * 0.6, n + 0.35);
    vec3 lit = sky_horizon * 1.15 + sun_colour * 0.22, dark = sky_horizon * 0.62;
    c = mix(c, mix(lit, dark, smoothstep(0.5, 0.95, n)), k * smoothstep(0.02, 0.25, d.z));
    c += sun_colour * 1.5 * smoothstep(0.9990, 0.9997, s) * (1.0 - k) * (1.0 - cloud);
    c = mix(c, fog.rgb, exp(-d.z * fog.a * 900.0) * clamp(fog.a * 60.0, 0.0, 1.0));
    colour_out = vec4(sqrt(c * 0.25), 1.0);
}
