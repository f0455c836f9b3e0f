"""What stands on the pavement: lamps, street trees, signs, bus stops and single things; guard rails of motorways."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.lanes import Lane
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.plants import add_bush, add_tree
from sim2real_bench.envs.carla.embedded.town.plaza import add_fountain
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene, box_polygon, scaled
from sim2real_bench.envs.carla.embedded.town.signs import add_sign, add_signals
from sim2real_bench.envs.carla.embedded.town.street_things import (
    STREET_THINGS,
    THING_COUNTS,
    add_bollard,
    add_bus_stop,
    add_planter,
)
from sim2real_bench.envs.carla.embedded.town.tramway import build_tramway
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]
Vector = tuple[float, float]

_KERB_SETBACK_M = 0.62
_PLACE_EVERY_M = 8.0
_LAMP_M = 6.4
_ROUND_ISLAND_M = 8.0
_CROWN_GAP_M = 5.0
_FACES = ("limit30", "no_parking", "one_way", "priority", "crossing", "parking", "no_entry")
_THING_SHARE, _SIGN_SHARE = 0.24, 0.10


def _kerb_place(lane: Lane, arc: float, setback: float = _KERB_SETBACK_M) -> tuple[Vector, Vector, Vector]:
    centre, forward, right = lane.at(arc)
    spot = centre + right * (lane.kerb_at(arc) + setback)
    return (float(spot[0]), float(spot[1])), (float(forward[0]), float(forward[1])), (float(right[0]), float(right[1]))


def build_furniture(scene: Scene, lanes: Sequence[Lane], town_map: Any) -> None:
    """Furnish all streets."""
    add_signals(scene, scene.signals)
    if "tram" in scene.style.features:
        build_tramway(scene)
    _plant_islands(scene)
    streets = [lane for lane in lanes if not lane.in_junction and lane.outermost and lane.sidewalk]
    _bus_stops(scene, streets)
    things = _shuffled_things(scene)
    for lane in streets:
        _line_kerb(scene, lane, things)
    for lane in streets:
        _crossing_bollards(scene, lane)


def _plant_islands(scene: Scene) -> None:
    """The middle of a roundabout gets a fountain and a ring of trees and bushes."""
    for island in scene.plan.islands:
        middle, radius = island.centroid, math.sqrt(island.area / math.pi)
        if radius < _ROUND_ISLAND_M or not island.contains(middle.buffer(0.75 * radius)):
            continue
        add_fountain(scene, (middle.x, middle.y), min(3.2, radius / 3))
        for k in range(7):
            angle = math.tau * k / 7
            x, y = (middle.x + 0.62 * radius * math.cos(angle), middle.y + 0.62 * radius * math.sin(angle))
            if k % 2:
                add_bush(scene, x, y, scene.random.uniform(0.8, 1.2))
            else:
                add_tree(scene, x, y, scene.random.uniform(0.8, 1.0))


def _bus_stops(scene: Scene, streets: Sequence[Lane]) -> None:
    """Shelters spread over the long streets, where no cars park."""
    long_streets = [lane for lane in streets if float(lane.arc[-1]) > 45.0]
    if not long_streets:
        return
    step = max(1, len(long_streets) // max(1, scene.style.bus_stops))
    wanted = scene.style.bus_stops
    for lane in [*long_streets[::step], *long_streets]:
        if wanted == 0:
            return
        for share in (0.35, 0.5, 0.65):
            kerb, along, right = _kerb_place(lane, float(lane.arc[-1]) * share, 0.0)
            if add_bus_stop(scene, kerb, along, right):
                wanted -= 1
                break


def _shuffled_things(scene: Scene) -> deque[str]:
    """What stands at the kerb, in the order in which it is put there: nothing comes twice before all have come."""
    names = [name for name, count in THING_COUNTS.items() for _ in range(count)]
    scene.random.shuffle(names)
    first = sorted(set(names), key=names.index)
    return deque([*first, *names])


def _line_kerb(scene: Scene, lane: Lane, things: deque[str]) -> None:
    random, length = scene.random, float(lane.arc[-1])
    phase = 0 if lane.key[2] < 0 else 1
    for index, arc in enumerate(np.arange(5.0, length - 4.5, _PLACE_EVERY_M).tolist()):
        spot, forward, right = _kerb_place(lane, arc)
        if index % 3 == phase:
            _lamp(scene, spot, right)
            continue
        wide = float(np.interp(arc, lane.arc, lane.parking)) < 0.3 < float(lane.parking.max())
        draw, trees = random.random(), scene.style.street_tree_share
        if wide and draw < 0.5:
            add_planter(scene, _kerb_place(lane, arc, 1.0)[0], forward)
        elif draw < trees and not _hides_signal(scene, spot):
            add_tree(scene, *_kerb_place(lane, arc, 0.75)[0], random.uniform(0.85, 1.15), kerbside=True)
        elif draw < trees + _SIGN_SHARE:
            add_sign(scene, spot, (-forward[0], -forward[1]), random.choice(_FACES))
        elif draw < trees + _SIGN_SHARE + _THING_SHARE and STREET_THINGS[things[0]](
            scene, _kerb_place(lane, arc, 0.85)[0], forward
        ):
            things.rotate(-1)


def _hides_signal(scene: Scene, spot: Vector) -> bool:
    """Whether a crown there would hang in front of a traffic light or sign."""
    return any(math.dist(spot, (signal.x, -signal.y)) < _CROWN_GAP_M for signal in scene.signals)


def _lamp(scene: Scene, at: Vector, right: Vector) -> None:
    if not scene.free(box_polygon(*at, 0.0, 0.1, 0.1)):
        return
    mesh, layer, tag, paint = scene.solid, LAYER["plain"], CarlaClass.POLES, scene.style.lamp_colour
    head = (at[0] - right[0] * 1.6, at[1] - right[1] * 1.6)
    mesh.tube((*at, KERB_M), (*at, KERB_M + 1.0), (0.11, 0.10), layer, tag, paint)
    mesh.tube((*at, KERB_M + 1.0), (*at, _LAMP_M), (0.075, 0.05), layer, tag, paint)
    mesh.tube((*at, _LAMP_M - 0.05), (*head, _LAMP_M + 0.22), (0.045, 0.04), layer, tag, paint, sides=5)
    yaw = math.atan2(right[1], right[0])
    mesh.box((*head, _LAMP_M + 0.16), (0.36, 0.13, 0.05), yaw, layer, tag, scaled(paint, 1.1))
    bulb = [
        (head[0] + i * 0.1 - j * 0.1, head[1] + i * 0.1 + j * 0.1, _LAMP_M + 0.155)
        for i, j in ((-2, -1), (-2, 1), (2, 1), (2, -1))
    ]
    mesh.polygon(bulb, [(0.5, 0.5)], layer, tag, (1.0, 0.88, 0.62), glow=1.0, normal=(0, 0, -1))
    scene.lamps.append((head[0], head[1], _LAMP_M))
    scene.obstacle(*at, 0.0, 0.1, 0.1, _LAMP_M, tag)


def _crossing_bollards(scene: Scene, lane: Lane) -> None:
    length = float(lane.arc[-1])
    for arc in (length - 5.2, length - 0.9):
        at, forward, _ = _kerb_place(lane, arc, 0.55)
        if scene.random.random() < 0.7:
            add_bollard(scene, at, forward)
