"""Verb ``sweep``: distance against the number of labelled target images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.evaluation.sweep.points import SweepData
    from sim2real_bench.evaluation.sweep.steps import SweepSettings

_TRAINING = "Training"
_DRIVING = "Driving"


def command(
    target_data: Annotated[Path, typer.Option(help="Labelled data set of the target.")] = Path("runs/data/carla"),
    methods: Annotated[
        str, typer.Option(help="Comma-separated; methods that learn from target images.")
    ] = "task-distillation,modular",
    proxy: Annotated[str, typer.Option(help="map, camera or all.")] = "map",
    sizes: Annotated[
        str | None, typer.Option(help="Comma-separated numbers of images, instead of the preset's.")
    ] = None,
    proxy_checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            help="PROXY=PATH or METHOD:PROXY=PATH: f^P, the same for all sizes. When absent the shipped one, for "
            "task-distillation and modular."
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="quick, standard or paper: sizes, training and driving.")] = "quick",
    out: Annotated[
        Path, typer.Option(help="Folder of checkpoints, results, data and picture; what it holds is completed.")
    ] = Path("runs/sweep"),
    width: Annotated[
        float | None, typer.Option(min=0.03, help="Channel multiplier of the networks.", rich_help_panel=_TRAINING)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps, the same for all sizes.", rich_help_panel=_TRAINING)
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Examples a step.", rich_help_panel=_TRAINING)] = None,
    lr: Annotated[float | None, typer.Option(min=0.0, help="Adam's step size.", rich_help_panel=_TRAINING)] = None,
    schedule: Annotated[str | None, typer.Option(help="constant or cosine.", rich_help_panel=_TRAINING)] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the trainings.", rich_help_panel=_TRAINING)] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="PyTorch threads; all cores when absent.", rich_help_panel=_TRAINING)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=_TRAINING)] = "auto",
    episodes: Annotated[
        int | None, typer.Option(min=1, help="Starts, each driven by every controller.", rich_help_panel=_DRIVING)
    ] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Ticks of 0.1 s.", rich_help_panel=_DRIVING)] = None,
    controllers: Annotated[
        str | None, typer.Option(help="Set of controllers instead of the benchmark's own.", rich_help_panel=_DRIVING)
    ] = None,
    town: Annotated[
        str | None, typer.Option(help="Instead of the benchmark's test town.", rich_help_panel=_DRIVING)
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Simulators at once.", rich_help_panel=_DRIVING)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and stop.")] = False,
) -> None:
    """Train and drive methods with ever more labelled target images, and plot how far they come.

    Writes sweep.json, sweep.csv, sweep.png and sweep.svg. Every point is one transfer and one evaluate, in processes of
    their own with logs in FOLDER/logs. Interrupted? Run the same command again: finished points are kept.
    """
    from sim2real_bench.cli.configuration import names_in
    from sim2real_bench.cli.step_lines import StepLines, listed
    from sim2real_bench.evaluation.recipe.running import run_steps
    from sim2real_bench.evaluation.sweep.points import images_of
    from sim2real_bench.evaluation.sweep.steps import SweepSettings, sweep_steps
    from sim2real_bench.presets import preset_named

    learning = _words(
        preset=preset, width=width, steps=steps, batch_size=batch_size, lr=lr, schedule=schedule, seed=seed
    )  # fmt: skip
    driving = _words(preset=preset, episodes=episodes, horizon=horizon, controllers=controllers, town=town)
    settings = SweepSettings(
        methods=tuple(names_in(methods)),
        images=_sizes(sizes) if sizes is not None else preset_named(preset).sweep.images,
        target_data=target_data,
        out=out,
        proxy=proxy,
        proxy_checkpoints=_proxy_checkpoints(proxy_checkpoint or []),
        transfer=learning,
        evaluate=driving,
        transfer_aside=_words(threads=threads, device=device),
        evaluate_aside=_words(workers=workers),
    )
    chain = sweep_steps(settings)
    if dry_run:
        typer.echo(listed(chain))
        return
    images_of(settings)  # a size that the data set cannot meet is told now, not after the first trainings
    try:
        run_steps(chain, out, StepLines(len(chain)))
    finally:
        data = _write(settings)
    _print(data, out)


def _words(**options: object) -> tuple[str, ...]:
    """The options that were given, as words."""
    given = {name: value for name, value in options.items() if value is not None}
    return tuple(word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value)))


def _sizes(text: str) -> tuple[int, ...]:
    from sim2real_bench.cli.configuration import names_in
    from sim2real_bench.errors import ConfigurationError

    try:
        return tuple(int(size) for size in names_in(text))
    except ValueError as error:
        raise ConfigurationError(f"--sizes {text!r}: write whole numbers of images, separated by commas") from error


def _proxy_checkpoints(texts: list[str]) -> dict[str, Path]:
    """f^P of every proxy: the ones given, the shipped ones for the rest."""
    from sim2real_bench.agents.cards import SHIPPED_FOLDER
    from sim2real_bench.distill.method import PROXIES
    from sim2real_bench.distill.methods.task_distillation import proxy_name
    from sim2real_bench.errors import ConfigurationError

    found = {proxy: SHIPPED_FOLDER / f"{proxy_name(proxy)}.safetensors" for proxy in PROXIES}
    for text in texts:
        proxy, _, path = text.partition("=")
        if not proxy or not path:
            raise ConfigurationError(f"--proxy-checkpoint {text!r}: write PROXY=PATH or METHOD:PROXY=PATH")
        found[proxy] = Path(path)
    return found


def _write(settings: SweepSettings) -> SweepData:
    from sim2real_bench.evaluation.sweep.picture import write_picture
    from sim2real_bench.evaluation.sweep.points import measured_data, write_data

    data = measured_data(settings)
    write_data(data, settings.out)
    write_picture(data, settings.out)
    return data


def _print(data: SweepData, out: Path) -> None:
    for point in data.points:
        low, high = point.ci95_by_start or (point.distance_m, point.distance_m)
        typer.echo(
            f"{point.label:<32}{point.images:>7} images {point.distance_m:>8.1f} m  95 % by start "
            f"[{low:.1f}, {high:.1f}]  {point.episodes} episodes"
        )
    for item in data.comparisons:
        low, high = item.ci95_by_start or (item.difference_m, item.difference_m)
        typer.echo(
            f"{item.row} with {item.images} images - {item.over} with {item.over_images}: {item.difference_m:+.1f} m, "
            f"95 % by start [{low:+.1f}, {high:+.1f}]"
        )
    typer.echo(f"Files in {out}: sweep.png, sweep.svg, sweep.json, sweep.csv")
