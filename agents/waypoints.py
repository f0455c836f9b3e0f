"""Waypoint geometry: normalised image coordinates to pixels to metres in the ego frame, for camera and map view."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.map_view import ego_to_map_pixels, map_pixels_to_ego
from sim2real_bench.envs.observation import MAP_SIZE

Float = npt.NDArray[np.float64]
MIN_DEPTH_M = 0.1  # points nearer to the camera plane are pushed out to this depth before they are projected


def normalised_to_pixels(normalised: npt.ArrayLike, width: int, height: int) -> Float:
    """(..., 2) in [-1, 1] to (..., 2) pixels (column, row): -1 is the left or top edge, 1 the right or bottom edge."""
    return (np.asarray(normalised, np.float64) + 1.0) / 2.0 * (width, height)


def pixels_to_normalised(pixels: npt.ArrayLike, width: int, height: int) -> Float:
    """(..., 2) pixels to (..., 2) normalised; inverse of ``normalised_to_pixels``, not clamped."""
    return np.asarray(pixels, np.float64) * 2.0 / (width, height) - 1.0


class ImageGeometry(Protocol):
    """How an image relates to the ground around the ego vehicle."""

    def to_ego(self, normalised: npt.ArrayLike) -> Float:
        """(..., 2) normalised image coordinates to (..., 2) metres on the ground, ego frame."""

    def to_normalised(self, ego: npt.ArrayLike) -> Float:
        """(..., 2) or (..., 3) metres, ego frame, to (..., 2) normalised image coordinates within [-1, 1]."""


class MapGeometry:
    """The bird's-eye map view: 192x192 pixels at 5 pixels per metre, heading up."""

    def to_ego(self, normalised: npt.ArrayLike) -> Float:
        """(..., 2) normalised map coordinates to (..., 2) metres, ego frame."""
        return map_pixels_to_ego(normalised_to_pixels(normalised, MAP_SIZE, MAP_SIZE))

    def to_normalised(self, ego: npt.ArrayLike) -> Float:
        """(..., 2) or (..., 3) metres, ego frame, to (..., 2) normalised; points outside end on the map's edge."""
        pixels = ego_to_map_pixels(np.asarray(ego, np.float64)[..., :2])
        return np.clip(pixels_to_normalised(pixels, MAP_SIZE, MAP_SIZE), -1.0, 1.0)


class CameraGeometry:
    """The view of one camera on the vehicle, over flat ground.

    Args:
        camera: intrinsics and mounting.
        max_range_m: predictions at or above the horizon end at this distance.
    """

    def __init__(self, camera: PinholeCamera, max_range_m: float = 100.0) -> None:
        self.camera = camera
        self.max_range_m = max_range_m

    def to_ego(self, normalised: npt.ArrayLike) -> Float:
        """(..., 2) normalised image coordinates to (..., 2) metres on the ground, ego frame."""
        pixels = normalised_to_pixels(normalised, self.camera.width, self.camera.height)
        return self.camera.ground(pixels, self.max_range_m)

    def to_normalised(self, ego: npt.ArrayLike) -> Float:
        """(..., 2) on the ground or (..., 3) metres, ego frame, to (..., 2) normalised, clamped to the image.

        Points beside or behind the camera are first moved to ``MIN_DEPTH_M`` before it, so that they land on the edge
        of the image that they left through and not on the opposite one.
        """
        points = np.asarray(ego, np.float64)
        if points.shape[-1] == 2:
            points = np.concatenate([points, np.zeros_like(points[..., :1])], axis=-1)
        _, depth = self.camera.project(points)
        points = points + np.maximum(MIN_DEPTH_M - depth, 0.0)[..., None] * self.camera.rotation[2]
        pixels, _ = self.camera.project(points)
        return np.clip(pixels_to_normalised(pixels, self.camera.width, self.camera.height), -1.0, 1.0)
