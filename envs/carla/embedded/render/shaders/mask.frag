out vec4 shade;

void main() { shade = vec4(1.0, 0.0, 0.0, 1.0); }
