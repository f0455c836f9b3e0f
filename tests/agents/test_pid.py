import json

import numpy as np
import pytest

from sim2real_bench.agents.pid import (
    CONTROLLERS,
    CONTROLLERS_FILE,
    PidController,
    PidGains,
    controller_settings,
    read_controllers,
)
from sim2real_bench.errors import ConfigurationError


def test_step_response_by_hand():
    pid = PidController(PidGains(kp=2.0, ki=5.0, kd=0.1, window=2), dt_s=0.1, lower=-10.0, upper=10.0)
    # e = 0, 1, 1, 0: P = 2e; I = 5 * mean of the last two * 0.1; D = 0.1 * difference / 0.1
    expected = [0.0, 2.0 + 0.25 + 1.0, 2.0 + 0.5, 0.25 - 1.0]
    assert np.allclose([pid.step(e) for e in (0.0, 1.0, 1.0, 0.0)], expected)


def test_first_step_has_no_derivative_kick():
    pid = PidController(PidGains(kp=0.0, ki=0.0, kd=1.0, window=1), dt_s=0.1, lower=-10.0, upper=10.0)
    assert pid.step(3.0) == 0.0


def test_against_an_independent_implementation():
    rng = np.random.default_rng(3)
    errors = rng.normal(size=200)
    kp, ki, kd, window, dt = 0.7, 3.0, 0.04, 15, 0.1
    expected = []
    for i in range(len(errors)):
        mean = np.mean(errors[max(0, i - window + 1) : i + 1])
        slope = np.diff(errors)[i - 1] / dt if i else 0.0
        expected.append(np.clip(kp * errors[i] + ki * mean * dt + kd * slope, -1, 1))
    pid = PidController(PidGains(kp=kp, ki=ki, kd=kd, window=window), dt)
    assert np.allclose([pid.step(e) for e in errors], expected)


def test_output_is_clamped_and_reset_forgets():
    pid = PidController(PidGains(kp=1.0, ki=1.0, kd=1.0, window=5), 0.1, lower=-0.5, upper=0.25)
    assert [pid.step(9.0), pid.step(-9.0)] == [0.25, -0.5]
    pid.reset()
    assert pid.step(0.1) == pytest.approx(0.1 + 0.01)


@pytest.mark.parametrize(("dt", "lower", "upper"), [(0.0, -1, 1), (0.1, 1, 1)])
def test_impossible_settings_are_refused(dt, lower, upper):
    with pytest.raises(ConfigurationError, match="PID with"):
        PidController(PidGains(kp=1, ki=0, kd=0, window=1), dt, lower, upper)


def test_shipped_controllers_are_five_different_ones_within_the_waypoints_range():
    assert [c.id for c in CONTROLLERS] == [0, 1, 2, 3, 4]
    assert len({(c.steering, c.look_ahead_m) for c in CONTROLLERS}) == 5
    assert all(5.0 <= c.look_ahead_m <= 9.0 for c in CONTROLLERS)
    assert "tune_controllers" in read_controllers().command


def test_unknown_controller():
    with pytest.raises(ConfigurationError, match="controller 7"):
        controller_settings(7)


@pytest.mark.parametrize("damage", ["missing", "text", "ids", "negative", "extra"])
def test_damaged_controller_files_are_refused(tmp_path, damage):
    document = json.loads(CONTROLLERS_FILE.read_text())
    path = tmp_path / "controllers.json"
    if damage == "ids":
        document["controllers"].reverse()
    elif damage == "negative":
        document["controllers"][0]["steering"]["kp"] = -1.0
    elif damage == "extra":
        document["surprise"] = 1
    if damage != "missing":
        path.write_text("{" if damage == "text" else json.dumps(document))
    with pytest.raises(ConfigurationError, match="controllers"):
        read_controllers(path)
