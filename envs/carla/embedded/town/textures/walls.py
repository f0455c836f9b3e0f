"""Bare walls and roofs: brick, plaster, concrete, tiles."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.textures.noise import SIDE, Plane, filled, fractal_noise, grain, packed

Layer = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]

_BRICK_ROWS, _BRICK_COLUMNS = 4, 12  # pixels of a brick: 9 cm x 28 cm on a 12 m tile


def _weathered(rgb: Plane, seed: int) -> Plane:
    """Soft stains, and streaks that run down."""
    streaks = cv2.resize(fractal_noise(seed + 6, 32, 3)[:64], (SIDE, SIDE))
    rgb *= (0.82 + 0.25 * fractal_noise(seed + 5, 4, 5) + 0.12 * (streaks - 0.5))[..., None]
    return rgb


def bricks(seed: int, colour: Colour) -> Plane:
    """(512, 512, 3) running bond."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    row = y // _BRICK_ROWS
    shifted = (x + (row % 2) * _BRICK_COLUMNS // 2) % SIDE
    shape = (SIDE // _BRICK_ROWS, SIDE // _BRICK_COLUMNS + 2)
    tone = np.random.default_rng(seed).random(shape, np.float32)[row, shifted // _BRICK_COLUMNS]
    rgb = np.asarray(colour, np.float32) * (0.75 + 0.5 * tone[..., None])
    rgb[(y % _BRICK_ROWS == 0) | (shifted % _BRICK_COLUMNS == 0)] = (0.58, 0.55, 0.51)
    return _weathered(rgb, seed)


def plaster(seed: int) -> Plane:
    """(512, 512, 3) pale plaster, painted by the tint of its building."""
    return _weathered(filled((0.84, 0.82, 0.78)) + 0.022 * grain(seed)[..., None], seed)


def concrete(seed: int) -> Plane:
    """(512, 512, 3) concrete panels of 3 m."""
    rgb = filled((0.64, 0.63, 0.61)) + 0.02 * grain(seed)[..., None]
    rgb[::128] *= 0.7
    rgb[:, ::128] *= 0.8
    return _weathered(rgb, seed)


def ashlar(seed: int, colour: Colour) -> Plane:
    """(512, 512, 3) dressed stone in courses of 47 cm."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    row = y // 20
    shifted = (x + (row % 2) * 20) % SIDE
    tone = np.random.default_rng(seed).random((SIDE // 20 + 2, SIDE // 40 + 2), np.float32)[row, shifted // 40]
    warm = np.asarray(colour, np.float32) * np.array([1.16, 1.08, 0.95], np.float32)
    rgb = warm * (0.90 + 0.22 * tone[..., None])
    rgb[(y % 20 == 0) | (shifted % 40 == 0)] *= 0.72
    return _weathered(rgb.astype(np.float32), seed)


def blank(rgb: Plane) -> Layer:
    """A wall without windows."""
    return packed(rgb)


def roof_tiles(seed: int, colour: Colour) -> Layer:
    """Rows of roof tiles."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    row = y // 22
    shifted = (x + (row % 2) * 14) % SIDE
    tone = np.random.default_rng(seed).random((SIDE // 22 + 2, SIDE // 28 + 2), np.float32)[row, shifted // 28]
    rgb = np.asarray(colour, np.float32) * (0.75 + 0.45 * tone[..., None])
    rgb[(y % 22) < 4] *= 0.55
    rgb[(shifted % 28) < 2] *= 0.75
    return packed(rgb * (0.85 + 0.3 * fractal_noise(seed, 4)[..., None]))


def plain(seed: int) -> Layer:
    """An even, slightly glossy surface: metal, paint, plastic."""
    return packed(filled((0.8, 0.8, 0.8)) * (0.95 + 0.1 * fractal_noise(seed, 8)[..., None]), 0.35)
