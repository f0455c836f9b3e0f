"""Tileable noise and the packing of a texture layer."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]

SIDE = 512
"""Pixels on each side of a layer."""


def value_noise(cells: int, seed: int) -> Plane:
    """(512, 512) smooth noise in about 0 to 1 that repeats at the edges; ``cells`` per side."""
    grid = np.random.default_rng(seed).random((cells, cells)).astype(np.float32)
    grid = np.pad(grid, 3, mode="wrap")
    step = SIDE // cells
    wide = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide[3 * step : 3 * step + SIDE, 3 * step : 3 * step + SIDE], np.float32)


def fractal_noise(seed: int, lowest: int = 4, octaves: int = 5) -> Plane:
    """Octaves of ``value_noise``, each half as coarse and 0.55 as strong, scaled to about 0 to 1."""
    total, weight, strength = np.zeros((SIDE, SIDE), np.float32), 0.0, 1.0
    for octave in range(octaves):
        cells = lowest << octave
        if cells > SIDE:
            break
        total += strength * value_noise(cells, seed * 31 + octave)
        weight += strength
        strength *= 0.55
    return total / np.float32(weight)


def grain(seed: int) -> Plane:
    """(512, 512) white noise, standard normal."""
    return np.random.default_rng(seed).standard_normal((SIDE, SIDE), np.float32)


def filled(colour: Sequence[float]) -> Plane:
    """(512, 512, 3) of one colour."""
    return np.broadcast_to(np.asarray(colour, np.float32), (SIDE, SIDE, 3)).copy()


def packed(rgb: Plane, alpha: Plane | float = 0.0) -> npt.NDArray[np.uint8]:
    """(512, 512, 4) uint8 from colours and alpha in 0 to 1."""
    layer = np.empty((SIDE, SIDE, 4), np.float32)
    layer[..., :3] = rgb
    layer[..., 3] = alpha
    np.clip(layer, 0.0, 1.0, out=layer)
    return (layer * 255.0).astype(np.uint8)
