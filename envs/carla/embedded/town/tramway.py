"""A tram line on straight medians: track, masts, and a tram that waits at its stop."""

from __future__ import annotations

import math

import numpy as np
import shapely

from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene
from sim2real_bench.envs.classes import CarlaClass

Point = tuple[float, float]

_TRACK_M = 2.7  # width of the strip
_TRAM_HALF = (7.2, 1.03)
_PAINT = (0.62, 0.12, 0.10)
_CREAM = (0.80, 0.77, 0.68)
_PANE = (0.07, 0.085, 0.10)
_DARK = (0.10, 0.10, 0.11)


def build_tramway(scene: Scene) -> None:
    """Lay a track on every median that is straight and wide enough; a tram stands on the longest."""
    lines = [line for line in map(_median_line, scene.plan.islands) if line is not None]
    for start, end in lines:
        _track(scene, start, end)
    if lines:
        start, end = max(lines, key=lambda line: math.dist(*line))
        _tram(scene, start, end)


def _median_line(island: shapely.Polygon) -> tuple[Point, Point] | None:
    """The axis of a long, narrow, straight island."""
    box = island.minimum_rotated_rectangle
    if box.geom_type != "Polygon":
        return None
    corners = np.asarray(box.exterior.coords)[:4]
    sides = [(corners[k], corners[(k + 1) % 4]) for k in (0, 1)]
    (a, b), (c, d) = sorted(sides, key=lambda side: -math.dist(*side))
    length, width = math.dist(a, b), math.dist(c, d)
    if length < 40.0 or not _TRACK_M <= width < 5.0 or island.area < 0.85 * length * width:
        return None
    middle, along = corners.mean(0), (b - a) / length
    ends = middle - along * (length / 2 - 2.5), middle + along * (length / 2 - 2.5)
    return (float(ends[0][0]), float(ends[0][1])), (float(ends[1][0]), float(ends[1][1]))


def _track(scene: Scene, start: Point, end: Point) -> None:
    length = math.dist(start, end)
    along = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    side = (along[1] * _TRACK_M / 2, -along[0] * _TRACK_M / 2)
    pieces = max(1, round(length / 6.0))
    z = KERB_M + 0.02
    for k in range(pieces):
        p, q = (
            (start[0] + along[0] * length * share, start[1] + along[1] * length * share)
            for share in (k / pieces, (k + 1) / pieces)
        )
        corners = [(p[0] + side[0], p[1] + side[1], z), (q[0] + side[0], q[1] + side[1], z),
                   (q[0] - side[0], q[1] - side[1], z), (p[0] - side[0], p[1] - side[1], z)]  # fmt: skip
        v = length / pieces / 3.2
        scene.solid.polygon(corners, [(0, 0), (0, v), (1, v), (1, 0)], LAYER["track"], CarlaClass.RAIL_TRACK)


def _tram(scene: Scene, start: Point, end: Point) -> None:
    yaw = math.atan2(end[1] - start[1], end[0] - start[0])
    at = start[0] * 0.45 + end[0] * 0.55, start[1] * 0.45 + end[1] * 0.55
    half_length, half_width = _TRAM_HALF
    mesh, layer, tag = scene.solid, LAYER["plain"], CarlaClass.TRAIN
    base = KERB_M + 0.02
    mesh.box((*at, base + 0.15), (half_length - 0.4, half_width - 0.12, 0.2), yaw, layer, tag, _DARK)
    for x0, x1 in ((-half_length, -0.25), (0.25, half_length)):
        middle, half = (x0 + x1) / 2, (x1 - x0) / 2
        centre = _along(at, yaw, middle)
        mesh.box((*centre, base + 0.45), (half, half_width, 0.45), yaw, layer, tag, _PAINT)
        mesh.box((*centre, base + 1.35), (half - 0.02, half_width - 0.02, 0.55), yaw, layer, tag, _PANE)
        mesh.box((*centre, base + 2.45), (half, half_width, 0.22), yaw, layer, tag, _CREAM)
        for x in np.linspace(x0 + 0.4, x1 - 0.4, 5).tolist():
            mesh.box((*_along(at, yaw, x), base + 1.35), (0.12, half_width + 0.005, 0.55), yaw, layer, tag, _CREAM)
    mesh.box((*at, base + 0.45), (0.3, half_width - 0.1, 1.1), yaw, layer, tag, _DARK)
    mesh.box((*at, base + 2.89), (1.2, 0.5, 0.14), yaw, layer, tag, _DARK)
    scene.obstacle(*at, yaw, half_length, half_width, base + 3.0, tag)


def _along(at: Point, yaw: float, x: float) -> Point:
    return at[0] + math.cos(yaw) * x, at[1] + math.sin(yaw) * x
