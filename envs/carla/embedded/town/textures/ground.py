"""Asphalt, pavement slabs and grass."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.textures.noise import SIDE, filled, fractal_noise, grain, packed

Layer = npt.NDArray[np.uint8]


def asphalt(seed: int, grey: float, cracks: int) -> Layer:
    """Worn asphalt with chippings and hair cracks; ``grey`` 0 to 1."""
    random, coarse = np.random.default_rng(seed), grain(seed)
    tone = grey + 0.10 * (fractal_noise(seed, 4) - 0.5) + 0.030 * coarse + 0.05 * cv2.GaussianBlur(coarse, (0, 0), 1.2)
    chance = random.random((SIDE, SIDE), np.float32)
    tone += 0.14 * (chance > 0.985) - 0.10 * (chance < 0.02)
    lines = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(cracks):
        at, heading = random.random(2) * SIDE, random.random() * 6.28
        for _ in range(40):
            heading += random.normal(0.0, 0.5)
            to = at + 9.0 * np.array([np.cos(heading), np.sin(heading)])
            cv2.line(lines, (int(at[0]), int(at[1])), (int(to[0]), int(to[1])), 1.0, 1, cv2.LINE_AA)
            at = to
    tone -= 0.13 * cv2.GaussianBlur(lines, (0, 0), 0.7)
    return packed(tone[..., None] * np.array([1.0, 1.0, 0.985], np.float32), 0.3)


def slabs(seed: int, colour: tuple[float, float, float], per_side: int = 8) -> Layer:
    """Square paving slabs with dark joints."""
    random = np.random.default_rng(seed)
    rgb = filled(colour) + 0.16 * (fractal_noise(seed, 8)[..., None] - 0.5) + 0.03 * grain(seed)[..., None]
    tones = cv2.resize(
        random.random((per_side, per_side)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST
    )
    rgb += 0.10 * (tones[..., None] - 0.5)
    size = SIDE // per_side
    edge = np.minimum(np.arange(SIDE) % size, size - np.arange(SIDE) % size)
    joints = np.minimum(edge[:, None], edge[None])
    rgb *= np.clip(0.62 + joints / 4.0, 0.0, 1.0)[..., None].astype(np.float32)
    return packed(rgb, 0.15)


def grass(seed: int, colour: tuple[float, float, float]) -> Layer:
    """A lawn with lighter and bare patches."""
    patches = np.clip(fractal_noise(seed, 4, 6) * 1.6 - 0.3, 0.0, 1.0)[..., None]
    base = np.asarray(colour, np.float32)
    rgb = (1.0 - patches) * base * 0.82 + patches * (base * 1.15 + np.float32(0.02))
    bare = np.clip(fractal_noise(seed + 9, 8, 4) * 4.0 - 2.6, 0.0, 1.0)[..., None]
    rgb = rgb * (1.0 - 0.6 * bare) + 0.6 * bare * np.array([0.42, 0.36, 0.25], np.float32)
    blades = cv2.GaussianBlur(grain(seed), (0, 0), 0.8)
    return packed(rgb * (1.0 + 0.35 * blades[..., None]))


def water(seed: int) -> Layer:
    """A calm water surface with small waves."""
    waves = fractal_noise(seed, 8, 5)
    stretched = cv2.resize(fractal_noise(seed + 1, 16, 4), (SIDE * 2, SIDE))[:, :SIDE]
    tone = 0.72 + 0.55 * (0.5 * waves + 0.5 * stretched)
    rgb = np.array([0.20, 0.31, 0.34], np.float32) * tone[..., None]
    rgb += 0.22 * np.clip(stretched - 0.66, 0.0, 1.0)[..., None]
    return packed(rgb.astype(np.float32), 0.9)


def track(seed: int) -> Layer:
    """Ballast, sleepers and two rails; u across 3.2 m, v along 3.2 m."""
    random = np.random.default_rng(seed)
    stones = cv2.GaussianBlur(random.random((SIDE, SIDE), np.float32), (0, 0), 1.6)
    rgb = np.array([0.40, 0.38, 0.36], np.float32) * (0.4 + 1.2 * stones[..., None])
    for row in range(0, SIDE, 96):
        rgb[row : row + 40, 64:448] = np.array([0.36, 0.31, 0.27]) * random.uniform(0.8, 1.1)
    for column in (140, 360):
        rgb[:, column - 10 : column + 11] = (0.30, 0.24, 0.20)
        rgb[:, column - 5 : column + 6] = (0.62, 0.62, 0.64)
    return packed(rgb.astype(np.float32), 0.2)
