in vec3 world;
in vec2 uv;
#if defined(GROUND) || defined(BUILDING) || defined(DECAL)
flat in vec4 tint;
#else
in vec4 tint;
#endif
#if defined(GROUND) || defined(DECAL)
flat in vec3 ambient;
#else
in vec3 ambient;
#endif
in vec4 haze;
in vec4 sun_space;
flat in vec3 N;
flat in float layer;
flat in float tag;
#ifdef VEHICLE
flat in vec2 identity;
#endif
layout(location = 0) out vec4 colour_out;
layout(location = 1) out vec4 class_out;

float schlick(float k, float f0) { return f0 + (1.0 - f0) * k * k * k * k * k; }

void main() {
    float alpha = 1.0, keep = 1.0, fogged = haze.a;
#ifdef DECAL
    // uv: metres across and along; tint.a: half width; layer: 0 line, 1 dashes, 2 stain, 3 repair, 4 manhole.
    float soft = fwidth(uv.x) * 0.7 + 1e-4, worn = texture(clouds, world.xy * 0.21).r;
    alpha = clamp((tint.a - abs(uv.x)) / soft + 0.5, 0.0, 1.0);
    if (layer < 1.5) {
        float along = fwidth(uv.y) + 1e-4;
        float dash = clamp((1.5 - abs(mod(uv.y, 9.0) - 4.5)) / along + 0.5, 0.0, 1.0);
        alpha *= (layer < 0.5 ? 1.0 : dash) * (0.60 + 0.9 * clamp(worn + 0.02, 0.0, 0.45));
    } else {
        float x = uv.x / tint.a;
        alpha = layer < 2.5 ? 0.20 * (1.0 - x * x) * (0.5 + worn)
              : layer < 3.5 ? alpha * 0.55
              : 1.0 - smoothstep(0.8, 1.0, length(vec2(x, (fract(uv.y / 0.7) - 0.5) * 2.0)));
        keep = 0.0;
    }
    vec3 albedo = tint.rgb * tint.rgb * (0.8 + 0.3 * worn);
#elif defined(VEHICLE)
    vec3 albedo = tint.rgb;
#else
    vec4 texel = texture(layers, vec3(uv, layer));
#ifdef LEAF
    if (texel.a < 0.5) discard;
#endif
    vec3 albedo = texel.rgb * texel.rgb * tint.rgb;
#endif
#if defined(GROUND) || defined(DECAL)
    albedo *= 0.74 + 0.52 * texture(clouds, world.xy * 0.013).r;
    fogged = fog_share(length(world - eye));
#endif
#ifdef WET
#if defined(GROUND) || defined(DECAL)
    albedo *= 1.0 - 0.62 * wet;
#elif !defined(LEAF) && !defined(VEHICLE)
    albedo *= 1.0 - wet * 0.18 * (0.35 + 0.65 * max(N.z, 0.0));
#endif
#endif
    vec3 light = ambient;
#if defined(SHADOWS) && !defined(LEAF)
    float shade = texture(shadow_map, sun_space.xyz);
#else
    float shade = 1.0;
#endif
#if defined(GROUND) || defined(DECAL)
#ifdef MASK
    shade *= 1.0 - texture(vehicle_mask, (world.xy - mask_box.xy) * mask_box.z * 0.5 + 0.5).r;
#endif
    light += sun_colour * (max(sun.z, 0.0) * shade);
#ifdef NIGHT
    light += street_light(world.xy, 0.0, 1.0);
#endif
#elif !defined(LEAF)
    light += sun_colour * (sun_space.w * shade);
#endif
#if defined(BUILDING) && defined(NIGHT)
    light += street_light(world.xy, world.z, 0.6);
#endif
    vec3 colour = albedo * light;
#if defined(WET) && (defined(GROUND) || defined(DECAL))
    if (tag != 10.0) {
        vec3 v = normalize(world - eye);
        float pool = smoothstep(0.60 - 0.10 * puddles, 0.70, texture(clouds, world.xy * 0.045).r) * puddles;
        float k = 1.0 + v.z, k4 = k * k * k * k;
        float f = 0.02 + 0.98 * k4 * k4 * k;
        colour += mix(sky_horizon, sky_top, clamp(-v.z * 2.0, 0.0, 1.0)) * (f * wet * (0.30 + 0.35 * pool) + 0.045 * pool);
        // The mirror image of the sun is drawn out on a wet street.
        vec3 mirror = vec3(v.xy, -v.z);
        colour += sun_colour * (0.5 * wet * pow(max(dot(mirror, sun), 0.0), 40.0) * shade);
#ifdef NIGHT
        colour += street_light(world.xy, 0.0, 1.0) * f * wet * (0.5 + 1.5 * pool);
#endif
    }
#endif
#ifdef BUILDING
    float window = texel.a * step(0.05, tint.a);
    vec3 v = normalize(world - eye);
    float k = 1.0 - abs(dot(v, N));
    vec3 mirrored = mix(sky_horizon, sky_top, clamp(abs(v.z) * 1.6 + 0.1, 0.0, 1.0));
    colour = mix(colour, colour * 0.7 + mirrored * (0.08 + 0.68 * k * k * k * k), window);
#ifdef NIGHT
    float id = fract(sin(dot(floor(uv * 4.0) + vec2(floor(tint.a * 64.0 + 0.5), layer), vec2(12.9898, 78.233))) * 43758.5);
    vec3 warm = mix(vec3(1.0, 0.72, 0.38), vec3(0.9, 0.92, 1.0), step(0.92, id));
    colour += night * window * step(0.56, id) * warm * (0.25 + 0.55 * fract(id * 7.0)) * (0.5 + texel.rgb);
#endif
#endif
#ifdef VEHICLE
    if (tint.a < -0.25) {
        vec3 v = normalize(world - eye), n = normalize(N), r = reflect(v, n);
        float glazed = step(tint.a, -0.75);
        float f = schlick(1.0 - abs(dot(v, n)), 0.05);
        vec3 around = mix(bounce * 0.8, mix(sky_horizon, sky_top, clamp(r.z * 1.5, 0.0, 1.0)), smoothstep(-0.12, 0.15, r.z));
        float h = max(dot(r, sun), 0.0);
        h *= h; h *= h; h *= h; h *= h; h *= h;
        colour += (around * f + sun_colour * h * h * 0.8 * shade) * mix(0.55, 0.80, glazed);
    }
#endif
#if defined(GENERAL) || defined(VEHICLE)
    if (tint.a > 0.95) colour += tint.rgb * (tag == 7.0 ? 2.2 : night * 2.6);
#endif
#if defined(GROUND) || defined(DECAL)
    colour = mix(colour, fog.rgb, fogged);
#else
    colour = mix(colour, haze.rgb, fogged);
#endif
    colour_out = vec4(sqrt(colour * 0.25), alpha);
#ifdef VEHICLE
    class_out = vec4(tag / 255.0, identity, 1.0);
#else
    class_out = vec4(tag / 255.0, 0.0, 0.0, keep * step(0.45, alpha));
#endif
}
