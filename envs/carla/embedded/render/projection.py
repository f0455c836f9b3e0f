"""Camera and sun matrices. The world of the shaders is right-handed: x, y = -y of CARLA, z up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.render.view import CameraView

Float = npt.NDArray[np.float64]

NEAR_M, FAR_M = 0.15, 900.0
_STEEP = 0.15  # share of a corner ray that goes ahead


@dataclass(frozen=True)
class Camera:
    """A view in the right-handed frame.

    Attributes:
        eye: (3,) position.
        forward: (3,) unit vector along the optical axis.
        view_projection: (4, 4) world to clip space.
        focal_pixels: focal length.
    """

    eye: Float
    forward: Float
    view_projection: Float
    focal_pixels: float

    @cached_property
    def heading(self) -> tuple[float, float]:
        """Horizontal unit vector of the optical axis."""
        length = math.hypot(self.forward[0], self.forward[1]) + 1e-9
        return float(self.forward[0] / length), float(self.forward[1] / length)

    @cached_property
    def rays(self) -> Float:
        """(4, 3) directions from the eye through the corners of the picture, not normalised."""
        inverse = np.linalg.inv(self.view_projection)
        ends = np.array([(x, y, 1.0, 1.0) for x in (-1.0, 1.0) for y in (-1.0, 1.0)]) @ inverse.T
        return np.asarray(ends[:, :3] / ends[:, 3:] - self.eye)

    @cached_property
    def half_width(self) -> float:
        """Tangent of half the horizontal angle that the picture spans; infinity when it looks steeply up or down."""
        ahead, aside = (self.rays[:, :2] @ self.axes.T).T
        if (ahead < _STEEP * np.linalg.norm(self.rays, axis=1)).any():
            return math.inf
        return float(np.abs(aside / ahead).max())

    @cached_property
    def axes(self) -> Float:
        """(2, 2) horizontal unit vectors ahead and to the right."""
        x, y = self.heading
        return np.array([[x, y], [y, -x]])

    @cached_property
    def planes(self) -> Float:
        """(4, 4) left, right, bottom and top plane with unit normals; inside is positive."""
        m = self.view_projection
        rows = np.array([m[3] + m[0], m[3] - m[0], m[3] + m[1], m[3] - m[1]])
        return np.asarray(rows / np.linalg.norm(rows[:, :3], axis=1)[:, None])


def _axes(view: CameraView) -> tuple[Float, Float, Float]:
    """Forward, right and up, from CARLA's (Unreal's) rotation, with y negated."""
    pitch, yaw, roll = (math.radians(angle) for angle in (view.pitch_deg, view.yaw_deg, view.roll_deg))
    cp, sp, cy, sy, cr, sr = (
        math.cos(pitch),
        math.sin(pitch),
        math.cos(yaw),
        math.sin(yaw),
        math.cos(roll),
        math.sin(roll),
    )
    forward = np.array([cp * cy, cp * sy, sp])
    right = np.array([cy * sp * sr - sy * cr, sy * sp * sr + cy * cr, -cp * sr])
    up = np.array([-cy * sp * cr - sy * sr, -sy * sp * cr + cy * sr, cp * cr])
    mirror = np.array([1.0, -1.0, 1.0])
    return forward * mirror, right * mirror, up * mirror


def camera_of(view: CameraView, shift_pixels: float) -> Camera:
    """The matrices of a view; the picture is moved by ``shift_pixels`` to the right and upwards."""
    forward, right, up = _axes(view)
    eye = np.array([view.x, -view.y, view.z])
    look = np.eye(4)
    look[0, :3], look[1, :3], look[2, :3] = right, up, -forward
    look[:3, 3] = -look[:3, :3] @ eye
    scale = 1.0 / math.tan(math.radians(view.fov_deg) / 2.0)
    depth = FAR_M - NEAR_M
    projection = np.array(
        [
            [scale, 0.0, -2.0 * shift_pixels / view.width, 0.0],
            [0.0, scale * view.width / view.height, -2.0 * shift_pixels / view.height, 0.0],
            [0.0, 0.0, -(FAR_M + NEAR_M) / depth, -2.0 * FAR_M * NEAR_M / depth],
            [0.0, 0.0, -1.0, 0.0],
        ]
    )
    return Camera(eye, forward, projection @ look, scale * view.width / 2.0)


def sun_projection(sun: tuple[float, float, float], bounds: tuple[float, float, float, float]) -> Float:
    """(4, 4) parallel projection along the sun that covers the town."""
    x0, y0, x1, y1 = bounds
    radius = math.hypot(x1 - x0, y1 - y0) / 2.0
    axis = np.asarray(sun, float)
    across = np.cross((0.0, 0.0, 1.0), axis)
    across /= np.linalg.norm(across)
    matrix = np.eye(4)
    matrix[0, :3] = across / radius
    matrix[1, :3] = np.cross(axis, across) / radius
    matrix[2, :3] = -axis / (radius + 60.0)
    matrix[:3, 3] = -matrix[:3, :3] @ np.array([(x0 + x1) / 2.0, (y0 + y1) / 2.0, 5.0])
    return matrix
