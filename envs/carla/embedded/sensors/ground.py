"""The ground as rays see it: its height with kerbs, and what it is made of, drawn once from the town's mesh."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.carla.embedded.town.model import Mesh, Town
from sim2real_bench.envs.carla.embedded.town.relief import Relief
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]

GROUND_CLASSES = (
    CarlaClass.ROADS, CarlaClass.SIDEWALKS, CarlaClass.TERRAIN, CarlaClass.WATER, CarlaClass.GROUND,
    CarlaClass.RAIL_TRACK, CarlaClass.BRIDGE,
)  # fmt: skip
_CELL_M = 0.25
_MAX_CELLS = 4_000_000
_MIN_UPWARD = 0.8
_MAX_LIFT_M = 0.5  # what lies higher above the relief is a thing, not ground
_SUBPIXEL_BITS = 4
_MAX_MARCH_M = 2000.0


@dataclass(frozen=True, eq=False)
class GroundSurface:
    """Heights and classes of the ground in CARLA's frame.

    Attributes:
        relief: the height of the roads.
        x0: x of the raster's edge, metres; likewise ``y0``.
        cell: size of a cell, metres.
        lift: (rows, columns) height above the relief, metres: kerbs and pavements.
        classes: (rows, columns) ``CarlaClass``.
    """

    relief: Relief
    x0: float
    y0: float
    cell: float
    lift: Float32
    classes: npt.NDArray[np.uint8]

    @classmethod
    def of_town(cls, town: Town) -> GroundSurface:
        """Draw the upward faces of the town's ground from above."""
        import cv2  # only here: most servers never send a ray, and all start faster without it

        left, low, right, high = town.meshes.bounds
        cell = max(_CELL_M, math.sqrt(max(right - left, 1.0) * max(high - low, 1.0) / _MAX_CELLS))
        shape = (math.ceil((high - low) / cell) + 1, math.ceil((right - left) / cell) + 1)
        lift = np.zeros(shape, np.float32)
        classes = np.full(shape, CarlaClass.GROUND, np.uint8)
        x0, y0 = left, -high  # y is turned round between the meshes' frame and CARLA's
        corners, heights, tags = _ground_faces(town.meshes.solid, town.relief)
        pixels = np.rint(((corners - (x0, y0)) / cell - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
        for index in np.argsort(heights, kind="stable").tolist():  # the pavement lies on top of what is below it
            cv2.fillConvexPoly(classes, pixels[index], int(tags[index]), cv2.LINE_8, _SUBPIXEL_BITS)
            cv2.fillConvexPoly(lift, pixels[index], float(heights[index]), cv2.LINE_8, _SUBPIXEL_BITS)
        return cls(town.relief, x0, y0, cell, lift, classes)

    @classmethod
    def plain(cls, relief: Relief) -> GroundSurface:
        """Ground without kerbs, all of one class."""
        return cls(
            relief, 0.0, 0.0, _CELL_M, np.zeros((1, 1), np.float32), np.full((1, 1), CarlaClass.GROUND, np.uint8)
        )

    def heights(self, x: Float32, y: Float32) -> Float32:
        """(N,) heights at (N,) places."""
        rows, columns, inside = self._cells(x, y)
        lift = np.where(inside, self.lift[rows, columns], np.float32(0.0))
        if self.relief.flat:
            return lift
        return np.asarray(lift + self.relief.heights(np.stack([x, y], axis=1)), np.float32)

    def tags(self, x: Float32, y: Float32) -> npt.NDArray[np.uint8]:
        """(N,) classes at (N,) places."""
        rows, columns, inside = self._cells(x, y)
        return np.where(inside, self.classes[rows, columns], np.uint8(CarlaClass.GROUND))

    def _cells(
        self, x: Float32, y: Float32
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        limit_row, limit_column = self.lift.shape[0] - 1, self.lift.shape[1] - 1
        row, column = (y - self.y0) / self.cell, (x - self.x0) / self.cell
        inside = (row >= 0.0) & (row < limit_row + 1) & (column >= 0.0) & (column < limit_column + 1)
        rows = np.clip(row, 0, limit_row).astype(np.int32)
        columns = np.clip(column, 0, limit_column).astype(np.int32)
        return rows, columns, inside

    def distances(self, origin: Vector, directions: Float32, reach: float) -> Float32:
        """(N,) metres along (N, 3) unit rays to the ground; infinite where it is not met within ``reach``."""
        found = np.full(len(directions), np.inf, np.float32)
        low, high = self._band
        if origin[2] <= float(self.heights(*(np.array([value], np.float32) for value in origin[:2]))[0]):
            return found  # from below
        down = np.flatnonzero((directions[:, 2] < -1e-6) | (origin[2] <= high))
        if len(down):
            rays = directions[down]
            distance = self._flat(origin, rays) if self.relief.flat else self._march(origin, rays, reach, low, high)
            found[down] = np.where(distance <= reach, distance, np.inf)
        return found

    @cached_property
    def _band(self) -> tuple[float, float]:
        """Lowest and highest ground."""
        nodes = self.relief.nodes
        low, high = (0.0, 0.0) if self.relief.flat else (float(nodes.min()), float(nodes.max()))
        return low + min(0.0, float(self.lift.min())), high + max(0.0, float(self.lift.max()))

    def _flat(self, origin: Vector, rays: Float32) -> Float32:
        """The plane of height 0, then the plane of the kerb or pavement that lies there."""
        x, y, z = (np.float32(value) for value in origin)
        slopes = np.minimum(rays[:, 2], np.float32(-1e-6))
        distance: Float32 = np.asarray(-z / slopes, np.float32)
        for _ in range(2):
            height = self.heights(x + rays[:, 0] * distance, y + rays[:, 1] * distance)
            distance = np.maximum((height - z) / slopes, np.float32(0.0))
        return np.where(rays[:, 2] < -1e-6, distance, np.float32(np.inf)).astype(np.float32)

    def _march(self, origin: Vector, rays: Float32, reach: float, low: float, high: float) -> Float32:
        """March through the heights in which ground lies until the ray is below it, then halve the last step."""
        x, y, z = (np.float32(value) for value in origin)
        slopes = rays[:, 2]
        fall = np.minimum(slopes, np.float32(-1e-6))
        place = np.maximum((high - z) / fall, 0.0).astype(np.float32)
        last = np.where(slopes < -1e-6, (low - z) / fall + 0.1, np.inf)
        last = np.minimum(last, min(reach, _MAX_MARCH_M)).astype(np.float32)

        def below(which: Int, distance: Float32) -> npt.NDArray[np.bool_]:
            chosen = rays[which]
            ground = self.heights(x + chosen[:, 0] * distance, y + chosen[:, 1] * distance)
            return np.asarray(z + chosen[:, 2] * distance <= ground)

        found = np.full(len(rays), np.inf, np.float32)
        alive = np.flatnonzero(place < last)
        while len(alive):
            before = place[alive]
            after = np.minimum(before + np.clip(0.03 * before, 0.5, 4.0), last[alive]).astype(np.float32)
            crossed = below(alive, after)
            found[alive[crossed]] = _bisect(below, alive[crossed], before[crossed], after[crossed])
            place[alive] = after
            alive = alive[~crossed & (after < last[alive])]
        return found


def _bisect(below: Callable[[Int, Float32], npt.NDArray[np.bool_]], which: Int, low: Float32, high: Float32) -> Float32:
    """Where rays go below the ground, to a two hundred and fiftieth of the step."""
    for _ in range(8):
        middle = (low + high) / np.float32(2.0)
        under = below(which, middle)
        high, low = np.where(under, middle, high), np.where(under, low, middle)
    return high


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
