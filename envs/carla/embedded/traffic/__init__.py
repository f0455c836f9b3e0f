"""Traffic that drives and walks by itself: signals with phases, autopilots, pedestrians."""

from sim2real_bench.envs.carla.embedded.traffic.traffic import Traffic

__all__ = ["Traffic"]
