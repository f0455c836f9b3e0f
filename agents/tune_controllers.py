"""Tune the benchmark's five controllers on the reference planner, by driving.

``python -m sim2real_bench.agents.tune_controllers`` drives the training town without rendering and writes
``agents/controllers_v1.json``; ``--plant practice`` uses the bicycle model of ``practice`` and needs no simulator.
"""

import argparse
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.agent import Action
from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.path_following import TARGET_SPEED_MPS, TICK_S
from sim2real_bench.agents.pid import CONTROLLERS_FILE, ControllerSet, ControllerSettings, PidGains
from sim2real_bench.agents.reference import ReferenceAgent
from sim2real_bench.envs.observation import SPEED, WAYPOINTS, Observation

_LOG = logging.getLogger(__name__)
Float = npt.NDArray[np.float64]

LOOK_AHEADS_M = (5.0, 6.0, 7.0, 8.0, 9.0)
WINDOWS = (10, 20, 40, 80, 30)
PLANTS = ("carla", "practice")
SETTLING_M = 10.0  # the first metres, before the path ahead of the start is known, do not count


@dataclass(frozen=True)
class TuningSettings:
    """How hard to search.

    Attributes:
        candidates: random gain sets per controller.
        finalists: of these, driven longer.
        short: episodes and ticks of the first round.
        long: episodes and ticks of the second round.
        noise_m: standard deviation of the noise on each waypoint, so that the gains also suit a learnt policy.
        seed: of candidates, episodes and noise.
    """

    candidates: int = 16
    finalists: int = 4
    short: tuple[int, int] = (2, 250)
    long: tuple[int, int] = (6, 500)
    noise_m: float = 0.15
    seed: int = 0


@dataclass(frozen=True)
class Drive:
    """One episode as driven.

    Attributes:
        path: (T, 2) world positions of the nearest waypoint at each tick: the reference path.
        positions: (T, 2) world positions of the vehicle.
        steering: (T,) commands.
        speeds: (T,) m/s.
        share: of the planned ticks that were driven.
    """

    path: Float
    positions: Float
    steering: Float
    speeds: Float
    share: float


class _NoisyReference:
    """The reference agent on waypoints with independent noise, like a network's."""

    observations: tuple[str, ...] = ReferenceAgent.observations

    def __init__(self, settings: ControllerSettings, noise_m: float) -> None:
        self._agent = ReferenceAgent(settings)
        self._noise_m = noise_m
        self._rng = np.random.default_rng(0)

    def reset(self, seed: int) -> None:
        self._agent.reset(seed)
        self._rng = np.random.default_rng(seed)

    def act(self, observation: Observation) -> Action:
        waypoints = observation[WAYPOINTS]
        noisy = waypoints + self._rng.normal(0.0, self._noise_m, waypoints.shape)
        return self._agent.act({**observation, WAYPOINTS: noisy})


def distances_to_path(points: Float, path: Float) -> Float:
    """(N,) distances of (N, 2) points to the polyline through (M, 2) points."""
    start, along = path[:-1], np.diff(path, axis=0)
    squared = np.maximum((along**2).sum(axis=1), 1e-9)
    delta = points[:, None] - start[None]
    share = np.clip((delta * along).sum(axis=2) / squared, 0.0, 1.0)
    nearest = np.linalg.norm(delta - share[..., None] * along, axis=2).min(axis=1)
    return np.asarray(nearest, np.float64)


def drive(env: Any, settings: ControllerSettings, seed: int, ticks: int, noise_m: float) -> Drive:
    """Drive one episode of an environment that observes ``waypoints`` and ``speed``."""
    agent = _NoisyReference(settings, noise_m)
    observation, info = env.reset(seed=seed)
    agent.reset(seed)
    path: list[Float] = []
    positions: list[Float] = []
    steering: list[float] = []
    speeds: list[float] = []
    terminated = truncated = False
    while len(steering) < ticks and not (terminated or truncated):
        pose = info["ego_pose"]
        ahead = np.array([*observation[WAYPOINTS][0], 0.0, 1.0])
        path.append((pose @ ahead)[:2])
        positions.append(pose[:2, 3].copy())
        action = agent.act(observation)
        steering.append(float(action[0]))
        speeds.append(float(info["speed_mps"]))
        observation, _, terminated, truncated, info = env.step(action)
    share = len(steering) / ticks if terminated else 1.0
    return Drive(np.array(path), np.array(positions), np.array(steering), np.array(speeds), share)


