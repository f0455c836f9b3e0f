"""Parked cars: in the bays of the parking lanes, clear of the driving lanes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim2real_bench.envs.carla.embedded.town.bodies import PAINTS, VEHICLE_BODIES
from sim2real_bench.envs.carla.embedded.town.lanes import Lane
from sim2real_bench.envs.carla.embedded.town.markings import BAY_LENGTH_M, bay_interval
from sim2real_bench.envs.carla.embedded.town.model import ParkedCar
from sim2real_bench.envs.carla.embedded.town.scene import Scene, box_polygon
from sim2real_bench.envs.classes import CarlaClass

_OCCUPIED_SHARE = 0.78
_KERB_GAP_M = 0.08
_HEIGHTS_M = {"van": 2.1, "suv": 1.7}
_WEIGHTS = {"sedan": 1.0, "hatchback": 1.3, "suv": 0.9, "estate": 0.7, "van": 0.45}


def park_cars(scene: Scene, lanes: Sequence[Lane]) -> None:
    """Fill the bays of the whole town."""
    for lane in lanes:
        interval = bay_interval(lane)
        if lane.in_junction or interval is None:
            continue
        for index in range(int((interval[1] - interval[0]) / BAY_LENGTH_M)):
            if scene.random.random() < _OCCUPIED_SHARE:
                _park(scene, lane, interval[0] + (index + 0.5) * BAY_LENGTH_M)


def _park(scene: Scene, lane: Lane, arc: float) -> None:
    random = scene.random
    drawn = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    shift, turn, paint = random.uniform(-0.35, 0.35), random.uniform(-0.012, 0.012), random.choice(PAINTS)
    backwards = random.random() < 0.1
    centre, forward, right = lane.at(arc + shift)
    bay = float(np.interp(arc, lane.arc, lane.parking))
    yaw = math.atan2(forward[1], forward[0]) + turn + (math.pi if backwards else 0.0)
    for body in (drawn, "hatchback"):  # in a bend, only a small car keeps its corners out of the driving lane
        half_length, half_width = VEHICLE_BODIES[body]
        x, y = (centre + right * (lane.width / 2 + bay - _KERB_GAP_M - half_width)).tolist()
        if scene.clear_of_lanes(box_polygon(x, y, yaw, half_length, half_width)):
            scene.obstacle(x, y, yaw, half_length, half_width, _HEIGHTS_M.get(body, 1.48), CarlaClass.CAR)
            scene.parked.append(ParkedCar(x, -y, -math.degrees(yaw), body, paint, half_length, half_width))
            return
