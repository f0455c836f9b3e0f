"""Leaves, hedges, bark, and the wooden and iron fences."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.textures.noise import SIDE, filled, fractal_noise, packed

Layer = npt.NDArray[np.uint8]

_LEAVES = 720
_HEDGE_LEAVES = 2000


def _leaf_colour(random: np.random.Generator, autumn: float, light: float) -> list[float]:
    green = np.array([0.25 + 0.10 * autumn + 0.06 * random.random(), 0.37 + 0.05 * random.random(), 0.13])
    return [float(value) for value in green * light]


def _leaf(canvas: npt.NDArray[np.float32], mask: npt.NDArray[np.float32] | None, random: np.random.Generator,
          at: tuple[int, int], colour: list[float]) -> None:  # fmt: skip
    axes = (int(random.uniform(7, 15)), int(random.uniform(3, 7)))
    angle = float(random.uniform(0, 180))
    cv2.ellipse(canvas, at, axes, angle, 0, 360, colour, -1)
    if mask is not None:
        cv2.ellipse(mask, at, axes, angle, 0, 360, 1.0, -1)


def leaf_cluster(seed: int, autumn: float) -> Layer:
    """A round bunch of leaves; alpha cuts it out."""
    random = np.random.default_rng(seed)
    rgb, mask = filled((0.17, 0.23, 0.10)), np.zeros((SIDE, SIDE), np.float32)
    for index in range(_LEAVES):
        radius = SIDE * 0.46 * np.sqrt(random.random())
        angle = random.random() * 6.28
        at = (int(SIDE / 2 + radius * np.cos(angle)), int(SIDE / 2 + radius * np.sin(angle)))
        light = random.uniform(0.5, 1.25) * (1.0 if index > 250 else 0.72) * (1.12 - 0.24 * at[1] / SIDE)
        _leaf(rgb, mask, random, at, _leaf_colour(random, autumn, light))
    return packed(rgb, mask)


def hedge(seed: int) -> Layer:
    """A closed wall of leaves that repeats at the edges."""
    random, rgb = np.random.default_rng(seed), filled((0.15, 0.20, 0.09))
    for index in range(_HEDGE_LEAVES):
        x, y = (int(value) for value in random.integers(0, SIDE, 2))
        light = random.uniform(0.45, 1.2) * (1.0 if index > 700 else 0.75)
        colour = _leaf_colour(random, 0.0, light)
        state = random.bit_generator.state
        for dx in (0, -SIDE if x > SIDE - 16 else 0):
            random.bit_generator.state = state  # the copy beyond the edge is the same leaf
            _leaf(rgb, None, random, (x + dx, y), colour)
    return packed(rgb, 1.0)


def bark(seed: int) -> Layer:
    """Grooved bark."""
    grooves = cv2.resize(fractal_noise(seed, 32, 4), (SIDE, SIDE * 4))[:SIDE]
    return packed(np.array([0.34, 0.28, 0.22], np.float32) * (0.5 + grooves[..., None]))


def planks(seed: int) -> Layer:
    """A wooden fence: upright boards with gaps of a finger, and two rails."""
    fibres = cv2.resize(fractal_noise(seed, 64, 3), (SIDE, SIDE * 4))[:SIDE]
    rgb = filled((0.42, 0.33, 0.24)) * (0.7 + 0.5 * fibres[..., None])
    mask = np.zeros((SIDE, SIDE), np.float32)
    tones = np.random.default_rng(seed).uniform(0.82, 1.12, 8)
    for index, x in enumerate(range(0, SIDE, 64)):
        mask[24:, x + 3 : x + 61] = 1.0
        rgb[:, x : x + 64] *= tones[index]
        rgb[:, x + 3 : x + 7] *= 0.6
    mask[110:150] = mask[400:440] = 1.0
    return packed(rgb, mask)


def rails() -> Layer:
    """Iron railings."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[20:50] = mask[450:480] = 1.0
    for x in range(0, SIDE, 40):
        mask[8:, x + 14 : x + 23] = 1.0
    return packed(filled((0.16, 0.17, 0.17)), mask)


def wire_mesh() -> Layer:
    """A fence of welded wire on posts."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    for x in range(0, SIDE, 26):
        mask[16:, x + 10 : x + 14] = 1.0
    for y in range(16, SIDE, 64):
        mask[y : y + 6] = 1.0
    return packed(filled((0.20, 0.30, 0.26)), mask)
