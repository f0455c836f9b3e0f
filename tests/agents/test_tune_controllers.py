import math

import numpy as np
import pytest

from sim2real_bench.agents.path_following import TARGET_SPEED_MPS
from sim2real_bench.agents.pid import CONTROLLERS, ControllerSettings, PidGains
from sim2real_bench.agents.practice import PracticeEnv, bend, line_from_headings, random_line
from sim2real_bench.agents.tune_controllers import (
    Drive,
    TuningSettings,
    cost,
    distances_to_path,
    drive,
    drive_scores,
    mean_scores,
    tune,
    tune_one,
)

QUICK = TuningSettings(candidates=3, finalists=1, short=(1, 60), long=(1, 120), noise_m=0.1)


def test_bends_turn_by_their_angle():
    line = line_from_headings(bend(10.0, math.pi / 2))
    assert np.hypot(*(line - (0.0, 10.0)).T) == pytest.approx(10.0, abs=0.2)
    assert line[-1] == pytest.approx([10.0, 10.0], abs=0.3)


def test_random_lines_follow_their_seed():
    first = random_line(np.random.default_rng(1))
    assert np.array_equal(first, random_line(np.random.default_rng(1)))
    assert not np.array_equal(first[:100], random_line(np.random.default_rng(2))[:100])
    assert np.linalg.norm(np.diff(first, axis=0), axis=1) == pytest.approx(0.25)


def test_distances_to_path():
    path = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    points = np.array([[5.0, 2.0], [12.0, 5.0], [-3.0, 4.0], [10.0, 0.0]])
    assert distances_to_path(points, path) == pytest.approx([2.0, 2.0, 5.0, 0.0])


def test_scores_of_a_hand_made_drive():
    x = np.arange(0.0, 60.0, 0.5)
    made = Drive(
        path=np.stack([x + 6.0, np.zeros_like(x)], axis=-1),
        positions=np.stack([x, np.full_like(x, 0.3)], axis=-1),
        steering=np.tile([0.1, -0.1], len(x) // 2),
        speeds=np.full_like(x, TARGET_SPEED_MPS + 0.5),
        share=1.0,
    )
    scores = drive_scores(made)
    assert scores == pytest.approx(
        {"deviation_m": 0.3, "steer_change": 0.2, "speed_error_mps": 0.5, "share_driven": 1.0}
    )
    assert cost(scores) == pytest.approx(0.3 + 0.4 + 0.05)
    assert cost({**scores, "share_driven": 0.5}) > cost(scores) + 2.0


def test_a_controller_that_does_not_steer_scores_worse():
    blind = ControllerSettings(
        id=0, look_ahead_m=5.0, steering=PidGains(kp=0, ki=0, kd=0, window=1), speed=CONTROLLERS[0].speed
    )
    env = PracticeEnv()
    good, bad = (cost(mean_scores(env, one, (2, 200), QUICK)) for one in (CONTROLLERS[0], blind))
    assert bad > good + 1.0


def test_drives_are_paired_by_seed():
    first = drive(PracticeEnv(), CONTROLLERS[1], 7, 50, 0.1)
    again = drive(PracticeEnv(), CONTROLLERS[1], 7, 50, 0.1)
    assert np.array_equal(first.positions, again.positions)
    assert len(first.steering) == 50


def test_tuning_keeps_the_best_of_its_finalists_and_is_repeatable():
    found = tune(PracticeEnv(), QUICK, "a test", "practice")
    assert [one.id for one in found.controllers] == [0, 1, 2, 3, 4]
    assert found.controllers[3] == tune_one(PracticeEnv(), 3, QUICK)
    assert all(one.scores["share_driven"] > 0.0 for one in found.controllers)
    assert found.command == "a test"
