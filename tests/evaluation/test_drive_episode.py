"""The closed loop: every way an episode can end, and both odometers."""

import re

import numpy as np
import pytest
from fake_driving import FakeAgent, FakeDrivingEnv, episode, limits

from sim2real_bench.errors import SimulatorError
from sim2real_bench.evaluation.driving import drive_episode
from sim2real_bench.evaluation.records import Outcome


class Scripted:
    """An environment that reports given positions, off-road flags and impulses, tick by tick after the warm-up."""

    def __init__(self, positions, off_road=(), impulses=None, warm_up=None, truncates=False):
        self.positions, self.off_road = positions, set(off_road)
        self.impulses, self.warm_up = impulses or {}, list(warm_up or [])
        self.truncates = truncates
        self.seeds = []
        self.actions = []

    def reset(self, *, seed, options):
        self.seeds.append(seed)
        self.tick, self.standing = -1, 0
        return {"rgb": np.zeros(())}, self._info(0.0)

    def step(self, action):
        self.actions.append(np.array(action))
        if self.standing < 2:
            self.standing += 1
            impulse = self.warm_up.pop(0) if self.warm_up else 0.0
        else:
            self.tick += 1
            impulse = self.impulses.get(self.tick, 0.0)
        return {"rgb": np.zeros(())}, 0.0, impulse > 10.0, self.truncates, self._info(impulse)

    def close(self):
        pass

    def _info(self, impulse):
        pose = np.eye(4)
        pose[:2, 3] = (0.0, 0.0) if self.tick < 0 else self.positions(self.tick + 1)
        return {
            "ego_pose": pose,
            "off_road": self.tick in self.off_road,
            "collision_impulse_ns": impulse,
            "collided_with": "vehicle.van" if impulse else "",
        }


def straight(tick):
    return (0.5 * tick, 0.0)


def driven(env, method="direct", **changes):
    return drive_episode(env, FakeAgent(method, 0), episode(), limits(**changes))


def test_horizon_and_both_odometers():
    result = driven(Scripted(straight), horizon_ticks=90)
    assert result.outcome is Outcome.HORIZON
    assert result.ticks == 90
    assert result.sim_time_s == pytest.approx(9.0)
    assert result.distance_m == pytest.approx(45.0)
    assert result.distance_2s_m == pytest.approx(40.0)  # four whole samples of 20 ticks
    assert result.off_road_share == 0.0


def test_the_sampled_odometer_cuts_corners():
    def zigzag(tick):
        return (0.3 * tick, 0.4 * (tick % 2))

    result = driven(Scripted(zigzag), horizon_ticks=40)
    assert result.distance_m == pytest.approx(20.0)
    assert result.distance_2s_m == pytest.approx(12.0)


def test_collision_keeps_the_distance_and_names_what_was_hit():
    result = driven(Scripted(straight, impulses={24: 10.1}, off_road=range(10, 25)))
    assert result.outcome is Outcome.COLLISION
    assert result.distance_m == pytest.approx(12.5)
    assert result.distance_2s_m == pytest.approx(10.0)
    assert result.collided_with == "vehicle.van"
    assert result.off_road_share == pytest.approx(15 / 25)


def test_a_light_touch_is_no_collision():
    result = driven(Scripted(straight, impulses={24: 10.0}))
    assert result.outcome is Outcome.HORIZON
    assert result.collided_with == ""


def test_off_road_ends_the_episode_and_keeps_the_distance_up_to_leaving_the_road():
    env = Scripted(straight, off_road=[*range(10, 20), *range(30, 100)])
    result = driven(env, off_road_ticks=25)
    assert result.outcome is Outcome.OFF_ROAD
    assert result.ticks == 55  # a visit of 10 ticks is forgiven; 25 in a row are not
    assert result.distance_m == pytest.approx(15.0)
    assert result.distance_2s_m == pytest.approx(10.0)
    assert result.distance_driven_m == pytest.approx(27.5)
    assert result.off_road_share == pytest.approx(35 / 55)


def test_stuck_after_sixty_seconds_at_one_place():
    result = driven(Scripted(lambda tick: (min(0.5 * tick, 10.0), 0.0)), horizon_ticks=2400)
    assert result.outcome is Outcome.STUCK
    assert result.ticks == 620
    assert result.distance_m == pytest.approx(10.0)


def test_trembling_and_turning_on_the_spot_is_stuck_too():
    result = driven(Scripted(lambda tick: (0.2 * np.cos(tick), 0.2 * np.sin(tick))), horizon_ticks=2400)
    assert result.outcome is Outcome.STUCK


def test_creeping_is_not_stuck():
    result = driven(Scripted(lambda tick: (0.001 * tick, 0.0)), horizon_ticks=2400)
    assert result.outcome is Outcome.HORIZON


