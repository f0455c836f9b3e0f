"""Adds thin layers of paint and tar to the carriageway."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.scene import Scene
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]
Colour = tuple[float, float, float]

WHITE: Colour = (0.84, 0.84, 0.82)
YELLOW: Colour = (0.84, 0.65, 0.22)
PAINT_Z, REPAIR_Z, STAIN_Z = 0.012, 0.007, 0.004
"""Heights of the layers above the road, metres."""
_SOFT_EDGE_M = 0.12  # paint fades within the strip, so the strip is a little wider than the line
_LEVEL_M = 0.01


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
        self._relief = scene.relief

    def strip(
        self, line: Float, half_m: float, colour: Colour, kind: DecalKind, z: float = PAINT_Z, start_m: float = 0.0
    ) -> None:
        """A band along a polyline; dashes count from ``start_m``."""
        line = self._fine(line)
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

    def _fine(self, line: Float) -> Float:
        """The line with a point every metre where it must follow a slope."""
        if self._relief.flat:
            return line
        heights = self._relief.heights(line * (1.0, -1.0))
        if np.ptp(heights) < _LEVEL_M:
            return line
        arc = np.r_[0.0, np.cumsum(np.hypot(*np.diff(line, axis=0).T))]
        fine = np.union1d(arc, np.arange(0.0, arc[-1], 1.0))
        return np.c_[np.interp(fine, arc, line[:, 0]), np.interp(fine, arc, line[:, 1])]

    def bar(self, centre: Float, direction: Float, half_length: float, half_width: float, colour: Colour) -> None:
        """A painted rectangle."""
        left, reach, z = np.array([-direction[1], direction[0]]), half_width + _SOFT_EDGE_M, PAINT_Z
        if not self._relief.flat:
            self.strip(
                np.array([centre - direction * half_length, centre + direction * half_length]), half_width, colour,
                DecalKind.LINE,
            )  # fmt: skip
            return
        corners = [
            (*(centre + direction * (along * half_length) + left * (across * reach)).tolist(), z)
            for along, across in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        uv = [(-reach, 0.0), (-reach, 2 * half_length), (reach, 2 * half_length), (reach, 0.0)]
        self._mesh.polygon(corners, uv, DecalKind.LINE, CarlaClass.ROAD_LINES, colour, half_width, (0.0, 0.0, 1.0))

    def triangle(self, base: Float, direction: Float, length: float, half_width: float, colour: Colour) -> None:
        """A painted triangle: the head of an arrow."""
        across = np.array([-direction[1], direction[0]]) * half_width
        corners = [(*corner.tolist(), PAINT_Z) for corner in (base - across, base + direction * length, base + across)]
        # Anticlockwise seen from above; the middle of a line is painted in full.
        order = [corners[0], corners[1], corners[2]] if _left_turn(corners) else [corners[2], corners[1], corners[0]]
        self._mesh.polygon(order, [(0.0, 0.0)], DecalKind.LINE, CarlaClass.ROAD_LINES, colour, 1.0, (0.0, 0.0, 1.0))


def _left_turn(corners: list[tuple[float, ...]]) -> bool:
    (x0, y0, _), (x1, y1, _), (x2, y2, _) = corners
    return (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0) > 0.0
