"""The contracts of benchmarks and of whole plug-in packages, as test classes to inherit from.

class TestMyBenchmark(BenchmarkContract):
    benchmark = "stk-mine-v1"

class TestMyPackage(PlugInContract):
    distribution = "my-package"  # as pip calls it
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from sim2real_bench import registry
from sim2real_bench.agents.agent import Action
from sim2real_bench.agents.alone import agent_maker
from sim2real_bench.agents.controllers import controllers_named
from sim2real_bench.distill.method import method_named
from sim2real_bench.envs import ENVS
from sim2real_bench.envs.observation import SPEED, Observation
from sim2real_bench.errors import Sim2RealError
from sim2real_bench.evaluation.benchmarks import Benchmark, benchmark_named
from sim2real_bench.evaluation.driving import drive_episode
from sim2real_bench.evaluation.plan import Episode, EvaluationPlan, Limits, MethodRow, make_plan, resolve_configuration
from sim2real_bench.evaluation.records import EpisodeResult, Outcome

DRIVEN_INFO = ("ego_pose", "speed_mps", "off_road", "collision_impulse_ns", "collided_with")
"""Keys of ``info`` that the closed loop reads after every reset and step."""
TICKS = 30


class _Constant:
    """Answers the same action for ever."""

    observations: tuple[str, ...] = (SPEED,)

    def __init__(self, steer: float, pedal: float) -> None:
        self._action = np.array([steer, pedal], np.float32)

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation) -> Action:
        """The action."""
        return self._action


class BenchmarkContract:
    """Inherit and set ``benchmark``; pytest then runs the tests below on its target simulator.

    Attributes:
        benchmark: the registered name, with its version.
        backend: of the target; None = the benchmark's first.
        options: further keyword arguments of the environment, for example host and port.
    """

    benchmark: str = ""
    backend: str | None = None
    options: dict[str, Any] = {}  # noqa: RUF012  (a test class is not shared)

    def test_its_name_is_source_target_and_version(self) -> None:
        """``evaluate --source A --target B`` looks for ``A-B``; a change of meaning is a new version."""
        entry = self.entry()
        expected = rf"{re.escape(entry.source)}-{re.escape(entry.target)}(-[a-z0-9-]+)?-v[0-9]+"
        assert re.fullmatch(expected, entry.name), f"call it {entry.source}-{entry.target}-v1, not {entry.name}"

    def test_its_target_can_be_asked_for_starts(self) -> None:
        """The environment says its version and how many spawn points the test town has."""
        with self.opened() as env:
            assert str(env.backend_version), "backend_version is empty; records name it"
            count = env.spawn_count(self.town())
        assert isinstance(count, int) and count > 0, f"spawn_count({self.town()!r}) is {count!r}; must be positive"

    def test_it_can_be_planned(self) -> None:
        """A configuration can be resolved, and starts drawn for each of its controllers."""
        plan = self.plan()
        assert {episode.controller for episode in plan.episodes} == set(self.entry().controllers)

    def test_an_episode_can_be_driven(self) -> None:
        """The loop finds in ``info`` what it reads, and the vehicle moves when the throttle is pressed."""
        with self.opened() as env:
            start = self.plan().episodes[0]
            options = {"spawn_index": start.spawn_index, "weather": start.weather, "town": start.town}
            _, info = env.reset(seed=start.seed, options=options)
            lacking = [key for key in DRIVEN_INFO if key not in info]
            assert not lacking, f"info of reset lacks {lacking}"
            *_, info = env.step(np.array([0.0, 1.0], np.float32))
            lacking = [key for key in DRIVEN_INFO if key not in info]
            assert not lacking, f"info of step lacks {lacking}"
            driven = self.drive(env, start, pedal=1.0)
        assert driven.outcome in set(Outcome) - {Outcome.AGENT_ERROR, Outcome.INFRASTRUCTURE_FAILURE}
        assert driven.distance_m > 0.5, f"full throttle for {driven.sim_time_s} s moved it {driven.distance_m} m"

    def test_a_braked_vehicle_stands(self) -> None:
        """Nothing moves or hits the vehicle while it is braked: the loop starts every episode so."""
        with self.opened() as env:
            standing = self.drive(env, self.plan().episodes[0], pedal=-1.0)
        assert standing.outcome is Outcome.HORIZON, f"a braked vehicle ended with {standing.outcome}"
        assert standing.distance_m < 0.5, f"a braked vehicle drove {standing.distance_m} m"

    def test_an_episode_repeats(self) -> None:
        """The same start gives the same drive, in another environment, too: rows are compared episode by episode."""
        start = self.plan().episodes[0]
        results = []
        for _ in range(2):
            with self.opened() as env:
                results.append(self.drive(env, start, pedal=0.7, steer=0.1))
        first, second = (result.model_dump(exclude={"wall_time_s"}) for result in results)
        assert first == second

    def test_it_has_every_weather(self) -> None:
        """Each weather of the benchmark can be asked for."""
        with self.opened() as env:
            for weather in self.entry().weathers:
                env.reset(seed=0, options={"spawn_index": 0, "weather": weather, "town": self.town()})

    def test_it_refuses_what_it_does_not_have(self) -> None:
        """An unknown weather or spawn point is an error of this package's kind, not a quiet replacement."""
        good: dict[str, Any] = {"spawn_index": 0, "weather": self.entry().weathers[0], "town": self.town()}
        with self.opened() as env:
            for wrong in ({"weather": "plague of frogs"}, {"spawn_index": 10**6}):
                try:
                    env.reset(seed=0, options=good | wrong)
                except Sim2RealError:
                    continue
                raise AssertionError(f"reset accepted {wrong}; raise ConfigurationError")

    def entry(self) -> Benchmark:
        """The benchmark."""
        return benchmark_named(self.benchmark)

    def town(self) -> str:
        """Where its episodes take place."""
        entry = self.entry()
        return entry.town_for(self.backend or next(iter(entry.towns)))

    def plan(self) -> EvaluationPlan:
        """Episodes of a tiny plan."""
        configuration = resolve_configuration(
            self.entry(),
            backend=self.backend or next(iter(self.entry().towns)),
            preset="quick",
            episodes_per_controller=2,
            horizon_ticks=TICKS,
            rows=(MethodRow(method="reference"),),
            agents="",
        )
        with self.opened() as env:
            return make_plan(configuration, env.spawn_count(configuration.town))

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """The target environment, made as ``evaluate`` makes it."""
        entry = self.entry()
        module, _, attribute = entry.environment_path.partition(":")
        backend = self.backend or next(iter(entry.towns))
        make = getattr(import_module(module), attribute)
        env = make(observations=(SPEED,), **{"backend": backend, "town": self.town()} | self.options)
        try:
            yield env
        finally:
            env.close()

    def drive(self, env: Any, start: Episode, pedal: float, steer: float = 0.0) -> EpisodeResult:
        """A short episode with one action."""
        return drive_episode(env, _Constant(steer, pedal), start, Limits(horizon_ticks=TICKS))


