"""How well agents drive whole laps: the PPO driver beside a hand-written track follower and random actions."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sim2real_bench.agents.agent import Action, Agent
from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.kart_drives import KartDrive, drive_kart
from sim2real_bench.agents.ppo.policy import PpoAgent
from sim2real_bench.agents.reference import ReferenceAgent
from sim2real_bench.envs.observation import MAP_VIEW, SPEED, WAYPOINTS, Observation
from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv
from sim2real_bench.envs.supertuxkart.tracks import HELD_OUT_TRACKS, TRAIN_TRACKS, Track
from sim2real_bench.errors import DataError

DEFAULT_DURATION_S = 240.0  # at 12 m/s the longest track takes 180 s
SPLITS = (("train", TRAIN_TRACKS), ("held-out", HELD_OUT_TRACKS))
PPO, FOLLOWER, RANDOM = "ppo", "track-follower", "random"


@dataclass(frozen=True)
class TrackScore:
    """One agent's lap of one track from the starting grid.

    Attributes:
        agent: its name.
        split: ``train`` or ``held-out``.
        drive: how it went.
    """

    agent: str
    split: str
    drive: KartDrive

    @property
    def track_name(self) -> str:
        """The track and its direction."""
        return self.drive.track + (" (reverse)" if self.drive.reverse else "")

    def facts(self) -> dict[str, Any]:
        """All numbers by name, rounded."""
        drive = asdict(self.drive) | {"finished": self.drive.finished, "lap_time_s": self.drive.lap_time_s}
        named = {"agent": self.agent, "split": self.split} | drive
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in named.items()}


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
    """The PPO driver, a follower of the drive line at the driver's speed cap, and random actions."""
    return {
        PPO: driver,
        FOLLOWER: ReferenceAgent(2, target_speed_mps=driver.speed_cap_mps),
        RANDOM: RandomAgent(),
    }


def score_tracks(
    agents: dict[str, Agent],
    *,
    duration_s: float = DEFAULT_DURATION_S,
    seed: int = 0,
    splits: Sequence[tuple[str, Sequence[Track]]] = SPLITS,
    report: Callable[[TrackScore], None] = lambda score: None,
) -> list[TrackScore]:
    """Drive a lap of every track with every agent.

    Args:
        agents: by name.
        duration_s: simulated time per lap at most.
        seed: of the agents and the races.
        splits: name and tracks of each split.
        report: called after every drive.

    Raises:
        SimulatorError: the engine failed.
    """
    scores: list[TrackScore] = []
    with SuperTuxKartEnv(observations=(MAP_VIEW, SPEED, WAYPOINTS), random_start=False) as env:
        for split, track in _pairs(splits):
            for name, agent in agents.items():
                drive = drive_kart(env, agent, track, duration_s=duration_s, seed=seed, one_lap=True)
                scores.append(TrackScore(name, split, drive))
                report(scores[-1])
    return scores


def _pairs(splits: Sequence[tuple[str, Sequence[Track]]]) -> Iterator[tuple[str, Track]]:
    for split, tracks in splits:
        for track in tracks:
            yield split, track


def split_summaries(scores: Sequence[TrackScore]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Per split and agent: tracks, laps finished, their mean time, and means over all tracks."""
    result: dict[str, dict[str, dict[str, float | None]]] = {}
    for split, agent in dict.fromkeys((score.split, score.agent) for score in scores):
        drives = [score.drive for score in scores if (score.split, score.agent) == (split, agent)]
        result.setdefault(split, {})[agent] = _summary(drives)
    return result


def _summary(drives: Sequence[KartDrive]) -> dict[str, float | None]:
    times = [drive.driven_s for drive in drives if drive.finished]
    names = ("progress_m", "track_share", "off_road", "off_centre_m", "steer_change", "rescues")
    means = {name: round(float(np.mean([getattr(drive, name) for drive in drives])), 4) for name in names}
    return {
        "tracks": len(drives),
        "finished": len(times),
        "lap_time_s": round(float(np.mean(times)), 4) if times else None,
        **means,
    }


def by_track(scores: Sequence[TrackScore]) -> dict[tuple[str, str], dict[str, KartDrive]]:
    """(split, track) -> agent -> drive, in the order driven."""
    table: dict[tuple[str, str], dict[str, KartDrive]] = {}
    for score in scores:
        table.setdefault((score.split, score.track_name), {})[score.agent] = score.drive
    return table


def drive_cell(drive: KartDrive) -> str:
    """A drive in a few characters: the lap's time, or how far it came and what ended it."""
    rescued = f", {drive.rescues} rescued" if drive.rescues else ""
    return f"{drive.driven_s:.1f} s{rescued}" if drive.finished else f"{drive.track_share:.0%} {drive.ended}{rescued}"


def to_markdown(scores: Sequence[TrackScore]) -> str:
    """The table per track, with the laps finished per split."""
    agents = list(dict.fromkeys(score.agent for score in scores))
    lines = [f"| split | track | {' | '.join(agents)} |", "|---|---|" + "---:|" * len(agents)]
    for (split, track), drives in by_track(scores).items():
        lines.append(f"| {split} | {track} | {' | '.join(drive_cell(drives[agent]) for agent in agents)} |")
    for split, summaries in split_summaries(scores).items():
        cells = [f"{summaries[agent]['finished']} of {summaries[agent]['tracks']} laps" for agent in agents]
        lines.append(f"| **{split}** | **finished** | {' | '.join(f'**{cell}**' for cell in cells)} |")
    return "\n".join(lines) + "\n"


def to_csv(scores: Sequence[TrackScore]) -> str:
    """One line a drive."""
    text = io.StringIO()
    rows = [score.facts() for score in scores]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_scores(path: Path, scores: Sequence[TrackScore], facts: Mapping[str, Any]) -> None:
    """Write ``path`` (CSV) and the same with summaries as JSON, Markdown and PNG beside it.

    Args:
        path: ends in ``.csv``.
        scores: at least one.
        facts: what else the JSON tells, such as the checkpoint's hash.

    Raises:
        DataError: the folder cannot be written.
    """
    from sim2real_bench.agents.ppo.score_chart import score_chart

    document = dict(facts) | {"splits": split_summaries(scores), "drives": [score.facts() for score in scores]}
    files = {
        ".csv": to_csv(scores).encode(),
        ".json": (json.dumps(document, indent=2) + "\n").encode(),
        ".md": to_markdown(scores).encode(),
        ".png": score_chart(scores),
    }
    try:
        for suffix, content in files.items():
            write_atomically(path.with_suffix(suffix), content)
    except OSError as error:
        raise DataError(f"cannot write the scores {path}: {error}; choose another --out") from error
