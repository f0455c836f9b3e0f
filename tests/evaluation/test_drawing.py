"""Drawing: a waypoint is drawn where the camera and the map show it."""

import numpy as np

from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import CARLA_PALETTE
from sim2real_bench.evaluation.drawing import PREDICTED, map_picture, panel, sheet

CAMERA = PinholeCamera.mounted(384, 160, 90.0, 2.0, 1.4)


def observation() -> dict[str, np.ndarray]:
    return {
        "rgb": np.full((160, 384, 3), 90, np.uint8),
        "labels": np.ones((160, 384), np.uint8),
        "map_view": np.zeros((2, 192, 192), np.uint8),
    }


def test_a_point_to_the_right_is_drawn_right_of_the_middle_in_all_three_pictures() -> None:
    picture = panel(observation(), CARLA_PALETTE, CAMERA, {PREDICTED: np.array([[10.0, -3.0]])}, scale=1)
    red = np.argwhere((picture == PREDICTED).all(axis=-1))
    columns = red[:, 1]
    rgb, labels, plan = (columns[(columns >= a) & (columns < b)] for a, b in ((0, 384), (388, 772), (776, 968)))
    (expected, _), _depth = CAMERA.project([[10.0, -3.0]])[0][0], None
    assert abs(rgb.mean() - expected) < 1.5
    assert abs(labels.mean() - 388 - expected) < 1.5
    assert abs(plan.mean() - 776 - (96 + 15)) < 1.5


def test_points_behind_the_camera_are_left_out() -> None:
    picture = panel(observation(), CARLA_PALETTE, CAMERA, {PREDICTED: np.array([[-5.0, 0.0]])}, scale=1)
    assert not (picture[:, :772] == PREDICTED).all(axis=-1).any()


def test_later_map_channels_lie_on_top() -> None:
    view = np.zeros((2, 192, 192), np.uint8)
    view[:, 5, 5] = 255
    assert tuple(map_picture(view)[5, 5]) == (60, 90, 255)


def test_sheet_stacks_rows_with_a_gap() -> None:
    assert sheet([np.zeros((10, 20, 3), np.uint8)] * 2).shape == (26, 20, 3)
