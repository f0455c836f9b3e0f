"""The embedded CARLA server: a small town behind the real wire protocol."""
