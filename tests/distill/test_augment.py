"""Augmentation changes images and waypoints together, and only what it says."""

import math

import numpy as np
import pytest
import torch

from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.agents.waypoints import CameraGeometry, MapGeometry
from sim2real_bench.distill.augment import dilate, gaussian_blur, holes, mirror, photometric, saturate
from sim2real_bench.distill.ground_warp import (
    GroundMotion,
    camera_view,
    homography,
    map_view_matrix,
    project,
    resample_path,
    warp_images,
    warp_points,
)
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.observation import WAYPOINT_DISTANCES_M

KART_CAMERA = PinholeCamera.mounted(384, 160, fov_deg=100.0, x_m=-2.0, z_m=2.2, pitch_deg=-8.0)
PATH = np.array([[5.9, 0.4, 0.0], [8.8, 0.9, 0.0], [11.6, 1.7, 0.0], [14.4, 2.7, 0.0], [17.1, 3.9, 0.0]])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dot_image(point: np.ndarray, height: int, width: int) -> torch.Tensor:
    """A white 7x7 dot at a normalised point."""
    image = torch.zeros(1, 1, height, width)
    column, row = int((point[0] + 1) / 2 * width), int((point[1] + 1) / 2 * height)
    image[..., row - 3 : row + 4, column - 3 : column + 4] = 1.0
    return image


def dot_position(image: torch.Tensor) -> np.ndarray:
    rows, columns = torch.nonzero(image[0, 0] > 0.5, as_tuple=True)
    assert len(rows), "the dot left the image"
    height, width = image.shape[2:]
    return np.array([(columns.float().mean() + 0.5) * 2 / width - 1, (rows.float().mean() + 0.5) * 2 / height - 1])


def test_mirror_moves_the_dot_and_its_waypoint_alike() -> None:
    point = np.array([0.3, -0.2])
    image, target = dot_image(point, 160, 384), torch.tensor(np.tile(point, (1, 5, 1)), dtype=torch.float32)
    mirrored, moved = mirror(image, target, torch.tensor([0]))
    np.testing.assert_allclose(dot_position(mirrored), moved[0, 0].numpy(), atol=0.02)
    np.testing.assert_allclose(moved[0, 0], [-0.3, -0.2], atol=1e-6)
    unchanged, _ = mirror(image, target, torch.tensor([], dtype=torch.int64))
    assert torch.equal(unchanged, image)


@pytest.mark.parametrize("camera", [DRIVING_CAMERA, KART_CAMERA])
def test_camera_view_agrees_with_the_agents_geometry(camera: PinholeCamera) -> None:
    points = torch.tensor(PATH, dtype=torch.float32)[None]
    views = torch.tensor(camera_view(camera), dtype=torch.float32)[None]
    have = warp_points(project(views, points), torch.eye(3)[None])[0]
    np.testing.assert_allclose(have, CameraGeometry(camera).to_normalised(PATH), atol=1e-4)


def test_map_view_matrix_agrees_with_the_agents_geometry() -> None:
    views = torch.tensor(map_view_matrix(), dtype=torch.float32)[None]
    have = warp_points(project(views, torch.tensor(PATH, dtype=torch.float32)[None]), torch.eye(3)[None])[0]
    np.testing.assert_allclose(have, MapGeometry().to_normalised(PATH), atol=1e-5)


