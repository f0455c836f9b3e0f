"""Moving the ground under the vehicle: how a label image and its waypoints look from another pose, scale or camera.

Every image here is a view of the ground plane, so a motion on the ground, or another camera, changes it by a
homography. Waypoints go through the same homography, and so stay on the pixels they lay on.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from sim2real_bench.agents.waypoints import MIN_DEPTH_M, MapGeometry
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.observation import WAYPOINT_DISTANCES_M

Float = npt.NDArray[np.float64]
_GROUND = [0, 1, 3]  # columns of a (3, 4) view that matter on the ground: x, y, 1
_KNOTS_M = (0.0, *WAYPOINT_DISTANCES_M)


def camera_view(camera: PinholeCamera) -> Float:
    """(3, 4) matrix: homogeneous ego point to (x * depth, y * depth, depth) in normalised image coordinates."""
    scale = np.diag([2.0 * camera.focal_x / camera.width, 2.0 * camera.focal_y / camera.height, 1.0])
    view: Float = scale @ np.column_stack([camera.rotation, -camera.rotation @ camera.position])
    return view


def map_view_matrix() -> Float:
    """(3, 4) matrix: homogeneous ego point to normalised map coordinates; height does not matter."""
    # The map's own conversion is affine: three points determine it.
    origin, ahead, left = _map_point(10.0, 0.0), _map_point(11.0, 0.0), _map_point(10.0, 1.0)
    linear = np.column_stack([ahead - origin, left - origin])
    offset = origin - linear @ (10.0, 0.0)
    view = np.zeros((3, 4))
    view[:2, :2], view[:2, 3], view[2, 3] = linear, offset, 1.0
    return view


def _map_point(x: float, y: float) -> Float:
    return np.asarray(MapGeometry().to_normalised([x, y]))


@dataclass(frozen=True)
class GroundMotion:
    """Random ranges of the ground's motion; zeros (and scale 1 to 1) leave it alone.

    Attributes:
        rotation_rad: heading error of the vehicle, to either side.
        shift_m: lateral error, to either side.
        scale: lowest and highest; below 1 the world shrinks: narrower roads, tighter bends.
    """

    rotation_rad: float = 0.0
    shift_m: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(count, 3, 3) similarity transforms of the ground plane, ego frame, and their (count,) scales."""
        low, high = self.scale
        random = torch.rand(3, count, generator=generator)
        angle = (2.0 * random[0] - 1.0) * self.rotation_rad
        shift = (2.0 * random[1] - 1.0) * self.shift_m
        scale = low + (high - low) * random[2]
        motion = torch.zeros(count, 3, 3)
        motion[:, 0, 0] = motion[:, 1, 1] = scale * angle.cos()
        motion[:, 1, 0], motion[:, 0, 1] = scale * angle.sin(), -scale * angle.sin()
        motion[:, 1, 2], motion[:, 2, 2] = shift, 1.0
        return motion, scale


STILL = GroundMotion()


def resample_path(waypoints: Tensor, scale: Tensor) -> Tensor:
    """The waypoints that will lie at the standard arc lengths after the world is scaled.

    Args:
        waypoints: (B, 5, 3) metres, ego frame, at ``WAYPOINT_DISTANCES_M`` along the path.
        scale: (B,) factor of the world's size.

    Returns:
        (B, 5, 3): points at ``WAYPOINT_DISTANCES_M / scale``, on straight pieces between the given ones and straight
        on beyond the last.
    """
    knots = torch.tensor(_KNOTS_M)
    path = torch.cat([torch.zeros_like(waypoints[:, :1]), waypoints], dim=1)
    wanted = knots[1:] / scale[:, None]
    upper = torch.searchsorted(knots, wanted).clamp(1, len(knots) - 1)
    weight = ((wanted - knots[upper - 1]) / (knots[upper] - knots[upper - 1]))[..., None]
    pick = upper[..., None].expand(-1, -1, 3)
    return path.gather(1, pick - 1) * (1.0 - weight) + path.gather(1, pick) * weight


def project(views: Tensor, waypoints: Tensor) -> Tensor:
    """(B, 5, 3) homogeneous normalised image points of (B, 5, 3) ego points through (B, 3, 4) views."""
    points = torch.cat([waypoints, torch.ones_like(waypoints[..., :1])], dim=-1)
    image = points @ views.transpose(1, 2)
    return torch.cat([image[..., :2], image[..., 2:].clamp_min(MIN_DEPTH_M)], dim=-1)


def homography(source: Tensor, motion: Tensor, target: Tensor) -> Tensor:
    """(B, 3, 3) from images through ``source`` views (B, 3, 4) to images through ``target`` views, after a motion."""
    return target[:, :, _GROUND] @ motion @ torch.linalg.inv(source[:, :, _GROUND])


def warp_points(points: Tensor, matrix: Tensor) -> Tensor:
    """(B, 5, 2) normalised, clamped to the image: homogeneous (B, 5, 3) image points through (B, 3, 3) homographies."""
    moved = points @ matrix.transpose(1, 2)
    return (moved[..., :2] / moved[..., 2:].clamp_min(MIN_DEPTH_M)).clamp(-1.0, 1.0)


def warp_images(images: Tensor, matrix: Tensor, mode: str = "nearest") -> Tensor:
    """Warp (B, C, H, W) images by (B, 3, 3) homographies; beyond an image's edge, the edge goes on.

    ``mode`` is "nearest" or "bilinear".
    """
    height, width = images.shape[2:]
    rows = (torch.arange(height) + 0.5) * 2.0 / height - 1.0
    columns = (torch.arange(width) + 0.5) * 2.0 / width - 1.0
    down, right = torch.meshgrid(rows, columns, indexing="ij")
    pixels = torch.stack([right, down, torch.ones_like(down)], dim=-1).view(1, -1, 3)
    seen = pixels @ torch.linalg.inv(matrix).transpose(1, 2)
    visible = seen[..., 2:] > 1e-6
    grid = torch.where(visible, seen[..., :2] / seen[..., 2:].clamp_min(1e-6), torch.zeros_like(seen[..., :2]))
    warped = F.grid_sample(
        images, grid.view(-1, height, width, 2), mode=mode, padding_mode="border", align_corners=False
    )
    return warped * visible.view(-1, 1, height, width)
