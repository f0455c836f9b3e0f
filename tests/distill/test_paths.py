"""Waypoints from driven paths against analytic values."""

import numpy as np

from sim2real_bench.distill.data.paths import future_waypoints
from sim2real_bench.envs.observation import WAYPOINT_DISTANCES_M


def poses_of(positions: np.ndarray, yaws: np.ndarray) -> np.ndarray:
    poses = np.tile(np.eye(4), (len(yaws), 1, 1))
    poses[:, 0, 0] = poses[:, 1, 1] = np.cos(yaws)
    poses[:, 1, 0], poses[:, 0, 1] = np.sin(yaws), -np.sin(yaws)
    poses[:, :3, 3] = positions
    return poses


def circle(radius: float, step_m: float, count: int, climb: float = 0.0) -> np.ndarray:
    """A left turn of ``radius`` from (50, -20), heading 0.3 rad, driven at ``step_m`` per tick."""
    angle = np.arange(count) * step_m / radius
    heading = 0.3 + angle
    centre = np.array([50.0, -20.0]) + radius * np.array([-np.sin(0.3), np.cos(0.3)])
    flat = centre + radius * np.stack([np.sin(heading), -np.cos(heading)], axis=-1)
    return poses_of(np.column_stack([flat, climb * np.arange(count)]), heading)


def test_circle_matches_the_closed_form():
    radius, step = 15.0, 0.05
    waypoints, valid = future_waypoints(circle(radius, step, 1000))
    angle = np.array(WAYPOINT_DISTANCES_M) / radius
    want = np.stack([radius * np.sin(angle), radius * (1 - np.cos(angle)), np.zeros(5)], axis=-1)
    for index in (0, 7, 600):
        assert valid[index]
        np.testing.assert_allclose(waypoints[index], want, atol=2e-3)


def test_samples_without_enough_future_are_invalid():
    _, valid = future_waypoints(circle(1000.0, 0.7, 100))  # 69.3 m of path
    assert valid.sum() == int((69.3 - 18.0) / 0.7) + 1
    assert valid[0]
    assert not valid[-25:].any()


def test_height_is_kept():
    waypoints, valid = future_waypoints(circle(1e6, 1.0, 60, climb=0.1))
    assert valid[0]
    np.testing.assert_allclose(waypoints[0, :, 2], np.array(WAYPOINT_DISTANCES_M) * 0.1 / np.sqrt(1.01), rtol=1e-3)


def test_a_teleport_breaks_the_path():
    poses = circle(1e6, 0.5, 200)
    poses[100:, 0, 3] += 30.0
    _, valid = future_waypoints(poses)
    assert valid[:60].all()
    assert not valid[65:100].any()
    assert valid[100:160].all()


def test_reversing_breaks_the_path():
    x = np.concatenate([np.arange(0, 30, 0.5), np.arange(30, 25, -0.5), np.arange(25, 70, 0.5)])
    poses = poses_of(np.column_stack([x, 0 * x, 0 * x]), 0 * x)
    _, valid = future_waypoints(poses)
    assert valid[0]
    assert not valid[30:70].any()
    assert valid[70]


def test_standing_still_neither_divides_by_zero_nor_invents_waypoints():
    poses = poses_of(np.zeros((20, 3)), np.zeros(20))
    waypoints, valid = future_waypoints(poses)
    assert np.isfinite(waypoints).all()
    assert not valid.any()
    assert future_waypoints(poses[:1])[1].tolist() == [False]
