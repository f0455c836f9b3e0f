"""What a driving worker keeps between episodes (one environment, the agents of one row), and the tasks it does."""

from __future__ import annotations

import contextlib
import importlib
import logging
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from sim2real_bench import __version__, registry
from sim2real_bench.agents.agent import Agent
from sim2real_bench.agents.controllers import STANDARD_CHOICE, ControllerChoice
from sim2real_bench.errors import ConfigurationError, Sim2RealError, SimulatorError
from sim2real_bench.evaluation.driving import Drive, Phase, Watch, drive_episode
from sim2real_bench.evaluation.execution.slots import Endpoint
from sim2real_bench.evaluation.execution.work import Heartbeat, LastSign
from sim2real_bench.evaluation.plan import Episode, Limits, MethodRow
from sim2real_bench.evaluation.records import EpisodeResult, Outcome

_LOG = logging.getLogger(__name__)
AGENTS = "sim2real_bench.distill.method:build_agent"


@dataclass(frozen=True)
class EnvironmentSpec:
    """Names what makes the target environment, so that any process can make it.

    Attributes:
        target: import path ``package.module:attribute`` of a callable; it gets ``observations=(...)`` and the options,
            and answers with a driving environment (see ``evaluation.driving``) that also has ``backend_version`` and
            ``spawn_count(town)``.
        options: keyword arguments, plain data.
    """

    target: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DrivingSetup:
    """What each worker process needs to know.

    Attributes:
        environment: of the target simulator.
        agents: import path of a callable ``(method, proxy, controller, checkpoint) -> Agent``; controller is an id,
            or an ``agents.controllers.WaypointController`` where another set than the benchmark's own drives.
        checkpoints: row label to weights, for rows that do not use the shipped ones.
        controllers: what follows the agents' waypoints.
    """

    environment: EnvironmentSpec
    agents: str = AGENTS
    checkpoints: dict[str, Path] = field(default_factory=dict)
    controllers: ControllerChoice = STANDARD_CHOICE

    @contextlib.contextmanager
    def open(self, heartbeat: Heartbeat) -> Iterator[DrivingContext]:
        """A context that closes its simulator."""
        context = DrivingContext(self, heartbeat)
        try:
            yield context
        finally:
            context.close_environment()


class DrivingContext:
    """One environment and the agents of one row; both are made when first needed."""

    def __init__(self, setup: DrivingSetup, heartbeat: Heartbeat) -> None:
        self._setup = setup
        self.heartbeat = heartbeat
        self._env: Any = None
        self._observations: tuple[str, ...] = ()
        self._endpoint: Endpoint | None = None
        self._agents: dict[int, Agent] = {}
        self._row = ""

    def attach(self, endpoint: Endpoint) -> None:
        """Use the simulator at this endpoint; another than before gets a new environment."""
        if endpoint != self._endpoint:
            self.close_environment()
            self._endpoint = endpoint

    def agent(self, row: MethodRow, controller: int) -> Agent:
        """The agent of a row; those of another row are let go."""
        if row.label != self._row:
            self._agents, self._row = {}, row.label
        if controller not in self._agents:
            build = _imported(self._setup.agents)
            checkpoint = self._setup.checkpoints.get(row.label)
            self._agents[controller] = build(
                row.method, row.proxy, self._setup.controllers.controller(controller), checkpoint
            )
        return self._agents[controller]

    def plug_ins(self, row: MethodRow) -> dict[str, str]:
        """Versions of the other packages a result of this row depends on."""
        setup = self._setup
        names = [(registry.METHODS, row.method), (registry.AGENTS, row.method)]
        names.append((registry.CONTROLLERS, setup.controllers.name))
        return registry.plug_in_versions((setup.environment.target, setup.agents), names)

    def environment(self, observations: tuple[str, ...]) -> Any:
        """The environment that renders exactly these; made anew only when they change."""
        if self._env is None or observations != self._observations:
            self.close_environment()
            spec = self._setup.environment
            options = spec.options | (self._endpoint.options() if self._endpoint is not None else {})
            with registry.blaming_plug_in(spec.target, "making the environment"):
                self._env = _imported(spec.target)(observations=observations, **options)
            self._observations = observations
        return self._env

    def spawn_count(self, observations: tuple[str, ...], town: str) -> int:
        """How many spawn points a town has."""
        with registry.blaming_plug_in(self._setup.environment.target, f"counting the spawn points of {town!r}"):
            return int(self.environment(observations).spawn_count(town))

    def close_environment(self) -> None:
        """Close the environment, whatever state it is in; the next episode gets a new one."""
        env, self._env = self._env, None
        if env is not None:
            try:
                env.close()
            except Exception as error:  # a broken simulator may fail in any way while it is taken down
                _LOG.warning("closing the environment failed: %s: %s", type(error).__name__, error)


