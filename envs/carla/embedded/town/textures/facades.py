"""Facades: windows, shopfronts, doors, garages. One tile is four bays of 3 m wide (and four storeys high)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.textures.noise import SIDE, Plane, filled, packed

Layer = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]
Random = np.random.Generator

_BAY = SIDE // 4
_WINDOWS = {
    "brick": (52, 76),
    "plaster": (46, 80),
    "plain": (58, 72),
    "concrete": (96, 64),
    "stone": (48, 84),
}  # pixels; a bay has 128
_FRAMES: tuple[Colour, ...] = ((0.86, 0.85, 0.82), (0.26, 0.24, 0.22), (0.80, 0.79, 0.74), (0.36, 0.39, 0.42))
_DOORS: tuple[Colour, ...] = ((0.34, 0.16, 0.12), (0.14, 0.24, 0.20), (0.18, 0.22, 0.34), (0.42, 0.30, 0.18))


_BOARDS: tuple[Colour, ...] = (
    (0.30, 0.08, 0.09), (0.10, 0.22, 0.16), (0.11, 0.15, 0.30), (0.62, 0.56, 0.44), (0.20, 0.20, 0.22),
    (0.50, 0.36, 0.14), (0.66, 0.65, 0.62), (0.16, 0.30, 0.36), (0.40, 0.20, 0.12),
)  # fmt: skip
"""Paints of shop fronts."""


def _glass(random: Random, height: int, width: int) -> Plane:
    """A pane that mirrors the sky above, perhaps with a blind or curtains."""
    ramp = np.linspace(0.40, 0.15, height, dtype=np.float32)[:, None, None]
    pane = ramp * np.array([0.75, 0.9, 1.05], np.float32) * np.ones((1, width, 1), np.float32)
    pane *= random.uniform(0.55, 1.1)
    draw = random.random()
    if draw < 0.30:
        rows = int(height * random.uniform(0.25, 0.85))
        pane[:rows] = pane[:rows] * 0.35 + np.array([0.55, 0.53, 0.48], np.float32) * random.uniform(0.6, 1.0)
    elif draw < 0.6:
        columns = int(width * random.uniform(0.15, 0.28))
        curtain = np.array([0.6, 0.57, 0.5], np.float32) * random.uniform(0.5, 1.0)
        for part in (pane[:, :columns], pane[:, -columns:]):
            np.copyto(part, 0.4 * part + 0.6 * curtain)
    return pane


def _shutter(rgb: Plane, y0: int, y1: int, x0: int, colour: Colour) -> None:
    rgb[y0 - 3 : y1 + 3, x0 : x0 + 18] = colour
    rgb[y0:y1:6, x0 : x0 + 18] *= 0.75
    rgb[y0 - 3 : y1 + 3, x0 + 16 : x0 + 18] *= 0.6


def _window(
    rgb: Plane, mask: Plane, random: Random, box: tuple[int, int, int, int], frame: Colour, bars: Sequence[float]
) -> None:
    """A window with frame, glazing bars, sill and the shadow of its reveal; ``box`` is y0, y1, x0, x1."""
    y0, y1, x0, x1 = box
    rgb[y0 - 5 : y1 + 5, x0 - 5 : x1 + 5] = np.asarray(frame) * 0.9
    rgb[y0:y1, x0:x1] = _glass(random, y1 - y0, x1 - x0)
    mask[y0:y1, x0:x1] = 1.0
    for share in bars:
        column = x0 + int((x1 - x0) * share)
        rgb[y0:y1, column - 2 : column + 2] = frame
        mask[y0:y1, column - 2 : column + 2] = 0.0
    rgb[y1 + 5 : y1 + 12, x0 - 10 : x1 + 10] = (0.70, 0.68, 0.64)
    rgb[y1 + 12 : y1 + 18, x0 - 10 : x1 + 10] *= 0.6
    rgb[y0 : y0 + 7, x0:x1] *= 0.55
    rgb[y0:y1, x0 : x0 + 4] *= 0.6


def facade(wall: Plane, kind: str, seed: int, shutters: tuple[Colour, Colour]) -> Layer:
    """Four bays by four storeys of windows in a wall; ``kind`` is a key of ``_WINDOWS``."""
    random, rgb, mask = np.random.default_rng(seed), wall, np.zeros((SIDE, SIDE), np.float32)
    width, height = _WINDOWS[kind]
    frame = _FRAMES[int(random.integers(len(_FRAMES)))] if kind != "brick" else _FRAMES[0]
    bars = (1 / 3, 2 / 3) if kind == "concrete" else (0.5,)
    for storey in range(4):
        top = storey * _BAY
        if kind in ("plaster", "plain"):
            rgb[top + _BAY - 6 : top + _BAY] *= 1.10
            rgb[top + _BAY - 8 : top + _BAY - 6] *= 0.75
        if kind == "concrete":
            rgb[top + 98 : top + 124] *= 0.84
        for bay in range(4):
            x0, y0 = bay * _BAY + (_BAY - width) // 2, top + 24
            if kind == "stone":  # a moulded surround with a keystone
                rgb[y0 - 12 : y0 + height + 8, x0 - 11 : x0 + width + 11] *= 1.14
                rgb[y0 - 12 : y0 - 2, x0 + width // 2 - 6 : x0 + width // 2 + 6] = (0.78, 0.75, 0.68)
            if kind == "brick":  # a lintel of stone
                rgb[y0 - 14 : y0 - 4, x0 - 9 : x0 + width + 9] = (0.66, 0.63, 0.58)
            _window(rgb, mask, random, (y0, y0 + height, x0, x0 + width), frame, bars)
            if kind in ("brick", "plaster"):
                row = y0 + height // (2 if kind == "brick" else 3)
                rgb[row - 1 : row + 2, x0 : x0 + width] = frame
                mask[row - 1 : row + 2, x0 : x0 + width] = 0.0
            if kind == "plaster":
                for at in (x0 - 24, x0 + width + 6):
                    _shutter(rgb, y0, y0 + height, at, shutters[seed % 2])
    return packed(rgb, mask)


def curtain_wall(seed: int) -> Layer:
    """A glass front with spandrels."""
    random = np.random.default_rng(seed)
    rgb, mask, step = filled((0.2, 0.2, 0.2)), np.ones((SIDE, SIDE), np.float32), 64
    for y in range(0, SIDE, step):
        for x in range(0, SIDE, step):
            vision = (y // step) % 2 == 0
            spandrel = np.array([0.22, 0.27, 0.31]) * random.uniform(0.9, 1.1)
            rgb[y : y + step, x : x + step] = _glass(random, step, step) * 0.95 if vision else spandrel
            mask[y : y + step, x : x + step] = 1.0 if vision else 0.35
    for k in range(0, SIDE, step):
        rgb[:, k : k + 4], mask[:, k : k + 4] = (0.44, 0.45, 0.46), 0.0
        rgb[k : k + 4], mask[k : k + 4] = (0.38, 0.39, 0.40), 0.0
    return packed(rgb, mask)


def shop(wall: Plane, seed: int) -> Layer:
    """Four shopfronts: sign boards, display windows, doors. The tile is 12 m by 3.6 m."""
    random, rgb, mask = np.random.default_rng(seed), wall, np.zeros((SIDE, SIDE), np.float32)
    for bay in range(4):
        x0, x1 = bay * _BAY + 9, (bay + 1) * _BAY - 9
        board = np.asarray(_BOARDS[int(random.integers(len(_BOARDS)))]) * random.uniform(0.8, 1.2)
        rgb[34:108, x0:x1] = board
        letters = np.clip(board + 0.45, 0, 1) if board.mean() < 0.42 else board * 0.25
        for k in range(int(random.integers(4, 8))):
            xa, tall = x0 + 12 + k * 12, int(random.integers(18, 30))
            rgb[84 - tall : 84, xa : xa + int(random.integers(4, 9))] = letters
        rgb[108:122, x0:x1] *= 0.45
        rgb[120:470, x0:x1] = cv2.resize(_glass(random, 64, 64), (x1 - x0, 350)) * 0.85
        mask[120:470, x0:x1] = 1.0
        for _ in range(6):  # things on display
            left, top = x0 + int(random.integers(5, 80)), int(random.integers(260, 390))
            right, bottom = min(left + int(random.integers(8, 24)), x1), min(top + int(random.integers(40, 90)), 470)
            rgb[top:bottom, left:right] = rgb[top:bottom, left:right] * 0.4 + 0.5 * random.uniform(0.1, 0.8, 3)
        rgb[470:, x0:x1] = (0.26, 0.25, 0.24)
        door = x0 + int((x1 - x0) * float(random.choice([0.3, 0.65])))
        for column in (door - 3, x0, x1 - 6):
            rgb[120:470, column : column + 6] = np.clip(board * 0.8, 0.1, 1)
            mask[120:470, column : column + 6] = 0.0
        rgb[120:127, x0:x1] = 0.25
    return packed(rgb, mask)


def entrance(wall: Plane, seed: int) -> Layer:
    """A dwelling's ground floor: two doors and two windows above a plinth."""
    random, rgb, mask = np.random.default_rng(seed), wall, np.zeros((SIDE, SIDE), np.float32)
    rgb[452:] *= 0.72
    for bay in range(4):
        x0 = bay * _BAY + 34
        if bay % 2 == seed % 2:
            rgb[146:512, x0 - 9 : x0 + 69] = (0.74, 0.72, 0.68)
            rgb[164:500, x0 : x0 + 60] = _DOORS[(seed + bay) % len(_DOORS)]
            rgb[164:168, x0 : x0 + 60] *= 0.5
            rgb[176:250, x0 + 8 : x0 + 52] = _glass(random, 74, 44)
            mask[176:250, x0 + 8 : x0 + 52] = 0.7
            for top, bottom in ((270, 360), (380, 480)):
                rgb[top:bottom, x0 + 8 : x0 + 28] *= 0.8
                rgb[top:bottom, x0 + 33 : x0 + 53] *= 0.8
            rgb[330:338, x0 + 50 : x0 + 56] = (0.75, 0.68, 0.42)
            rgb[500:512, x0 - 14 : x0 + 74] = (0.55, 0.54, 0.52)
        else:
            _window(rgb, mask, random, (150, 392, x0, x0 + 62), _FRAMES[0], (0.5,))
            rgb[230:236, x0 : x0 + 62] = _FRAMES[0]
    return packed(rgb, mask)


