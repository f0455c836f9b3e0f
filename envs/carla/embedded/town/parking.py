"""Parked cars: in the bays of the parking lanes, clear of the driving lanes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim2real_bench.envs.carla.embedded.town.bodies import PAINTS, VEHICLE_BODIES
from sim2real_bench.envs.carla.embedded.town.lanes import Lane
from sim2real_bench.envs.carla.embedded.town.markings import BAY_LENGTH_M, bay_interval
from sim2real_bench.envs.carla.embedded.town.model import ParkedCar
from sim2real_bench.envs.carla.embedded.town.scene import Scene
from sim2real_bench.envs.classes import CarlaClass

_OCCUPIED_SHARE = 0.78
_KERB_GAP_M = 0.12
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
    body = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    half_length, half_width = VEHICLE_BODIES[body]
    centre, forward, right = lane.at(arc + random.uniform(-0.35, 0.35))
    bay = float(np.interp(arc, lane.arc, lane.parking))
    centre = centre + right * (lane.width / 2 + bay - _KERB_GAP_M - half_width)
    yaw = math.atan2(forward[1], forward[0]) + random.uniform(-0.012, 0.012)
    if random.random() < 0.1:
        yaw += math.pi
    x, y = float(centre[0]), float(centre[1])
    scene.obstacle(x, y, yaw, half_length, half_width, _HEIGHTS_M.get(body, 1.48), CarlaClass.CAR)
    scene.parked.append(ParkedCar(x, -y, -math.degrees(yaw), body, random.choice(PAINTS), half_length, half_width))
