in vec2 uv;
flat in float layer;

void main() {
#ifdef LEAF
    if (texture(layers, vec3(uv, layer)).a < 0.5) discard;
#endif
}
