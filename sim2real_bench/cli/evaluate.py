"""Verb ``evaluate``: drive every chosen method through the same episodes and print the table."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.cli.progress import Update
    from sim2real_bench.evaluation.plan import EvaluationPlan
    from sim2real_bench.evaluation.records import EpisodeRecord
    from sim2real_bench.evaluation.table import Table

FAILED = 1
_PRINTED_WIDTH = 170
_SIMULATORS = "Simulators"
_RUN = "The run"


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
    source_scores: Annotated[
        Path | None, typer.Option(help="Folder of source-score, for the retained fractions of your own weights.")
    ] = None,
    controllers: Annotated[
        str | None, typer.Option(help="Set of controllers instead of the benchmark's own; not ranked with those.")
    ] = None,
    episodes: Annotated[int | None, typer.Option(min=1, help="Per controller, instead of the preset's.")] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Ticks of 0.1 s, instead of the preset's.")] = None,
    town: Annotated[str | None, typer.Option(help="Instead of the benchmark's test town.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the episodes.")] = 0,
    backend: Annotated[
        str | None,
        typer.Option(
            help="embedded (started for you, the default) or server (a CARLA 0.9.16).", rich_help_panel=_SIMULATORS
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Of a running server; 127.0.0.1 when absent.", rich_help_panel=_SIMULATORS)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Of a running server; 2000 when absent.", rich_help_panel=_SIMULATORS),
    ] = None,
    launch: Annotated[
        str | None,
        typer.Option(
            help="Start the server with this command; {port} and {stream_port} are filled in.",
            rich_help_panel=_SIMULATORS,
        ),
    ] = None,
    launch_docker: Annotated[
        str | None,
        typer.Option(help="Start the server in a container of this image.", rich_help_panel=_SIMULATORS),
    ] = None,
    recycle_after: Annotated[
        int | None,
        typer.Option(min=1, help="A new simulator process after this many episodes.", rich_help_panel=_SIMULATORS),
    ] = None,
    memory_limit: Annotated[
        float | None,
        typer.Option(min=1.0, help="A new simulator process when it holds more (MiB).", rich_help_panel=_SIMULATORS),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Simulators at once; at most 2 when absent, 1 for a server.", rich_help_panel=_SIMULATORS
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Results folder, runs/BENCHMARK-PRESET when absent. What it holds is completed.", rich_help_panel=_RUN
        ),
    ] = None,
    film: Annotated[
        bool, typer.Option("--film", help="Keep videos of each row's worst, median and best.", rich_help_panel=_RUN)
    ] = False,
    attempts: Annotated[
        int, typer.Option(min=1, help="Tries of an episode that the simulator fails.", rich_help_panel=_RUN)
    ] = 3,
    deadline: Annotated[
        float,
        typer.Option(min=1.0, help="Seconds without a sign of life that end a worker.", rich_help_panel=_RUN),
    ] = 240.0,
    executor: Annotated[
        str, typer.Option(help="processes (this machine) or ray (a cluster that runs).", rich_help_panel=_RUN)
    ] = "processes",
    ray_address: Annotated[
        str,
        typer.Option(help="HOST:PORT of the cluster's head; auto: this machine is of it.", rich_help_panel=_RUN),
    ] = "auto",
    ray_cpus: Annotated[
        int, typer.Option(min=1, help="CPUs and drawing threads of each worker of the cluster.", rich_help_panel=_RUN)
    ] = 1,
    show_config: Annotated[
        bool,
        typer.Option("--show-config", help="Print the resolved configuration as JSON and stop.", rich_help_panel=_RUN),
    ] = False,
) -> None:
    """Drive every chosen method in the target simulator and print how far it comes.

    Interrupted? Run the same command again: it drives only what is missing.

    Exit status 1 when episodes are missing at the end.
    """
    from sim2real_bench.cli.configuration import methods_in, requested_configuration
    from sim2real_bench.cli.simulators import SimulatorOptions
    from sim2real_bench.evaluation.cluster.settings import RaySettings
    from sim2real_bench.evaluation.plan import STANDARD_CONTROLLERS
    from sim2real_bench.evaluation.rows import parse_checkpoints
    from sim2real_bench.evaluation.runner import evaluate
    from sim2real_bench.evaluation.settings import RunSettings

    checkpoints = parse_checkpoints(checkpoint or [])
    configuration = requested_configuration(
        f"{source}-{target}", preset, methods_in(methods, preset), proxy, checkpoints, backend, episodes, horizon,
        town, seed, controllers, source_scores,
    )  # fmt: skip
    simulators = SimulatorOptions(
        host, port, workers, launch, launch_docker, recycle_after, memory_limit, ray_cpus if executor == "ray" else None
    )
    simulators.check(configuration)
    if show_config:
        typer.echo(configuration.model_dump_json(indent=2))
        return
    own_controllers = [configuration.controller_set] if configuration.controller_set != STANDARD_CONTROLLERS else []
    settings = RunSettings(
        configuration=configuration,
        out=out or Path("runs") / "-".join([configuration.benchmark, preset, *own_controllers]),
        workers=simulators.worker_count(configuration),
        environment_options=simulators.environment_options(configuration),
        checkpoints=checkpoints,
        attempts=attempts,
        deadline_s=deadline,
        keeper=simulators.keeper(configuration),
        executor=executor,
        ray=RaySettings(ray_address, ray_cpus),
        film=film,
    )
    with EvaluationProgress() as progress:
        table = evaluate(settings, progress)
    _show(table, settings.out)
    if own_controllers:
        typer.echo(
            f"Driven by the controllers {own_controllers[0]}: not comparable with the benchmark's ranked results."
        )
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


def _show(table: Table, folder: Path) -> None:
    from rich.console import Console

    from sim2real_bench.evaluation.table.text import to_terminal

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _PRINTED_WIDTH)
    console.print(to_terminal(table, console.width))
    names = "table.md, table.csv, table.json, episodes.jsonl, plan.json"
    console.print(f"Files in {folder}: {names}", highlight=False, soft_wrap=True)
    console.print(f"Report: sim2real-bench report {folder}", highlight=False, soft_wrap=True)
