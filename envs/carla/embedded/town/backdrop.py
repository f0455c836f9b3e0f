"""What one sees but never reaches: courtyards, a second row of houses, woods and hills on the horizon."""

from __future__ import annotations

import math

import numpy as np
import shapely

from sim2real_bench.envs.carla.embedded.town.buildings import add_house, draw_design
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.plants import add_tree
from sim2real_bench.envs.carla.embedded.town.scene import Scene
from sim2real_bench.envs.carla.embedded.town.surfaces import polygons
from sim2real_bench.envs.classes import CarlaClass

_SECOND_ROW_M = (27.0, 42.0)
_HILL_RINGS = ((150.0, 9.0), (215.0, 18.0))


def build_backdrop(scene: Scene) -> None:
    """Add courtyards, the second row and the horizon."""
    for block in polygons(scene.plan.land):
        if block.area < 20_000.0:
            _courtyard(scene, block)
    _second_row(scene)
    add_hills(scene)


def _courtyard(scene: Scene, block: shapely.Polygon) -> None:
    """Trees and, in large blocks, a tall building behind the street front."""
    random = scene.random
    inner = block.buffer(-15.0)
    if inner.is_empty:
        return
    x0, y0, x1, y1 = inner.bounds
    if inner.area > 900.0:
        _tower(scene, inner)
    wanted = int(min(9, 2 + inner.area / 120))
    for _ in range(6 * wanted):
        x, y = random.uniform(x0, x1), random.uniform(y0, y1)
        if inner.contains(shapely.Point(x, y)) and add_tree(scene, x, y, random.uniform(1.0, 1.6)):
            wanted -= 1
        if wanted == 0:
            return


def _tower(scene: Scene, inner: shapely.Polygon) -> None:
    centre = inner.centroid
    corners = [
        (centre.x - 8.0, centre.y - 7.0),
        (centre.x + 8.0, centre.y - 7.0),
        (centre.x + 8.0, centre.y + 7.0),
        (centre.x - 8.0, centre.y + 7.0),
    ]
    if scene.free(shapely.Polygon(corners)):
        add_house(scene, corners, draw_design(scene, "office"), "office", free_standing=True)


def _second_row(scene: Scene) -> None:
    random = scene.random
    outer = max(polygons(scene.plan.land), key=lambda polygon: polygon.area)
    hole = max((shapely.Polygon(ring) for ring in outer.interiors), key=lambda polygon: polygon.area)
    line = hole.buffer(30.0).exterior
    for arc in np.arange(0.0, line.length, 17.0):
        a, b = line.interpolate(arc), line.interpolate(arc + 1.0)
        yaw = math.atan2(b.y - a.y, b.x - a.x)
        away = random.uniform(*_SECOND_ROW_M) - 30.0
        away_x, away_y = _outward(hole, a, yaw)
        x, y = a.x + away_x * away, a.y + away_y * away
        if random.random() < 0.55:
            width, depth = random.uniform(6.0, 9.0), random.uniform(4.5, 6.0)
            facing = math.atan2(away_y, away_x) - math.pi / 2  # the front looks back at the town
            cosine, sine = math.cos(facing), math.sin(facing)
            corners = [
                (x + i * width * cosine - j * depth * sine, y + i * width * sine + j * depth * cosine)
                for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))
            ]
            if scene.free(shapely.Polygon(corners)):
                kind = random.choice(("flats", "terrace", "office"))
                add_house(scene, corners, draw_design(scene, kind), kind, free_standing=True)
        else:
            for _ in range(3):
                add_tree(scene, x + random.uniform(-6, 6), y + random.uniform(-6, 6), random.uniform(1.2, 2.0))


def _outward(hole: shapely.Polygon, at: shapely.Point, yaw: float) -> tuple[float, float]:
    side = (-math.sin(yaw), math.cos(yaw))
    near = hole.distance(shapely.Point(at.x + side[0], at.y + side[1])) < hole.distance(at)
    return (-side[0], -side[1]) if near else side


def add_hills(scene: Scene) -> None:
    """Rings of wooded hills on the horizon."""
    x0, y0, x1, y1 = scene.plan.road.bounds
    centre, reach = ((x0 + x1) / 2, (y0 + y1) / 2), math.hypot(x1 - x0, y1 - y0) / 2
    numbers = scene.numbers
    # In a wide country the pieces are longer than 60 m, which is what the renderer draws at any distance.
    count = min(72, int(math.tau * (reach + _HILL_RINGS[0][0] - 60.0) / 70.0)) if reach > 500.0 else 72
    angle = np.arange(count + 1) * math.tau / count
    for distance, height in _HILL_RINGS:
        radius = reach + distance - 60.0
        tops = height + 0.45 * height * np.sin(angle * 3 + height) + numbers.uniform(0, 0.35 * height, count + 1)
        tops[-1] = tops[0]
        for i in range(count):
            shade = 0.80 + 0.20 * numbers.random()
            p, q = (
                (centre[0] + radius * math.cos(angle[k]), centre[1] + radius * math.sin(angle[k])) for k in (i + 1, i)
            )
            scene.solid.polygon(
                [(*p, -1.0), (*q, -1.0), (*q, tops[i]), (*p, tops[i + 1])],
                [(0, 0), (4, 0), (4, tops[i] / 4), (0, tops[i + 1] / 4)], LAYER["hedge"], CarlaClass.VEGETATION,
                (0.80 * shade, 0.90 * shade, 0.85 * shade),
                normal=(-0.5 * math.cos(angle[i]), -0.5 * math.sin(angle[i]), 0.7),
            )  # fmt: skip
