"""CARLA 0.9.16: one environment, a real or an embedded server behind it."""