def garages(wall: Plane, seed: int) -> Layer:
    """Four garage doors."""
    random, rgb = np.random.default_rng(seed), wall
    for bay in range(4):
        x0, x1 = bay * _BAY + 8, (bay + 1) * _BAY - 8
        colour = np.array([0.62, 0.63, 0.62]) if random.random() < 0.5 else np.asarray(_DOORS[int(random.integers(4))])
        rgb[110:505, x0:x1] = colour
        rgb[110:118, x0:x1] *= 0.5
        for row in range(118, 505, 32):
            rgb[row : row + 3, x0:x1] *= 0.7
    rgb[:40] *= 0.8
    return packed(rgb)


def ribbon_windows(wall: Plane, seed: int) -> Layer:
    """Modern: bands of windows between white parapets, with narrow mullions."""
    random, rgb, mask = np.random.default_rng(seed), wall, np.zeros((SIDE, SIDE), np.float32)
    for storey in range(4):
        top = storey * _BAY
        rgb[top + 26 : top + 98] = (0.16, 0.17, 0.18)
        for pane in range(12):
            x0, x1 = pane * SIDE // 12 + 2, (pane + 1) * SIDE // 12 - 2
            rgb[top + 30 : top + 94, x0:x1] = _glass(random, 64, x1 - x0)
            mask[top + 30 : top + 94, x0:x1] = 1.0
        rgb[top + 98 : top + 104] *= 0.6
        for bay in range(0, 4, 2):
            colour = np.array([0.42, 0.30, 0.20]) * random.uniform(0.8, 1.2)
            rgb[top + 26 : top + 98, bay * _BAY : bay * _BAY + 26] = colour
            mask[top + 26 : top + 98, bay * _BAY : bay * _BAY + 26] = 0.0
    return packed(rgb, mask)
