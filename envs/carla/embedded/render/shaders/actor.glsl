// An instance of a body: the rows of its 3 x 4 matrix.
in vec4 row_x;
in vec4 row_y;
in vec4 row_z;

vec3 placed(vec3 p) {
    vec4 q = vec4(p, 1.0);
    return vec3(dot(row_x, q), dot(row_y, q), dot(row_z, q));
}
