"""The ground as rays see it: its height with kerbs, and what it is made of, drawn once from the town's mesh."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.carla.embedded.town.model import Mesh, Town
from sim2real_bench.envs.carla.embedded.town.relief import CELL_M, Relief
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]

GROUND_CLASSES = (
    CarlaClass.ROADS, CarlaClass.SIDEWALKS, CarlaClass.TERRAIN, CarlaClass.WATER, CarlaClass.GROUND,
    CarlaClass.RAIL_TRACK, CarlaClass.BRIDGE,
)  # fmt: skip
_RASTER_M = 0.25
_MAX_CELLS = 4_000_000
_MIN_UPWARD = 0.8
_MAX_LIFT_M = 0.5  # what lies higher above the relief is a thing, not ground
_SUBPIXEL_BITS = 4
_MAX_MARCH_M = 2000.0
_SHORTEST_STEP_M = 0.25
_LEAST_FALL = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class GroundSurface:
    """Heights and classes of the ground in CARLA's frame; beyond the raster the heights of its rim go on.

    Attributes:
        x0: x of the raster's edge, metres; likewise ``y0``.
        cell: size of a cell, metres.
        raster: (rows, columns) heights: the relief with kerbs and pavements on it, metres.
        classes: (rows, columns) ``CarlaClass``.
        steepest: largest slope of the relief; 0 = flat.
    """

    x0: float
    y0: float
    cell: float
    raster: Float32
    classes: npt.NDArray[np.uint8]
    steepest: float

    @classmethod
    def of_town(cls, town: Town) -> GroundSurface:
        """Draw the upward faces of the town's ground from above."""
        import cv2  # only here: most servers never send a ray, and all start faster without it

        left, low, right, high = town.meshes.bounds
        cell = max(_RASTER_M, math.sqrt(max(right - left, 1.0) * max(high - low, 1.0) / _MAX_CELLS))
        shape = (math.ceil((high - low) / cell) + 1, math.ceil((right - left) / cell) + 1)
        lift = np.zeros(shape, np.float32)
        classes = np.full(shape, CarlaClass.GROUND, np.uint8)
        x0, y0 = left, -high  # y is turned round between the meshes' frame and CARLA's
        corners, heights, tags = _ground_faces(town.meshes.solid, town.relief)
        pixels = np.rint(((corners - (x0, y0)) / cell - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
        for index in np.argsort(heights, kind="stable").tolist():  # the pavement lies on top of what is below it
            cv2.fillConvexPoly(classes, pixels[index], int(tags[index]), cv2.LINE_8, _SUBPIXEL_BITS)
            cv2.fillConvexPoly(lift, pixels[index], float(heights[index]), cv2.LINE_8, _SUBPIXEL_BITS)
        raster = lift + _relief_raster(town.relief, x0, y0, cell, shape, cv2)
        return cls(x0, y0, cell, raster, classes, _steepest(town.relief))

    @cached_property
    def highest(self) -> float:
        """Of all ground, metres."""
        return float(self.raster.max())

    def heights(self, x: Float32, y: Float32) -> Float32:
        """(N,) heights at (N,) places."""
        rows = np.clip((y - np.float32(self.y0)) / np.float32(self.cell), 0, self.raster.shape[0] - 1).astype(np.int32)
        columns = np.clip((x - np.float32(self.x0)) / np.float32(self.cell), 0, self.raster.shape[1] - 1)
        return self.raster[rows, columns.astype(np.int32)]

    def height(self, x: float, y: float) -> float:
        """Height at a place."""
        return float(self.heights(np.array([x], np.float32), np.array([y], np.float32))[0])

    def tags(self, x: Float32, y: Float32) -> npt.NDArray[np.uint8]:
        """(N,) classes at (N,) places."""
        rows, columns = self.classes.shape
        row = np.floor((y - self.y0) / self.cell).astype(np.int64)
        column = np.floor((x - self.x0) / self.cell).astype(np.int64)
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        found = self.classes[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
        return np.where(inside, found, np.uint8(CarlaClass.GROUND))

    def distances(self, origin: Vector, directions: Float32, reach: float) -> Float32:
        """(N,) metres along (N, 3) unit rays to the ground; infinite where it is not met within ``reach``."""
        found = np.full(len(directions), np.inf, np.float32)
        if origin[2] <= self.height(origin[0], origin[1]):
            return found  # from below
        ahead = np.flatnonzero(directions[:, 2] < (self.steepest if origin[2] < self.highest else 0.0) - _LEAST_FALL)
        if len(ahead):
            rays = directions[ahead]
            distance = self._march(origin, rays, reach) if self.steepest else self._flat(origin, rays)
            found[ahead] = np.where(distance <= reach, distance, np.inf)
        return found

    def _flat(self, origin: Vector, rays: Float32) -> Float32:
        """The plane of height 0, then the plane of the kerb or pavement that lies there."""
        x, y, z = (np.float32(value) for value in origin)
        distance: Float32 = np.asarray(-z / rays[:, 2], np.float32)
        for _ in range(2):
            height = self.heights(x + rays[:, 0] * distance, y + rays[:, 1] * distance)
            distance = np.maximum((height - z) / rays[:, 2], np.float32(0.0))
        return distance

    def _march(self, origin: Vector, rays: Float32, reach: float) -> Float32:
        """Step as far as the steepest slope allows without meeting the ground; interpolate the step that does."""
        x, y, z = (np.float32(value) for value in origin)
        pace = 1.0 / np.maximum(self.steepest - rays[:, 2], _LEAST_FALL)
        end = np.float32(min(reach, _MAX_MARCH_M))
        found = np.full(len(rays), np.inf, np.float32)
        alive = np.arange(len(rays))
        place = np.zeros(len(rays), np.float32)
        gap = np.full(len(rays), z - np.float32(self.height(origin[0], origin[1])), np.float32)
        while len(alive):
            chosen = rays[alive]
            step = np.maximum(gap * pace[alive], np.maximum(np.float32(_SHORTEST_STEP_M), place * np.float32(0.02)))
            after = place + step
            ground = self.heights(x + chosen[:, 0] * after, y + chosen[:, 1] * after)
            left = z + chosen[:, 2] * after - ground
            met = left <= 0.0
            share = gap[met] / (gap[met] - left[met])
            found[alive[met]] = place[met] + step[met] * share
            goes_on = ~met & (after < end) & ((chosen[:, 2] < 0.0) | (left + ground < self.highest))
            alive, place, gap = alive[goes_on], after[goes_on], left[goes_on]
        return found


def plain_ground(relief: Relief) -> GroundSurface:
    """Ground without kerbs, all of one class."""
    if relief.flat:
        raster = np.zeros((1, 1), np.float32)
        return GroundSurface(0.0, 0.0, _RASTER_M, raster, np.full((1, 1), CarlaClass.GROUND, np.uint8), 0.0)
    import cv2

    shape = tuple(round(side * CELL_M / _RASTER_M) for side in relief.nodes.shape)
    raster = _relief_raster(relief, relief.x0, relief.y0, _RASTER_M, (shape[0], shape[1]), cv2)
    classes = np.full(raster.shape, CarlaClass.GROUND, np.uint8)
    return GroundSurface(relief.x0, relief.y0, _RASTER_M, raster, classes, _steepest(relief))


def _relief_raster(relief: Relief, x0: float, y0: float, cell: float, shape: tuple[int, int], cv2: Any) -> Float32:
    """(rows, columns) heights of the relief at the middles of the cells."""
    if relief.flat:
        return np.zeros(shape, np.float32)
    scale = cell / CELL_M
    first_column, first_row = (x0 + cell / 2.0 - relief.x0) / CELL_M, (y0 + cell / 2.0 - relief.y0) / CELL_M
    places = np.array([[scale, 0.0, first_column], [0.0, scale, first_row]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    nodes = relief.nodes.astype(np.float32)
    raster: Float32 = cv2.warpAffine(nodes, places, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return raster


def _steepest(relief: Relief) -> float:
    """The largest slope between neighbouring nodes in either direction together; 0 for a flat relief."""
    if relief.flat:
        return 0.0
    down, across = (float(np.abs(np.diff(relief.nodes, axis=axis)).max()) for axis in range(2))
    return max(math.hypot(down, across) / CELL_M, 1e-3)


def _ground_faces(mesh: Mesh, relief: Relief) -> tuple[Float, Float, npt.NDArray[np.uint8]]:
    """((T, 3, 2) corners in CARLA's frame, (T,) height above the relief, (T,) class) of the faces that are ground."""
    faces = mesh.vertices[mesh.triangles]
    tags = np.rint(faces[:, 0, 13]).astype(np.uint8)
    chosen = np.isin(tags, GROUND_CLASSES) & (faces[:, :, 5].min(axis=1) > _MIN_UPWARD)
    faces, tags = faces[chosen].astype(np.float64), tags[chosen]
    corners = faces[:, :, :2] * (1.0, -1.0)
    heights = (faces[:, :, 2] - relief.heights(corners.reshape(-1, 2)).reshape(-1, 3)).mean(axis=1)
    near = np.abs(heights) < _MAX_LIFT_M
    return corners[near], heights[near], tags[near]