def drive_scores(result: Drive) -> dict[str, float]:
    """Deviation (root mean square, metres), steering change per tick, speed error (m/s), and share driven."""
    driven = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(result.positions, axis=0), axis=1))])
    settled = driven > SETTLING_M
    if settled.sum() < 10:
        return {"deviation_m": 5.0, "steer_change": 1.0, "speed_error_mps": TARGET_SPEED_MPS, "share_driven": 0.0}
    deviation = distances_to_path(result.positions[settled], result.path)
    return {
        "deviation_m": float(np.sqrt((deviation**2).mean())),
        "steer_change": float(np.sqrt((np.diff(result.steering) ** 2).mean())),
        "speed_error_mps": float(np.abs(result.speeds[settled] - TARGET_SPEED_MPS).mean()),
        "share_driven": result.share,
    }


def cost(scores: dict[str, float]) -> float:
    """Lower is better: deviation, jerky steering, wrong speed, and above all an early end."""
    return (
        scores["deviation_m"]
        + 2.0 * scores["steer_change"]
        + 0.1 * scores["speed_error_mps"]
        + 5.0 * (1.0 - scores["share_driven"])
    )


def mean_scores(
    env: Any, settings: ControllerSettings, rounds: tuple[int, int], tuning: TuningSettings
) -> dict[str, float]:
    """Mean scores of a controller over the same episodes for everyone."""
    episodes, ticks = rounds
    every = [
        drive_scores(drive(env, settings, 1000 * tuning.seed + episode, ticks, tuning.noise_m))
        for episode in range(episodes)
    ]
    return {name: float(np.mean([scores[name] for scores in every])) for name in every[0]}


def candidate(index: int, rng: np.random.Generator) -> ControllerSettings:
    """Random gains for controller ``index``; its look-ahead and integral window are given."""

    def logarithmic(low: float, high: float) -> float:
        return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))), 3)

    return ControllerSettings(
        id=index,
        look_ahead_m=LOOK_AHEADS_M[index],
        steering=PidGains(
            kp=logarithmic(0.5, 3.0),
            ki=round(float(rng.uniform(0.0, 3.0)), 3),
            kd=round(float(rng.uniform(0.0, 0.12)), 4),
            window=WINDOWS[index],
        ),
        speed=PidGains(kp=logarithmic(0.4, 1.5), ki=logarithmic(2.0, 12.0), kd=0.0, window=5),
    )


def tune_one(env: Any, index: int, tuning: TuningSettings) -> ControllerSettings:
    """The best of many random gain sets for controller ``index``: all drive a little, the best drive more."""
    rng = np.random.default_rng([tuning.seed, index])
    field = [candidate(index, rng) for _ in range(tuning.candidates)]
    field.sort(key=lambda one: cost(mean_scores(env, one, tuning.short, tuning)))
    finals = [(one, mean_scores(env, one, tuning.long, tuning)) for one in field[: tuning.finalists]]
    best, scores = min(finals, key=lambda pair: cost(pair[1]))
    rounded = {name: round(value, 4) for name, value in scores.items()}
    _LOG.info("controller %d: %s -> %s", index, best.steering, rounded)
    return best.model_copy(update={"scores": rounded})


def tune(env: Any, tuning: TuningSettings, command: str, plant: str) -> ControllerSet:
    """All five controllers."""
    return ControllerSet(
        version=1,
        command=command,
        plant=plant,
        dt_s=TICK_S,
        target_speed_mps=round(TARGET_SPEED_MPS, 4),
        controllers=tuple(tune_one(env, index, tuning) for index in range(len(LOOK_AHEADS_M))),
    )


def _carla() -> Any:
    from sim2real_bench.envs.carla.environment import CarlaDriveEnv

    return CarlaDriveEnv(town="MiniTown01", observations=(WAYPOINTS, SPEED), weather="noon")


def _practice() -> Any:
    from sim2real_bench.agents.practice import PracticeEnv

    return PracticeEnv()


_MAKERS: dict[str, tuple[Callable[[], Any], str]] = {
    "carla": (_carla, "CARLA embedded server, MiniTown01"),
    "practice": (_practice, "bicycle model on random roads"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sim2real_bench.agents.tune_controllers", description=__doc__)
    parser.add_argument("--plant", choices=PLANTS, default="carla", help="what is driven (default: carla)")
    parser.add_argument("--seed", type=int, default=0, help="of candidates, episodes and noise (default: 0)")
    parser.add_argument("--candidates", type=int, default=16, help="random gain sets per controller (default: 16)")
    parser.add_argument("--out", type=Path, default=CONTROLLERS_FILE, help="file to write (default: the package's own)")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    command = f"{parser.prog} --plant {chosen.plant} --seed {chosen.seed} --candidates {chosen.candidates}"
    maker, plant = _MAKERS[chosen.plant]
    with closing(maker()) as env:
        result = tune(env, TuningSettings(candidates=chosen.candidates, seed=chosen.seed), command, plant)
    write_atomically(chosen.out, (result.model_dump_json(indent=2) + "\n").encode())
    _LOG.info("wrote %s", chosen.out)


if __name__ == "__main__":
    main()
