"""What closes the frontage where no house stands: walls, hedges, fences, railings."""

from __future__ import annotations

import math

from sim2real_bench.envs.carla.embedded.town.buildings import add_wall_obstacle
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.plants import add_hedge
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene
from sim2real_bench.envs.classes import CarlaClass

Point = tuple[float, float]

BARRIER_KINDS = ("brick_wall", "plaster_wall", "hedge", "railings", "planks", "mesh")
_PANELS = {
    "railings": (2.0, (0.16, 0.17, 0.17)),
    "planks": (1.6, (0.34, 0.28, 0.21)),
    "mesh": (2.0, (0.20, 0.30, 0.26)),
}
"""Width of a texture tile in metres and paint of the posts."""


def add_barrier(scene: Scene, a: Point, b: Point, kind: str, height: float) -> None:
    """A straight piece of barrier from a to b, the street on its right."""
    if math.dist(a, b) < 0.3:
        return
    if kind == "hedge":
        add_hedge(scene, a, b, height)
    elif kind in ("brick_wall", "plaster_wall"):
        _masonry(scene, a, b, height, "wall_brick" if kind == "brick_wall" else "wall_plaster")
    else:
        _panel(scene, a, b, height, kind)


def _masonry(scene: Scene, a: Point, b: Point, height: float, texture: str) -> None:
    length = math.dist(a, b)
    yaw = math.atan2(b[1] - a[1], b[0] - a[0])
    x, y = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
    tint = (0.92, 0.90, 0.86) if texture == "wall_plaster" else (1.0, 1.0, 1.0)
    scene.solid.box(
        (x, y, KERB_M - 0.02), (length / 2, 0.12, height / 2), yaw, LAYER[texture], CarlaClass.WALLS, tint, 12.0
    )
    coping = (length / 2 + 0.02, 0.17, 0.05)
    scene.solid.box((x, y, KERB_M + height - 0.02), coping, yaw, LAYER["plain"], CarlaClass.WALLS, (0.60, 0.59, 0.57))
    scene.obstacle(x, y, yaw, length / 2, 0.12, height, CarlaClass.WALLS)


def _panel(scene: Scene, a: Point, b: Point, height: float, kind: str) -> None:
    length = math.dist(a, b)
    layer, (tile, paint) = LAYER["rails" if kind == "railings" else kind], _PANELS[kind]
    corners = [(*a, KERB_M), (*b, KERB_M), (*b, KERB_M + height), (*a, KERB_M + height)]
    uv = [(0, 0), (length / tile, 0), (length / tile, 1), (0, 1)]
    scene.cutout.polygon(corners, uv, layer, CarlaClass.FENCES)
    posts = max(2, round(length / 2.4) + 1)
    for index in range(posts):
        share = index / (posts - 1)
        x, y = a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
        scene.solid.tube(
            (x, y, KERB_M),
            (x, y, KERB_M + height + 0.06),
            (0.05, 0.05),
            LAYER["plain"],
            CarlaClass.FENCES,
            paint,
            sides=4,
        )
    add_wall_obstacle(scene, a, b, height, CarlaClass.FENCES, half_width=0.06)
