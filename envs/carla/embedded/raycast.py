"""Rays that a client sends through the world: against the ground, the town's obstacles and the actors in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.carla.embedded.sensors.ground import GroundSurface
from sim2real_bench.envs.carla.embedded.sensors.solids import Solids
from sim2real_bench.envs.carla.embedded.sensors.sweep import swept_boxes


@dataclass(frozen=True, slots=True)
class RayHit:
    """Where a ray meets something: metres along the ray, location and class."""

    distance: float
    location: Vector
    tag: int

    def wire(self) -> list[Any]:
        """``[location, tag]``."""
        return [list(self.location), self.tag]


def cast(solids: Solids, surface: GroundSurface, start: Vector, direction: Vector, reach: float) -> list[RayHit]:
    """Everything on a ray, nearest first; behind the ground is nothing.

    Args:
        solids: obstacles and actors; one that holds the start is not met.
        surface: the ground.
        start: metres.
        direction: of any length above zero.
        reach: length of the ray, metres.
    """
    length = math.hypot(*direction)
    if length == 0.0:
        return []
    unit = (direction[0] / length, direction[1] / length, direction[2] / length)
    distances = swept_boxes(solids, start, unit)
    ground = float(surface.distances(start, np.array([unit], np.float32), reach)[0])
    found = [(float(distances[index]), int(solids.tags[index])) for index in np.flatnonzero(distances <= reach)]
    if ground <= reach:
        x, y = (np.array([start[axis] + unit[axis] * ground], np.float32) for axis in range(2))
        found = [entry for entry in found if entry[0] <= ground]
        found.append((ground, int(surface.tags(x, y)[0])))
    return sorted((_hit(start, unit, *entry) for entry in found), key=lambda hit: hit.distance)


def _hit(start: Vector, unit: Vector, distance: float, tag: int) -> RayHit:
    location = (start[0] + unit[0] * distance, start[1] + unit[1] * distance, start[2] + unit[2] * distance)
    return RayHit(distance, location, tag)
