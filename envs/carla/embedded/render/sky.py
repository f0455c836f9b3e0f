"""The half sphere that carries the baked sky; of it only the part in view is drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.render.projection import Camera

_COLUMNS, _ROWS = 40, 8
_INDICES_PER_COLUMN = _ROWS * 6
_SINK = -0.02  # the rim lies a little below the horizon


def sky_dome() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32]]:
    """Vertices (x, y, z, u, v) and triangles, column by column and twice round, so that any sector is one range."""
    u, v = np.meshgrid(np.linspace(0.0, 1.0, _COLUMNS + 1), np.linspace(0.0, 1.0, _ROWS + 1), indexing="ij")
    azimuth, elevation = (2.0 * u - 1.0) * np.pi, v**2 * np.pi / 2.0
    z = np.sin(elevation) + _SINK * (v == 0)
    points = np.stack([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), z, u, v], -1)
    i = (np.arange(_COLUMNS)[:, None] * (_ROWS + 1) + np.arange(_ROWS)).ravel()
    across = _ROWS + 1
    triangles = np.stack([i, i + across, i + across + 1, i, i + across + 1, i + 1], -1)
    return points.reshape(-1, 5).astype(np.float32), np.concatenate([triangles, triangles]).astype(np.uint32)


class Sky:
    """The dome on the GPU."""

    def __init__(self, context: Any) -> None:
        points, triangles = sky_dome()
        self.vertices = context.buffer(points.tobytes())
        self.indices = context.buffer(triangles.tobytes())

    def sector(self, camera: Camera) -> tuple[int, int]:
        """(first, count) of the indices in view."""
        if math.isinf(camera.half_width):
            return 0, _COLUMNS * _INDICES_PER_COLUMN
        heading, half = math.atan2(camera.heading[1], camera.heading[0]), math.atan(camera.half_width)
        first = math.floor((heading - half + math.pi) / math.tau * _COLUMNS)
        last = math.floor((heading + half + math.pi) / math.tau * _COLUMNS)
        return first % _COLUMNS * _INDICES_PER_COLUMN, (last - first + 1) * _INDICES_PER_COLUMN
