// Uniforms of all programs. Light is linear; textures and tints of decals hold its square root (close to sRGB).
layout(std140) uniform Air {        // set when the weather changes; see atmosphere.py
    mat4 sun_projection;
    vec4 fog;               // colour, density 1/m
    vec4 lamp_box;          // x0, y0, width, height of the lamp map
    vec3 sun;               // unit vector towards the sun
    float night;
    vec3 sun_colour;
    float wet;
    vec3 sky_top;
    float puddles;
    vec3 sky_horizon;
    float cloud;
    vec3 bounce;            // light from below
    float fog_start;        // metres
    vec4 grade;             // rain, strength of noise, saturation, exposure
    vec2 near_far;          // metres
    float wind;             // slant of the rain
    float dust;
};
layout(std140) uniform View {       // set in every frame
    mat4 view_projection;
    vec4 mask_box;          // centre x, y, 1 / half side of the map of moving shadows and light cones, unused
    vec3 eye;
    float floor_z;          // height of the ground below the camera
    vec2 size;              // of the picture, pixels
    float phase;            // of rain and noise
    float unused;
};
uniform sampler2DArray layers;
uniform sampler2DArray leaves;  // the same texture, without smoothing between texels
uniform sampler2DShadow shadow_map;
uniform sampler2D clouds;
uniform sampler2D lamp_map;
uniform sampler2D mask;     // red: shadows of moving actors, green: their light cones

float fog_share(float distance_m) {
    float f = max(distance_m - fog_start, 0.0) * fog.a;
    return 1.0 - exp(-f * f * 0.35 - f * 0.65);
}

// Light of street lamps and of the moving actors' head lamps; z above the ground.
vec3 street_light(vec2 p, float z, float facing) {
    vec3 lamp = texture(lamp_map, (p - lamp_box.xy) / lamp_box.zw).rgb * clamp(1.1 - z * 0.13, 0.0, 1.0);
    float beam = textureLod(mask, (p - mask_box.xy) * mask_box.z * 0.5 + 0.5, 0.0).g;
    return night * facing * (lamp + vec3(2.5, 2.38, 2.05) * (beam * clamp(1.25 - z * 0.42, 0.0, 1.0)));
}
