"""Points along a polyline by arc length: asked for so often that plain numbers beat arrays."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]


class Polyline:
    """Values given at increasing arc lengths, linear in between and constant beyond the ends."""

    def __init__(self, arc: Float, values: Float) -> None:
        """Take (N,) arc lengths and (N, K) values."""
        self._arc = arc.tolist()
        self._values = values.tolist()

    def at(self, s: float) -> list[float]:
        """The K values at an arc length."""
        index = bisect_right(self._arc, s) - 1
        if index < 0:
            return list(self._values[0])
        if index + 1 >= len(self._arc):
            return list(self._values[-1])
        first, last = self._arc[index], self._arc[index + 1]
        share = (s - first) / (last - first)
        return [a + share * (b - a) for a, b in zip(self._values[index], self._values[index + 1], strict=True)]
