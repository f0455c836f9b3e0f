"""How far ahead the way of each driver is free: every path against every box near it, in one go with numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.intp]

_NEAR_COLUMNS, _FAR_STEP = 42, 3
# Metres ahead at which a path is looked at: densely near the vehicle, every three metres further on.
AHEAD_M = np.concatenate([np.arange(_NEAR_COLUMNS), np.arange(_NEAR_COLUMNS - 1 + _FAR_STEP, 168, _FAR_STEP)]).astype(
    np.float64
)
_HALF_STEP = np.concatenate([[0.5], np.diff(AHEAD_M) / 2.0])
SIDE_MARGIN_M = 0.25
_FRONT_SHARE = 0.5  # what is beside the rear part of a vehicle is not in its way


@dataclass(frozen=True, eq=False)
class Boxes:
    """Oriented boxes on the road, all arrays of one length: metres, radians, m/s in world axes."""

    x: Float
    y: Float
    yaw: Float
    half_length: Float
    half_width: Float
    velocity_x: Float
    velocity_y: Float


@dataclass(frozen=True, eq=False)
class Meetings:
    """Which driver meets which box first, where and how.

    Attributes:
        driver: (K,) rows of the drivers.
        box: (K,) indices of the boxes.
        gap: (K,) metres from the driver's front bumper along its path, negative when they overlap.
        speed: (K,) of the box along the path there, m/s.
        across: (K,) speed of the box across the path there (to the right), m/s.
    """

    driver: Int
    box: Int
    gap: Float
    speed: Float
    across: Float


def columns_within(reach: Float) -> int:
    """How many columns of ``AHEAD_M`` the furthest of several reaches needs."""
    return int(np.searchsorted(AHEAD_M, float(reach.max(initial=1.0)))) + 1


def meet(
    points: Float, yaw: Float, half_width: Float, half_length: Float, ahead_of_point: Float, reach: Float,
    boxes: Boxes, own: Int,
) -> Meetings:  # fmt: skip
    """Find the first place of each path at which each box lies on it.

    Args:
        points: (V, C, 2) path points ``AHEAD_M[:C]`` metres ahead of the last one passed by each driver's centre.
        yaw: (V, C) directions of the paths there.
        half_width: (V, C) that each driver needs there, with a margin, metres.
        half_length: (V,) of the drivers, metres.
        ahead_of_point: (V,) metres that each centre is ahead of the first point.
        reach: (V,) metres from the centre to look ahead.
        boxes: everything on the road, the drivers among it.
        own: (V,) index of each driver's own box.
    """
    columns = points.shape[1]
    ahead, half_step = AHEAD_M[:columns], _HALF_STEP[:columns]
    driver, box = _candidates(points, half_width, reach, boxes, own)
    path, heading = points[driver], yaw[driver]
    cosine, sine = np.cos(boxes.yaw)[box, None], np.sin(boxes.yaw)[box, None]
    dx, dy = path[:, :, 0] - boxes.x[box, None], path[:, :, 1] - boxes.y[box, None]
    turned = heading - boxes.yaw[box, None]
    along, across = np.abs(np.cos(turned)), np.abs(np.sin(turned))
    wide = half_width[driver]
    outside_x = np.abs(dx * cosine + dy * sine) - boxes.half_length[box, None] - wide * across - half_step * along
    outside_y = np.abs(dy * cosine - dx * sine) - boxes.half_width[box, None] - wide * along - half_step * across
    outside = np.maximum(outside_x, outside_y)
    hit = (outside <= 0.0) & (ahead >= _FRONT_SHARE * half_length[driver, None]) & (ahead <= reach[driver, None])
    kept = np.flatnonzero(hit.any(axis=1))
    driver, box = driver[kept], box[kept]
    first = hit[kept].argmax(axis=1)
    place = ahead[first] + half_step[first] - _overshoot(outside[kept], first, ahead)
    direction = heading[kept, first]
    vx, vy = boxes.velocity_x[box], boxes.velocity_y[box]
    cosine, sine = np.cos(direction), np.sin(direction)
    gap = place - ahead_of_point[driver] - half_length[driver]
    return Meetings(driver, box, gap, vx * cosine + vy * sine, vy * cosine - vx * sine)


def _candidates(points: Float, half_width: Float, reach: Float, boxes: Boxes, own: Int) -> tuple[Int, Int]:
    """Pairs of a driver and a box that touches the bounds of its path."""
    last = np.searchsorted(AHEAD_M[: points.shape[1]], reach, side="right")
    inside = np.arange(points.shape[1]) < last[:, None]
    shown = np.where(inside[:, :, None], points, points[:, :1])
    margin = half_width.max(axis=1, keepdims=True) + 1.0
    low, high = shown.min(axis=1) - margin, shown.max(axis=1) + margin
    radius = np.hypot(boxes.half_length, boxes.half_width)
    near = (
        (boxes.x + radius >= low[:, :1]) & (boxes.x - radius <= high[:, :1])
        & (boxes.y + radius >= low[:, 1:]) & (boxes.y - radius <= high[:, 1:])
    )  # fmt: skip
    near[np.arange(len(own)), own] = False
    driver, box = np.nonzero(near)
    return driver, box


def _overshoot(outside: Float, first: Int, ahead: Float) -> Float:
    """How far the first point inside lies behind the edge of the box, by linear interpolation."""
    rows = np.arange(len(first))
    before = np.maximum(first - 1, 0)
    inner, outer = outside[rows, first], outside[rows, before]
    step = ahead[first] - ahead[before]
    return np.where(outer > 0.0, step * -inner / np.maximum(outer - inner, 1e-9), 0.0)
