"""Verb ``reproduce``: the whole benchmark from nothing, unattended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    preset: Annotated[
        str, typer.Option(help="quick (hours on 2 cores), standard (a day) or paper (the paper's sizes; wants a GPU).")
    ] = "quick",
    out: Annotated[
        Path | None, typer.Option(help="Folder of everything, runs/reproduce-PRESET when absent; it is completed.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every step.")] = 0,
    only: Annotated[
        str | None, typer.Option(help="Comma-separated names of steps (see --dry-run), instead of all.")
    ] = None,
    device: Annotated[str, typer.Option(help="Of trainings: auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="PyTorch threads of trainings; all cores when absent.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Simulators at once.")] = None,
    attempts: Annotated[int, typer.Option(min=1, help="Starts of a step that fails.")] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands with their names and stop.")] = False,
) -> None:
    """Train the source agent, collect data, train every row, drive them all, and draw table, figure and report.

    Every step is one command of this program in a process of its own, with its log in FOLDER/logs and a line in
    FOLDER/steps.jsonl. A step whose result exists is skipped. Interrupted? Run the same command again: finished steps
    are kept, and the step at work goes on where it stopped.
    """
    from sim2real_bench.cli.step_lines import StepLines, chosen, listed
    from sim2real_bench.evaluation.recipe.chain import Reproduction, reproduction_steps
    from sim2real_bench.evaluation.recipe.running import run_steps

    learning = ("--device", device, *(("--threads", str(threads)) if threads else ()))
    driving = ("--workers", str(workers)) if workers else ()
    folder = out or Path("runs") / f"reproduce-{preset}"
    steps = chosen(reproduction_steps(Reproduction(preset, folder, seed, learning, driving)), only)
    if dry_run:
        typer.echo(listed(steps))
        return
    run_steps(steps, folder, StepLines(len(steps)), attempts=attempts)
    typer.echo(f"Table: {folder / 'results' / 'table.md'}, report: {folder / 'results' / 'report.html'}")
