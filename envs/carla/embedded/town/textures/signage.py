"""Faces of traffic signs, and posters and boards: two atlases."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.palette import POSTER_CELLS, SIGN_CELLS, cell_box
from sim2real_bench.envs.carla.embedded.town.textures.noise import SIDE, packed

Layer = npt.NDArray[np.uint8]
Canvas = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

_RED, _BLUE, _WHITE, _BLACK = (189, 20, 23), (23, 64, 153), (235, 235, 230), (15, 15, 18)
_YELLOW, _GREEN, _GREY = (237, 184, 26), (13, 92, 61), (117, 120, 122)
_POSTER_TONES: tuple[tuple[Colour, Colour], ...] = (
    ((217, 76, 41), (250, 230, 189)), ((31, 92, 133), (240, 240, 224)),
    ((237, 204, 76), (41, 36, 51)), ((76, 128, 66), (247, 242, 219)),
    ((128, 51, 107), (245, 224, 230)), ((224, 224, 219), (178, 31, 41)),
)  # fmt: skip


def _text(cell: Canvas, text: str, colour: Colour, height: float, thickness: int, row: float = 0.5) -> None:
    """Centred text; ``height`` and ``row`` are shares of the cell."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    (_, base), _ = cv2.getTextSize("0", font, 1.0, thickness)
    scale = height * cell.shape[0] / (base + 14.0)
    (width, tall), _ = cv2.getTextSize(text, font, scale, thickness)
    scale *= min(1.0, 0.86 * cell.shape[1] / width)
    (width, tall), _ = cv2.getTextSize(text, font, scale, thickness)
    at = ((cell.shape[1] - width) // 2, int(cell.shape[0] * row + tall / 2))
    cv2.putText(cell, text, at, font, scale, colour, thickness, cv2.LINE_AA)


def _disc(cell: Canvas, radius: float, colour: Colour) -> None:
    side = cell.shape[0]
    cv2.circle(cell, (side // 2, side // 2), int(radius * side), colour, -1, cv2.LINE_AA)


def _shape(cell: Canvas, points: list[tuple[float, float]], colour: Colour) -> None:
    corners = (np.array(points) * cell.shape[0]).astype(np.int32)
    cv2.fillPoly(cell, [corners], colour, cv2.LINE_AA)


def _sign(cell: Canvas, name: str) -> None:
    if name == "stop":
        cell[:] = _RED
        _text(cell, "STOP", _WHITE, 0.36, 9)
    elif name == "yield":
        cell[:] = _RED
        _shape(cell, [(0.23, 0.20), (0.77, 0.20), (0.5, 0.70)], _WHITE)
    elif name.startswith("limit"):
        cell[:] = _RED
        _disc(cell, 0.37, _WHITE)
        _text(cell, name.removeprefix("limit"), _BLACK, 0.42 if len(name) < 8 else 0.34, 8)
    elif name == "no_entry":
        cell[:] = _RED
        cv2.rectangle(cell, (22, 52), (106, 76), _WHITE, -1)
    elif name == "no_parking":
        cell[:] = _RED
        _disc(cell, 0.38, _BLUE)
        cv2.line(cell, (28, 28), (100, 100), _RED, 12, cv2.LINE_AA)
    elif name == "one_way":
        cell[:] = _BLUE
        cv2.arrowedLine(cell, (16, 64), (112, 64), _WHITE, 16, cv2.LINE_AA, tipLength=0.4)
    elif name == "priority":
        cell[:] = _WHITE
        _shape(cell, [(0.5, 0.16), (0.84, 0.5), (0.5, 0.84), (0.16, 0.5)], _YELLOW)
    else:
        _square_sign(cell, name)


def _square_sign(cell: Canvas, name: str) -> None:
    if name == "crossing":
        cell[:] = _BLUE
        _shape(cell, [(0.5, 0.12), (0.88, 0.84), (0.12, 0.84)], _WHITE)
        _disc_at(cell, (64, 46), 7)
        for a, b in (
            ((64, 54), (62, 76)),
            ((62, 76), (50, 98)),
            ((62, 76), (74, 98)),
            ((63, 58), (48, 70)),
            ((63, 58), (77, 70)),
        ):
            cv2.line(cell, a, b, _BLACK, 6, cv2.LINE_AA)
    elif name == "parking":
        cell[:] = _BLUE
        _text(cell, "P", _WHITE, 0.66, 14)
    elif name == "bus_stop":
        cell[:] = _GREEN
        _disc(cell, 0.46, _YELLOW)
        _text(cell, "H", _GREEN, 0.5, 12)
    elif name == "chevron":
        cell[:] = _RED
        for x in (0.05, 0.55):
            _shape(cell, [(x, 0.0), (x + 0.2, 0.0), (x + 0.42, 0.5), (x + 0.2, 1.0), (x, 1.0), (x + 0.22, 0.5)], _WHITE)
    else:
        cell[:] = _GREY


def _disc_at(cell: Canvas, at: tuple[int, int], radius: int) -> None:
    cv2.circle(cell, at, radius, _BLACK, -1, cv2.LINE_AA)


def _pixels(box: tuple[float, float, float, float]) -> tuple[slice, slice]:
    u0, v0, u1, v1 = (round(edge * SIDE) for edge in box)
    return slice(SIDE - v1, SIDE - v0), slice(u0, u1)


def signs() -> Layer:
    """The faces of ``SIGN_CELLS``; each fills its cell, so that a polygon of any outline can be cut from it."""
    rgb = np.zeros((SIDE, SIDE, 3), np.uint8)
    for name in SIGN_CELLS:
        rows, columns = _pixels(cell_box(name))
        cell = np.ascontiguousarray(rgb[rows, columns])
        _sign(cell, name)
        rgb[rows, columns] = cell
    return packed((rgb / 255.0).astype(np.float32), 0.2)


def _poster(cell: Canvas, random: np.random.Generator, index: int) -> None:
    ground, ink = _POSTER_TONES[index % len(_POSTER_TONES)]
    height, width = cell.shape[:2]
    fade = np.linspace(1.1, 0.8, height, dtype=np.float32)[:, None, None]
    cell[:] = np.clip(np.asarray(ground, np.float32) * fade, 0.0, 255.0).astype(np.uint8)
    for _ in range(3):
        at = (int(random.uniform(0.2, 0.8) * width), int(random.uniform(0.25, 0.6) * height))
        tone = [float(v) for v in np.clip(np.asarray(ink) * random.uniform(0.6, 1.1), 0.0, 255.0)]
        cv2.ellipse(cell, at, (int(random.uniform(14, 40)), int(random.uniform(14, 46))),
                    float(random.uniform(0, 180)), 0, 360, tone, -1, cv2.LINE_AA)  # fmt: skip
    for row in range(3):
        y = int(height * (0.76 + 0.07 * row))
        cv2.line(cell, (12, y), (int(width * random.uniform(0.5, 0.92)), y), ink, 7 if row == 0 else 3, cv2.LINE_AA)
    cell[:4] = cell[-4:] = cell[:, :4] = cell[:, -4:] = (40, 40, 43)


def _board(cell: Canvas, name: str) -> None:
    """A direction board."""
    ground = _BLUE if name == "board_blue" else _GREEN if name == "board_green" else _YELLOW
    ink = _WHITE if name != "timetable" else _BLACK
    cell[:] = ground
    if name == "timetable":
        cell[:] = (224, 224, 214)
        for y in range(14, cell.shape[0] - 8, 9):
            cv2.line(cell, (10, y), (cell.shape[1] - 12, y), (90, 92, 96), 2)
        cell[:10] = _GREEN
        return
    cell[4:8, 4:-4] = cell[-8:-4, 4:-4] = cell[4:-4, 4:8] = cell[4:-4, -8:-4] = ink
    names = ("Centre", "Harbour") if name == "board_blue" else ("Airport 6", "North 14")
    _text(cell, names[0], ink, 0.30, 4, 0.32)
    _text(cell, names[1], ink, 0.24, 3, 0.70)


def posters(seed: int) -> Layer:
    """The faces of ``POSTER_CELLS``: adverts, direction boards, a timetable."""
    random, rgb = np.random.default_rng(seed), np.zeros((SIDE, SIDE, 3), np.uint8)
    for index, name in enumerate(POSTER_CELLS):
        rows, columns = _pixels(cell_box(name))
        cell = np.ascontiguousarray(rgb[rows, columns])
        if name.startswith("poster"):
            _poster(cell, random, index)
        else:
            _board(cell, name)
        rgb[rows, columns] = cell
    return packed((rgb / 255.0).astype(np.float32), 0.3)
