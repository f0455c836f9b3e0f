"""The map view: polygons around the ego vehicle, drawn heading up, one channel per class."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.observation import MAP_BOTTOM_PIXELS, MAP_PIXELS_PER_METRE, MAP_SIZE

Float = npt.NDArray[np.float64]
MAP_RANGE_M = (MAP_SIZE + MAP_BOTTOM_PIXELS) / MAP_PIXELS_PER_METRE * 1.12  # furthest visible corner from the ego
_SHIFT = 4  # OpenCV's fixed-point bits: sixteenths of a pixel


def ego_to_map_pixels(points: npt.ArrayLike) -> Float:
    """(..., 2) ego frame metres (x forward, y left) to (..., 2) map pixels (column, row)."""
    ego = np.asarray(points, np.float64)
    column = MAP_SIZE / 2 - ego[..., 1] * MAP_PIXELS_PER_METRE
    row = MAP_SIZE + MAP_BOTTOM_PIXELS - ego[..., 0] * MAP_PIXELS_PER_METRE
    return np.stack([column, row], axis=-1)


def map_pixels_to_ego(pixels: npt.ArrayLike) -> Float:
    """(..., 2) map pixels (column, row) to (..., 2) ego frame metres; inverse of ``ego_to_map_pixels``."""
    pixel = np.asarray(pixels, np.float64)
    forward = (MAP_SIZE + MAP_BOTTOM_PIXELS - pixel[..., 1]) / MAP_PIXELS_PER_METRE
    left = (MAP_SIZE / 2 - pixel[..., 0]) / MAP_PIXELS_PER_METRE
    return np.stack([forward, left], axis=-1)


@dataclass(frozen=True)
class EgoPose2D:
    """Where the ego vehicle is in a right-handed world plane: metres and radians (counter-clockwise)."""

    x: float
    y: float
    yaw: float

    def to_ego(self, points: npt.ArrayLike) -> Float:
        """(..., 2) world to (..., 2) ego frame, metres."""
        delta = np.asarray(points, np.float64) - (self.x, self.y)
        cosine, sine = np.cos(self.yaw), np.sin(self.yaw)
        return delta @ np.array([[cosine, -sine], [sine, cosine]])

    def to_world(self, points: npt.ArrayLike) -> Float:
        """(..., 2) ego frame to (..., 2) world, metres; inverse of ``to_ego``."""
        cosine, sine = np.cos(self.yaw), np.sin(self.yaw)
        return np.asarray(points, np.float64) @ np.array([[cosine, sine], [-sine, cosine]]) + (self.x, self.y)


def draw_polygons(channel: npt.NDArray[np.uint8], polygons: Sequence[npt.ArrayLike], value: int = 255) -> None:
    """Fill convex or simple polygons, each (N, 2) in the ego frame, into one (192, 192) channel, in place."""
    for polygon in polygons:
        pixels = np.round((ego_to_map_pixels(polygon) - 0.5) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(channel, [pixels], value, cv2.LINE_8, _SHIFT)


def draw_discs(channel: npt.NDArray[np.uint8], centres: npt.ArrayLike, radius_m: float, value: int = 255) -> None:
    """Fill discs around (N, 2) centres in the ego frame into one (192, 192) channel, in place."""
    scale = 1 << _SHIFT
    radius = round(radius_m * MAP_PIXELS_PER_METRE * scale)
    for column, row in np.round((ego_to_map_pixels(centres) - 0.5) * scale).astype(int).reshape(-1, 2):
        cv2.circle(channel, (int(column), int(row)), radius, value, -1, cv2.LINE_8, _SHIFT)


def box_polygon(x: float, y: float, yaw: float, half_length: float, half_width: float) -> Float:
    """(4, 2) corners of an oriented box in the frame its centre and yaw are given in, metres and radians."""
    corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (half_length, half_width)
    return EgoPose2D(x, y, yaw).to_world(corners)
