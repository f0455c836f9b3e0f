"""Where cars may start: on lane centres outside junctions, clear of everything."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim2real_bench.envs.carla.embedded.town.lanes import Lane
from sim2real_bench.envs.carla.embedded.town.model import SpawnPoint
from sim2real_bench.envs.carla.embedded.town.scene import Scene, box_polygon

SPAWN_HEIGHT_M = 0.3
_SPACING_M = 13.0
_MOST_POINTS = 240
_SHIFT_M = 6.5  # from lane to lane of one direction, so that cars do not start side by side
_FIRST_M, _LAST_M = 5.0, 9.0  # from the ends of a lane
_HALF_LENGTH_M, _HALF_WIDTH_M = 2.6, 1.05


def spawn_points(scene: Scene, lanes: Sequence[Lane]) -> tuple[SpawnPoint, ...]:
    """Spawn points of the whole map, in the order of the lanes."""
    streets = [lane for lane in lanes if not lane.in_junction]
    spacing = max(_SPACING_M, sum(float(lane.arc[-1]) for lane in streets) / _MOST_POINTS)
    innermost: dict[tuple[int, int, bool], int] = {}
    for lane in streets:
        side = (lane.key[0], lane.key[1], lane.key[2] > 0)
        innermost[side] = min(abs(lane.key[2]), innermost.get(side, 99))
    found = []
    for lane in streets:
        rank = abs(lane.key[2]) - innermost[lane.key[0], lane.key[1], lane.key[2] > 0]
        first = _FIRST_M + rank * _SHIFT_M % spacing
        for arc in np.arange(first, float(lane.arc[-1]) - _LAST_M + 1e-6, spacing):
            centre, forward, _ = lane.at(float(arc))
            yaw = math.atan2(forward[1], forward[0])
            footprint = box_polygon(float(centre[0]), float(centre[1]), yaw, _HALF_LENGTH_M, _HALF_WIDTH_M)
            if not scene.meets_obstacle(footprint):
                found.append(_spawn_point(scene, float(centre[0]), float(centre[1]), yaw))
    return tuple(found)


def _spawn_point(scene: Scene, x: float, y: float, yaw: float) -> SpawnPoint:
    along_x, along_y = scene.relief.gradient(x, -y)
    rise = along_x * math.cos(yaw) - along_y * math.sin(yaw)
    height = scene.ground(x, y) + SPAWN_HEIGHT_M
    return SpawnPoint(x, -y, height, -math.degrees(yaw), math.degrees(math.atan(rise)))