class PlugInContract:
    """Inherit and set ``distribution``; pytest then runs the tests below on the installed package.

    Attributes:
        distribution: the package's name, as pip calls it.
    """

    distribution: str = ""

    def test_it_is_installed_and_offers_something(self) -> None:
        """Entry points are read from the installed package: after a change of them, install it again."""
        groups = ", ".join(registry.GROUPS)
        assert self.offered(), f"no entry point of {self.distribution!r} in the groups {groups} is installed"

    def test_its_groups_exist(self) -> None:
        """A misspelt group would never be looked at."""
        wrong = sorted({group for group, _ in self.offered()} - set(registry.GROUPS))
        assert not wrong, f"{wrong}: the groups are {', '.join(registry.GROUPS)}"

    def test_every_name_is_what_its_group_says(self) -> None:
        """Each entry point loads, is of its kind, and is nobody else's name."""
        for group, name in self.offered():
            _LOADERS[group](name)

    def test_every_name_is_explained(self) -> None:
        """``sim2real-bench list`` shows a line for each name."""
        for row in (row for kind in self.listing().values() for row in kind if self.is_ours(row)):
            assert row["what"], f"{row['name']} has no summary: give it a docstring, or summary='...'"

    def test_it_is_listed_in_a_fresh_process(self) -> None:
        """Another process finds every name by itself, as workers do."""
        listed = {row["name"] for kind in self.listing().values() for row in kind if self.is_ours(row)}
        assert listed == {name for _, name in self.offered()}

    def test_listing_it_imports_no_torch(self) -> None:
        """What is slow to import is imported in functions: ``list`` and ``--help`` stay quick."""
        program = (
            "import sys; from typer.testing import CliRunner; from sim2real_bench.cli import build_app; "
            "CliRunner().invoke(build_app(), ['list']); print('torch' in sys.modules)"
        )
        assert _output(program).strip() == "False", "listing it imports torch; move that import into a function"

    def offered(self) -> list[tuple[str, str]]:
        """(group, name) of every entry point of the package in a group of ours."""
        wanted = _normalised(self.distribution)
        found = registry.installed_entry_points()
        return [(e.group, e.name) for e in found if e.dist is not None and _normalised(e.dist.name) == wanted]

    def is_ours(self, row: dict[str, str]) -> bool:
        """Whether a listed name comes from this package."""
        return _normalised(row.get("from", "").partition(" ")[0]) == _normalised(self.distribution)

    def listing(self) -> dict[str, list[dict[str, str]]]:
        """What ``sim2real-bench list --json`` prints."""
        program = "import sys; sys.argv[1:] = ['list', '--json']; from sim2real_bench.cli import main; main()"
        listing: dict[str, list[dict[str, str]]] = json.loads(_output(program))
        return listing


def _loaded_simulator(name: str) -> None:
    assert callable(ENVS.load(name)), f"simulator {name!r} is not a class or function"


_LOADERS: dict[str, Callable[[str], object]] = {
    registry.SIMULATORS: _loaded_simulator,
    registry.BENCHMARKS: benchmark_named,
    registry.METHODS: method_named,
    registry.AGENTS: agent_maker,
    registry.CONTROLLERS: controllers_named,
}


def _normalised(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _output(program: str) -> str:
    """What a program prints in a fresh interpreter that sees the same packages."""
    path = f"import sys; sys.path[:] = {sys.path!r}; "
    result = subprocess.run([sys.executable, "-c", path + program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout
