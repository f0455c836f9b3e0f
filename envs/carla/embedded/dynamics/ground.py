"""The ground below a vehicle's wheels: height, pitch and roll."""

import math

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
