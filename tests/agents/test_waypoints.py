import numpy as np
import pytest

from sim2real_bench.agents.inputs import DRIVING_CAMERA, NETWORK_INPUTS, network_input
from sim2real_bench.agents.waypoints import CameraGeometry, MapGeometry, normalised_to_pixels, pixels_to_normalised
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import CarlaClass, StkClass
from sim2real_bench.errors import UnknownNameError

PATH = np.array([[6.0, 0.3], [9.0, 0.8], [12.0, 1.6], [15.0, 2.8], [18.0, 4.0]])


def test_normalised_to_pixels_corners_and_back():
    corners = np.array([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.5]])
    pixels = normalised_to_pixels(corners, 384, 160)
    assert pixels.tolist() == [[0.0, 0.0], [384.0, 160.0], [192.0, 120.0]]
    assert np.allclose(pixels_to_normalised(pixels, 384, 160), corners)


def test_map_against_hand_computed_pixels():
    # 5 px/m, ego 12 px below the bottom edge: 12 m ahead is row 192 + 12 - 60 = 144; 3.2 m left is column 96 - 16 = 80
    normalised = MapGeometry().to_normalised([[12.0, 3.2]])
    assert np.allclose(normalised, [[80 / 96 - 1, 144 / 96 - 1]])


def test_camera_against_hand_computed_pixels():
    # focal 192; the point is 10 m before the camera, 1.4 m below, 2 m left: (192 - 38.4, 80 + 26.88)
    normalised = CameraGeometry(DRIVING_CAMERA).to_normalised([12.0, 2.0])
    assert np.allclose(normalised, [153.6 / 192 - 1, 106.88 / 80 - 1])


@pytest.mark.parametrize("geometry", [MapGeometry(), CameraGeometry(DRIVING_CAMERA)])
def test_round_trips(geometry):
    assert np.allclose(geometry.to_ego(geometry.to_normalised(PATH)), PATH, atol=1e-9)
    batch = np.stack([PATH, PATH * (1.0, -1.0)])
    assert np.allclose(geometry.to_ego(geometry.to_normalised(batch)), batch, atol=1e-9)


def test_round_trip_with_a_pitched_high_camera():
    geometry = CameraGeometry(PinholeCamera.mounted(384, 160, 80.0, -3.0, 2.5, pitch_deg=-10.0))
    assert np.allclose(geometry.to_ego(geometry.to_normalised(PATH)), PATH, atol=1e-9)


@pytest.mark.parametrize(("side", "edge"), [(1.0, -1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("ahead", [-5.0, 0.0, 2.0, 2.5])
def test_points_beside_or_behind_the_camera_land_on_the_edge_of_their_own_side(side, edge, ahead):
    x, _ = CameraGeometry(DRIVING_CAMERA).to_normalised([ahead, 8.0 * side])
    assert x == edge


def test_heights_are_projected():
    geometry = CameraGeometry(DRIVING_CAMERA)
    at_eye_level = geometry.to_normalised([[12.0, 0.0, 1.4]])
    assert np.allclose(at_eye_level, [[0.0, 0.0]])


def test_predictions_above_the_horizon_end_at_the_range():
    geometry = CameraGeometry(DRIVING_CAMERA, max_range_m=50.0)
    points = geometry.to_ego([[0.0, -0.5], [0.3, 0.0], [0.0, 0.001]])
    assert np.isfinite(points).all()
    assert np.allclose(np.linalg.norm(points - (2.0, 0.0), axis=1), 50.0)


def test_points_outside_the_map_end_on_its_edge():
    assert MapGeometry().to_normalised([[100.0, -100.0]]).tolist() == [[1.0, -1.0]]


def test_network_inputs():
    rgb = np.full((2, 160, 384, 3), 51, np.uint8)
    assert np.allclose(NETWORK_INPUTS["rgb"].image(rgb, "carla"), 0.2)
    assert NETWORK_INPUTS["rgb"].image(rgb, "carla").shape == (2, 3, 160, 384)
    labels = np.array([[CarlaClass.ROADS, CarlaClass.ROAD_LINES, CarlaClass.CAR, CarlaClass.NONE]], np.uint8)
    assert NETWORK_INPUTS["labels"].image(labels, "carla").tolist() == [[[1.0, 1.0, 0.0, 0.0]]]
    labels = np.array([[StkClass.BACKGROUND, StkClass.TRACK, StkClass.KART]], np.uint8)
    assert NETWORK_INPUTS["labels"].image(labels, "stk").tolist() == [[[0.0, 1.0, 0.0]]]
    maps = np.zeros((3, 192, 192), np.uint8)
    maps[0] = 255
    image = NETWORK_INPUTS["map_view"].image(maps, "stk")
    assert image.shape == (1, 192, 192)
    assert image.dtype == np.float32
    assert (image == 1.0).all()


def test_no_network_reads_depth():
    with pytest.raises(UnknownNameError, match="depth"):
        network_input("depth")
