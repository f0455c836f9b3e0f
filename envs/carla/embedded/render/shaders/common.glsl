// Uniforms of all programs. Light is linear; textures and tints of decals hold its square root (close to sRGB).
uniform vec3 eye;
uniform mat4 view_projection;
uniform vec3 sun;           // unit vector towards the sun
uniform vec3 sun_colour;
uniform vec3 sky_top;
uniform vec3 sky_horizon;
uniform vec3 bounce;        // light from below
uniform vec4 fog;           // colour, density 1/m
uniform float fog_start;    // metres
uniform float wet;
uniform float puddles;
uniform float night;
uniform float cloud;
uniform mat4 sun_projection;
uniform vec4 mask_box;      // centre x, y, 1 / half side of the shadow mask of moving vehicles
uniform vec4 lamp_box;      // x0, y0, width, height of the lamp map
uniform vec2 head_light;    // direction of the camera's head lights
uniform sampler2DArray layers;
uniform sampler2DShadow shadow_map;
uniform sampler2D clouds;
uniform sampler2D lamp_map;
uniform sampler2D vehicle_mask;

float fog_share(float distance_m) {
    float f = max(distance_m - fog_start, 0.0) * fog.a;
    return 1.0 - exp(-f * f * 0.35 - f * 0.65);
}

vec3 street_light(vec2 p, float z, float facing) {
    vec3 lamp = texture(lamp_map, (p - lamp_box.xy) / lamp_box.zw).rgb * clamp(1.1 - z * 0.13, 0.0, 1.0);
    vec2 h = p - eye.xy;
    float f = dot(h, head_light), s = dot(h, vec2(-head_light.y, head_light.x));
    float beam = 2.2 * exp(-s * s / (2.0 + f * f * 0.10) - f * 0.055) * smoothstep(0.0, 5.0, f) * clamp(1.25 - z * 0.42, 0.0, 1.0);
    return night * facing * (lamp + vec3(1.0, 0.95, 0.82) * beam);
}
