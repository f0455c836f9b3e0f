"""Verb ``train``: learn a source policy."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim2real_bench.errors import CheckpointError, ConfigurationError
from sim2real_bench.presets import preset_named

if TYPE_CHECKING:
    from sim2real_bench.agents.ppo.scores import TrackScore
    from sim2real_bench.agents.ppo.settings import PpoSettings

SOURCES = ("stk",)


def command(
    source: Annotated[str, typer.Option(help="Source simulator: stk (PPO in SuperTuxKart).")] = "stk",
    preset: Annotated[str, typer.Option(help="quick, standard or paper: steps and workers.")] = "quick",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Environment steps of 0.1 s, all karts together (default: the preset's).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Engine processes, about 100 MB each (default: the preset's).")
    ] = None,
    speed_cap: Annotated[float, typer.Option(min=1.0, help="No throttle above this speed, m/s.")] = 12.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all randomness.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for checkpoint, learning curve and scores (default: runs/train-stk).")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the state in --out where there is one.")] = True,
    tensorboard: Annotated[bool, typer.Option(help="Also write TensorBoard events below --out.")] = False,
    evaluate_only: Annotated[
        bool, typer.Option(help="Only score the checkpoint in --out (or the shipped one).")
    ] = False,
    score_seconds: Annotated[
        float, typer.Option(min=1.0, help="Simulated seconds per lap at most, when scoring.")
    ] = 240.0,
    show_config: Annotated[bool, typer.Option("--show-config", help="Print the resolved settings and stop.")] = False,
) -> None:
    """Train a source policy, then drive a lap of every training and held-out track with it.

    Writes into --out: stk-ppo.safetensors and its card, learning_curve.csv and .png, track_scores.csv, .json, .md and
    .png (beside a hand-written track follower and random actions), and the state an interrupted training goes on from.
    """
    if source not in SOURCES:
        raise ConfigurationError(f"unknown source {source!r}; choose one of {', '.join(SOURCES)}")
    chosen = preset_named(preset).train
    total, count = steps or chosen.total_steps, workers or chosen.workers
    folder = out or Path("runs") / f"train-{source}"
    settings = _settings(total, count, seed, speed_cap)
    if show_config:
        _show_config(settings, folder)
        return
    _use_one_thread()
    if not evaluate_only:
        line = (
            f"sim2real-bench train --source {source} --steps {total} --workers {count} "
            f"--speed-cap {speed_cap:g} --seed {seed}"
        )
        _train(settings, folder, line, resume, tensorboard)
    _score(folder, score_seconds, seed)


def _use_one_thread() -> None:
    """The network is small: threads would only fight the engines for the cores."""
    import torch

    torch.set_num_threads(1)


def _settings(total: int, workers: int, seed: int, speed_cap: float) -> "PpoSettings":
    from sim2real_bench.agents.ppo.settings import PpoSettings

    return PpoSettings(total_steps=total, workers=workers, seed=seed, speed_cap_mps=speed_cap)


def _show_config(settings: "PpoSettings", folder: Path) -> None:
    typer.echo(json.dumps(asdict(settings) | {"out": str(folder)}, indent=2))


def _train(settings: "PpoSettings", folder: Path, line: str, resume: bool, tensorboard: bool) -> None:
    from sim2real_bench.agents.ppo.learning_curve import CurveRow
    from sim2real_bench.agents.ppo.training import steps_done, train_ppo
    from sim2real_bench.cli.progress import progress_display

    done = steps_done(settings, folder) if resume else 0
    with progress_display("training", settings.total_steps, "steps", min(done, settings.total_steps)) as update:

        def report(row: CurveRow) -> None:
            note = f"{row.distance_m:.0f} m per episode, {row.failed:.0%} failed, reward {row.reward:.0f}"
            update(min(row.steps, settings.total_steps), note)

        train_ppo(
            settings,
            folder,
            command=line,
            resume=resume,
            report=report,
            log_folder=folder / "tensorboard" if tensorboard else None,
        )


def _score(folder: Path, seconds: float, seed: int) -> None:
    from sim2real_bench.agents.cards import read_card
    from sim2real_bench.agents.checkpoints import shipped_checkpoint
    from sim2real_bench.agents.ppo.policy import load_ppo_agent
    from sim2real_bench.agents.ppo.scores import (
        SPLITS,
        TrackScore,
        compared_agents,
        drive_cell,
        score_tracks,
        write_scores,
    )
    from sim2real_bench.agents.ppo.settings import AGENT_NAME
    from sim2real_bench.cli.progress import progress_display

    path = folder / f"{AGENT_NAME}.safetensors"
    if not path.is_file():
        path = shipped_checkpoint(AGENT_NAME)
    agents = compared_agents(load_ppo_agent(path))
    drives = sum(len(tracks) for _, tracks in SPLITS) * len(agents)
    finished: list[TrackScore] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"cannot make the folder {folder}: {error}; choose another --out") from error
    with progress_display("scoring", drives, "drives") as update:

        def report(score: TrackScore) -> None:
            finished.append(score)
            update(len(finished), f"{score.agent} on {score.track_name}: {drive_cell(score.drive)}")

        scores = score_tracks(agents, duration_s=seconds, seed=seed, report=report)
    facts = {"checkpoint_sha256": read_card(path).weights_sha256, "limit_s": seconds, "seed": seed}
    write_scores(folder / "track_scores.csv", scores, facts)
    _print_scores(scores)
    typer.echo(f"checkpoint {path}\nscores     {folder / 'track_scores.csv'}, .json, .md, .png")


def _print_scores(scores: "Sequence[TrackScore]") -> None:
    """One line per track (each agent's lap), then the laps finished per split."""
    from sim2real_bench.agents.ppo.scores import by_track, drive_cell, split_summaries

    agents = list(dict.fromkeys(score.agent for score in scores))

    def line(name: str, cells: Sequence[str]) -> None:
        typer.echo(f"{name:<40}" + "".join(f"{cell:>26}" for cell in cells))

    line("time of a lap, or share driven and its end", agents)
    for (split, track), drives in by_track(scores).items():
        line(f"{split}: {track}", [drive_cell(drives[agent]) for agent in agents])
    for split, found in split_summaries(scores).items():
        line(f"{split}: laps finished", [f"{found[agent]['finished']} of {found[agent]['tracks']}" for agent in agents])
