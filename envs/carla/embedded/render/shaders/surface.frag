#ifdef MOVING
flat in vec2 identity;
#endif
#ifndef LEAF
in vec3 in_map;
in vec3 sunlit;
#endif
#if defined(GROUND) || defined(BUILDING) || defined(DECAL)
in vec3 world;
flat in vec4 tint;
#endif
#ifdef BUILDING
flat in vec3 N;
#endif
#if defined(GROUND) || defined(DECAL)
flat in vec3 base;
#else
in vec3 base;
in vec4 haze;
#endif
#ifndef BODY
in vec2 uv;
flat in float layer;
#endif
flat in float tag;
layout(location = 0) out vec4 colour_out;
layout(location = 1) out vec4 class_out;

void main() {
#ifdef LEAF
    vec4 texel = texture(leaves, vec3(uv, layer));
    if (texel.a < 0.5) discard;
    vec3 colour = mix(texel.rgb * texel.rgb * base, haze.rgb, haze.a);
    colour_out = vec4(sqrt(colour * 0.25), 1.0);
    class_out = vec4(tag / 255.0, 0.0, 0.0, 1.0);
#else
    float shade = 1.0;
#ifdef SHADOWS
    shade = texture(shadow_map, in_map);
#endif
#if defined(MASK) && (defined(GROUND) || defined(DECAL))
    shade *= 1.0 - textureLod(mask, (world.xy - mask_box.xy) * mask_box.z * 0.5 + 0.5, 0.0).r;
#endif
    vec3 colour = base + sunlit * shade;
    float alpha = 1.0, keep = 1.0;
#if defined(NIGHT) && (defined(GROUND) || defined(DECAL))
    vec3 lamp = street_light(world.xy, 0.0, 1.0);
    colour += lamp;
#endif
#if defined(BUILDING) && defined(NIGHT)
    colour += street_light(world.xy, world.z - floor_z, 0.6);
#endif
#ifdef DECAL
    // uv: metres across and along; tint.a: half width; layer: 0 line, 1 dashes, 2 stain, 3 repair, 4 manhole.
    float soft = fwidth(uv.x) * 0.7 + 1e-4, worn = textureLod(clouds, world.xy * 0.21, 0.0).r;
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
    colour *= tint.rgb * tint.rgb * (0.8 + 0.3 * worn);
#elif !defined(BODY)
    vec4 texel = texture(layers, vec3(uv, layer));
    colour *= texel.rgb * texel.rgb;
#if defined(GROUND) || defined(BUILDING)
    colour *= tint.rgb;
#endif
#endif
#if defined(GROUND) || defined(DECAL)
    vec3 v = world - eye;
    float distance_m = length(v);
    v /= distance_m;
    colour *= 0.74 + 0.52 * textureLod(clouds, world.xy * 0.013, 0.0).r;
#ifdef WET
    colour *= 1.0 - 0.62 * wet;
    if (tag != 10.0) {
        float pool = smoothstep(0.60 - 0.10 * puddles, 0.70, textureLod(clouds, world.xy * 0.045, 0.0).r) * puddles;
        float k = 1.0 + v.z, k4 = k * k * k * k;
        float f = 0.02 + 0.98 * k4 * k4 * k;
        colour += mix(sky_horizon, sky_top, clamp(-v.z * 2.0, 0.0, 1.0)) * (f * wet * (0.30 + 0.35 * pool) + 0.045 * pool);
        // The mirror image of the sun is drawn out on a wet street.
        float mirror = max(dot(vec3(v.xy, -v.z), sun), 0.0);
        mirror *= mirror; mirror *= mirror; mirror *= mirror;
        colour += sun_colour * (0.5 * wet * mirror * mirror * mirror * mirror * mirror * shade);
#ifdef NIGHT
        colour += lamp * (f * wet * (0.5 + 1.5 * pool));
#endif
    }
#endif
    colour = mix(colour, fog.rgb, fog_share(distance_m));
#else
#if defined(WET) && !defined(BODY)
    colour *= 1.0 - wet * 0.12;
#endif
#ifdef BUILDING
    float window = texel.a * step(0.05, tint.a);
    vec3 v = normalize(world - eye);
    float k = 1.0 - abs(dot(v, N));
    k *= k;
    vec3 mirrored = mix(sky_horizon, sky_top, clamp(abs(v.z) * 1.6 + 0.1, 0.0, 1.0));
    colour = mix(colour, colour * 0.7 + mirrored * (0.08 + 0.68 * k * k), window);
#ifdef NIGHT
    float id = fract(sin(dot(floor(uv * 4.0) + vec2(floor(tint.a * 64.0 + 0.5), layer), vec2(12.9898, 78.233))) * 43758.5);
    vec3 warm = mix(vec3(1.0, 0.72, 0.38), vec3(0.9, 0.92, 1.0), step(0.92, id));
    colour += night * window * step(0.56, id) * warm * (0.25 + 0.55 * fract(id * 7.0)) * (0.5 + texel.rgb);
#endif
#endif
    colour = mix(colour, haze.rgb, haze.a);
#endif
    colour_out = vec4(sqrt(colour * 0.25), alpha);
#ifdef MOVING
    class_out = vec4(tag / 255.0, identity, 1.0);
#else
    class_out = vec4(tag / 255.0, 0.0, 0.0, keep * step(0.45, alpha));
#endif
#endif
}
