"""What a simulator tells that cannot be true, tick by tick."""

import numpy as np
import pytest
from gymnasium import spaces

from sim2real_bench.envs.observation import observation_space
from sim2real_bench.errors import SimulatorError
from sim2real_bench.evaluation.sanity import SimulatorCheck

SPACE = observation_space(("rgb", "labels", "depth", "speed"), width=16, height=8, classes=5, map_channels=("road",))


def seen(**changes):
    observation = {
        "rgb": np.full((8, 16, 3), 9, np.uint8),
        "labels": np.full((8, 16), 4, np.uint8),
        "depth": np.ones((8, 16), np.float32),
        "speed": np.array(3.0, np.float32),
    }
    return {key: value for key, value in (observation | changes).items() if value is not None}


def info(frame=None, impulse=0.0, pose=None):
    told = {"ego_pose": np.eye(4) if pose is None else pose, "collision_impulse_ns": impulse}
    return told if frame is None else told | {"frame": frame}


def test_what_can_be_true_is_believed():
    check = SimulatorCheck(SPACE)
    check.begin(seen(), info(frame=0))
    for frame in range(1, 4):
        check.next(seen(), info(frame=frame, impulse=50.0))
    check.begin(seen(), info(frame=0))  # another episode
    check.next(seen(rgb=np.eye(8, 16, dtype=np.uint8)[..., None].repeat(3, 2)), info(frame=1))  # nearly black
    check.next(seen(extra=np.zeros(3)), info(frame=2))
    SimulatorCheck(SPACE).begin(seen(), {"ego_pose": np.eye(4)})  # no collision can have been before the first tick


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rgb": None}, "sent no 'rgb', which was asked for"),
        ({"rgb": np.zeros((8, 16, 3), np.uint8)}, "'rgb' all black"),
        ({"rgb": np.ones((8, 16, 4), np.uint8)}, r"'rgb' as uint8 \(8, 16, 4\); promised is uint8 \(8, 16, 3\)"),
        ({"rgb": np.ones((8, 16, 3), np.float32)}, "'rgb' as float32"),
        ({"labels": np.full((8, 16), 5, np.uint8)}, "'labels' with the class 5; the last is 4"),
        ({"depth": np.full((8, 16), np.nan, np.float32)}, "'depth' with values that are not finite"),
        ({"speed": np.array(np.inf, np.float32)}, "'speed' with values that are not finite"),
        ({"speed": "fast"}, "'speed' as <U4"),
    ],
)
def test_observations_that_cannot_be(changes, text):
    with pytest.raises(SimulatorError, match=text):
        SimulatorCheck(SPACE).begin(seen(**changes), info())


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (info(impulse=float("nan")), "a collision impulse of nan N s"),
        (info(impulse=-1.0), "a collision impulse of -1.0 N s"),
        (info(pose=np.full((4, 4), np.nan)), r"at \[nan, nan\], which is no place"),
        (info(frame=7), "frame 7 after frame 4"),
        (info(frame=4), "frame 4 after frame 4"),
    ],
)
def test_numbers_that_cannot_be(told, text):
    check = SimulatorCheck(SPACE)
    check.begin(seen(), info(frame=4))
    with pytest.raises(SimulatorError, match=text):
        check.next(seen(), told)


@pytest.mark.parametrize("space", [None, spaces.Box(0.0, 1.0, (3,))])
def test_without_a_promise_only_numbers_are_checked(space):
    check = SimulatorCheck(space)
    check.begin({"rgb": np.zeros((2, 2))}, info())
    with pytest.raises(SimulatorError, match="not finite"):
        check.next({"speed": np.array(np.nan)}, info())
