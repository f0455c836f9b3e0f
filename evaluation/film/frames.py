"""One frame of a film: what the agent saw and meant on the left, the map view and the numbers on the right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.classes import CARLA_PALETTE
from sim2real_bench.envs.observation import LABELS, MAP_VIEW, RGB, WAYPOINTS, Observation
from sim2real_bench.evaluation.drawing import (
    PREDICTED,
    REFERENCE,
    Colour,
    Image,
    draw_waypoints,
    enlarged,
    map_picture,
)

WIDTH, HEIGHT = 864, 480  # a camera image of 384 x 160 pixels and a map view of 192 x 192 fit one and a half times
_LEFT = 576
_PLAN = 288
_BACK: Colour = (22, 25, 32)
_INK: Colour = (236, 239, 244)
_DIM: Colour = (150, 158, 172)
_GOOD: Colour = (86, 180, 233)
_BAD: Colour = (230, 120, 40)
_FONT = cv2.FONT_HERSHEY_DUPLEX


@dataclass(frozen=True)
class Caption:
    """The words and numbers of a frame.

    Attributes:
        row: which row of the table drives.
        circumstances: controller, weather and start, in words.
        time_s: simulated seconds since the start.
        speed_kmh: of the vehicle.
        distance_m: driven since the start.
        steer: action in [-1, 1], positive to the right.
        throttle: action in [-1, 1], negative brakes.
    """

    row: str
    circumstances: str
    time_s: float
    speed_kmh: float
    distance_m: float
    steer: float
    throttle: float


def film_frame(
    observation: Observation, info: Mapping[str, Any], predicted: npt.NDArray[np.float64] | None, caption: Caption
) -> Image:
    """A frame of 864 x 480 pixels.

    Args:
        observation: any of rgb, labels, map_view and waypoints (what the reference would drive); what is missing
            leaves its place dark.
        info: of the environment; its ``camera`` places the waypoints.
        predicted: (N, 2) ego-frame metres that the agent follows, or None.
        caption: what is written.
    """
    frame = np.full((HEIGHT, WIDTH, 3), _BACK, np.uint8)
    rgb, labels, plan = frame[: HEIGHT // 2, :_LEFT], frame[HEIGHT // 2 :, :_LEFT], frame[:_PLAN, _LEFT:]
    if RGB in observation:
        rgb[:] = _fitted(np.asarray(observation[RGB], np.uint8), rgb, smooth=True)
    if LABELS in observation:
        colours = CARLA_PALETTE[np.minimum(observation[LABELS], len(CARLA_PALETTE) - 1)]
        labels[:] = _fitted(colours, labels, smooth=False)
    if MAP_VIEW in observation:
        plan[:] = _fitted(map_picture(np.asarray(observation[MAP_VIEW], np.uint8)), plan, smooth=False)
    if "camera" in info:
        scale = _LEFT / info["camera"].width
        draw_waypoints(((rgb, labels), plan), _waypoints(observation, predicted), info["camera"], scale)
    for text, column, row in (("camera", 0, 0), ("labels", 0, HEIGHT // 2), ("map view", _LEFT, 0)):
        _tag(frame, text, column, row)
    _write_caption(frame[_PLAN:, _LEFT:], caption)
    return frame


def _fitted(image: Image, place: Image, smooth: bool) -> Image:
    """An image enlarged to the width of its place, and cut or filled up below where its height differs."""
    large = enlarged(image, place.shape[1] / image.shape[1], smooth)[: place.shape[0]]
    return np.pad(large, ((0, place.shape[0] - large.shape[0]), (0, 0), (0, 0)))


def _waypoints(
    observation: Observation, predicted: npt.NDArray[np.float64] | None
) -> dict[Colour, npt.NDArray[np.float64]]:
    """What the reference would drive below what the agent follows."""
    found: dict[Colour, npt.NDArray[np.float64]] = {}
    if WAYPOINTS in observation:
        found[REFERENCE] = np.asarray(observation[WAYPOINTS], np.float64)
    if predicted is not None:
        found[PREDICTED] = np.asarray(predicted, np.float64)
    return found


def _tag(frame: Image, text: str, column: int, row: int) -> None:
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.42, 1)
    patch = frame[row : row + height + 12, column : column + width + 14]
    patch[:] = patch // 3
    _text(frame, text, column + 7, row + height + 5, 0.42, _INK)


def _write_caption(place: Image, caption: Caption) -> None:
    cv2.line(place, (0, 0), (place.shape[1], 0), (60, 66, 78), 1)
    _text(place, caption.row, 12, 26, 0.6, _INK)
    _text(place, caption.circumstances, 12, 47, 0.43, _DIM)
    time, speed, distance = f"{caption.time_s:.1f}", f"{caption.speed_kmh:.0f}", f"{caption.distance_m:.0f}"
    for column, number, unit in ((12, time, "s"), (104, speed, "km/h"), (190, distance, "m")):
        _text(place, number, column, 82, 0.72, _INK)
        (width, _), _ = cv2.getTextSize(number, _FONT, 0.72, 1)
        _text(place, unit, column + width + 5, 82, 0.42, _DIM)
    _bar(place, 108, "steering", caption.steer, _GOOD, _GOOD)
    _bar(place, 132, "throttle" if caption.throttle >= 0 else "brake", caption.throttle, _GOOD, _BAD)
    for column, colour, text in ((12, PREDICTED, "followed"), (118, REFERENCE, "reference route")):
        cv2.circle(place, (column + 4, 168), 4, colour, -1, cv2.LINE_AA)
        _text(place, text, column + 14, 173, 0.42, _DIM)


def _bar(place: Image, row: int, name: str, value: float, above: Colour, below: Colour) -> None:
    """A value in [-1, 1] as a bar from the middle; steering to the right goes to the right."""
    _text(place, name, 12, row + 4, 0.42, _DIM)
    left, right = 92, place.shape[1] - 14
    middle, half = (left + right) // 2, (right - left) // 2
    cv2.rectangle(place, (left, row - 5), (right, row + 5), (48, 53, 64), -1)
    end = middle + round(max(-1.0, min(1.0, value)) * half)
    cv2.rectangle(place, (min(middle, end), row - 5), (max(middle, end), row + 5), above if value >= 0 else below, -1)
    cv2.line(place, (middle, row - 8), (middle, row + 8), _INK, 1)


def with_ending(frame: Image, text: str) -> Image:
    """A copy of a frame with a line across its camera picture."""
    ended = frame.copy()
    place = ended[: HEIGHT // 2, :_LEFT]
    band = place[place.shape[0] - 34 :]
    band[:] = band // 4
    _text(band, text, 12, 23, 0.6, _INK)
    return ended


def _text(place: Image, text: str, column: int, row: int, size: float, colour: Colour) -> None:
    """Text in the one font that OpenCV has; too long a line is written smaller."""
    plain = text.encode("ascii", "replace").decode()
    (width, _), _ = cv2.getTextSize(plain, _FONT, size, 1)
    size *= min(1.0, (place.shape[1] - column - 6) / max(width, 1))
    # A part of a larger picture is not contiguous in memory; OpenCV draws into it all the same.
    cv2.putText(place, plain, (column, row), _FONT, size, colour, 1, cv2.LINE_AA)
