"""Rays against the flat ground and the upright boxes of a town."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim2real_bench.envs.carla.embedded.collisions import StaticField
from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.classes import CarlaClass


@dataclass(frozen=True, slots=True)
class RayHit:
    """Where a ray meets something: metres along the ray, location and class."""

    distance: float
    location: Vector
    tag: int

    def wire(self) -> list[Any]:
        """``[location, tag]``."""
        return [list(self.location), self.tag]


def cast(field: StaticField, start: Vector, direction: Vector, reach: float) -> list[RayHit]:
    """Everything on a ray, nearest first.

    Args:
        field: the town's obstacles; vehicles are not looked at.
        start: metres.
        direction: of any length above zero.
        reach: length of the ray, metres.
    """
    length = math.sqrt(sum(component * component for component in direction))
    if length == 0.0:
        return []
    unit = (direction[0] / length, direction[1] / length, direction[2] / length)
    found = [(distance, int(field.tags[index])) for index, distance in _boxes(field, start, unit)]
    if unit[2] < 0.0 <= start[2]:
        found.append((start[2] / -unit[2], int(CarlaClass.GROUND)))
    hits = [RayHit(distance, _along(start, unit, distance), tag) for distance, tag in found if distance <= reach]
    return sorted(hits, key=lambda hit: hit.distance)


def _along(start: Vector, unit: Vector, distance: float) -> Vector:
    return start[0] + unit[0] * distance, start[1] + unit[1] * distance, start[2] + unit[2] * distance


def _boxes(field: StaticField, start: Vector, unit: Vector) -> list[tuple[int, float]]:
    """(index, distance) of every box the ray enters from outside: the slab test in each box's own axes."""
    cosine, sine = np.cos(field.boxes[:, 2]), np.sin(field.boxes[:, 2])
    dx, dy = start[0] - field.boxes[:, 0], start[1] - field.boxes[:, 1]
    origins = (dx * cosine + dy * sine, dy * cosine - dx * sine, start[2] - field.heights / 2.0)
    slopes = (unit[0] * cosine + unit[1] * sine, unit[1] * cosine - unit[0] * sine, np.full_like(dx, unit[2]))
    sizes = (field.boxes[:, 3], field.boxes[:, 4], field.heights / 2.0)
    enter, leave = np.full(len(dx), -np.inf), np.full(len(dx), np.inf)
    for origin, slope, size in zip(origins, slopes, sizes, strict=True):
        safe = np.where(np.abs(slope) < 1e-12, 1e-12, slope)
        first, second = (-size - origin) / safe, (size - origin) / safe
        enter = np.maximum(enter, np.minimum(first, second))
        leave = np.minimum(leave, np.maximum(first, second))
    indices = np.flatnonzero((enter <= leave) & (enter >= 0.0))
    return [(int(index), float(enter[index])) for index in indices]
