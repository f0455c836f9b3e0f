"""What comes with the package keeps the contracts it asks of others, and the contracts notice what breaks them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sim2real_bench.agents.agent import Agent
from sim2real_bench.agents.contract import AgentContract, ControllersContract
from sim2real_bench.agents.controllers import Controllers, WaypointController
from sim2real_bench.agents.reference import ReferenceAgent
from sim2real_bench.distill.contract import MethodContract
from sim2real_bench.distill.method import Method, Supervision
from sim2real_bench.errors import AgentError
from sim2real_bench.evaluation.contract import BenchmarkContract, PlugInContract


class TestReference(MethodContract):
    method = "reference"


class TestDirect(MethodContract):
    method = "direct"


class TestTaskDistillation(MethodContract):
    method = "task-distillation"


class TestProxy(MethodContract):
    method = "proxy"


class TestControllers(ControllersContract):
    controllers = "pid-v1"


@pytest.mark.simulator
class TestBenchmark(BenchmarkContract):
    """On one shared server of the test town."""

    benchmark = "stk-carla-v1"

    @pytest.fixture(autouse=True, scope="class")
    def server(self, carla_embedded: None, request: pytest.FixtureRequest) -> Iterator[None]:
        from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess

        with EmbeddedServerProcess(town="MiniTown02") as process:
            request.cls.options = {"host": process.host, "port": process.port}
            yield


class _Flawed(ReferenceAgent):
    """A good agent but for one flaw."""

    def __init__(self, flaw: str) -> None:
        super().__init__()
        self._flaw = flaw
        self._episodes = 0
        if flaw == "list":
            self.observations = ["waypoints", "speed"]  # type: ignore[assignment]
        if flaw == "smell":
            self.observations = ("waypoints", "speed", "smell")

    def reset(self, seed: int) -> None:
        super().reset(seed)
        self._episodes += 1

    def act(self, observation: dict[str, Any]) -> Any:
        action = super().act(observation)
        if self._flaw == "in place":
            observation["waypoints"][0] = 0.0
        return {
            "tuple": tuple(action),
            "three": np.zeros(3, np.float32),
            "nan": np.array([np.nan, 0.0], np.float32),
            "large": 7.0 * np.ones(2, np.float32),
            "remembers": action + 0.01 * self._episodes,
        }.get(self._flaw, action)


@pytest.mark.parametrize(
    ("flaw", "test", "words"),
    [
        ("none", "every", ""),
        ("list", "test_it_names_what_it_observes", "write a tuple"),
        ("smell", "test_it_names_what_it_observes", r"observes \['smell'\]"),
        ("tuple", "test_it_answers_with_actions", "answer a NumPy array"),
        ("three", "test_it_answers_with_actions", "steer, throttle or brake"),
        ("nan", "test_it_answers_with_actions", "must be finite"),
        ("large", "test_it_answers_with_actions", "clip them"),
        ("remembers", "test_an_episode_repeats_with_its_seed", "forget it in reset"),
        ("in place", "test_it_leaves_observations_as_they_are", "changed 'waypoints' in place"),
    ],
)
def test_the_agents_contract_notices(flaw: str, test: str, words: str) -> None:
    class Contract(AgentContract):
        def agents(self) -> Any:
            return {"flawed": lambda: _Flawed(flaw)}

    if flaw == "none":
        for name in [name for name in dir(Contract) if name.startswith("test_")]:
            getattr(Contract(), name)()
        return
    with pytest.raises(AssertionError, match=words):
        getattr(Contract(), test)()


class _FlawedController:
    """A proportional controller with one flaw."""

    def __init__(self, flaw: str) -> None:
        self._flaw = flaw
        self._steps = 0
        self.waypoints: Any = None

    def reset(self) -> None:
        self.waypoints = None
        if self._flaw != "remembers":
            self._steps = 0

    def action(self, waypoints: Any, speed_mps: float) -> Any:
        if self._flaw != "nan" and not (np.isfinite(waypoints).all() and np.isfinite(speed_mps)):
            raise AgentError("not finite")
        self._steps += 1
        self.waypoints = None if self._flaw == "hides" else np.asarray(waypoints)
        side = 1.0 if self._flaw == "mirrored" else -1.0
        pedal = 1.0 if self._flaw == "races" else np.clip(5.0 - speed_mps, -1.0, 1.0)
        return np.array([side * 0.1 * waypoints[2][1] + 0.001 * self._steps, pedal], np.float32)


@pytest.mark.parametrize(
    ("flaw", "test", "words"),
    [
        ("none", "every", ""),
        ("mirrored", "test_it_steers_to_where_the_path_leads", "must be > 0"),
        ("races", "test_it_holds_the_target_speed", "must not accelerate"),
        ("remembers", "test_it_forgets_the_last_episode", "remembers the last episode"),
        ("hides", "test_it_shows_what_it_follows", "keep the path there"),
        ("nan", "test_it_refuses_what_is_not_finite", "raise AgentError"),
    ],
)
def test_the_controllers_contract_notices(flaw: str, test: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(number: int, target_speed_mps: float, tick_s: float) -> WaypointController:
        return _FlawedController(flaw)

    flawed = Controllers(2, make, "proportional")
    monkeypatch.setattr("sim2real_bench.agents.contract.controllers_named", lambda name: flawed)
    monkeypatch.setattr("sim2real_bench.agents.contract.controllers_hash", lambda name: "7")
    if flaw == "none":
        for name in [name for name in dir(ControllersContract) if name.startswith("test_")]:
            getattr(ControllersContract(), name)()
        return
    with pytest.raises(AssertionError, match=words):
        getattr(ControllersContract(), test)()


@pytest.mark.parametrize(
    ("flaw", "test", "words"),
    [
        ({"supervision": {}}, "test_it_says_what_it_reads", "supervision is empty"),
        ({"supervision": {"": Supervision(declared=False)}}, "test_it_says_what_it_reads", "say which data"),
        ({"supervision": {"": Supervision(), "map": Supervision()}}, "test_it_says_what_it_reads", "either one entry"),
        ({"checkpoints": {"map": "stk-direct"}}, "test_its_weights_are_there", "none of its proxies"),
        ({"trainings": lambda request: []}, "test_its_training_says_what_it_lacks", "would train without data"),
    ],
)
def test_the_methods_contract_notices(
    flaw: dict[str, Any], test: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(controller: Any, checkpoint: Any) -> Agent:
        return ReferenceAgent(controller)

    fields = {"supervision": {"": Supervision()}, "checkpoints": {}} | flaw
    flawed = Method(name="flawed", builder=build, **fields)
    for place in ("method", "contract"):
        monkeypatch.setattr(f"sim2real_bench.distill.{place}.method_named", lambda name: flawed)

    class Contract(MethodContract):
        method = "flawed"

    with pytest.raises(AssertionError, match=words):
        getattr(Contract(), test)()


def test_the_packages_contract_notices_that_nothing_is_installed() -> None:
    class Contract(PlugInContract):
        distribution = "no-such-package"

    with pytest.raises(AssertionError, match="no entry point of 'no-such-package'"):
        Contract().test_it_is_installed_and_offers_something()
