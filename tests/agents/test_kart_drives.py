"""Ends and sums of a drive, on a scripted kart; one real lap on the engine."""

import numpy as np
import pytest

from sim2real_bench.agents.kart_drives import drive_kart
from sim2real_bench.envs.supertuxkart.tracks import Track

TRACK = Track("hacienda", reverse=True)


class Straight:
    """Steers 0.5 to the left in every other step."""

    observations = ("speed",)

    def reset(self, seed):
        self.steps = 0

    def act(self, observation):
        self.steps += 1
        return np.array([-0.5 * (self.steps % 2), 1.0], np.float32)


class ScriptedKart:
    """Moves by the numbers given, on a track of 100 m whose start line lies 1 m ahead of the grid."""

    def __init__(self, moves, turned_laps=None, terminations=None):
        self.moves, self.turned_laps, self.terminations = moves, turned_laps or {}, terminations or {}

    def reset(self, *, seed, options):
        assert options == {"track": "hacienda", "reverse": True}
        self.place, self.step_number, self.laps = 0.0, 0, -1
        return {}, self.info(0.0)

    def info(self, move):
        number = self.step_number
        return {
            "progress_m": move,
            "track_length_m": 100.0,
            "lateral_m": -2.0,
            "off_road": number % 4 == 0,
            "rescued": number == 3,
            "laps": self.turned_laps.get(number, self.laps),
            "termination": self.terminations.get(number, ""),
        }

    def step(self, action):
        move = self.moves[self.step_number % len(self.moves)]
        self.step_number += 1
        self.place += move
        self.laps = int((self.place - 1.0) // 100.0)
        return {}, 0.0, False, False, self.info(move)


def drive(kart, duration_s=100.0, one_lap=True):
    return drive_kart(kart, Straight(), TRACK, duration_s=duration_s, seed=0, one_lap=one_lap)


def test_a_lap_ends_at_the_second_crossing_of_the_start_line():
    result = drive(ScriptedKart([2.0]))
    assert (result.track, result.reverse, result.ended, result.finished) == ("hacienda", True, "lap", True)
    assert result.lap_time_s == pytest.approx(5.1)  # 51 steps of 2 m lead past 101 m
    assert result.progress_m == pytest.approx(102.0)
    assert result.track_share == pytest.approx(1.02)
    assert result.off_road == pytest.approx(12 / 51)
    assert result.off_centre_m == pytest.approx(2.0)
    assert result.steer_change == pytest.approx(0.5)
    assert result.rescues == 1


def test_without_the_lap_only_the_time_ends_it():
    result = drive(ScriptedKart([2.0]), duration_s=8.0, one_lap=False)
    assert (result.ended, result.finished, result.failed, result.lap_time_s) == ("time", False, False, None)
    assert result.progress_m == pytest.approx(160.0)


def test_turning_round_is_no_lap_whatever_the_engine_counts():
    back = drive(ScriptedKart([2.0] * 20 + [-2.0] * 20, turned_laps={25: 1}))
    assert (back.ended, back.failed) == ("wrong_way", True)
    assert back.driven_s == pytest.approx(2.6)  # the sixth step back is the first beyond 10 m
    assert back.progress_m == pytest.approx(40.0)


def test_the_environments_own_ends_count_as_failures():
    result = drive(ScriptedKart([2.0], terminations={7: "off_track"}))
    assert (result.ended, result.failed, result.driven_s) == ("off_track", True, pytest.approx(0.7))


@pytest.mark.simulator
def test_the_track_follower_finishes_a_lap(stk):
    from sim2real_bench.agents.reference import ReferenceAgent
    from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv

    with SuperTuxKartEnv(observations=("speed", "waypoints"), random_start=False) as env:
        track = Track("olivermath")
        result = drive_kart(env, ReferenceAgent(2, 12.0), track, duration_s=90.0, seed=0, one_lap=True)
    assert result.finished, result
    assert 0.9 < result.track_share < 1.1
    assert 35.0 < result.driven_s < 60.0  # 496 m at 12 m/s at most
