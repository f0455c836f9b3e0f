// One of GROUND, BUILDING, GENERAL, LEAF, DECAL, BODY; a BODY is MOVING or parked. What is smooth over a triangle is
// computed here, because llvmpipe pays for every fragment: "base" is the light in the shade, "sunlit" what the sun adds.
in vec3 position;
in vec3 normal;
in vec2 uv_in;
in vec4 tint_in;
in vec2 layer_class;
#ifdef MOVING
in vec4 paint;          // rgb, actor id
in vec4 lamps;          // light of head, tail, left and right lamps
in vec2 more_lamps;     // of reversing lamp and beacon
flat out vec2 identity; // low and high byte of the actor's id, 0 to 1
#endif
#ifdef LEAF
in float sun_seen;      // how much of the sun reaches the vertex
#else
out vec3 in_map;        // shadow map coordinates
out vec3 sunlit;
#endif
#if defined(GROUND) || defined(BUILDING) || defined(DECAL)
out vec3 world;
flat out vec4 tint;
#endif
#ifdef BUILDING
flat out vec3 N;
#endif
#if defined(GROUND) || defined(DECAL)
flat out vec3 base;
#else
out vec3 base;
out vec4 haze;
#endif
#ifndef BODY
out vec2 uv;
flat out float layer;
#endif
flat out float tag;

void main() {
    vec3 p = position, n = normal, albedo = tint_in.rgb, glow = vec3(0.0);
    float occlusion = 1.0, code = tint_in.a;
    tag = layer_class.y;
#ifndef BODY
    uv = uv_in;
    layer = layer_class.x;
#endif
#ifdef MOVING
    p = placed(position);
    n = vec3(dot(row_x.xyz, normal), dot(row_y.xyz, normal), dot(row_z.xyz, normal));
    if (albedo.r < 0.0) albedo = paint.rgb;
    float high = floor(paint.a / 256.0);
    identity = vec2(paint.a - 256.0 * high, mod(high, 256.0)) / 255.0;
    glow = albedo * (code < 1.5 ? 0.0 : code < 2.5 ? lamps.x : code < 3.5 ? lamps.y : code < 4.5 ? lamps.z
         : code < 5.5 ? lamps.w : code < 6.5 ? more_lamps.x : more_lamps.y);
    occlusion = clamp(0.40 + position.z * 0.75, 0.0, 1.0);
#elif defined(BODY)
    occlusion = clamp(0.40 + uv_in.y * 0.75, 0.0, 1.0);
#elif !defined(GROUND) && !defined(DECAL)
    occlusion = 0.60 + 0.40 * clamp((p.z - floor_z) / 3.0, 0.0, 1.0);
#endif
#ifdef GENERAL
    if (code > 0.95) glow = albedo * (night * 4.0);
#endif
    vec3 d = p - eye;
    float distance_m = length(d);
    vec3 v = d / distance_m;
    vec3 light = mix(bounce, mix(sky_horizon, sky_top, 0.55), n.z * 0.5 + 0.5) * occlusion;
    float lit = max(dot(n, sun), 0.0);
#if defined(NIGHT) && !defined(GROUND) && !defined(DECAL) && !defined(BUILDING)
    light += street_light(p.xy, p.z - floor_z, 0.55 + 0.3 * n.z);
#endif
#ifdef LEAF
    light += sun_colour * ((lit * 0.75 + 0.25 * max(dot(-n, sun), 0.0) + 0.10) * sun_seen);
#else
    vec4 t = sun_projection * vec4(p + n * 0.12, 1.0);
    in_map = t.xyz * 0.5 + 0.5 - vec3(0.0, 0.0, 0.0009);
    sunlit = sun_colour * lit;
#endif
#if defined(GROUND) || defined(BUILDING) || defined(DECAL)
    base = light;
    tint = tint_in;
    world = p;
#else
    base = albedo * light + glow;
#ifndef LEAF
    sunlit *= albedo;
#endif
#endif
#ifdef BODY
    // code: 0 dull, -0.5 gloss of sheet metal, -1 glass, above 1.5 lamps.
    float gloss = code < -0.25 ? (code < -0.75 ? 0.80 : 0.55) : 0.0;
    n = normalize(n);
    vec3 r = reflect(v, n);
    float k = 1.0 - abs(dot(v, n)), k2 = k * k;
    vec3 around = mix(bounce * 0.8, mix(sky_horizon, sky_top, clamp(r.z * 1.5, 0.0, 1.0)), smoothstep(-0.12, 0.15, r.z));
    float h = max(dot(r, sun), 0.0);
    h *= h; h *= h; h *= h; h *= h; h *= h;
    base += around * ((0.05 + 0.95 * k2 * k2 * k) * gloss);
    sunlit += sun_colour * (h * h * 0.8 * gloss);
#endif
#ifdef BUILDING
    N = n;
#endif
#if !defined(GROUND) && !defined(DECAL)
    float glare = max(dot(v, sun), 0.0);
    glare *= glare;
    haze = vec4(fog.rgb + sun_colour * (0.12 * glare * glare * glare), fog_share(distance_m));
#endif
    gl_Position = view_projection * vec4(p, 1.0);
}
