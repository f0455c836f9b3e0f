// From the supersampled pass to the three images in CARLA's encoding (BGRA, first row at the top).
// The projection is shifted so that sample SAMPLE of each SS x SS block lies on the centre of the pixel: class and depth
// are taken from it alone, colour is averaged around it.
uniform sampler2D pass_colour;
uniform sampler2D pass_class;
uniform sampler2D pass_depth;
uniform sampler2D noise;
in vec2 q;
// RGB, SEMANTIC, DEPTH and INSTANCE are defined as the location of each image that is asked for.
#ifdef RGB
layout(location = RGB) out vec4 rgb_out;
#endif
#ifdef SEMANTIC
layout(location = SEMANTIC) out vec4 class_out;
#endif
#ifdef DEPTH
layout(location = DEPTH) out vec4 depth_out;
#endif
#ifdef INSTANCE
layout(location = INSTANCE) out vec4 instance_out;
#endif

#ifdef RGB
#if SS == 1
// Smooths edges after the manner of FXAA (Lottes, 2009): where the neighbours differ, the mean along the edge.
vec3 smoothed(vec2 p) {
    const vec3 luma = vec3(0.3, 0.6, 0.1);
    vec2 t = 1.0 / size;
    vec3 middle = textureLod(pass_colour, p, 0.0).rgb;
    float nw = dot(textureLod(pass_colour, p + t * vec2(-0.5, 0.5), 0.0).rgb, luma);
    float ne = dot(textureLod(pass_colour, p + t * vec2(0.5, 0.5), 0.0).rgb, luma);
    float sw = dot(textureLod(pass_colour, p + t * vec2(-0.5, -0.5), 0.0).rgb, luma);
    float se = dot(textureLod(pass_colour, p + t * vec2(0.5, -0.5), 0.0).rgb, luma);
    float m = dot(middle, luma);
    vec2 along = vec2(sw + se - nw - ne, nw + sw - ne - se);
    float steep = min(abs(along.x), abs(along.y)) + 0.02;
    along = clamp(along / steep, -2.0, 2.0) * t;
    vec3 mean = 0.5 * (textureLod(pass_colour, p - along * 0.33, 0.0).rgb + textureLod(pass_colour, p + along * 0.33, 0.0).rgb);
    float contrast = max(max(max(nw, ne), max(sw, se)), m) - min(min(min(nw, ne), min(sw, se)), m);
    return mix(middle, mean, smoothstep(0.03, 0.08, contrast));
}
#endif
#endif

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy);
    ivec2 upright = ivec2(pixel.x, int(size.y) - 1 - pixel.y);      // row 0 of the output is the top
    ivec2 block = upright * SS + SAMPLE;
#ifdef RGB
    vec2 u = gl_FragCoord.xy / size;
    u.y = 1.0 - u.y;
#if SS > 1
    vec2 texel = 1.0 / (size * float(SS));
    vec2 centre = (vec2(block) + 0.5) * texel, reach = texel * float(SS) * 0.25;
    vec3 c = 0.25 * (textureLod(pass_colour, centre + reach * vec2(-1.0, -1.0), 0.0).rgb
                   + textureLod(pass_colour, centre + reach * vec2(1.0, -1.0), 0.0).rgb
                   + textureLod(pass_colour, centre + reach * vec2(-1.0, 1.0), 0.0).rgb
                   + textureLod(pass_colour, centre + reach * vec2(1.0, 1.0), 0.0).rgb);
#else
    vec3 c = smoothed((vec2(upright) + 0.5) / size);
#endif
    c *= c * (4.0 * grade.w);
    c = c * (2.51 * c + 0.03) / (c * (2.43 * c + 0.59) + 0.14);     // ACES, Narkowicz's fit
    c = sqrt(clamp(c, 0.0, 1.0));
    vec2 r = q * vec2(1.0, 0.5);
    c *= 1.0 - 0.20 * dot(r, r);
#ifdef RAIN
    float streaks = 0.0;
    for (int k = 0; k < 2; k++) {
        float n = 70.0 + 60.0 * float(k);
        float column = floor((u.x + u.y * wind * float(k + 1)) * n);
        float h = fract(sin(column * 12.9898 + float(k) * 7.1) * 43758.5453);
        float y = fract(u.y * (1.1 + h) + h * 17.0 + phase * (2.3 + h * 1.7));
        streaks += smoothstep(0.80, 0.99, y) * step(0.72, fract(h * 31.7)) * (0.5 + 0.5 * float(k));
    }
    c = mix(c, vec3(0.78, 0.80, 0.83) * (0.46 + 0.75 * dot(c, vec3(0.33))), clamp(0.36 * sqrt(grade.x) * streaks, 0.0, 1.0));
#endif
    float grain = textureLod(noise, (gl_FragCoord.xy + floor(vec2(phase * 761.0, phase * 1373.0))) / 512.0, 0.0).r - 0.5;
    c += grain * grade.y;
    c = mix(vec3(dot(c, vec3(0.3, 0.6, 0.1))), c, grade.z);
    rgb_out = vec4(c.bgr, 1.0);
#endif
#if defined(SEMANTIC) || defined(DEPTH) || defined(INSTANCE)
    vec4 tag = texelFetch(pass_class, block, 0);
#endif
#ifdef SEMANTIC
    class_out = vec4(0.0, 0.0, tag.r, 1.0);
#endif
#ifdef INSTANCE
    instance_out = vec4(tag.b, tag.g, tag.r, 1.0);
#endif
#ifdef DEPTH
    float d = texelFetch(pass_depth, block, 0).r;
    float metres = near_far.x * near_far.y / (near_far.y - d * (near_far.y - near_far.x));
    if (int(tag.r * 255.0 + 0.5) == 11) metres = 1000.0;
    float i = min(floor(clamp(metres / 1000.0, 0.0, 1.0) * 16777215.0 + 0.5), 16777215.0);     // floats end at 2^24
    // CARLA: red + 256 green + 65536 blue
    depth_out = vec4(floor(i / 65536.0), mod(floor(i / 256.0), 256.0), mod(i, 256.0), 255.0) / 255.0;
#endif
}
