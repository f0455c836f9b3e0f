"""GLSL sources of the renderer."""
