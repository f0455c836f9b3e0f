"""Cameras: OpenGL pictures, labels and depth in one pass."""
