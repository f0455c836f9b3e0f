"""A pinhole camera fixed to the ego vehicle: ego frame (x forward, y left, z up, metres) to pixels and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

# Camera axes (x right, y down, z forward) in ego axes, for a camera that looks straight ahead.
_EGO_TO_CAMERA = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


@dataclass(frozen=True)
class PinholeCamera:
    """Intrinsics in pixels and the pose on the vehicle.

    Attributes:
        width: image width, pixels.
        height: image height, pixels.
        focal_x: horizontal focal length, pixels.
        focal_y: vertical focal length, pixels.
        rotation: (3, 3) ego to camera axes (camera: x right, y down, z forward).
        position: (3,) camera centre in the ego frame, metres; z = 0 is the ground below the ego origin.
    """

    width: int
    height: int
    focal_x: float
    focal_y: float
    rotation: Float
    position: Float

    @classmethod
    def mounted(
        cls, width: int, height: int, fov_deg: float, x_m: float, z_m: float, pitch_deg: float = 0.0
    ) -> PinholeCamera:
        """A forward-looking camera with square pixels; ``fov_deg`` is horizontal, pitch is positive upwards."""
        focal = width / (2.0 * math.tan(math.radians(fov_deg) / 2.0))
        cosine, sine = math.cos(math.radians(pitch_deg)), math.sin(math.radians(pitch_deg))
        tilt = np.array([[1.0, 0.0, 0.0], [0.0, cosine, sine], [0.0, -sine, cosine]])
        return cls(width, height, focal, focal, tilt @ _EGO_TO_CAMERA, np.array([x_m, 0.0, z_m]))

    def mirrored(self) -> PinholeCamera:
        """The camera whose images of the world in a mirror (left and right exchanged) are this one's, mirrored."""
        sideways = np.diag([1.0, -1.0, 1.0])
        rotation = np.diag([-1.0, 1.0, 1.0]) @ self.rotation @ sideways
        return replace(self, rotation=rotation, position=sideways @ self.position)

    def project(self, points: npt.ArrayLike) -> tuple[Float, Float]:
        """Pixels of points in the ego frame.

        Args:
            points: (..., 2) on the ground (z = 0) or (..., 3), metres.

        Returns:
            (..., 2) pixels (column, row; the centre of the top-left pixel is (0.5, 0.5)) and (...,) depth along the
            optical axis in metres. Points at depth <= 0 lie behind the camera and their pixels mean nothing.
        """
        ego = np.asarray(points, np.float64)
        if ego.shape[-1] == 2:
            ego = np.concatenate([ego, np.zeros_like(ego[..., :1])], axis=-1)
        camera = (ego - self.position) @ self.rotation.T
        depth = camera[..., 2]
        safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        column = self.width / 2 + self.focal_x * camera[..., 0] / safe
        row = self.height / 2 + self.focal_y * camera[..., 1] / safe
        return np.stack([column, row], axis=-1), depth

    def ground(self, pixels: npt.ArrayLike, max_range_m: float = 100.0) -> Float:
        """Where the rays through pixels meet the ground (z = 0), in the ego frame.

        Args:
            pixels: (..., 2) column and row.
            max_range_m: rays at or above the horizon, or that land further away, end at this range.

        Returns:
            (..., 2) metres.
        """
        pixel = np.asarray(pixels, np.float64)
        camera = np.stack(
            [
                (pixel[..., 0] - self.width / 2) / self.focal_x,
                (pixel[..., 1] - self.height / 2) / self.focal_y,
                np.ones(pixel.shape[:-1]),
            ],
            axis=-1,
        )
        ray = camera @ self.rotation
        fall = np.maximum(-ray[..., 2], 1e-9)
        length = self.position[2] / fall
        horizontal = np.maximum(np.linalg.norm(ray[..., :2], axis=-1), 1e-9)
        length = np.minimum(length, max_range_m / horizontal)
        return self.position[:2] + ray[..., :2] * length[..., None]
