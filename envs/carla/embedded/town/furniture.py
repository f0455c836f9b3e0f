"""What stands on the pavement: lamps, street trees, bins, bollards, planters, signs and traffic lights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.lanes import Lane
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.plants import add_tree
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene, box_polygon, scaled
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]
Vector = tuple[float, float]

_KERB_SETBACK_M = 0.62
_PLACE_EVERY_M = 8.0
_LAMP_M = 6.4
_STEEL = (0.50, 0.51, 0.53)
_BIN_PAINTS = ((0.15, 0.26, 0.18), (0.25, 0.25, 0.27), (0.50, 0.20, 0.12))
_SIGN_PAINTS = ((0.75, 0.10, 0.10), (0.10, 0.25, 0.60), (0.86, 0.86, 0.86), (0.82, 0.62, 0.10))
_LAMP_PAINTS = ((0.10, 0.80, 0.25), (0.90, 0.60, 0.10), (0.95, 0.12, 0.08))  # green, amber, red from below
TRAFFIC_LIGHT_TYPE, YIELD_TYPE = "1000001", "205"


def _kerb_place(lane: Lane, arc: float, setback: float = _KERB_SETBACK_M) -> tuple[Vector, Vector, Vector]:
    centre, forward, right = lane.at(arc)
    offset = lane.width / 2 + float(np.interp(arc, lane.arc, lane.parking)) + setback
    spot = centre + right * offset
    return (float(spot[0]), float(spot[1])), (float(forward[0]), float(forward[1])), (float(right[0]), float(right[1]))


def build_furniture(scene: Scene, lanes: Sequence[Lane], town_map: Any) -> None:
    """Furnish all streets."""
    streets = [lane for lane in lanes if not lane.in_junction]
    for kind, add in ((TRAFFIC_LIGHT_TYPE, _traffic_light), (YIELD_TYPE, _yield_sign)):
        for landmark in town_map.get_all_landmarks_of_type(kind):
            at = landmark.transform.location
            lane = min(streets, key=lambda lane: math.dist(lane.points[-1], (at.x, -at.y)))
            add(scene, lane)
    for lane in streets:
        _line_kerb(scene, lane)
    for lane in streets:
        _crossing_bollards(scene, lane)


def _line_kerb(scene: Scene, lane: Lane) -> None:
    random, length = scene.random, float(lane.arc[-1])
    phase = 0 if lane.key[2] < 0 else 1
    for index, arc in enumerate(np.arange(5.0, length - 4.5, _PLACE_EVERY_M)):
        spot, forward, right = _kerb_place(lane, float(arc))
        if index % 3 == phase:
            _lamp(scene, spot, right)
            continue
        wide = float(np.interp(arc, lane.arc, lane.parking)) < 0.3 < float(lane.parking.max())
        draw = random.random()
        if wide and draw < 0.5:
            _planter(scene, _kerb_place(lane, float(arc), 1.0)[0], forward)
        elif draw < scene.style.street_tree_share:
            add_tree(scene, *_kerb_place(lane, float(arc), 0.75)[0], random.uniform(0.85, 1.15))
        elif draw < scene.style.street_tree_share + 0.12:
            _bin(scene, spot, forward)
        elif draw < scene.style.street_tree_share + 0.22:
            _round_sign(scene, spot, forward)
        elif draw < scene.style.street_tree_share + 0.3:
            _cabinet(scene, spot, forward)


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


def _box_thing(
    scene: Scene,
    at: Vector,
    along: Vector,
    half: tuple[float, float, float],
    tag: int,
    paint: tuple[float, float, float],
) -> bool:
    yaw = math.atan2(along[1], along[0])
    if not scene.free(box_polygon(*at, yaw, half[0], half[1])):
        return False
    scene.solid.box((*at, KERB_M), half, yaw, LAYER["plain"], tag, paint)
    scene.obstacle(*at, yaw, half[0], half[1], 2 * half[2], tag)
    return True


def _bin(scene: Scene, at: Vector, along: Vector) -> None:
    paint = scene.random.choice(_BIN_PAINTS)
    if _box_thing(scene, at, along, (0.22, 0.22, 0.45), CarlaClass.DYNAMIC, paint):
        yaw = math.atan2(along[1], along[0])
        scene.solid.box(
            (*at, KERB_M + 0.9), (0.25, 0.25, 0.05), yaw, LAYER["plain"], CarlaClass.DYNAMIC, scaled(paint, 0.6)
        )


def _cabinet(scene: Scene, at: Vector, along: Vector) -> None:
    _box_thing(scene, at, along, (0.45, 0.2, 0.6), CarlaClass.STATIC, (0.45, 0.48, 0.44))


def _planter(scene: Scene, at: Vector, along: Vector) -> None:
    if _box_thing(scene, at, along, (0.9, 0.4, 0.25), CarlaClass.STATIC, (0.56, 0.54, 0.50)):
        yaw = math.atan2(along[1], along[0])
        leaf = scene.style.leaf_tints[0]
        scene.solid.box((*at, KERB_M + 0.5), (0.8, 0.32, 0.22), yaw, LAYER["hedge"], CarlaClass.VEGETATION, leaf, 1.6)


def _pole(scene: Scene, at: Vector, height: float, radius: float, paint: tuple[float, float, float]) -> bool:
    if not scene.free(box_polygon(*at, 0.0, radius, radius)):
        return False
    scene.solid.tube((*at, KERB_M), (*at, height), (radius, radius), LAYER["plain"], CarlaClass.POLES, paint)
    scene.obstacle(*at, 0.0, max(radius, 0.06), max(radius, 0.06), height, CarlaClass.POLES)
    return True


def _round_sign(scene: Scene, at: Vector, forward: Vector) -> None:
    if not _pole(scene, at, 2.75, 0.035, _STEEL):
        return
    back = (-forward[0], -forward[1])
    paint = scene.random.choice(_SIGN_PAINTS)
    inner = (0.88, 0.88, 0.86) if paint != _SIGN_PAINTS[2] else (0.20, 0.20, 0.22)
    for radius, colour, offset in ((0.33, paint, 0.05), (0.22, inner, 0.055)):
        centre = (at[0] + back[0] * offset, at[1] + back[1] * offset, 2.5)
        scene.solid.disc(centre, back, radius, CarlaClass.TRAFFIC_SIGNS, LAYER["plain"], colour)
    reverse = (at[0] + forward[0] * -0.04, at[1] + forward[1] * -0.04, 2.5)
    scene.solid.disc(reverse, forward, 0.33, CarlaClass.TRAFFIC_SIGNS, LAYER["plain"], (0.45, 0.46, 0.47))


def _signal_place(lane: Lane) -> tuple[Vector, Vector]:
    spot, forward, _ = _kerb_place(lane, float(lane.arc[-1]) - 0.3, 0.7)
    return spot, forward


def _yield_sign(scene: Scene, lane: Lane) -> None:
    at, forward = _signal_place(lane)
    if not _pole(scene, at, 2.7, 0.04, _STEEL):
        return
    back = (-forward[0], -forward[1])
    across = (-back[1], back[0])
    for half, colour, offset in ((0.45, _SIGN_PAINTS[0], 0.05), (0.28, (0.9, 0.9, 0.88), 0.055)):
        x, y = at[0] + back[0] * offset, at[1] + back[1] * offset
        points = [
            (x, y, 2.45 - half), (x + across[0] * half, y + across[1] * half, 2.45 + half * 0.6),
            (x - across[0] * half, y - across[1] * half, 2.45 + half * 0.6),
        ]  # fmt: skip
        scene.solid.polygon(points, [(0.5, 0.5)], LAYER["plain"], CarlaClass.TRAFFIC_SIGNS, colour, normal=(*back, 0.0))


def _traffic_light(scene: Scene, lane: Lane) -> None:
    at, forward = _signal_place(lane)
    if not _pole(scene, at, 3.55, 0.07, (0.22, 0.23, 0.23)):
        return
    back, yaw = (-forward[0], -forward[1]), math.atan2(forward[1], forward[0])
    mesh, layer, tag = scene.solid, LAYER["plain"], CarlaClass.TRAFFIC_LIGHT
    mesh.box((*at, 2.7), (0.16, 0.17, 0.48), yaw, layer, tag, (0.09, 0.10, 0.09))
    lit = scene.random.choice((0, 2))
    for index, paint in enumerate(_LAMP_PAINTS):
        centre = (at[0] + back[0] * 0.17, at[1] + back[1] * 0.17, 2.88 + 0.29 * index)
        on = index == lit
        mesh.disc(centre, back, 0.11, tag, layer, paint if on else scaled(paint, 0.16), glow=1.0 if on else 0.0)
        hood = (at[0] + back[0] * 0.22, at[1] + back[1] * 0.22, 3.0 + 0.29 * index)
        mesh.box(hood, (0.05, 0.13, 0.012), yaw, layer, tag, (0.07, 0.07, 0.07))


def _crossing_bollards(scene: Scene, lane: Lane) -> None:
    length = float(lane.arc[-1])
    place: Callable[[float], Vector] = lambda arc: _kerb_place(lane, arc, 0.55)[0]  # noqa: E731
    for arc in (length - 5.2, length - 0.9):
        at = place(arc)
        if scene.random.random() < 0.7 and scene.free(box_polygon(*at, 0.0, 0.08, 0.08)):
            scene.solid.tube(
                (*at, KERB_M), (*at, KERB_M + 0.85), (0.07, 0.07), LAYER["plain"], CarlaClass.POLES, (0.2, 0.2, 0.22)
            )
            top = [
                (at[0] + 0.07 * math.cos(a), at[1] + 0.07 * math.sin(a), KERB_M + 0.85)
                for a in np.arange(6) * math.tau / 6
            ]
            scene.solid.polygon(
                top, [(0.5, 0.5)], LAYER["plain"], CarlaClass.POLES, (0.75, 0.75, 0.72), normal=(0, 0, 1)
            )
            scene.obstacle(*at, 0.0, 0.08, 0.08, 0.85, CarlaClass.POLES)
