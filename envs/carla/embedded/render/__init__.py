"""The camera of the embedded server: picture, semantic classes and depth in one OpenGL pass."""
