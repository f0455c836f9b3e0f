"""Roofs: pitched with gables, chimneys and dormers; flat with a parapet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import shapely

from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.scene import Scene, scaled
from sim2real_bench.envs.classes import CarlaClass

Colour = tuple[float, float, float]
Point = tuple[float, float]

_EAVES_M = 0.4
_PITCH = 0.40
_SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]


def add_flat_roof(scene: Scene, outline: Sequence[Point], z: float, tint: Colour, plant: bool) -> None:
    """A flat roof with a low parapet; ``plant`` adds a machine room."""
    mesh, tag = scene.solid, CarlaClass.BUILDINGS
    mesh.area(shapely.Polygon(outline), z, LAYER["gravel"], tag, 6.0)
    for a, b in zip(outline, [*outline[1:], outline[0]], strict=True):
        mesh.wall(a, b, z, z + 0.45, LAYER["plain"], tag, scaled(tint, 0.85))
        mesh.wall(b, a, z, z + 0.45, LAYER["plain"], tag, scaled(tint, 0.6))
    if plant:
        x = sum(p[0] for p in outline) / len(outline)
        y = sum(p[1] for p in outline) / len(outline)
        a, b = outline[0], outline[1]
        yaw = math.atan2(b[1] - a[1], b[0] - a[0])
        mesh.box((x, y, z), (2.0, 1.5, 1.1), yaw, LAYER["plain"], tag, (0.58, 0.58, 0.60))


def add_gable_roof(scene: Scene, corners: Sequence[Point], z: float, gable_layer: int, tint: Colour) -> None:
    """A pitched roof whose ridge runs along the street (the first edge)."""
    a, b, c, _ = corners
    width, depth = math.dist(a, b), math.dist(b, c)
    yaw = math.atan2(b[1] - a[1], b[0] - a[0])
    x0, y0 = (a[0] + c[0]) / 2, (a[1] + c[1]) / 2
    cosine, sine = math.cos(yaw), math.sin(yaw)

    def place(x: float, y: float) -> Point:
        return x0 + x * cosine - y * sine, y0 + x * sine + y * cosine

    mesh, tag, random = scene.solid, CarlaClass.BUILDINGS, scene.random
    rise = depth / 2 * _PITCH * 2 * random.uniform(0.85, 1.1)
    half, reach = width / 2 + 0.06, depth / 2 + _EAVES_M
    low, ridge = z - 0.1, z + rise
    layer = LAYER[random.choice(("roof", "roof2"))]
    slope = math.hypot(reach, rise)
    for side in (-1, 1):
        start, end = side * half, -side * half
        e0, e1 = place(start, side * reach), place(end, side * reach)
        r0, r1 = place(start, 0), place(end, 0)
        uv = [(0, 0), (width / 6, 0), (width / 6, slope / 6), (0, slope / 6)]
        mesh.polygon([(*e0, low), (*e1, low), (*r1, ridge), (*r0, ridge)], uv, layer, tag)
        mesh.wall(e0, e1, low - 0.16, low, LAYER["plain"], tag, (0.42, 0.41, 0.40))  # gutter
        w0, w1 = place(start, side * depth / 2), place(end, side * depth / 2)
        mesh.polygon(
            [(*w0, low - 0.16), (*w1, low - 0.16), (*e1, low - 0.16), (*e0, low - 0.16)], _SQUARE, LAYER["plain"], tag,
            (0.30, 0.29, 0.28),
        )  # fmt: skip
    for side in (-1, 1):
        p, q = place(side * width / 2, side * -depth / 2), place(side * width / 2, side * depth / 2)
        top = place(side * width / 2, 0)
        # Above the wall the roof is higher than the eaves, since they reach out: the gable fills that wedge too.
        shoulder = low + _EAVES_M / reach * (ridge - low)
        outline = [(*p, z), (*q, z), (*q, shoulder), (*top, ridge), (*p, shoulder)]
        uv5 = [
            (0, 0),
            (depth / 12, 0),
            (depth / 12, (shoulder - z) / 12),
            (depth / 24, rise / 12),
            (0, (shoulder - z) / 12),
        ]
        mesh.polygon(outline, uv5, gable_layer, tag, tint, normal=(side * cosine, side * sine, 0.0))
    x = random.choice((-0.36, 0.36)) * width
    mesh.box((*place(x, 0.0), ridge - 0.5), (0.45, 0.32, 0.75), yaw, LAYER["wall_brick"], tag, (0.9, 0.9, 0.9), 5.0)
    if random.random() < 0.4:
        _dormer(scene, place(random.uniform(-0.15, 0.15) * width, -depth * 0.27), yaw, z + rise * 0.12, rise * 0.36)


def _dormer(scene: Scene, at: Point, yaw: float, z: float, half_height: float) -> None:
    mesh, tag = scene.solid, CarlaClass.BUILDINGS
    mesh.box((*at, z), (0.8, 0.9, half_height), yaw, LAYER["plain"], tag, (0.72, 0.70, 0.66))
    out = (math.sin(yaw) * 0.91, -math.cos(yaw) * 0.91)
    along = (math.cos(yaw) * 0.6, math.sin(yaw) * 0.6)
    a = (at[0] + out[0] - along[0], at[1] + out[1] - along[1])
    b = (at[0] + out[0] + along[0], at[1] + out[1] + along[1])
    mesh.wall(a, b, z + half_height * 0.9, z + 2 * half_height - 0.12, LAYER["plain"], tag, (0.12, 0.15, 0.18))
