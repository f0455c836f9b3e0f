"""How far agents drive on each track: the PPO driver beside a random and a track-following agent."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from sim2real_bench.agents.agent import Action, Agent
from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.ppo.policy import PpoAgent
from sim2real_bench.agents.reference import ReferenceAgent
from sim2real_bench.envs.observation import MAP_VIEW, SPEED, WAYPOINTS, Observation
from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv
from sim2real_bench.envs.supertuxkart.tracks import HELD_OUT_TRACKS, TRAIN_TRACKS, Track
from sim2real_bench.errors import DataError

STEP_S = 0.1
DEFAULT_DURATION_S = 60.0
SPLITS = (("train", TRAIN_TRACKS), ("held-out", HELD_OUT_TRACKS))


@dataclass(frozen=True)
class TrackScore:
    """One agent on one track, from the starting grid.

    Attributes:
        agent: its name.
        split: ``train`` or ``held-out``.
        track: the engine's name.
        reverse: driven against the usual direction.
        progress_m: along the drive line until the time was over or the episode ended.
        track_share: of the track's length.
        driven_s: simulated time until then.
        off_road: share of the steps outside the road.
        off_centre_m: mean distance from the drive line.
        steer_change: mean change of the steering command per step.
        failed: whether the kart was off the track for 5 s or stuck for 10 s.
    """

    agent: str
    split: str
    track: str
    reverse: bool
    progress_m: float
    track_share: float
    driven_s: float
    off_road: float
    off_centre_m: float
    steer_change: float
    failed: bool


class RandomAgent:
    """Uniformly random actions."""

    observations: tuple[str, ...] = (SPEED,)

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def reset(self, seed: int) -> None:
        """Start the random sequence of ``seed``."""
        self._rng = np.random.default_rng(seed)

    def act(self, observation: Observation) -> Action:
        """(2,) float32, uniform in [-1, 1]."""
        return self._rng.uniform(-1.0, 1.0, 2).astype(np.float32)


def compared_agents(driver: PpoAgent) -> dict[str, Agent]:
    """The PPO driver, random actions, and a follower of the drive line at the driver's speed cap."""
    return {
        "ppo": driver,
        "random": RandomAgent(),
        "track-follower": ReferenceAgent(2, target_speed_mps=driver.speed_cap_mps),
    }


def drive_track(
    env: SuperTuxKartEnv, name: str, agent: Agent, split: str, track: Track, duration_s: float, seed: int
) -> TrackScore:
    """Drive one track once.

    Args:
        env: observes what the agent reads; starts on the grid.
        name: the agent's, for the score.
        agent: drives.
        split: for the score.
        track: where.
        duration_s: simulated time at most.
        seed: of the agent and the race.

    Raises:
        SimulatorError: the engine failed.
    """
    observation, info = env.reset(seed=seed, options={"track": track.name, "reverse": track.reverse})
    agent.reset(seed)
    progress, off_road, off_centre, steering = 0.0, 0, 0.0, [0.0]
    steps, failed = 0, False
    while steps < round(duration_s / STEP_S) and not failed:
        action = agent.act(observation)
        observation, _, failed, _, info = env.step(action)
        steps += 1
        progress += info["progress_m"]
        off_road += info["off_road"]
        off_centre += abs(info["lateral_m"])
        steering.append(float(action[0]))
    return TrackScore(
        agent=name,
        split=split,
        track=track.name,
        reverse=track.reverse,
        progress_m=progress,
        track_share=progress / info["track_length_m"],
        driven_s=steps * STEP_S,
        off_road=off_road / steps,
        off_centre_m=off_centre / steps,
        steer_change=float(np.abs(np.diff(steering)).mean()),
        failed=failed,
    )


def score_tracks(
    agents: dict[str, Agent],
    *,
    duration_s: float = DEFAULT_DURATION_S,
    seed: int = 0,
    splits: Sequence[tuple[str, Sequence[Track]]] = SPLITS,
    report: Callable[[TrackScore], None] = lambda score: None,
) -> list[TrackScore]:
    """Drive every track with every agent.

    Args:
        agents: by name.
        duration_s: simulated time per track at most.
        seed: of the agents and the races.
        splits: name and tracks of each split.
        report: called after every drive.

    Raises:
        SimulatorError: the engine failed.
    """
    scores: list[TrackScore] = []
    with SuperTuxKartEnv(
        observations=(MAP_VIEW, SPEED, WAYPOINTS), random_start=False, max_steps=round(duration_s / STEP_S) + 1
    ) as env:
        for split, track in _pairs(splits):
            for name, agent in agents.items():
                scores.append(drive_track(env, name, agent, split, track, duration_s, seed))
                report(scores[-1])
    return scores


def _pairs(splits: Sequence[tuple[str, Sequence[Track]]]) -> Iterator[tuple[str, Track]]:
    for split, tracks in splits:
        for track in tracks:
            yield split, track


def split_means(scores: Sequence[TrackScore]) -> dict[str, dict[str, dict[str, float]]]:
    """Means over the tracks: split -> agent -> number by name."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    names = ("progress_m", "track_share", "off_road", "off_centre_m", "steer_change", "failed")
    for split, agent in dict.fromkeys((score.split, score.agent) for score in scores):
        chosen = [asdict(score) for score in scores if (score.split, score.agent) == (split, agent)]
        means = {name: float(np.mean([one[name] for one in chosen])) for name in names}
        result.setdefault(split, {})[agent] = means
    return result


def write_scores(path: Path, scores: Sequence[TrackScore]) -> None:
    """Write ``path`` (CSV, one row per drive) and the means per split as JSON beside it.

    Raises:
        DataError: the folder cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(TrackScore)], lineterminator="\n")
    writer.writeheader()
    for score in scores:
        row = {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(score).items()}
        writer.writerow(row)
    try:
        write_atomically(path, text.getvalue().encode())
        means = json.dumps(split_means(scores), indent=2) + "\n"
        write_atomically(path.with_suffix(".json"), means.encode())
    except OSError as error:
        raise DataError(f"cannot write the scores {path}: {error}; choose another --out") from error
