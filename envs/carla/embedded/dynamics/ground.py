"""The ground below a vehicle's wheels: height, pitch and roll."""

import math

import numpy as np

from sim2real_bench.envs.carla.embedded.dynamics.operations import Float
from sim2real_bench.envs.carla.embedded.town.relief import Relief

LEVEL = (0.0, 0.0, 0.0)


def stance(
    relief: Relief, x: float, y: float, yaw: float, half_base: float, half_track: float
) -> tuple[float, float, float]:
    """(height of the origin, rise along, rise across to the right) of a vehicle that stands on the ground.

    Args:
        relief: the ground.
        x: of the vehicle's centre, metres; ``y`` likewise.
        yaw: radians.
        half_base: half of the wheelbase, metres.
        half_track: half of the distance between the left and the right wheels, metres.

    Returns:
        Metres, and metres per metre.
    """
    if relief.flat:
        return LEVEL
    cosine, sine = math.cos(yaw), math.sin(yaw)
    along_x, along_y = cosine * half_base, sine * half_base
    front, rear = relief.height(x + along_x, y + along_y), relief.height(x - along_x, y - along_y)
    across_x, across_y = -sine * half_track, cosine * half_track
    right, left = relief.height(x + across_x, y + across_y), relief.height(x - across_x, y - across_y)
    across = (right - left) / (2.0 * half_track) if half_track > 0.0 else 0.0
    return (front + rear) / 2.0, (front - rear) / (2.0 * half_base), across


def stances(relief: Relief, x: Float, y: Float, yaw: Float, half_base: Float, half_track: Float) -> Float:
    """(N, 3) heights and rises of N vehicles; see ``stance``."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    along = np.stack((cosine * half_base, sine * half_base), axis=1)
    across = np.stack((-sine * half_track, cosine * half_track), axis=1)
    centre = np.stack((x, y), axis=1)
    points = np.concatenate((centre + along, centre - along, centre + across, centre - across))
    front, rear, right, left = relief.heights(points).reshape(4, -1)
    rise = np.divide(right - left, 2.0 * half_track, out=np.zeros_like(x), where=half_track > 0.0)
    return np.stack(((front + rear) / 2.0, (front - rear) / (2.0 * half_base), rise), axis=1)
