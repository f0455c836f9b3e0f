"""The closed loop of one driving episode: what ends it, and how far the vehicle came.

The environment's reset lets the vehicle settle on its wheels; then it stands braked for ``warm_up_ticks`` more. Should
something hit it meanwhile, the reset is repeated at the same start with a seed derived from the episode's (the same for
every method), at most ``warm_up_resets`` times; after that the attempt is an infrastructure failure.

Then, after every tick, in this order:

* ``collision``: a normal impulse above the threshold. The distance stays as driven.
* ``off_road``: off the road for 30 s without a break. The distance counts up to leaving the road.
* ``stuck``: for 60 s within 0.5 m of one point. The distance counts up to leaving the road if the vehicle is off it.
* ``horizon``: the longest duration.

An exception in the agent, or an answer that is not an action, ends the episode as ``agent_error`` with the distance so
far. Errors of the simulator leave this module as they are: they are not results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.agent import Action, Agent
from sim2real_bench.envs.observation import Observation
from sim2real_bench.errors import AgentError, SimulatorError
from sim2real_bench.evaluation.plan import Episode, Limits
from sim2real_bench.evaluation.records import EpisodeResult, Outcome
from sim2real_bench.evaluation.sanity import SimulatorCheck

Info = Mapping[str, Any]
TRAJECTORY_TICKS = 10  # between two points of the recorded trajectory: one second
_BRAKE = np.array([0.0, -1.0], np.float32)


class DrivingEnvironment(Protocol):
    """What the loop asks of an environment: Gymnasium's methods, and the ``info`` of a driving environment."""

    def reset(self, *, seed: int, options: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """Start over at a spawn point."""

    def step(self, action: npt.NDArray[np.float32]) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        """Drive one tick."""

    def close(self) -> None:
        """Give everything back."""


class Phase(IntEnum):
    """Who is at work: the one to blame when nothing happens any more."""

    SIMULATOR = 0
    AGENT = 1


Watch = Callable[[Phase, "Drive"], None]
Show = Callable[[Observation, Info, Action], None]
"""Is shown what the agent saw, the ``info`` that came with it, and what it answered; once per tick."""


def _unseen(observation: Observation, info: Info, action: Action) -> None:
    """Nobody films."""


def _unwatched(phase: Phase, drive: Drive) -> None:
    """Nobody keeps a deadline."""


class Drive:
    """How far and how well the vehicle came so far; fed with ``info`` after every tick."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.ticks = 0
        self.driven_m = 0.0
        self.sampled_m = 0.0
        self.off_road_ticks = 0
        self._off_road_since = -1  # tick of the last contact with the road, while off it
        self._left_road = (0.0, 0.0)  # both odometers at that tick
        self._position = (0.0, 0.0)
        self._sample = (0.0, 0.0)
        self._anchor = (0.0, 0.0)
        self._anchor_tick = 0
        self._trajectory: list[tuple[float, float]] = []

    def start(self, info: Info) -> None:
        """Set the odometers to zero where the vehicle stands."""
        self._position = self._sample = self._anchor = _position(info)
        self._trajectory = [_rounded(self._position)]
        if info["off_road"]:
            self._off_road_since = 0

    def add(self, info: Info) -> None:
        """Count one tick."""
        before = (self.driven_m, self.sampled_m)
        position = _position(info)
        self.ticks += 1
        self.driven_m += math.dist(position, self._position)
        self._position = position
        if self.ticks % self.limits.odometer_ticks == 0:
            self.sampled_m += math.dist(position, self._sample)
            self._sample = position
        if self.ticks % TRAJECTORY_TICKS == 0:
            self._trajectory.append(_rounded(position))
        if math.dist(position, self._anchor) > self.limits.stuck_radius_m:
            self._anchor, self._anchor_tick = position, self.ticks
        if info["off_road"]:
            self.off_road_ticks += 1
            if self._off_road_since < 0:
                self._off_road_since, self._left_road = self.ticks - 1, before
        else:
            self._off_road_since = -1

    def ended(self, info: Info) -> Outcome | None:
        """The outcome, if the episode is over after this tick."""
        if float(info["collision_impulse_ns"]) > self.limits.collision_impulse_ns:
            return Outcome.COLLISION
        if self._off_road_since >= 0 and self.ticks - self._off_road_since >= self.limits.off_road_ticks:
            return Outcome.OFF_ROAD
        if self.ticks - self._anchor_tick >= self.limits.stuck_ticks:
            return Outcome.STUCK
        return Outcome.HORIZON if self.ticks >= self.limits.horizon_ticks else None

    def result(self, outcome: Outcome, *, info: Info | None = None, error: str = "", resets: int = 0) -> EpisodeResult:
        """The drive as a result (wall time and versions are the caller's to add)."""
        scored = (self.driven_m, self.sampled_m)
        if outcome in (Outcome.OFF_ROAD, Outcome.STUCK) and self._off_road_since >= 0:
            scored = self._left_road
        return EpisodeResult(
            outcome=outcome,
            distance_m=scored[0],
            distance_2s_m=scored[1],
            distance_driven_m=self.driven_m,
            off_road_share=self.off_road_ticks / self.ticks if self.ticks else 0.0,
            ticks=self.ticks,
            sim_time_s=self.ticks * self.limits.tick_s,
            collided_with=str(info.get("collided_with", "")) if info and outcome is Outcome.COLLISION else "",
            warm_up_resets=resets,
            trajectory=self._path(),
            error=error,
        )

    def _path(self) -> tuple[tuple[float, float], ...]:
        """The trajectory with the place where the drive ended."""
        at_point = self.ticks % TRAJECTORY_TICKS == 0
        return tuple(self._trajectory if at_point else [*self._trajectory, _rounded(self._position)])


def drive_episode(
    env: DrivingEnvironment,
    agent: Agent,
    episode: Episode,
    limits: Limits,
    watch: Watch = _unwatched,
    show: Show = _unseen,
) -> EpisodeResult:
    """Drive one episode to its end.

    Args:
        env: renders at least the agent's observations; the agent is given no others.
        agent: what drives.
        episode: where it starts.
        limits: when it ends.
        watch: told before each call of the agent or the simulator who is at work.
        show: shown every observation with the action that followed.

    Raises:
        SimulatorError: the simulator failed; nothing can be said about the agent.
    """
    drive = Drive(limits)
    watch(Phase.SIMULATOR, drive)
    simulator = _Simulator(env, limits)
    observation, info, resets = _standing(simulator, episode, limits, lambda: watch(Phase.SIMULATOR, drive))
    drive.start(info)
    try:
        watch(Phase.AGENT, drive)
        _asked(lambda: agent.reset(episode.seed))
        while True:
            watch(Phase.AGENT, drive)
            action = _action(agent, observation)
            watch(Phase.SIMULATOR, drive)
            show(observation, info, action)
            observation, info = simulator.stepped(action)
            drive.add(info)
            outcome = drive.ended(info)
            if outcome is not None:
                return drive.result(outcome, info=info, resets=resets)
    except AgentError as error:
        return drive.result(Outcome.AGENT_ERROR, error=str(error), resets=resets)


class _Simulator:
    """An environment whose answers are checked before anybody believes them."""

    def __init__(self, env: DrivingEnvironment, limits: Limits) -> None:
        self._env, self._limits = env, limits
        self._check = SimulatorCheck(getattr(env, "observation_space", None))

    def reset(self, seed: int, options: dict[str, Any]) -> tuple[Observation, Info]:
        observation, info = self._env.reset(seed=seed, options=options)
        self._check.begin(observation, info)
        return observation, info

    def stepped(self, action: Action) -> tuple[Observation, Info]:
        observation, _, terminated, truncated, info = self._env.step(action)
        self._check.next(observation, info)
        collided = float(info["collision_impulse_ns"]) > self._limits.collision_impulse_ns
        if truncated or (terminated and not collided):
            raise SimulatorError(
                "the environment ended the episode by itself, without a collision; a plan ends episodes"
            )
        return observation, info


def _standing(
    simulator: _Simulator, episode: Episode, limits: Limits, alive: Callable[[], None]
) -> tuple[Observation, Info, int]:
    """Reset until nothing touches the standing vehicle; answers with the number of repeated resets."""
    options: dict[str, Any] = {
        "spawn_index": episode.spawn_index, "weather": episode.weather, "town": episode.town
    }  # fmt: skip
    if episode.traffic:
        options["traffic"] = episode.traffic
    for resets in range(limits.warm_up_resets + 1):
        alive()
        observation, info = simulator.reset(_reset_seed(episode.seed, resets), options)
        for _ in range(limits.warm_up_ticks):
            alive()
            observation, info = simulator.stepped(_BRAKE)
            if float(info["collision_impulse_ns"]) > limits.collision_impulse_ns:
                break
        else:
            return observation, info, resets
    raise SimulatorError(
        f"spawn point {episode.spawn_index} of {episode.town} (seed {episode.seed}): the standing vehicle was hit by "
        f"{info.get('collided_with') or 'something'} after each of {limits.warm_up_resets + 1} resets"
    )


def _reset_seed(seed: int, resets: int) -> int:
    """The episode's own seed first, then seeds derived from it alone, so that all methods meet the same start."""
    return seed if resets == 0 else int(np.random.default_rng([seed, resets]).integers(0, 2**31 - 1))


def _action(agent: Agent, observation: Observation) -> Action:
    """A checked action, clipped to [-1, 1]."""
    known = {key: value for key, value in observation.items() if key in agent.observations}
    return _asked(lambda: _checked(agent.act(known)))  # an answer may do anything while it is looked at


def _checked(answer: Any) -> Action:
    try:
        action = np.asarray(answer, np.float32)
    except Exception as error:  # such as torch's RuntimeError for a tensor that requires a gradient
        raise AgentError(f"the agent answered {answer!r}, which is not an action: {error}") from error
    if action.shape != (2,) or not np.isfinite(action).all():
        raise AgentError(f"the agent answered {action.tolist()} of shape {action.shape}; expected 2 finite numbers")
    return np.clip(action, -1.0, 1.0)


def _asked(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except AgentError:
        raise
    except (Exception, SystemExit) as error:  # whatever it is, it is the agent's failure and counts
        raise AgentError(f"{type(error).__name__}: {_text_of(error)}") from error


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # also this the agent may have written
        return "(its text cannot be made)"


def _rounded(position: tuple[float, float]) -> tuple[float, float]:
    return round(position[0], 2), round(position[1], 2)


def _position(info: Info) -> tuple[float, float]:
    pose = info["ego_pose"]
    return float(pose[0, 3]), float(pose[1, 3])
