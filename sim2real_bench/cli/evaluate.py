"""Verb ``evaluate``: drive every chosen method through the same episodes and print the table."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.cli.progress import Update
    from sim2real_bench.evaluation.plan import Configuration, EvaluationPlan
    from sim2real_bench.evaluation.records import EpisodeRecord
    from sim2real_bench.evaluation.table import Table

FAILED = 1
_PRINTED_WIDTH = 170


def command(
    source: Annotated[str, typer.Option(help="Simulator the policies learnt in.")] = "stk",
    target: Annotated[str, typer.Option(help="Simulator they are driven in.")] = "carla",
    preset: Annotated[str, typer.Option(help="quick (minutes on 2 cores), standard (hours) or paper.")] = "quick",
    methods: Annotated[
        str, typer.Option(help="Comma-separated names, see: sim2real-bench list.")
    ] = "reference,direct,task-distillation",
    proxy: Annotated[str, typer.Option(help="map, camera or all; for methods that have one.")] = "all",
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(help="METHOD=PATH or METHOD:PROXY=PATH: weights to use instead of the shipped ones; repeatable."),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="embedded (started for you) or server (a CARLA at --host, --port).")
    ] = "embedded",
    host: Annotated[str, typer.Option(help="Of the server backend.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Of the server backend; 2000 when absent.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Simulators at once; at most 2 when absent, 1 for the server backend.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Results folder, runs/BENCHMARK-PRESET when absent. What it holds is completed.")
    ] = None,
    episodes: Annotated[int | None, typer.Option(min=1, help="Per controller, instead of the preset's.")] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Ticks of 0.1 s, instead of the preset's.")] = None,
    town: Annotated[str | None, typer.Option(help="Instead of the benchmark's test town.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the episodes.")] = 0,
    show_config: Annotated[
        bool, typer.Option("--show-config", help="Print the resolved configuration as JSON and stop.")
    ] = False,
) -> None:
    """Drive every chosen method in the target simulator and print how far it comes.

    Interrupted? Run the same command again: it drives only what is missing.

    Exit status 1 when episodes are missing at the end.
    """
    from sim2real_bench.evaluation.rows import parse_checkpoints
    from sim2real_bench.evaluation.runner import RunSettings, evaluate

    checkpoints = parse_checkpoints(checkpoint or [])
    configuration = _configuration(
        f"{source}-{target}", preset, _names(methods), proxy, checkpoints, backend, episodes, horizon, town, seed
    )
    if show_config:
        typer.echo(configuration.model_dump_json(indent=2))
        return
    folder = out or Path("runs") / f"{configuration.benchmark}-{preset}"
    settings = RunSettings(
        configuration=configuration,
        out=folder,
        workers=_workers(workers, backend),
        environment_options=_environment_options(configuration, host, port),
        checkpoints=checkpoints,
    )
    with EvaluationProgress() as progress:
        table = evaluate(settings, progress)
    _show(table, folder)
    if not table.complete:
        typer.echo(
            "error: episodes are missing (see the column 'episodes'); run the same command again to drive them",
            err=True,
        )
        raise typer.Exit(FAILED)


class EvaluationProgress(contextlib.ExitStack):
    """Tells the progress display what the runner does: the row at work and its running mean."""

    def __init__(self) -> None:
        super().__init__()
        self._update: Update | None = None
        self._distances: dict[str, list[float]] = defaultdict(list)
        self._done = 0

    def begin(self, plan: EvaluationPlan, finished: Sequence[EpisodeRecord]) -> None:
        """Open the display."""
        from sim2real_bench.cli.progress import progress_display

        for record in finished:
            self._count(record)
        display = progress_display("evaluate", plan.planned, "episodes", done=self._done)
        self._update = self.enter_context(display)

    def attempt(self, record: EpisodeRecord) -> None:
        """Show one more attempt."""
        if record.finished:
            self._count(record)
        if self._update is not None:
            self._update(self._done, self._note(record))

    def _count(self, record: EpisodeRecord) -> None:
        self._done += 1
        self._distances[_label(record)].append(record.distance_m)

    def _note(self, record: EpisodeRecord) -> str:
        label = _label(record)
        if not record.finished:
            return f"{label}: attempt {record.attempt} failed ({record.error[:80]})"
        distances = self._distances[label]
        return f"{label}: mean {sum(distances) / len(distances):.0f} m over {len(distances)}"


def _label(record: EpisodeRecord) -> str:
    return f"{record.key.method} ({record.key.proxy})" if record.key.proxy else record.key.method


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _configuration(
    benchmark_name: str,
    preset: str,
    methods: list[str],
    proxy: str,
    checkpoints: dict[str, Path],
    backend: str,
    episodes: int | None,
    horizon: int | None,
    town: str | None,
    seed: int,
) -> Configuration:
    from sim2real_bench.evaluation.benchmarks import benchmark_named, choose
    from sim2real_bench.evaluation.plan import resolve_configuration
    from sim2real_bench.evaluation.rows import controllers_hash, resolve_rows
    from sim2real_bench.evaluation.worker import AGENTS
    from sim2real_bench.presets import PRESETS

    benchmark = benchmark_named(benchmark_name)
    values = PRESETS[choose("preset", preset, PRESETS)].evaluate
    benchmark.town_for(backend)
    _check_town(town, backend)
    return resolve_configuration(
        benchmark,
        backend=backend,
        preset=preset,
        episodes_per_controller=episodes or values.episodes_per_controller,
        horizon_ticks=horizon or values.horizon_ticks,
        rows=resolve_rows(methods, proxy, checkpoints),
        agents=AGENTS,
        controllers_hash=controllers_hash(),
        town=town,
        seed=seed,
    )


def _check_town(town: str | None, backend: str) -> None:
    """Towns of the embedded server are known beforehand; a real server is asked when it is connected."""
    if town is not None and backend == "embedded":
        from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES
        from sim2real_bench.evaluation.benchmarks import choose

        choose("town", town, TOWN_NAMES)


def _workers(workers: int | None, backend: str) -> int:
    if backend == "server":
        if workers not in (None, 1):
            from sim2real_bench.errors import ConfigurationError

            raise ConfigurationError(f"--workers {workers}: one CARLA server serves one worker; leave --workers out")
        return 1
    return workers or min(2, os.cpu_count() or 1)


def _environment_options(configuration: Configuration, host: str, port: int | None) -> dict[str, object]:
    options: dict[str, object] = {"backend": configuration.backend, "town": configuration.town}
    if configuration.backend == "embedded":
        if port is not None:
            from sim2real_bench.errors import ConfigurationError

            raise ConfigurationError(f"--port {port} is for --backend server; the embedded server takes a free port")
        return options
    return {**options, "host": host, "port": port}


def _show(table: Table, folder: Path) -> None:
    from rich.console import Console

    from sim2real_bench.evaluation.table_text import to_terminal

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _PRINTED_WIDTH)
    console.print(to_terminal(table, console.width))
    names = "table.md, table.csv, table.json, episodes.jsonl, plan.json"
    console.print(f"Files in {folder}: {names}", highlight=False, soft_wrap=True)
