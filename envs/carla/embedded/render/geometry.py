"""The vertex format of the towns' meshes, and the light of the street lamps as a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

VERTEX_FORMAT = "3f 3f 2f 4f 2f"
VERTEX_NAMES = ("position", "normal", "uv_in", "tint_in", "layer_class")


def lamp_light(lamps: Float, bounds: Sequence[float], side: int = 512) -> npt.NDArray[np.uint8]:
    """(side, side, 4) uint8: light of the street lamps on the ground, row 0 at the smallest y."""
    x0, y0, x1, y1 = bounds
    step_x, step_y = (x1 - x0) / side, (y1 - y0) / side
    light = np.zeros((side, side), np.float32)
    reach = 30.0
    for x, y, _ in lamps:
        columns = slice(max(int((x - reach - x0) / step_x), 0), min(int((x + reach - x0) / step_x) + 1, side))
        rows = slice(max(int((y - reach - y0) / step_y), 0), min(int((y + reach - y0) / step_y) + 1, side))
        dx = x0 + (np.arange(columns.start, columns.stop) + 0.5) * step_x - x
        dy = y0 + (np.arange(rows.start, rows.stop) + 0.5) * step_y - y
        square = dx[None] ** 2 + dy[:, None] ** 2
        light[rows, columns] += np.where(square < reach**2, 2.4 / (1.0 + square / 9.0) ** 1.6, 0.0)
    colour = np.dstack([light, light * 0.74, light * 0.45, light])
    return np.asarray(np.clip(colour, 0.0, 1.0) * 255.0, np.uint8)
