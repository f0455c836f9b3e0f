"""The shape of the ground: one height for each place, read from the elevation of the roads."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sim2real_bench.errors import ConfigurationError

Float = npt.NDArray[np.float64]

CELL_M = 2.0
"""Distance between the nodes of a relief."""
_BRIDGE_M = 2.0
_EVENING_ROUNDS = 12


@dataclass(frozen=True, eq=False)
class Relief:
    """Heights of the road surface, in CARLA's frame (metres, z up); beyond the grid the rim's heights go on.

    Each square of the grid is cut into two triangles along its falling diagonal, and the height is linear in each: the
    meshes of the ground are cut along the same lines, so what one sees is what one drives on.

    Attributes:
        x0: x of the first column of nodes.
        y0: y of the first row of nodes.
        nodes: (rows, columns) heights; a flat relief has none.
    """

    x0: float = 0.0
    y0: float = 0.0
    nodes: Float = field(default_factory=lambda: np.zeros((0, 0)))

    @cached_property
    def flat(self) -> bool:
        """The height is 0 everywhere."""
        return self.nodes.size == 0

    def height(self, x: float, y: float) -> float:
        """Height of the ground at a place."""
        if self.flat:
            return 0.0
        row, column, v, u = self._cell(x, y)
        node = self.nodes.item
        across, down = node(row, column + 1), node(row + 1, column)
        if u + v <= 1.0:
            near = node(row, column)
            return float(near + u * (across - near) + v * (down - near))
        far = node(row + 1, column + 1)
        return float(far + (1.0 - u) * (down - far) + (1.0 - v) * (across - far))

    def heights(self, points: npt.ArrayLike) -> Float:
        """(N,) heights of (N, 2) places."""
        places = np.asarray(points, np.float64).reshape(-1, 2)
        if self.flat:
            return np.zeros(len(places))
        row, column, v, u = self._cells(places)
        near, far = self.nodes[row, column], self.nodes[row + 1, column + 1]
        across, down = self.nodes[row, column + 1], self.nodes[row + 1, column]
        upper = near + u * (across - near) + v * (down - near)
        lower = far + (1.0 - u) * (down - far) + (1.0 - v) * (across - far)
        heights: Float = np.where(u + v <= 1.0, upper, lower)
        return heights

    def gradient(self, x: float, y: float) -> tuple[float, float]:
        """Rise along x and along y at a place, metres per metre, without steps from triangle to triangle."""
        if self.flat:
            return 0.0, 0.0
        row, column, v, u = self._cell(x, y)
        weights = ((1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u)
        corners = ((row, column), (row, column + 1), (row + 1, column), (row + 1, column + 1))
        along_x, along_y = self._slopes
        return (
            sum(w * along_x.item(r, c) for w, (r, c) in zip(weights, corners, strict=True)),
            sum(w * along_y.item(r, c) for w, (r, c) in zip(weights, corners, strict=True)),
        )

    def gradients(self, points: npt.ArrayLike) -> Float:
        """(N, 2) rise along x and y at (N, 2) places."""
        places = np.asarray(points, np.float64).reshape(-1, 2)
        if self.flat:
            return np.zeros((len(places), 2))
        row, column, v, u = self._cells(places)
        result = np.empty((len(places), 2))
        for axis, slope in enumerate(self._slopes):
            upper = slope[row, column] * (1 - u) + slope[row, column + 1] * u
            lower = slope[row + 1, column] * (1 - u) + slope[row + 1, column + 1] * u
            result[:, axis] = upper * (1 - v) + lower * v
        return result

    @cached_property
    def _slopes(self) -> tuple[Float, Float]:
        """Rise along x and y at each node."""
        along_x: Float = np.gradient(self.nodes, CELL_M, axis=1)
        along_y: Float = np.gradient(self.nodes, CELL_M, axis=0)
        return along_x, along_y

    def _cells(self, places: Float) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_], Float, Float]:
        """``_cell`` of (N, 2) places."""
        rows, columns = self.nodes.shape
        u = np.clip((places[:, 0] - self.x0) / CELL_M, 0.0, columns - 1.0)
        v = np.clip((places[:, 1] - self.y0) / CELL_M, 0.0, rows - 1.0)
        column, row = np.minimum(u.astype(int), columns - 2), np.minimum(v.astype(int), rows - 2)
        return row, column, v - row, u - column

    def _cell(self, x: float, y: float) -> tuple[int, int, float, float]:
        """Row and column of a cell, and the place in it as shares of its height and width."""
        rows, columns = self.nodes.shape
        u = min(max((x - self.x0) / CELL_M, 0.0), columns - 1.0)
        v = min(max((y - self.y0) / CELL_M, 0.0), rows - 1.0)
        column, row = min(math.floor(u), columns - 2), min(math.floor(v), rows - 2)
        return row, column, v - row, u - column


def relief_through(points: Float, slopes: Float, margin_m: float = 60.0) -> Relief:
    """The relief through scattered points of road surfaces; between roads it runs on smoothly.

    Args:
        points: (N, 3) x, y, z.
        slopes: (N, 2) rise of the road along x and y there.
        margin_m: how far the relief goes beyond the points.

    Raises:
        ConfigurationError: one place has two heights, as under a bridge.
    """
    if not len(points) or np.abs(points[:, 2]).max() < 1e-6:
        return FLAT
    low = np.floor((points[:, :2].min(0) - margin_m) / CELL_M) * CELL_M
    columns, rows = np.ceil((points[:, :2].max(0) + margin_m - low) / CELL_M).astype(int) + 1
    nearest = np.rint((points[:, :2] - low) / CELL_M).astype(int)
    away = nearest * CELL_M + low - points[:, :2]
    heights = points[:, 2] + (away * slopes).sum(1)
    index = nearest[:, 1] * columns + nearest[:, 0]
    _refuse_bridges(index, heights, points)
    weights = 1.0 / (0.01 + (away**2).sum(1))
    total = np.bincount(index, weights, rows * columns)
    known = np.bincount(index, weights * heights, rows * columns) / np.maximum(total, 1e-12)
    return Relief(float(low[0]), float(low[1]), _filled(known.reshape(rows, columns), total.reshape(rows, columns) > 0))


def _refuse_bridges(index: npt.NDArray[np.int_], heights: Float, points: Float) -> None:
    order = np.lexsort((heights, index))
    first = np.flatnonzero(np.r_[True, np.diff(index[order]) > 0])
    last = np.r_[first[1:], len(order)] - 1
    spread = heights[order[last]] - heights[order[first]]
    worst = int(np.argmax(spread))
    if spread[worst] > _BRIDGE_M:
        x, y, _ = points[order[first[worst]]]
        raise ConfigurationError(
            f"the map's roads have two heights {spread[worst]:.1f} m apart near x={x:.0f}, y={y:.0f}: bridges and "
            "tunnels cannot be driven here; use a map whose roads meet at one height"
        )


def _filled(known: Float, given: npt.NDArray[np.bool_]) -> Float:
    """Heights for the nodes off the roads: from coarser and coarser averages, then evened out."""
    if given.all():
        return known
    rows, columns = known.shape
    even = ((0, rows % 2), (0, columns % 2))
    weights = np.pad(given.astype(float), even)
    sums = np.pad(np.where(given, known, 0.0), even)
    count = weights[::2, ::2] + weights[1::2, ::2] + weights[::2, 1::2] + weights[1::2, 1::2]
    total = sums[::2, ::2] + sums[1::2, ::2] + sums[::2, 1::2] + sums[1::2, 1::2]
    coarse = _filled(total / np.maximum(count, 1.0), count > 0) if count.size > 1 else total / np.maximum(count, 1.0)
    rough = np.repeat(np.repeat(coarse, 2, 0), 2, 1)[:rows, :columns]
    result = np.where(given, known, rough)
    for _ in range(_EVENING_ROUNDS):
        wide = np.pad(result, 1, mode="edge")
        mean = (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]) / 4.0
        result = np.where(given, known, mean)
    return result


FLAT = Relief()
"""Height 0 everywhere."""
