"""Small squares: paving, a fountain or a monument, benches, and bollards that keep cars out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from sim2real_bench.envs.carla.embedded.town.ground import add_ground_cover
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.plants import add_hedge, add_tree
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene, box_polygon
from sim2real_bench.envs.carla.embedded.town.street_things import add_bench, add_bollard
from sim2real_bench.envs.classes import CarlaClass

Point = tuple[float, float]
Place = Callable[[float, float], Point]

_BASIN_SIDES = 8
_STONE = (0.66, 0.64, 0.59)
_BRONZE = (0.20, 0.25, 0.21)


def add_plaza(scene: Scene, width: float, depth: float, place: Place) -> None:
    """A square on a lot; ``place(x, y)`` is x along the frontage and y away from it."""
    corners = [place(0.0, 0.0), place(width, 0.0), place(width, depth), place(0.0, depth)]
    add_ground_cover(scene, corners, LAYER["slabs"], CarlaClass.GROUND, 3.0, (0.92, 0.86, 0.78))
    middle = place(width / 2, depth * 0.48)
    scene.plazas += 1
    if scene.plazas % 3:
        add_fountain(scene, middle, min(2.6, width * 0.2))
    else:
        add_monument(scene, middle)
    along = _direction(place(0.0, 0.0), place(1.0, 0.0))
    count = max(2, round(width / 1.5))
    for x in np.linspace(0.5, width - 0.5, count).tolist():
        add_bollard(scene, place(x, 0.35), along)
    for x in (0.17, 0.83):
        add_tree(scene, *place(width * x, depth * 0.72), scene.random.uniform(0.8, 1.1), kerbside=True)
        # A bench looks at what lies to the left of its direction: away from the frontage would be the hedge.
        add_bench(scene, place(width * x, depth * 0.3), (-along[0], -along[1]))
    add_hedge(scene, place(0.4, depth - 0.4), place(width - 0.4, depth - 0.4), 1.6)


def _direction(a: Point, b: Point) -> Point:
    length = math.dist(a, b)
    return (b[0] - a[0]) / length, (b[1] - a[1]) / length


def _ring(centre: Point, radius: float, z: float) -> list[tuple[float, float, float]]:
    angles = (np.arange(_BASIN_SIDES) * math.tau / _BASIN_SIDES).tolist()
    return [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a), z) for a in angles]


def _flat(scene: Scene, points: Sequence[Sequence[float]], layer: int, tag: int, tile: float) -> None:
    uv = [(point[0] / tile, point[1] / tile) for point in points]
    scene.solid.polygon(points, uv, layer, tag, normal=(0.0, 0.0, 1.0))


def add_fountain(scene: Scene, at: Point, radius: float) -> bool:
    """A stone basin full of water with a bowl and a jet; False if something stands there."""
    if not scene.free(box_polygon(*at, 0.0, radius, radius)):
        return False
    mesh, plain, z = scene.solid, LAYER["plain"], KERB_M
    rim, water = 0.5, 0.40
    for outer, inner in ((radius, False), (radius - 0.22, True)):
        low = _ring(at, outer, z)
        for a, b in zip(low, low[1:] + low[:1], strict=True):
            p, q = (b, a) if inner else (a, b)
            mesh.wall(p[:2], q[:2], z + (water if inner else 0.0), z + rim, plain, CarlaClass.STATIC, _STONE)
    top, hole = _ring(at, radius, z + rim), _ring(at, radius - 0.22, z + rim)
    for k in range(_BASIN_SIDES):
        j = (k + 1) % _BASIN_SIDES
        mesh.polygon(
            [top[k], top[j], hole[j], hole[k]], [(0.5, 0.5)], plain, CarlaClass.STATIC, _STONE, normal=(0, 0, 1)
        )
    _flat(scene, _ring(at, radius - 0.22, z + water), LAYER["water"], CarlaClass.WATER, 3.0)
    mesh.tube((*at, z), (*at, z + 1.1), (0.22, 0.14), plain, CarlaClass.STATIC, _STONE)
    mesh.tube((*at, z + 1.0), (*at, z + 1.22), (0.2, 0.75), plain, CarlaClass.STATIC, _STONE, sides=8)
    _flat(scene, _ring(at, 0.72, z + 1.19), LAYER["water"], CarlaClass.WATER, 2.0)
    mesh.tube((*at, z + 1.19), (*at, z + 2.0), (0.10, 0.03), LAYER["water"], CarlaClass.WATER, (1.6, 1.6, 1.6), sides=5)
    scene.obstacle(*at, 0.0, radius * 0.93, radius * 0.93, 1.2, CarlaClass.STATIC)
    return True


def add_monument(scene: Scene, at: Point) -> bool:
    """A bronze figure on a plinth; False if something stands there."""
    if not scene.free(box_polygon(*at, 0.0, 1.0, 1.0)):
        return False
    mesh, plain, tag, z = scene.solid, LAYER["plain"], CarlaClass.OTHER, KERB_M
    yaw = scene.random.uniform(0.0, math.pi / 2)
    mesh.box((*at, z), (0.95, 0.95, 0.15), yaw, plain, tag, _STONE)
    mesh.box((*at, z + 0.3), (0.6, 0.6, 0.75), yaw, LAYER["wall_stone"], tag, (1.0, 1.0, 1.0), 4.0)
    mesh.box((*at, z + 1.8), (0.7, 0.7, 0.06), yaw, plain, tag, _STONE)
    mesh.tube((*at, z + 1.92), (*at, z + 3.1), (0.34, 0.2), plain, tag, _BRONZE, sides=8)
    mesh.tube((*at, z + 3.1), (*at, z + 3.5), (0.30, 0.12), plain, tag, _BRONZE)
    mesh.tube((*at, z + 3.45), (*at, z + 3.75), (0.13, 0.10), plain, tag, _BRONZE)
    arm = (at[0] + 0.6 * math.cos(yaw), at[1] + 0.6 * math.sin(yaw), z + 3.75)
    mesh.tube((*at, z + 3.35), arm, (0.09, 0.06), plain, tag, _BRONZE, sides=5)
    scene.obstacle(*at, yaw, 0.95, 0.95, 3.7, tag)
    return True
