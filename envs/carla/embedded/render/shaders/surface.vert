// One of GROUND, BUILDING, GENERAL, LEAF, VEHICLE, DECAL. What is smooth over a triangle is computed here, because
// llvmpipe pays for every fragment.
in vec3 position;
in vec3 normal;
in vec2 uv_in;
in vec4 tint_in;
in vec2 layer_class;
#ifdef VEHICLE
in vec4 at;        // x, y, z, yaw
in vec4 paint;     // rgb, actor id
in vec2 stretch;
#endif
out vec3 world;
out vec2 uv;
#if defined(GROUND) || defined(BUILDING) || defined(DECAL)
flat out vec4 tint;
#else
out vec4 tint;
#endif
#if defined(GROUND) || defined(DECAL)
flat out vec3 ambient;
#else
out vec3 ambient;
#endif
out vec4 haze;
out vec4 sun_space;     // shadow map coordinates, N.L
flat out vec3 N;
flat out float layer;
flat out float tag;
#ifdef VEHICLE
flat out vec2 identity; // low and high byte of the actor's id, 0 to 1
#endif

void main() {
    vec3 p = position;
    N = normal;
    tint = tint_in;
    layer = layer_class.x;
    tag = layer_class.y;
    uv = uv_in;
    float occlusion = 1.0;
#ifdef VEHICLE
    float c = cos(at.w), s = sin(at.w);
    vec3 q = vec3(position.xy * stretch, position.z);
    p = vec3(c * q.x - s * q.y, s * q.x + c * q.y, q.z) + at.xyz;
    N = vec3(c * normal.x - s * normal.y, s * normal.x + c * normal.y, normal.z);
    if (tint.r < 0.0) tint.rgb = paint.rgb;
    float high = floor(paint.a / 256.0);
    identity = vec2(paint.a - 256.0 * high, mod(high, 256.0)) / 255.0;
    occlusion = clamp(0.40 + position.z * 0.75, 0.0, 1.0);
#elif !defined(GROUND) && !defined(DECAL)
    occlusion = 0.60 + 0.40 * clamp(p.z / 3.0, 0.0, 1.0);
#endif
    vec3 d = p - eye;
    float distance_m = length(d);
#if defined(GROUND) || defined(DECAL)
    haze = vec4(0.0);
#else
    haze = vec4(fog.rgb + sun_colour * 0.12 * pow(max(dot(d / distance_m, sun), 0.0), 6.0), fog_share(distance_m));
#endif
    float lit = max(dot(N, sun), 0.0);
    ambient = mix(bounce, mix(sky_horizon, sky_top, 0.55), N.z * 0.5 + 0.5) * occlusion;
    vec4 t = sun_projection * vec4(p + N * 0.12, 1.0);
    sun_space = vec4(t.xyz * 0.5 + 0.5 - vec3(0.0, 0.0, 0.0009), lit);
#ifdef LEAF
    lit = lit * 0.75 + 0.25 * max(dot(-N, sun), 0.0) + 0.10;
#ifdef SHADOWS
    lit *= texture(shadow_map, sun_space.xyz - vec3(0.0, 0.0, 0.002));
#endif
    ambient += sun_colour * lit;
#endif
#if defined(NIGHT) && !defined(GROUND) && !defined(DECAL) && !defined(BUILDING)
    ambient += street_light(p.xy, p.z, 0.55 + 0.3 * N.z);
#endif
    world = p;
    gl_Position = view_projection * vec4(p, 1.0);
}
