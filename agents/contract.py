"""The contracts of agents and of controllers, as test classes to inherit from: for this package and for yours.

class TestMyAgent(AgentContract):
    agent = "my-agent"  # the name of its entry point

class TestMyControllers(ControllersContract):
    controllers = "my-controllers"
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.agent import Action, Agent
from sim2real_bench.agents.alone import make_agent
from sim2real_bench.agents.controllers import WaypointController, controllers_hash, controllers_named
from sim2real_bench.agents.inputs import CAMERA_HEIGHT, CAMERA_WIDTH
from sim2real_bench.agents.path_following import TARGET_SPEED_MPS, TICK_S
from sim2real_bench.envs.classes import CARLA_MAP_CHANNELS, CarlaClass
from sim2real_bench.envs.observation import (
    DEPTH,
    KEYS,
    LABELS,
    MAP_SIZE,
    MAP_VIEW,
    RGB,
    SPEED,
    WAYPOINT_DISTANCES_M,
    WAYPOINTS,
    Observation,
)
from sim2real_bench.errors import AgentError

STEPS = 12


def made_up_observations(keys: tuple[str, ...], seed: int, count: int = STEPS) -> list[Observation]:
    """Observations of the right shapes and ranges; pictures are noise, waypoints lead ahead and a little aside."""
    random = np.random.default_rng(seed)
    size = (CAMERA_HEIGHT, CAMERA_WIDTH)
    channels = (len(CARLA_MAP_CHANNELS), MAP_SIZE, MAP_SIZE)

    def waypoints() -> npt.NDArray[np.float32]:
        ahead = np.array(WAYPOINT_DISTANCES_M)
        return np.stack([ahead, random.uniform(-0.02, 0.02) * ahead**2], axis=-1).astype(np.float32)

    makers: dict[str, Callable[[], npt.NDArray[np.generic]]] = {
        RGB: lambda: random.integers(0, 256, (*size, 3), np.uint8),
        LABELS: lambda: random.integers(0, len(CarlaClass), size, np.uint8),
        DEPTH: lambda: random.uniform(1.0, 100.0, size).astype(np.float32),
        MAP_VIEW: lambda: random.integers(0, 2, channels, np.uint8) * np.uint8(255),
        SPEED: lambda: np.array(random.uniform(0.0, 10.0), np.float32),
        WAYPOINTS: waypoints,
    }
    return [{key: makers[key]() for key in keys} for _ in range(count)]


class AgentContract:
    """Inherit and set ``agent``; pytest then runs the tests below.

    Attributes:
        agent: the registered name.
    """

    agent: str = ""

    def agents(self) -> dict[str, Callable[[], Agent]]:
        """What is tested: a name and a maker for each."""
        return {self.agent: lambda: make_agent(self.agent)}

    def test_it_names_what_it_observes(self) -> None:
        """``observations`` is a tuple of known keys: an environment renders only these."""
        for name, make in self.agents().items():
            keys = make().observations
            assert isinstance(keys, tuple), f"{name}.observations is {keys!r}: write a tuple, such as ('rgb', 'speed')"
            assert keys, f"{name} observes nothing"
            unknown = sorted(set(keys) - set(KEYS))
            assert not unknown, f"{name} observes {unknown}; environments know {', '.join(KEYS)}"

    def test_it_answers_with_actions(self) -> None:
        """``act`` answers two finite numbers in [-1, 1], whatever a picture shows."""
        for name, make in self.agents().items():
            agent = make()
            for number, action in enumerate(self.drive(agent, seed=1)):
                place = f"{name}, tick {number}, answered {action!r}"
                assert isinstance(action, np.ndarray), f"{place}: answer a NumPy array"
                assert action.shape == (2,), f"{place}: answer (steer, throttle or brake)"
                assert np.isfinite(action).all(), f"{place}: both must be finite"
                assert (np.abs(action) <= 1.0).all(), f"{place}: both must be in [-1, 1]; clip them"

    def test_an_episode_repeats_with_its_seed(self) -> None:
        """After ``reset`` with the same seed the same observations give the same actions; no episode leaks."""
        for name, make in self.agents().items():
            first, second = make(), make()
            fresh = self.drive(first, seed=3)
            self.drive(second, seed=4)
            after_another = self.drive(second, seed=3)
            for tick, (one, other) in enumerate(zip(fresh, after_another, strict=True)):
                message = f"{name} drives differently at tick {tick} after another episode: forget it in reset"
                np.testing.assert_array_equal(one, other, err_msg=message)

    def test_it_leaves_observations_as_they_are(self) -> None:
        """``act`` does not write into the arrays it is given: films and records use them, too."""
        for name, make in self.agents().items():
            agent = make()
            agent.reset(0)
            for observation in made_up_observations(agent.observations, seed=5, count=3):
                kept = {key: value.copy() for key, value in observation.items()}
                agent.act(observation)
                for key, value in observation.items():
                    np.testing.assert_array_equal(value, kept[key], err_msg=f"{name} changed {key!r} in place")

    def drive(self, agent: Agent, seed: int) -> list[Action]:
        """The actions of a short made-up episode."""
        agent.reset(seed)
        return [copy(agent.act(observation)) for observation in made_up_observations(agent.observations, seed)]


class ControllersContract:
    """Inherit and set ``controllers``; pytest then runs the tests below.

    Attributes:
        controllers: the registered name of the set.
    """

    controllers: str = ""

    def every(self) -> list[WaypointController]:
        """A new controller of every id, at the benchmark's speed and tick."""
        found = controllers_named(self.controllers)
        return [found.make(number, TARGET_SPEED_MPS, TICK_S) for number in range(found.count)]

    def test_it_can_be_told_from_others(self) -> None:
        """The set says what it consists of: results carry the hash of that."""
        assert controllers_named(self.controllers).settings, "settings is empty: write gains and distances into it"
        assert controllers_hash(self.controllers) == controllers_hash(self.controllers)

    def test_it_steers_to_where_the_path_leads(self) -> None:
        """Positive steering is to the right; a straight path needs next to none."""
        for number, controller in enumerate(self.every()):
            steer = {name: float(self.follow(controller, bend)[-1][0]) for name, bend in _BENDS.items()}
            place = f"controller {number}"
            assert steer["right"] > 0.01, f"{place} steers {steer['right']} on a path to the right (y < 0): must be > 0"
            assert steer["left"] < -0.01, f"{place} steers {steer['left']} on a path to the left (y > 0): must be < 0"
            assert abs(steer["ahead"]) < 0.05, f"{place} steers {steer['ahead']} on a straight path"

    def test_it_holds_the_target_speed(self) -> None:
        """Throttle when slow, none when far too fast."""
        for number, controller in enumerate(self.every()):
            slow = self.follow(controller, _BENDS["ahead"], speed_mps=0.0)[-1][1]
            fast = self.follow(controller, _BENDS["ahead"], speed_mps=3.0 * TARGET_SPEED_MPS)[-1][1]
            assert slow > 0.1, f"controller {number} gives {slow} when standing: must press the throttle"
            assert fast <= 0.0, f"controller {number} gives {fast} at three times the target speed: must not accelerate"

    def test_it_forgets_the_last_episode(self) -> None:
        """After ``reset`` the same path gives the same actions, and nothing is shared between two controllers."""
        for number, (one, other) in enumerate(zip(self.every(), self.every(), strict=True)):
            fresh = self.follow(one, _BENDS["left"])
            self.follow(other, _BENDS["right"])
            again = self.follow(other, _BENDS["left"])
            np.testing.assert_array_equal(fresh, again, err_msg=f"controller {number} remembers the last episode")

    def test_it_shows_what_it_follows(self) -> None:
        """``waypoints`` is None before the first action and the followed path after it: pictures draw it."""
        for controller in self.every():
            controller.reset()
            before = controller.waypoints
            controller.action(_BENDS["left"], 3.0)
            after = controller.waypoints
            assert before is None, f"waypoints is {before!r} after reset"
            assert after is not None, "waypoints is None after an action: keep the path there"
            np.testing.assert_allclose(after, _BENDS["left"])

    def test_it_refuses_what_is_not_finite(self) -> None:
        """A path or speed that is not finite is the agent's failure, and never an action."""
        broken = _BENDS["ahead"].copy()
        broken[2, 1] = np.nan
        for controller in self.every():
            for path, speed in ((broken, 3.0), (_BENDS["ahead"], float("nan"))):
                try:
                    action = controller.action(path, speed)
                except AgentError:
                    continue
                raise AssertionError(f"answered {action} to a path or speed that is not a number; raise AgentError")

    def follow(self, controller: WaypointController, path: npt.NDArray[np.float64], speed_mps: float = 4.0) -> Action:
        """(12, 2) actions along one unchanging path after a reset."""
        controller.reset()
        return np.stack([np.asarray(controller.action(path, speed_mps)) for _ in range(STEPS)])


def _bend(curvature: float) -> npt.NDArray[np.float64]:
    """(5, 2) metres: a path of constant curvature (1 / m, positive to the left) to the benchmark's distances."""
    ahead = np.array(WAYPOINT_DISTANCES_M)
    return np.stack([ahead, curvature * ahead**2 / 2.0], axis=-1)


_BENDS = {"ahead": _bend(0.0), "left": _bend(0.03), "right": _bend(-0.03)}
