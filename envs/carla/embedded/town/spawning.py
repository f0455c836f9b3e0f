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
_FIRST_M, _LAST_M = 5.0, 9.0  # from the ends of a lane
_HALF_LENGTH_M, _HALF_WIDTH_M = 2.6, 1.05


def spawn_points(scene: Scene, lanes: Sequence[Lane]) -> tuple[SpawnPoint, ...]:
    """Spawn points of the whole town, in the order of the lanes."""
    found = []
    for lane in lanes:
        if lane.in_junction:
            continue
        for arc in np.arange(_FIRST_M, float(lane.arc[-1]) - _LAST_M + 1e-6, _SPACING_M):
            centre, forward, _ = lane.at(float(arc))
            yaw = math.atan2(forward[1], forward[0])
            footprint = box_polygon(float(centre[0]), float(centre[1]), yaw, _HALF_LENGTH_M, _HALF_WIDTH_M)
            if not scene.meets_obstacle(footprint):
                found.append(SpawnPoint(float(centre[0]), -float(centre[1]), SPAWN_HEIGHT_M, -math.degrees(yaw)))
    return tuple(found)
