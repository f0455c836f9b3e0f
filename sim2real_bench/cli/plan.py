"""Verb ``plan``: what ``evaluate`` would drive, how long that takes, and what it can tell; nothing is driven."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.evaluation.planning.preview import Preview
    from sim2real_bench.evaluation.results import Results

_PRINTED_WIDTH = 150
_POWER = "Power"


def command(
    source: Annotated[str, typer.Option(help="Simulator the policies learnt in.")] = "stk",
    target: Annotated[str, typer.Option(help="Simulator they are driven in.")] = "carla",
    preset: Annotated[str, typer.Option(help="quick (minutes on 2 cores), standard (hours) or paper.")] = "quick",
    methods: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated names (see: sim2real-bench list), or all; when absent reference,direct,"
            "task-distillation for the preset quick, all that come with weights for the others."
        ),
    ] = None,
    proxy: Annotated[str, typer.Option(help="map, camera or all; for methods that have one.")] = "all",
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(help="METHOD=PATH or METHOD:PROXY=PATH: weights to use instead of the shipped ones; repeatable."),
    ] = None,
    controllers: Annotated[str | None, typer.Option(help="Set of controllers instead of the benchmark's own.")] = None,
    episodes: Annotated[int | None, typer.Option(min=1, help="Per controller, instead of the preset's.")] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Ticks of 0.1 s, instead of the preset's.")] = None,
    town: Annotated[str | None, typer.Option(help="Instead of the benchmark's test town.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the episodes.")] = 0,
    backend: Annotated[str | None, typer.Option(help="embedded (the default) or server (a CARLA 0.9.16).")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Simulators at once, for the estimated time.")] = 2,
    results: Annotated[
        Path | None,
        typer.Option(help="Measured results folder: estimates the time and gives --power its spreads."),
    ] = None,
    power: Annotated[
        bool,
        typer.Option(
            "--power",
            help="How many episodes tell methods apart, by the spreads in --results (absent: the shipped result).",
            rich_help_panel=_POWER,
        ),
    ] = False,
    difference: Annotated[
        float, typer.Option(help="Share of the larger mean distance to tell apart.", rich_help_panel=_POWER)
    ] = 0.1,
    level: Annotated[
        float, typer.Option(help="1 - chance of a false alarm of the two-sided test.", rich_help_panel=_POWER)
    ] = 0.95,
    wanted_power: Annotated[float, typer.Option(help="Chance to find the difference.", rich_help_panel=_POWER)] = 0.8,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Print the episodes that 'evaluate' with the same options would drive, without driving them."""
    from sim2real_bench.cli.configuration import methods_in, requested_configuration
    from sim2real_bench.evaluation.planning.power import PowerQuestion
    from sim2real_bench.evaluation.planning.preview import preview
    from sim2real_bench.evaluation.results import read_measured_results
    from sim2real_bench.evaluation.rows import parse_checkpoints

    configuration = requested_configuration(
        f"{source}-{target}", preset, methods_in(methods, preset), proxy, parse_checkpoints(checkpoint or []), backend,
        episodes, horizon, town, seed, controllers,
    )  # fmt: skip
    measured = read_measured_results(results) if results else None
    spreads, question = None, None
    if power:
        starts = configuration.episodes_per_controller
        question = PowerQuestion(difference, level, wanted_power, len(configuration.controllers), starts)
        spreads = measured or _shipped_results()
    shown = preview(configuration, workers=workers, measured=measured, spreads=spreads, question=question)
    if as_json:
        typer.echo(shown.to_json(), nl=False)
    else:
        _show(shown)


def _shipped_results() -> Results:
    from sim2real_bench.evaluation.leaderboard import accepted_result
    from sim2real_bench.evaluation.results import read_measured_results

    return read_measured_results(accepted_result())


def _show(shown: Preview) -> None:
    from rich.console import Console

    from sim2real_bench.evaluation.planning.text import to_terminal

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _PRINTED_WIDTH)
    console.print(to_terminal(shown), highlight=False)
