"""Cameras, map views, label classes and observation spaces: what every environment shares."""

import math

import numpy as np
import pytest

from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import CARLA_PALETTE, STK_PALETTE, CarlaClass, StkClass, road_mask
from sim2real_bench.envs.map_view import (
    EgoPose2D,
    box_polygon,
    draw_discs,
    draw_polygons,
    ego_to_map_pixels,
    map_pixels_to_ego,
)
from sim2real_bench.envs.observation import (
    KEYS,
    MAP_SIZE,
    WAYPOINT_DISTANCES_M,
    driving_action_space,
    observation_space,
)
from sim2real_bench.errors import ConfigurationError


@pytest.fixture
def camera() -> PinholeCamera:
    return PinholeCamera.mounted(384, 160, 90.0, 2.0, 1.4)


def test_camera_of_the_paper_has_a_focal_length_of_192_pixels(camera: PinholeCamera) -> None:
    assert camera.focal_x == pytest.approx(192.0)
    # 10 m ahead of the vehicle is 8 m ahead of the camera, which is 1.4 m above it.
    pixel, depth = camera.project([10.0, 0.0])
    assert depth == pytest.approx(8.0)
    np.testing.assert_allclose(pixel, [192.0, 80.0 + 192.0 * 1.4 / 8.0])


def test_left_of_the_vehicle_is_left_in_the_image(camera: PinholeCamera) -> None:
    (column, _), _ = camera.project([10.0, 2.0])
    assert column == pytest.approx(192.0 - 192.0 * 2.0 / 8.0)


def test_nearest_visible_ground_is_3_36_m_ahead_of_the_camera(camera: PinholeCamera) -> None:
    assert camera.ground([192.0, 160.0])[0] - 2.0 == pytest.approx(3.36)


@pytest.mark.parametrize("pitch_deg", [0.0, -8.0, 5.0])
def test_ground_is_the_inverse_of_project(pitch_deg: float) -> None:
    camera = PinholeCamera.mounted(320, 200, 70.0, 1.0, 1.6, pitch_deg)
    random = np.random.default_rng(3)
    points = np.stack([random.uniform(8.0, 60.0, 200), random.uniform(-10.0, 10.0, 200)], axis=-1)
    pixels, depth = camera.project(points)
    assert (depth > 0).all()
    np.testing.assert_allclose(camera.ground(pixels, max_range_m=1e4), points, atol=1e-6)


def test_upward_pitch_moves_the_horizon_down() -> None:
    level, up = (PinholeCamera.mounted(384, 160, 90.0, 0.0, 1.4, pitch).project([50.0, 0.0])[0][1] for pitch in (0, 5))
    assert up > level


def test_rays_above_the_horizon_end_at_the_range(camera: PinholeCamera) -> None:
    far = camera.ground([[192.0, 10.0], [10.0, 80.0]], max_range_m=50.0)
    np.testing.assert_allclose(np.linalg.norm(far - [2.0, 0.0], axis=-1), 50.0)


def test_a_point_behind_the_camera_has_negative_depth(camera: PinholeCamera) -> None:
    assert camera.project([-3.0, 0.0])[1] < 0


def test_map_pixels_are_where_the_design_says() -> None:
    # 5 px/m, heading up, the ego centre 12 px below the bottom edge.
    np.testing.assert_allclose(ego_to_map_pixels([0.0, 0.0]), [96.0, 204.0])
    np.testing.assert_allclose(ego_to_map_pixels([10.0, 3.0]), [96.0 - 15.0, 204.0 - 50.0])


def test_map_pixel_and_pose_round_trips() -> None:
    random = np.random.default_rng(0)
    points = random.uniform(-40, 40, (100, 2))
    np.testing.assert_allclose(map_pixels_to_ego(ego_to_map_pixels(points)), points, atol=1e-9)
    pose = EgoPose2D(3.0, -7.0, 2.1)
    np.testing.assert_allclose(pose.to_world(pose.to_ego(points)), points, atol=1e-9)


def test_ego_frame_has_x_forward_and_y_left() -> None:
    facing_north = EgoPose2D(1.0, 1.0, math.pi / 2)
    np.testing.assert_allclose(facing_north.to_ego([1.0, 6.0]), [5.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(facing_north.to_ego([-1.0, 1.0]), [0.0, 2.0], atol=1e-9)


def test_a_drawn_polygon_covers_its_area_and_place() -> None:
    channel = np.zeros((MAP_SIZE, MAP_SIZE), np.uint8)
    draw_polygons(channel, [box_polygon(20.0, 4.0, 0.3, 3.0, 1.5)])
    assert channel.astype(bool).sum() == pytest.approx(6.0 * 3.0 * 25, rel=0.08)
    rows, columns = np.nonzero(channel)
    centre = map_pixels_to_ego(np.stack([columns + 0.5, rows + 0.5], -1)).mean(axis=0)
    np.testing.assert_allclose(centre, [20.0, 4.0], atol=0.1)


def test_a_drawn_disc_covers_its_area() -> None:
    channel = np.zeros((MAP_SIZE, MAP_SIZE), np.uint8)
    draw_discs(channel, [[20.0, -5.0]], 2.0)
    assert channel.astype(bool).sum() == pytest.approx(math.pi * 4 * 25, rel=0.1)
    column, row = (ego_to_map_pixels([20.0, -5.0])).astype(int)
    assert channel[row, column] == 255


def test_polygons_outside_the_view_draw_nothing() -> None:
    channel = np.zeros((MAP_SIZE, MAP_SIZE), np.uint8)
    draw_polygons(channel, [box_polygon(-10.0, 0.0, 0.0, 2.0, 2.0), box_polygon(500.0, 500.0, 1.0, 2.0, 2.0)])
    assert not channel.any()


def test_every_class_has_a_colour() -> None:
    assert len(CARLA_PALETTE) == len(CarlaClass)
    assert len(STK_PALETTE) == len(StkClass)
    assert len({tuple(colour) for colour in CARLA_PALETTE}) == len(CarlaClass)


def test_road_mask_joins_road_and_its_markings() -> None:
    labels = np.array([[CarlaClass.ROADS, CarlaClass.ROAD_LINES, CarlaClass.SIDEWALKS]], np.uint8)
    np.testing.assert_array_equal(road_mask(labels, "carla"), [[1, 1, 0]])
    np.testing.assert_array_equal(road_mask(np.array([StkClass.TRACK, StkClass.KART], np.uint8), "stk"), [1, 0])


def test_observation_space_holds_the_asked_keys_in_order() -> None:
    space = observation_space(KEYS[::-1], width=64, height=32, classes=4, map_channels=("road", "vehicle"))
    assert set(space) == set(KEYS)
    assert space["rgb"].shape == (32, 64, 3)
    assert space["map_view"].shape == (2, MAP_SIZE, MAP_SIZE)
    assert space["labels"].high.max() == 3
    assert space["waypoints"].shape == (len(WAYPOINT_DISTANCES_M), 2)


@pytest.mark.parametrize("keys", [(), ("rgb", "rgb"), ("rgb", "smell")])
def test_wrong_observation_keys_are_refused(keys: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="choose one or more of rgb"):
        observation_space(keys, width=64, height=32, classes=4, map_channels=("road",))


def test_driving_actions_are_steer_and_throttle() -> None:
    space = driving_action_space()
    assert space.shape == (2,)
    assert (space.low == -1).all() and (space.high == 1).all()
