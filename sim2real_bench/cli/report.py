"""Verb ``report``: a results folder as one HTML file that opens from disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.cli.simulators import SimulatorOptions
    from sim2real_bench.evaluation.plan import Configuration
    from sim2real_bench.evaluation.report import Page

_FILMS = "Films"


def command(
    folder: Annotated[Path, typer.Argument(help="Results folder, as written by evaluate.", metavar="DIR")],
    out: Annotated[Path | None, typer.Option(help="The HTML file; DIR/report.html when absent.")] = None,
    map_file: Annotated[
        Path | None,
        typer.Option("--map", help="OpenDRIVE file of the town, for towns that do not come with this package."),
    ] = None,
    cards: Annotated[
        list[Path] | None, typer.Option(help="Folder with cards of checkpoints that are not shipped; repeatable.")
    ] = None,
    film_limit: Annotated[
        float,
        typer.Option(
            min=0.0, help="MiB of films inside the page; those beyond are linked as files.", rich_help_panel=_FILMS
        ),
    ] = 32.0,
    film: Annotated[
        bool,
        typer.Option(
            "--film",
            help="First drive the worst, median and best episode of each row again and film them.",
            rich_help_panel=_FILMS,
        ),
    ] = False,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(help="For --film: METHOD=PATH or METHOD:PROXY=PATH, as for evaluate.", rich_help_panel=_FILMS),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="For --film: of a running server, as for evaluate.", rich_help_panel=_FILMS)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="For --film: of a running server, as for evaluate.", rich_help_panel=_FILMS
        ),
    ] = None,
    launch: Annotated[
        str | None, typer.Option(help="For --film: starts a server, as for evaluate.", rich_help_panel=_FILMS)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="For --film: simulators at once.", rich_help_panel=_FILMS)
    ] = None,
) -> None:
    """Write a page with the table, charts, map, films and checkpoints of a results folder.

    The page is one file, asks no other machine for anything, and opens in any browser from disk.
    """
    from sim2real_bench.cli.simulators import SimulatorOptions
    from sim2real_bench.evaluation.report import REPORT_FILE, ReportOptions, report
    from sim2real_bench.evaluation.report.roads import read_roads, roads_of_town
    from sim2real_bench.evaluation.results import read_results

    configuration = read_results(folder).plan.configuration
    roads = read_roads(map_file) if map_file else roads_of_town(configuration)
    differing = 0
    if film:
        simulators = SimulatorOptions(host, port, workers, launch)
        simulators.check(configuration)
        differing = _film(folder, configuration, simulators, checkpoint or [])
    page = report(folder, out, ReportOptions(int(film_limit * (1 << 20)), roads, tuple(cards or ())))
    _tell(page, out or folder / REPORT_FILE, map_known=roads is not None, differing=differing)


def _film(folder: Path, configuration: Configuration, simulators: SimulatorOptions, checkpoint_texts: list[str]) -> int:
    """Film what has no film; answers with the number of drives that differ from their records or failed."""
    from sim2real_bench.cli.progress import progress_display
    from sim2real_bench.evaluation.report.replay import film_chosen, require_known, unfilmed_count
    from sim2real_bench.evaluation.rows import parse_checkpoints
    from sim2real_bench.evaluation.settings import RunSettings

    checkpoints = parse_checkpoints(checkpoint_texts)
    require_known(configuration, checkpoints)
    settings = RunSettings(
        configuration=configuration,
        out=folder,
        workers=simulators.worker_count(configuration),
        environment_options=simulators.environment_options(configuration),
        checkpoints=checkpoints,
        keeper=simulators.keeper(configuration),
    )
    count = unfilmed_count(folder)
    if count == 0:
        return 0
    with progress_display("film", count, "episodes") as update:
        replays = film_chosen(settings, update)
    return sum(not replay.agrees for replay in replays)


def _tell(page: Page, path: Path, *, map_known: bool, differing: int) -> None:
    films = page.films
    typer.echo(f"Report: {path} ({len(page.html.encode()) / (1 << 20):.1f} MiB)")
    if films.embedded or films.beside:
        inside = f"{films.embedded} inside ({films.embedded_bytes / (1 << 20):.1f} MiB)"
        beside = f"{films.beside} as files beside it ({films.left_out_bytes / (1 << 20):.1f} MiB; see --film-limit)"
        typer.echo(f"Films: {inside}{f', {beside}' if films.beside else ''}")
    else:
        typer.echo("Films: none; add --film to drive the worst, median and best episode of each row again")
    if differing:
        typer.echo(f"{differing} of the episodes driven again differ from their records or failed; the page says how")
    if page.has_map and not map_known:
        typer.echo("Map: trajectories alone; name the town's OpenDRIVE file with --map to draw its roads")
