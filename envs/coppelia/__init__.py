"""CoppeliaSim through its ZeroMQ remote API."""
