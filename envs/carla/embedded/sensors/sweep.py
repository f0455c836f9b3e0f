"""One ray, or a ball rolled along it, against all boxes at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.carla.embedded.sensors.solids import Solids

Float = npt.NDArray[np.float64]


def swept_boxes(solids: Solids, start: Vector, unit: Vector, radius: float = 0.0) -> Float:
    """(N,) metres until the ball touches each box: the slab test in each box's own axes.

    The boxes are made larger by the radius, so a ball meets their edges and corners a little early. It is 0 for a box
    that a ball touches from the start, and infinite for one that a ray starts in: a box is not seen from inside.

    Args:
        solids: the boxes.
        start: metres.
        unit: direction of length 1.
        radius: of the ball, metres; 0 = a ray.
    """
    x, y, yaw, half_length, half_width = solids.boxes.T
    cosine, sine = np.cos(yaw), np.sin(yaw)
    dx, dy = start[0] - x, start[1] - y
    half_height = (solids.tops - solids.bottoms) / 2.0
    origins = (dx * cosine + dy * sine, dy * cosine - dx * sine, start[2] - solids.bottoms - half_height)
    slopes = (unit[0] * cosine + unit[1] * sine, unit[1] * cosine - unit[0] * sine, np.full_like(dx, unit[2]))
    sizes = (half_length, half_width, half_height)
    enter, leave = np.full(len(dx), -np.inf), np.full(len(dx), np.inf)
    for origin, slope, size in zip(origins, slopes, sizes, strict=True):
        safe = np.where(np.abs(slope) < 1e-12, 1e-12, slope)
        first, second = (-size - radius - origin) / safe, (size + radius - origin) / safe
        enter = np.maximum(enter, np.minimum(first, second))
        leave = np.minimum(leave, np.maximum(first, second))
    met = (enter <= leave) & ((enter >= 0.0) if radius == 0.0 else (leave >= 0.0))
    return np.where(met, np.maximum(enter, 0.0), np.inf)
