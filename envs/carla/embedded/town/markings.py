"""Thin layers on the carriageway: lane lines, crossings, stop lines, bay marks, stains, repairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from sim2real_bench.envs.carla.embedded.town.lanes import Lane
from sim2real_bench.envs.carla.embedded.town.scene import Scene
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]
Colour = tuple[float, float, float]

_WHITE: Colour = (0.84, 0.84, 0.82)
_LINE_HALF_M = 0.06
_SOFT_EDGE_M = 0.12  # paint fades within the strip, so the strip is a little wider than the line
_PAINT_Z, _REPAIR_Z, _STAIN_Z = 0.012, 0.007, 0.004


class DecalKind(IntEnum):
    """The ``layer`` of a decal vertex: how the shader draws it."""

    LINE = 0
    DASHES = 1
    STAIN = 2
    REPAIR = 3
    MANHOLE = 4


class Painter:
    """Adds strips to the decal mesh."""

    def __init__(self, scene: Scene) -> None:
        self._mesh = scene.decals

    def strip(
        self, line: Float, half_m: float, colour: Colour, kind: DecalKind, z: float = _PAINT_Z, start_m: float = 0.0
    ) -> None:
        """A band along a polyline; dashes count from ``start_m``."""
        along = np.gradient(line, axis=0)
        along /= np.linalg.norm(along, axis=1)[:, None]
        left = np.c_[-along[:, 1], along[:, 0]]
        reach = half_m + _SOFT_EDGE_M if kind <= DecalKind.DASHES else half_m
        arc = np.r_[0.0, np.cumsum(np.hypot(*np.diff(line, axis=0).T))] + start_m
        count = len(line)
        edges = np.vstack([line + left * reach, line - left * reach])
        uv = np.vstack([np.c_[np.full(count, reach), arc], np.c_[np.full(count, -reach), arc]])
        i = np.arange(count - 1)
        triangles = np.vstack([np.c_[i, count + i, i + 1], np.c_[i + 1, count + i, count + i + 1]])
        tag = CarlaClass.ROAD_LINES if kind <= DecalKind.DASHES else CarlaClass.ROADS
        points = np.c_[edges, np.full(2 * count, z)]
        self._mesh.add(points, (0, 0, 1), uv, triangles, kind, tag, colour, half_m)

    def bar(self, centre: Float, direction: Float, half_length: float, half_width: float, colour: Colour) -> None:
        """A painted rectangle."""
        ends = np.array([centre - direction * half_length, centre + direction * half_length])
        self.strip(ends, half_width, colour, DecalKind.LINE)


def _lane_lines(painter: Painter, lane: Lane, centre: tuple[DecalKind, Colour]) -> None:
    keep = np.r_[np.arange(0, len(lane.points) - 1, 2), len(lane.points) - 1]  # enough for the curves of a town
    points, right = lane.points[keep], lane.right[keep]
    painter.strip(points, 0.62, (0.06, 0.06, 0.06), DecalKind.STAIN, _STAIN_Z, float(lane.key[0] * 13 % 50))
    if lane.in_junction:
        return
    if lane.key[2] < 0:
        painter.strip(points - right * lane.width / 2, _LINE_HALF_M, centre[1], centre[0])
    if float(lane.parking.max()) > 0.0:
        painter.strip(points + right * (lane.width / 2 - 0.02), _LINE_HALF_M, _WHITE, DecalKind.LINE)
    else:
        painter.strip(points + right * (lane.width / 2 - 0.18), _LINE_HALF_M, _WHITE, DecalKind.LINE)


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
        painter.bar(centre + right * (lane.width / 2 + width / 2), right, width / 2 - 0.05, 0.05, _WHITE)


def _crosswalks(town_map: Any) -> list[Float]:
    """(4, 2) corners of each crossing."""
    corners = np.array([(corner.x, -corner.y) for corner in town_map.get_crosswalks()])
    return [corners[i : i + 4] for i in range(0, len(corners) - 4, 5)]


def _zebra(painter: Painter, corners: Float) -> None:
    centre = corners.mean(0)
    along, across = sorted((corners[1] - corners[0], corners[2] - corners[1]), key=lambda edge: float(edge @ edge))
    length = float(np.linalg.norm(across))
    bars = int(length)
    for offset in (np.arange(bars) - (bars - 1) / 2) / bars:
        middle = centre + across * offset
        painter.bar(middle, along / np.linalg.norm(along), float(np.linalg.norm(along)) / 2, 0.25, _WHITE)


def _stop_line(painter: Painter, lane: Lane) -> None:
    centre, _, right = lane.at(float(lane.arc[-1]) - 4.9)
    painter.bar(centre, right, lane.width / 2 - 0.25, 0.2, _WHITE)


def _repairs(scene: Scene, painter: Painter) -> None:
    random, road = scene.random, scene.plan.road
    x0, y0, x1, y1 = road.bounds
    wanted, placed = int(road.area / 95), 0
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
            painter.strip(ends, random.uniform(0.25, 0.9), (grey, grey, grey), DecalKind.REPAIR, _REPAIR_Z)
        else:
            ends = np.array([centre - direction * 0.35, centre + direction * 0.35])
            painter.strip(ends, 0.35, (0.16, 0.15, 0.15), DecalKind.MANHOLE, _REPAIR_Z)


def build_markings(scene: Scene, lanes: Sequence[Lane], town_map: Any) -> None:
    """Paint the whole town."""
    import carla

    painter = Painter(scene)
    crossings = _crosswalks(town_map)
    areas = shapely.union_all([shapely.Polygon(corners) for corners in crossings])
    for lane in lanes:
        middle = lane.points[len(lane.points) // 2]
        kind = DecalKind.DASHES
        if not lane.in_junction:
            waypoint = town_map.get_waypoint(carla.Location(float(middle[0]), -float(middle[1]), 0.0))
            solid = waypoint.left_lane_marking.type == carla.LaneMarkingType.Solid
            kind = DecalKind.LINE if solid else DecalKind.DASHES
        _lane_lines(painter, lane, (kind, scene.style.marking))
        if lane.in_junction:
            continue
        _bay_marks(painter, lane)
        if areas.distance(shapely.Point(lane.points[-1])) < 4.0:
            _stop_line(painter, lane)
    for corners in crossings:
        _zebra(painter, corners)
    _repairs(scene, painter)
