"""When a predicted path is right: a vehicle that follows it stays on the road; two paths agree where they coincide.

Both judge the shape of a path, not how far apart its waypoints lie: every agent here drives at one speed.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.map_view import ego_to_map_pixels
from sim2real_bench.envs.observation import MAP_PIXELS_PER_METRE, MAP_SIZE

Float = npt.NDArray[np.float64]
HALF_VEHICLE_M = 0.9
"""Half the width of a passenger car: a path nearer to the edge of the road than this leaves it."""
TOLERANCE_M = 1.0
"""Paths agree where no waypoint lies farther than this beside the other path."""
_STEP_M = 0.5
_STRAIGHT_ON_M = 100.0


def deviation_m(paths: npt.ArrayLike, references: npt.ArrayLike) -> Float:
    """How far each path strays from its reference: the largest distance of a waypoint to the reference path.

    The reference path runs from the ego origin through its waypoints and straight on from the last.

    Args:
        paths: (N, 5, 2) metres, ego frame.
        references: (N, 5, 2) metres, ego frame.

    Returns:
        (N,) metres.
    """
    points, line = np.asarray(paths, np.float64), _extended(np.asarray(references, np.float64))
    starts, ends = line[:, None, :-1], line[:, None, 1:]
    along = ends - starts
    squared = np.maximum((along * along).sum(-1), 1e-12)
    share = np.clip(((points[:, :, None] - starts) * along).sum(-1) / squared, 0.0, 1.0)
    nearest = starts + share[..., None] * along
    return np.asarray(np.linalg.norm(points[:, :, None] - nearest, axis=-1).min(-1).max(-1), np.float64)


def stays_on_road(
    paths: npt.ArrayLike, roads: npt.NDArray[np.uint8], half_width_m: float = HALF_VEHICLE_M
) -> npt.NDArray[np.bool_]:
    """Whether a vehicle that follows a path stays on the road, from the first waypoint to the last.

    Args:
        paths: (N, 5, 2) metres, ego frame, in driving order.
        roads: (N, 192, 192) uint8, the road channel of the true map view, 0 or 1.
        half_width_m: of the vehicle.

    Returns:
        (N,): False where a point of the path lies nearer than ``half_width_m`` to anything that is not road, or beside
        or beyond the map. Points nearer than the map's bottom edge (2.4 m) are not judged.
    """
    return np.array(
        [_on_road(path, road, half_width_m) for path, road in zip(np.asarray(paths, np.float64), roads, strict=True)],
        np.bool_,
    )


def _extended(waypoints: Float) -> Float:
    """(N, 7, 2): from the ego origin through the waypoints and straight on."""
    line = np.concatenate([np.zeros_like(waypoints[:, :1]), waypoints], axis=1)
    step = line[:, -1:] - line[:, -2:-1]
    length = np.maximum(np.linalg.norm(step, axis=-1, keepdims=True), 1e-6)
    return np.concatenate([line, line[:, -1:] + step / length * _STRAIGHT_ON_M], axis=1)


def _on_road(path: Float, road: npt.NDArray[np.uint8], half_width_m: float) -> bool:
    pixels = np.floor(ego_to_map_pixels(_dense(path))).astype(np.int64)
    pixels = pixels[pixels[:, 1] < MAP_SIZE]
    inside = (pixels >= 0).all(axis=1) & (pixels[:, 0] < MAP_SIZE)
    if not inside.all():
        return False
    clear = cv2.erode(road, _disc(half_width_m), borderType=cv2.BORDER_CONSTANT, borderValue=1.0)
    return bool(clear[pixels[:, 1], pixels[:, 0]].all())


def _dense(path: Float) -> Float:
    """(M, 2) points on the path, ``_STEP_M`` apart at most."""
    pieces = []
    for start, end in pairwise(path):
        count = 2 + int(np.linalg.norm(end - start) / _STEP_M)
        pieces.append(start + np.linspace(0.0, 1.0, count)[:, None] * (end - start))
    return np.concatenate(pieces)


def _disc(radius_m: float) -> npt.NDArray[np.uint8]:
    """All pixels whose centres lie within ``radius_m`` of the middle one's."""
    radius = radius_m * MAP_PIXELS_PER_METRE
    reach = int(radius)
    offsets = np.arange(-reach, reach + 1)
    return (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.uint8)
