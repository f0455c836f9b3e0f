"""Trees of several kinds, bushes and hedges."""

from __future__ import annotations

import math

import numpy as np

from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene, box_polygon, scaled
from sim2real_bench.envs.classes import CarlaClass

Point = tuple[float, float]

_CARDS = 22
_CORE_SIDES = 7


_CONIFER_SHARE, _COLUMN_SHARE = 0.12, 0.12


def add_tree(scene: Scene, x: float, y: float, size: float = 1.0, kerbside: bool = False) -> bool:
    """A tree: round, columnar or, away from the kerb, a conifer; False if something stands there."""
    if not scene.free(box_polygon(x, y, 0.0, 0.35, 0.35)):
        return False
    draw = scene.random.random()
    if draw < _CONIFER_SHARE and size > 0.9 and not kerbside:
        _conifer(scene, x, y, size)
    else:
        _leaf_tree(scene, x, y, size, 1.75 if draw > 1.0 - _COLUMN_SHARE else 1.0)
    return True


def _conifer(scene: Scene, x: float, y: float, size: float) -> None:
    """A spruce: three skirts of needles round a trunk."""
    random = scene.random
    height, radius = random.uniform(6.0, 9.0) * size, random.uniform(1.3, 1.8) * size
    mesh, tag = scene.solid, CarlaClass.VEGETATION
    tint = scaled(random.choice(scene.style.leaf_tints), 0.62)
    mesh.tube((x, y, KERB_M - 0.1), (x, y, height * 0.3), (0.16 * size, 0.13 * size), LAYER["bark"], tag, tile_m=1.5)
    for low, high, share, light in ((0.16, 0.58, 1.0, 0.75), (0.38, 0.80, 0.72, 0.95), (0.62, 1.0, 0.45, 1.15)):
        mesh.tube((x, y, height * low), (x, y, height * high), (radius * share, 0.02), LAYER["hedge"], tag,
                  scaled(tint, light), sides=8, tile_m=2.0)  # fmt: skip
        below = [(x + radius * share * math.cos(a), y + radius * share * math.sin(a), height * low)
                 for a in (np.arange(8, 0, -1) * math.tau / 8).tolist()]  # fmt: skip
        mesh.polygon(below, [(0.5, 0.5)], LAYER["hedge"], tag, scaled(tint, 0.35), normal=(0.0, 0.0, -1.0))
    scene.obstacle(x, y, 0.0, 0.2, 0.2, height * 0.5, tag)


def add_bush(scene: Scene, x: float, y: float, size: float = 1.0) -> bool:
    """A round shrub; False if something stands there."""
    if not scene.free(box_polygon(x, y, 0.0, 0.5 * size, 0.5 * size)):
        return False
    centre = np.array([x, y, KERB_M + 0.5 * size])
    _crown_core(scene, centre, np.array([0.75, 0.75, 0.65]) * size, scene.random.choice(scene.style.leaf_tints), 0.30)
    scene.obstacle(x, y, 0.0, 0.5 * size, 0.5 * size, 1.1 * size, CarlaClass.VEGETATION)
    return True


def _leaf_tree(scene: Scene, x: float, y: float, size: float, tall: float) -> None:
    """A trunk, an opaque core and leaf cards around it; ``tall`` stretches the crown upwards."""
    random = scene.random
    crown = random.uniform(1.6, 2.3) * size / math.sqrt(tall)
    bole = random.uniform(2.5, 3.2) * (0.6 + 0.4 * size)
    top = bole + crown * 0.85 * tall
    radius = 0.15 * size
    lean = (random.uniform(-0.15, 0.15), random.uniform(-0.15, 0.15))
    scene.solid.tube(
        (x, y, KERB_M - 0.1), (x + lean[0], y + lean[1], bole + crown * 0.5), (radius * 1.25, radius * 0.7),
        LAYER["bark"], CarlaClass.VEGETATION, tile_m=1.5,
    )  # fmt: skip
    tint = random.choice(scene.style.leaf_tints)
    centre = np.array([x + lean[0], y + lean[1], top])
    radii = np.array([crown, crown, crown * random.uniform(0.8, 1.0) * tall])
    _crown_core(scene, centre, radii * 0.72, tint)
    _crown_cards(scene, centre, radii, tint)
    scene.obstacle(x, y, 0.0, max(0.18, radius), max(0.18, radius), bole, CarlaClass.VEGETATION)


