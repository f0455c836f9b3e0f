"""Thin layers on the carriageway: lane lines, crossings, stop lines, bay marks, stains, repairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from sim2real_bench.envs.carla.embedded.town.approach import paint_approach
from sim2real_bench.envs.carla.embedded.town.lanes import Lane, Line
from sim2real_bench.envs.carla.embedded.town.painter import REPAIR_Z, STAIN_Z, WHITE, YELLOW, Colour, DecalKind, Painter
from sim2real_bench.envs.carla.embedded.town.scene import Scene

Float = npt.NDArray[np.float64]

_LINE_HALF_M = 0.06
_INSET_M = 0.18  # of the line at a kerb
_DOUBLE_M = 0.1


def _lane_lines(painter: Painter, lane: Lane) -> None:
    """The worn middle of a lane, the line on its right, and the one on its left where no other lane paints it."""
    points, right, half = lane.points, lane.right, (lane.widths / 2)[:, None]
    painter.strip(points, 0.62, (0.06, 0.06, 0.06), DecalKind.STAIN, STAIN_Z, float(lane.key[0] * 13 % 50))
    left_line, right_line = lane.lines
    if lane.in_junction and lane.outermost and lane.innermost:
        # Lanes that cross have no lines; those that run side by side through a junction do, and lanes that branch off
        # have one on their outer side.
        if left_line == Line.NONE:
            _line(painter, points + right * (half - _INSET_M), right_line)
        return
    if lane.oncoming:
        if lane.key[2] < 0:
            _centre_line(painter, lane, YELLOW if lane.yellow else WHITE)
    elif lane.innermost:
        _line(painter, points - right * (half - _INSET_M), left_line)
    if not lane.outermost:
        _line(painter, points + right * half, right_line)
    elif float(lane.parking.max()) > 0.0:
        _line(painter, points + right * (half - 0.02), Line.SOLID)
    else:
        _line(painter, points + right * (half - _INSET_M), right_line)


def _line(painter: Painter, line: Float, kind: Line, colour: Colour = WHITE) -> None:
    if kind != Line.NONE:
        painter.strip(line, _LINE_HALF_M, colour, DecalKind.DASHES if kind == Line.BROKEN else DecalKind.LINE)


def _centre_line(painter: Painter, lane: Lane, colour: Colour) -> None:
    middle = lane.points - lane.right * (lane.widths / 2)[:, None]
    if lane.lines[0] != Line.DOUBLE:
        _line(painter, middle, lane.lines[0], colour)
        return
    for offset in (-_DOUBLE_M, _DOUBLE_M):
        _line(painter, middle + lane.right * offset, Line.SOLID, colour)


def bay_interval(lane: Lane) -> tuple[float, float] | None:
    """Arc lengths between which the parking lane beside a driving lane has its full width."""
    full = lane.arc[lane.parking > 0.98 * float(lane.parking.max())]
    if float(lane.parking.max()) <= 0.0 or len(full) < 2:
        return None
    return float(full[0]) + 0.5, float(full[-1]) - 0.5


BAY_LENGTH_M = 5.9


def _bay_marks(painter: Painter, lane: Lane) -> None:
    interval = bay_interval(lane)
    if interval is None:
        return
    width = float(lane.parking.max())
    count = int((interval[1] - interval[0]) / BAY_LENGTH_M)
    for index in range(count + 1):
        centre, _, right = lane.at(interval[0] + index * BAY_LENGTH_M)
        painter.bar(centre + right * (lane.width / 2 + width / 2), right, width / 2 - 0.05, 0.05, WHITE)


def crosswalks(town_map: Any) -> list[Float]:
    """(4, 2) corners of each crossing of a ``carla.Map``, right-handed."""
    corners = np.array([(corner.x, -corner.y) for corner in town_map.get_crosswalks()])
    return [corners[i : i + 4] for i in range(0, len(corners) - 4, 5)]


def _zebra(painter: Painter, corners: Float) -> None:
    centre = corners.mean(0)
    along, across = sorted((corners[1] - corners[0], corners[2] - corners[1]), key=lambda edge: float(edge @ edge))
    length = float(np.linalg.norm(across))
    bars = int(length)
    for offset in (np.arange(bars) - (bars - 1) / 2) / bars:
        middle = centre + across * offset
        painter.bar(middle, along / np.linalg.norm(along), float(np.linalg.norm(along)) / 2, 0.25, WHITE)


def _repairs(scene: Scene, painter: Painter) -> None:
    random, road = scene.random, scene.plan.road
    x0, y0, x1, y1 = road.bounds
    wanted, placed = int(road.area / (95 if scene.plan.urban else 900)), 0
    shapely.prepare(road)
    while placed < wanted:
        x, y = random.uniform(x0, x1), random.uniform(y0, y1)
        if not road.contains(shapely.Point(x, y).buffer(1.2)):
            continue
        placed += 1
        angle, centre = random.uniform(0.0, math.pi), np.array([x, y])
        direction = np.array([math.cos(angle), math.sin(angle)])
        if placed % 3:
            half = random.uniform(0.8, 3.0)
            grey = random.uniform(0.12, 0.42)
            ends = np.array([centre - direction * half, centre + direction * half])
            painter.strip(ends, random.uniform(0.25, 0.9), (grey, grey, grey), DecalKind.REPAIR, REPAIR_Z)
        else:
            ends = np.array([centre - direction * 0.35, centre + direction * 0.35])
            painter.strip(ends, 0.35, (0.16, 0.15, 0.15), DecalKind.MANHOLE, REPAIR_Z)


def build_markings(scene: Scene, lanes: Sequence[Lane], town_map: Any) -> None:
    """Paint the whole map."""
    painter = Painter(scene)
    crossings = crosswalks(town_map)
    areas = shapely.union_all([shapely.Polygon(corners) for corners in crossings])
    for lane in lanes:
        _lane_lines(painter, lane)
        if lane.in_junction:
            continue
        _bay_marks(painter, lane)
        paint_approach(painter, lane, areas, town_map, scene.signals)
    for corners in crossings:
        _zebra(painter, corners)
    _repairs(scene, painter)