@dataclass(frozen=True)
class SpawnCountTask:
    """Ask the simulator how many spawn points a town has."""

    town: str
    row: MethodRow
    controller: int

    def run(self, context: DrivingContext) -> int:
        """The number of spawn points."""
        observations = tuple(context.agent(self.row, self.controller).observations)
        try:
            return context.spawn_count(observations, self.town)
        except SimulatorError:
            context.close_environment()
            raise

    def failed(self, result: int) -> bool:
        """See ``Task``."""
        return False


@dataclass(frozen=True)
class DriveTask:
    """Drive one episode.

    Attributes:
        row: whose agent drives.
        episode: where it starts.
        limits: when it ends.
        film: where its video goes, or None.
    """

    row: MethodRow
    episode: Episode
    limits: Limits
    film: Path | None = None

    def run(self, context: DrivingContext) -> EpisodeResult:
        """The result; failures of the simulator are results with outcome ``infrastructure_failure``.

        Raises:
            Sim2RealError: something the user must mend (a missing library, a checkpoint that does not fit).
        """
        agent = context.agent(self.row, self.episode.controller)
        started = time.monotonic()
        versions = _versions() | context.plug_ins(self.row)
        try:
            env = context.environment(self._observations(agent))
            versions["simulator"] = str(env.backend_version)
            result = self._driven(env, agent, _watch(context.heartbeat))
        except Exception as error:  # not the agent's: repeated or, where the user must act, passed on
            context.close_environment()
            if isinstance(error, Sim2RealError) and not isinstance(error, SimulatorError):
                raise
            if not isinstance(error, SimulatorError):
                _LOG.exception("episode %d of %s: a defect in the environment", self.episode.index, self.row.label)
            result = infrastructure_failure(f"{type(error).__name__}: {error}")
        return result.model_copy(update={"wall_time_s": round(time.monotonic() - started, 3), "versions": versions})

    def _observations(self, agent: Agent) -> tuple[str, ...]:
        if self.film is None:
            return tuple(agent.observations)
        from sim2real_bench.evaluation.film.recorder import FILM_OBSERVATIONS

        # The film's first, whatever the agent: rows that are filmed share one environment.
        return tuple(dict.fromkeys((*FILM_OBSERVATIONS, *sorted(agent.observations))))

    def _driven(self, env: Any, agent: Agent, watch: Watch) -> EpisodeResult:
        if self.film is None:
            return drive_episode(env, agent, self.episode, self.limits, watch)
        from sim2real_bench.evaluation.film.recorder import Film

        with Film(self.film, self.row.label, self.episode, self.limits, agent) as film:
            result = drive_episode(env, agent, self.episode, self.limits, watch, film.show)
            film.end(result)
        return result

    def failed(self, result: EpisodeResult) -> bool:
        """See ``Task``."""
        return result.outcome is Outcome.INFRASTRUCTURE_FAILURE


def infrastructure_failure(error: str) -> EpisodeResult:
    """The result of an attempt that says nothing about the agent."""
    return EpisodeResult(outcome=Outcome.INFRASTRUCTURE_FAILURE, error=error)


def agent_failure(sign: LastSign, limits: Limits, error: str) -> EpisodeResult:
    """The result of an episode whose agent took its worker along, from the numbers of ``_watch``."""
    ticks, driven_m, sampled_m, off_road_ticks = sign.values
    return EpisodeResult(
        outcome=Outcome.AGENT_ERROR,
        distance_m=driven_m,
        distance_2s_m=sampled_m,
        distance_driven_m=driven_m,
        off_road_share=off_road_ticks / ticks if ticks else 0.0,
        ticks=int(ticks),
        sim_time_s=ticks * limits.tick_s,
        versions=_versions(),  # the simulator's was lost with the worker, as was the trajectory
        error=error,
    )


def _watch(heartbeat: Heartbeat) -> Watch:
    def watch(phase: Phase, drive: Drive) -> None:
        heartbeat.beat(phase, (drive.ticks, drive.driven_m, drive.sampled_m, drive.off_road_ticks))

    return watch


def _versions() -> dict[str, str]:
    found = {"sim2real-bench": __version__, "python": platform.python_version()}
    for library in ("carla", "numpy", "torch"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[library] = metadata.version(library)
    return found


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"cannot import {target!r}: {error}; expected 'package.module:attribute'") from error