def _crown_core(
    scene: Scene, centre: np.ndarray, radii: np.ndarray, tint: tuple[float, float, float], lighter: float = 0.0
) -> None:
    rings = np.radians([-55.0, -10.0, 40.0])
    angle = np.arange(_CORE_SIDES + 1) * math.tau / _CORE_SIDES
    wobble = scene.numbers.uniform(0.82, 1.12, (3, _CORE_SIDES + 1))
    wobble[:, -1] = wobble[:, 0]
    unit = np.stack(
        [
            np.cos(rings)[:, None] * np.cos(angle), np.cos(rings)[:, None] * np.sin(angle),
            np.broadcast_to(np.sin(rings)[:, None], (3, _CORE_SIDES + 1)),
        ],
        -1,
    )  # fmt: skip
    body = (unit * wobble[..., None]).reshape(-1, 3)
    poles = np.array([[0.0, 0.0, -0.95], [0.0, 0.0, 0.95]])
    normals = np.vstack([unit.reshape(-1, 3), poles])
    points = centre + np.vstack([body, poles]) * radii
    n = _CORE_SIDES + 1
    i = np.arange(_CORE_SIDES)
    side = [np.c_[k * n + i, k * n + i + 1, (k + 1) * n + i + 1] for k in (0, 1)]
    side += [np.c_[k * n + i, (k + 1) * n + i + 1, (k + 1) * n + i] for k in (0, 1)]
    bottom = np.c_[i + 1, i, np.full(_CORE_SIDES, 3 * n)]
    lid = np.c_[2 * n + i, 2 * n + i + 1, np.full(_CORE_SIDES, 3 * n + 1)]
    uv = np.c_[np.arctan2(normals[:, 1], normals[:, 0]) * 0.7, normals[:, 2] * 0.9]
    shade = 0.42 + lighter + 0.30 * (normals[:, 2:3] + 1) / 2
    scene.solid.add(
        points, normals, uv, np.vstack([*side, bottom, lid]), LAYER["hedge"], CarlaClass.VEGETATION,
        shade * np.asarray(tint),
    )  # fmt: skip


def _crown_cards(scene: Scene, centre: np.ndarray, radii: np.ndarray, tint: tuple[float, float, float]) -> None:
    numbers = scene.numbers
    direction = numbers.normal(size=(_CARDS, 3))
    direction[:, 2] = direction[:, 2] * 0.8 + 0.1
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    distance = numbers.uniform(0.55, 0.95, (_CARDS, 1))
    middle = centre + direction * distance * radii
    first = numbers.normal(size=(_CARDS, 3))
    first -= 0.7 * direction * (first * direction).sum(1, keepdims=True)
    first /= np.linalg.norm(first, axis=1)[:, None]
    second = np.cross(direction + 0.4 * numbers.normal(size=(_CARDS, 3)), first)
    second /= np.linalg.norm(second, axis=1)[:, None]
    half = float(radii[0]) * numbers.uniform(0.42, 0.6, (_CARDS, 1))
    first, second = first * half, second * half
    points = np.stack(
        [middle - first - second, middle + first - second, middle + first + second, middle - first + second], 1
    )
    normals = points - centre
    normals[..., 2] += 0.35 * radii[0]
    normals /= np.linalg.norm(normals, axis=2)[..., None]
    shade = (0.60 + 0.40 * distance) * (0.80 + 0.20 * direction[:, 2:3])
    tints = np.repeat(shade * np.asarray(tint), 4, axis=0)
    uv = np.tile([(0, 0), (1, 0), (1, 1), (0, 1)], (_CARDS, 1))
    base = 4 * np.arange(_CARDS)[:, None, None]
    triangles = (base + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    layer = LAYER[scene.random.choice(("leaf", "leaf", "leaf2"))]
    scene.cutout.add(points.reshape(-1, 3), normals.reshape(-1, 3), uv, triangles, layer, CarlaClass.VEGETATION, tints)


def add_hedge(scene: Scene, a: Point, b: Point, height: float) -> None:
    """A clipped hedge between two points."""
    length = math.dist(a, b)
    yaw = math.atan2(b[1] - a[1], b[0] - a[0])
    x, y = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
    half_width = 0.32
    tint = scaled(scene.random.choice(scene.style.leaf_tints[:2]), 0.92)
    for shrink, low, high in ((0.0, 0.0, 0.8), (0.07, 0.8, 1.0)):  # the upper edge is rounded a little
        scene.solid.box(
            (x, y, KERB_M - 0.05 + low * height), (length / 2, half_width - shrink, (high - low) * height / 2), yaw,
            LAYER["hedge"], CarlaClass.VEGETATION, tint, tile_m=1.6,
        )  # fmt: skip
    scene.obstacle(x, y, yaw, length / 2, half_width, height, CarlaClass.VEGETATION)