def test_stuck_off_the_road_counts_up_to_leaving_it():
    env = Scripted(lambda tick: (min(0.5 * tick, 10.0), 0.0), off_road=range(10, 2400))
    result = driven(env, off_road_ticks=10_000, horizon_ticks=2400)
    assert result.outcome is Outcome.STUCK
    assert result.distance_m == pytest.approx(5.0)
    assert result.distance_driven_m == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("method", "text"),
    [("raises", "ValueError: the network is confused"), ("nan", "nan"), ("shape", r"shape \(3,\)")],
)
def test_a_failing_agent_ends_the_episode_as_its_own_failure(method, text):
    result = driven(Scripted(straight), method)
    assert result.outcome is Outcome.AGENT_ERROR
    assert result.ticks == 4
    assert result.distance_m == pytest.approx(2.0)
    assert re.search(text, result.error)


def test_the_vehicle_stands_braked_before_it_is_handed_over():
    env = Scripted(straight)
    driven(env, horizon_ticks=3)
    assert [tuple(action) for action in env.actions[:2]] == [(0.0, -1.0)] * 2
    assert len(env.actions) == 5


def test_a_hit_while_standing_repeats_the_reset_with_derived_seeds():
    first, second = Scripted(straight, warm_up=[0.0, 99.0, 99.0]), Scripted(straight, warm_up=[99.0, 99.0])
    results = [drive_episode(env, FakeAgent("direct", 0), episode(), limits()) for env in (first, second)]
    assert [result.warm_up_resets for result in results] == [2, 2]
    assert first.seeds[0] == episode().seed
    assert len(set(first.seeds)) == 3
    assert first.seeds == second.seeds


def test_a_start_that_is_always_hit_is_nobodys_result():
    env = Scripted(straight, warm_up=[99.0] * 100)
    with pytest.raises(SimulatorError, match=r"hit by vehicle\.van after each of 4 resets"):
        driven(env)
    assert len(env.seeds) == 4


def test_an_environment_that_ends_episodes_by_itself_is_refused():
    with pytest.raises(SimulatorError, match="by itself"):
        driven(Scripted(straight, truncates=True))


def test_positions_that_are_no_places_are_the_simulators_failure():
    with pytest.raises(SimulatorError, match="no place"):
        driven(Scripted(lambda tick: (np.nan, 0.0)))


def test_the_same_episode_gives_the_same_result():
    results = [
        drive_episode(FakeDrivingEnv(observations=("rgb",)), FakeAgent("direct", 1), episode(9), limits())
        for _ in range(2)
    ]
    assert results[0] == results[1]


def test_the_trajectory_holds_the_start_every_second_and_the_end():
    assert driven(Scripted(straight), horizon_ticks=25).trajectory == ((0.0, 0.0), (5.0, 0.0), (10.0, 0.0), (12.5, 0.0))
    assert driven(Scripted(straight), horizon_ticks=20).trajectory == ((0.0, 0.0), (5.0, 0.0), (10.0, 0.0))


def test_the_agent_sees_only_what_it_asked_for_and_the_film_everything():
    class Richer(Scripted):
        def step(self, action):
            observation, *rest = super().step(action)
            return observation | {"labels": np.ones(())}, *rest

    class Curious(FakeAgent):
        def act(self, observation):
            seen.append(set(observation))
            return super().act(observation)

    seen, filmed = [], []
    drive_episode(
        Richer(straight), Curious("direct", 0), episode(), limits(horizon_ticks=5), show=lambda *one: filmed.append(one)
    )
    assert all(keys <= set(FakeAgent("direct", 0).observations) for keys in seen)
    assert len(filmed) == 5
    assert {"rgb", "labels"} == set(filmed[-1][0]) and filmed[-1][2].shape == (2,)


class Unreadable:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")

    def __repr__(self):
        return "tensor"


class Nameless(Unreadable):
    def __repr__(self):
        raise LookupError("no name")


class Silent(Exception):
    def __str__(self):
        raise ZeroDivisionError


class Answering:
    """Answers once with something else than an action."""

    observations = ("rgb",)

    def __init__(self, answer):
        self._answer = answer

    def reset(self, seed):
        pass

    def act(self, observation):
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Unreadable(), "answered tensor, which is not an action: Can't call numpy"),
        (Nameless(), "LookupError: no name"),
        (Silent(), "Silent: .its text cannot be made."),
        (SystemExit(3), "SystemExit: 3"),
        (None, "not an action|expected 2 finite numbers"),
        ({"steer": 0.0}, "not an action"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_an_agent_answers_is_its_own_failure(answer, text):
    result = drive_episode(Scripted(straight), Answering(answer), episode(), limits())
    assert result.outcome is Outcome.AGENT_ERROR
    assert re.search(text, result.error)
