"""The shape of the ground: one height for each place, read from the elevation of the roads."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

CELL_M = 2.0
"""Distance between the nodes of a relief."""


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
        rows, columns = self.nodes.shape
        u = np.clip((places[:, 0] - self.x0) / CELL_M, 0.0, columns - 1.0)
        v = np.clip((places[:, 1] - self.y0) / CELL_M, 0.0, rows - 1.0)
        column, row = np.minimum(u.astype(int), columns - 2), np.minimum(v.astype(int), rows - 2)
        u, v = u - column, v - row
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

    @cached_property
    def _slopes(self) -> tuple[Float, Float]:
        """Rise along x and y at each node."""
        along_y, along_x = np.gradient(self.nodes, CELL_M)
        return along_x, along_y

    def _cell(self, x: float, y: float) -> tuple[int, int, float, float]:
        """Row and column of a cell, and the place in it as shares of its height and width."""
        rows, columns = self.nodes.shape
        u = min(max((x - self.x0) / CELL_M, 0.0), columns - 1.0)
        v = min(max((y - self.y0) / CELL_M, 0.0), rows - 1.0)
        column, row = min(math.floor(u), columns - 2), min(math.floor(v), rows - 2)
        return row, column, v - row, u - column


FLAT = Relief()
"""Height 0 everywhere."""
