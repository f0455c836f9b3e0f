"""Parked cars: in the bays of the parking lanes, clear of the driving lanes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim2real_bench.envs.carla.embedded.town.bodies import BODIES, PAINTS
from sim2real_bench.envs.carla.embedded.town.lanes import Lane
from sim2real_bench.envs.carla.embedded.town.markings import BAY_LENGTH_M, bay_interval
from sim2real_bench.envs.carla.embedded.town.model import ParkedCar
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene, box_polygon

_OCCUPIED_SHARE = 0.78
_KERB_GAP_M = 0.08
_WEIGHTS = {
    "sedan": 1.0, "hatchback": 1.3, "suv": 0.9, "estate": 0.7, "van": 0.35, "coupe": 0.4, "minibus": 0.2,
    "microcar": 0.15, "police": 0.04,
}  # fmt: skip


_LIVERIES = {"ambulance": (236, 236, 232), "police": (52, 56, 62)}
"""Paints of what is not painted as one likes."""


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
        shape = BODIES[body]
        half_length, half_width = shape.half_length, shape.half_width
        x, y = (centre + right * (lane.width / 2 + bay - _KERB_GAP_M - half_width)).tolist()
        if scene.clear_of_lanes(box_polygon(x, y, yaw, half_length, half_width)):
            scene.obstacle(x, y, yaw, half_length, half_width, 2.0 * shape.half_height, shape.tag)
            paint = _LIVERIES.get(body, paint)
            scene.parked.append(ParkedCar(x, -y, -math.degrees(yaw), body, paint, half_length, half_width))
            return


def park_at(scene: Scene, x: float, y: float, yaw: float, body: str) -> bool:
    """Park something off the road, on the land; False if something stands there."""
    shape = BODIES[body]
    half_length, half_width = shape.half_length, shape.half_width
    if not scene.free(box_polygon(x, y, yaw, half_length, half_width)):
        return False
    paint = _LIVERIES.get(body) or scene.random.choice(PAINTS)
    scene.obstacle(x, y, yaw, half_length, half_width, 2.0 * shape.half_height, shape.tag)
    scene.parked.append(ParkedCar(x, -y, -math.degrees(yaw), body, paint, half_length, half_width, z=KERB_M))
    return True
