"""Verb ``source-score``: how far source policies drive where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer

from sim2real_bench.errors import DataError

if TYPE_CHECKING:
    from sim2real_bench.agents.source_scores import SourceDrive, SourceScore

DEFAULT_NAMES = ("track-follower", "stk-proxy-map", "stk-proxy-camera", "stk-direct")
TABLE_FILE = "source_scores.md"


def command(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(
            help="Weights files or shipped names of f^S and f^P, or track-follower (hand-written, the yardstick); "
            f"default: {' '.join(DEFAULT_NAMES)}."
        ),
    ] = None,
    starts: Annotated[
        int,
        typer.Option(min=1, help="Drives per split, from random places; tracks and controllers take turns."),
    ] = 25,
    splits: Annotated[str, typer.Option(help="held-out, train, or both with a comma.")] = "held-out,train",
    seconds: Annotated[float, typer.Option(min=1.0, help="Longest drive, simulated seconds.")] = 240.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the starts, the same for every policy.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for NAME.source.json of each and source_scores.md.")] = Path(
        "runs/source-scores"
    ),
) -> None:
    """Drive waypoint policies closed loop in SuperTuxKart at 20 km/h, on tracks they were trained on and held-out ones.

    The distance in the target over the distance here is the fraction a transfer retains. A drive ends off the track
    (5 s), stuck (10 s), the wrong way (10 m), or when the time is over. Run again, it goes on where it stopped.
    """
    _use_one_thread()
    from sim2real_bench.cli.progress import progress_display
    from sim2real_bench.distill.source_drives import SourceScorer, SourceScoreSettings

    settings = SourceScoreSettings(starts, tuple(part.strip() for part in splits.split(",")), seconds, seed)
    scorers = [SourceScorer(_weights(name), settings, out) for name in checkpoints or DEFAULT_NAMES]
    total = len(scorers) * len(settings.splits) * starts
    done = total - sum(len(scorer.remaining) for scorer in scorers)
    with progress_display("driving", total, "drives", done) as update:
        for scorer in scorers:

            def report(drive: SourceDrive, name: str = scorer.score.name) -> None:
                nonlocal done
                done += 1
                update(done, f"{name} on {drive.track}: {drive.progress_m:.0f} m, {drive.ended}")

            scorer.run(report)
    text = to_markdown([scorer.score for scorer in scorers])
    try:
        (out / TABLE_FILE).write_text(text)
    except OSError as error:
        raise DataError(f"cannot write {out / TABLE_FILE}: {error}; choose another --out") from error
    typer.echo(text)
    typer.echo(f"scores {', '.join(str(scorer.path) for scorer in scorers)}")


def _use_one_thread() -> None:
    """The networks are small: threads would only fight the engine for the cores."""
    import torch

    torch.set_num_threads(1)


def _weights(name: str) -> Path | None:
    from sim2real_bench.agents.cards import weights_path
    from sim2real_bench.agents.checkpoints import SHIPPED_NAMES, shipped_checkpoint
    from sim2real_bench.distill.source_drives import FOLLOWER

    if name == FOLLOWER:
        return None
    return shipped_checkpoint(name) if name in SHIPPED_NAMES else weights_path(Path(name))


def to_markdown(scores: Sequence[SourceScore]) -> str:
    """One line per policy and split: distance with its interval, drives without a failure, laps, road, centre."""
    lines = [
        "| policy | sees | tracks | drives | metres | 95 % interval | no failure | laps | off road | off centre m |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for score in scores:
        lines += [_line(score, split) for split in score.splits if score.of(split)]
    return "\n".join(lines) + "\n"


def _line(score: SourceScore, split: str) -> str:
    from sim2real_bench.agents.kart_drives import TIME
    from sim2real_bench.evaluation.statistics import bootstrap_interval

    drives = score.of(split)
    distances = [drive.progress_m for drive in drives]
    interval = bootstrap_interval(distances, [0] * len(drives))
    ticks = sum(drive.driven_s for drive in drives)

    def mean(name: str) -> float:
        return sum(float(getattr(drive, name)) * drive.driven_s for drive in drives) / ticks

    cells = (
        score.name,
        score.observation,
        split,
        f"{len(drives)}",
        f"{fmean(distances):.0f}",
        "–" if interval is None else f"{interval[0]:.0f} to {interval[1]:.0f}",
        f"{fmean(drive.ended == TIME for drive in drives):.0%}",
        f"{fmean(drive.track_share for drive in drives):.2f}",
        f"{mean('off_road'):.1%}",
        f"{mean('off_centre_m'):.2f}",
    )
    return f"| {' | '.join(cells)} |"