def test_another_camera_sees_ground_points_where_its_own_geometry_puts_them() -> None:
    source, target = (torch.tensor(camera_view(c), dtype=torch.float32)[None] for c in (KART_CAMERA, DRIVING_CAMERA))
    matrix = homography(source, torch.eye(3)[None], target)
    have = warp_points(project(source, torch.tensor(PATH, dtype=torch.float32)[None]), matrix)[0]
    np.testing.assert_allclose(have, CameraGeometry(DRIVING_CAMERA).to_normalised(PATH), atol=1e-3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("view", ["map", "camera"])
def test_a_moved_ground_moves_the_dot_and_its_waypoint_alike(view: str, seed: int) -> None:
    source = map_view_matrix() if view == "map" else camera_view(KART_CAMERA)
    target = source if view == "map" else camera_view(DRIVING_CAMERA)
    geometry = MapGeometry() if view == "map" else CameraGeometry(KART_CAMERA)
    size = (192, 192) if view == "map" else (160, 384)
    source, target = (torch.tensor(m, dtype=torch.float32)[None] for m in (source, target))
    motion, _ = GroundMotion(math.radians(10), 1.0, (0.7, 1.2)).draw(1, generator(seed))
    matrix = homography(source, motion, target)
    image = dot_image(geometry.to_normalised(PATH[1]), *size)
    want = warp_points(project(source, torch.tensor(PATH, dtype=torch.float32)[None]), matrix)[0, 1]
    np.testing.assert_allclose(dot_position(warp_images(image, matrix)), want.numpy(), atol=0.03)


def test_the_identity_warp_changes_no_pixel() -> None:
    image = torch.rand(2, 1, 64, 96, generator=generator())
    assert torch.equal(warp_images(image, torch.eye(3).expand(2, 3, 3)), image)


def test_a_shift_to_the_left_moves_the_map_to_the_left() -> None:
    motion = torch.eye(3)[None].clone()
    motion[0, 1, 2] = 2.0  # the ground 2 m to the left: 10 pixels
    view = torch.tensor(map_view_matrix(), dtype=torch.float32)[None]
    image = torch.zeros(1, 1, 192, 192)
    image[0, 0, 100, 100] = 1.0
    warped = warp_images(image, homography(view, motion, view))
    assert torch.nonzero(warped[0, 0]).tolist() == [[100, 90]]


def test_resampling_a_straight_path_keeps_the_standard_distances_in_the_scaled_world() -> None:
    straight = torch.zeros(3, 5, 3)
    straight[..., 0] = torch.tensor(WAYPOINT_DISTANCES_M)
    scale = torch.tensor([0.6, 1.0, 1.3])
    scaled = resample_path(straight, scale) * scale[:, None, None]
    np.testing.assert_allclose(scaled, straight, atol=1e-5)


def test_points_behind_the_camera_end_on_the_edge_they_left_through() -> None:
    view = torch.tensor(camera_view(DRIVING_CAMERA), dtype=torch.float32)[None]
    points = torch.tensor([[[1.0, 3.0, 0.0]] * 5])  # beside the bonnet, to the left
    assert warp_points(project(view, points), torch.eye(3)[None])[0, 0].tolist() == [-1.0, 1.0]


def test_dilation_and_erosion_of_a_square() -> None:
    mask = torch.zeros(1, 1, 20, 30)
    mask[..., 8:13, 10:17] = 1.0
    assert dilate(mask, 2).sum() == 9 * 11
    assert dilate(mask, -2).sum() == 1 * 3
    assert torch.equal(dilate(dilate(mask, 3), -3), mask)
    assert dilate(mask, 0) is mask


def test_holes_only_remove_and_only_from_some() -> None:
    masks = torch.ones(200, 1, 16, 16)
    result = holes(masks, generator(), 0.3)
    touched = (result != masks).flatten(1).any(1).float().mean()
    assert 0.2 < touched < 0.4
    assert result.max() == 1.0 and result.min() == 0.0


def test_photometric_stays_in_range_is_seeded_and_leaves_most_images_alone() -> None:
    images = torch.rand(300, 3, 8, 8, generator=generator(1))
    first, second = photometric(images, generator(2)), photometric(images, generator(2))
    assert torch.equal(first, second)
    assert first.min() >= 0.0 and first.max() <= 1.0
    untouched = (first == images).flatten(1).all(1).float().mean()
    # (1 - .05)^5 (1 - .1) (1 - .2) = 0.557
    assert 0.45 < untouched < 0.66
    assert torch.equal(images, torch.rand(300, 3, 8, 8, generator=generator(1))), "the input was changed"


def test_blur_keeps_flat_images_and_matches_a_direct_sum() -> None:
    flat = torch.full((1, 3, 9, 9), 0.4)
    np.testing.assert_allclose(gaussian_blur(flat, torch.tensor([1.0])), flat, atol=1e-6)
    dot = torch.zeros(1, 3, 9, 9)
    dot[..., 4, 4] = 1.0
    weights = np.exp(-0.5 * (np.arange(-3, 4) / 1.2) ** 2)
    weights /= weights.sum()
    blurred = gaussian_blur(dot, torch.tensor([1.2]))[0, 1, 1:8, 1:8]
    np.testing.assert_allclose(blurred, np.outer(weights, weights), atol=1e-6)


def test_no_saturation_is_the_luma() -> None:
    images = torch.rand(2, 3, 4, 4, generator=generator())
    grey = saturate(images, torch.zeros(2, 1, 1, 1))
    np.testing.assert_allclose(grey[:, 0], grey[:, 2], atol=1e-6)
    want = 0.299 * images[:, 0] + 0.587 * images[:, 1] + 0.114 * images[:, 2]
    np.testing.assert_allclose(grey[:, 1], want, atol=1e-6)
