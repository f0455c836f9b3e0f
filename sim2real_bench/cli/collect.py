"""Verb ``collect``: record a labelled data set from a simulator."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.distill.data.collect import CollectSettings
    from sim2real_bench.distill.data.worlds import World

_DRIVERS = {"stk": "ppo", "carla": "reference"}


def command(
    simulator: Annotated[str, typer.Option(help="stk (source), carla (target), or a plug-in's.")],
    driver: Annotated[
        str | None,
        typer.Option(
            help="ppo (stk's default), reference (default elsewhere; follows the road), student (carla: the waypoint "
            "network of --checkpoint, whose mistakes are recorded), or a plug-in agent."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="SuperTuxKart tracks: train or held-out.")] = "train",
    town: Annotated[str | None, typer.Option(help="Town; MiniTown01 when absent in CARLA.")] = None,
    weathers: Annotated[
        str, typer.Option(help="Comma-separated; when absent all of CARLA's, the simulator's own choice elsewhere.")
    ] = "",
    preset: Annotated[str, typer.Option(help="quick (minutes on 2 cores), standard (an hour) or paper.")] = "quick",
    frames: Annotated[int | None, typer.Option(min=1, help="Samples to keep, instead of the preset's.")] = None,
    episode_ticks: Annotated[
        int | None, typer.Option(min=2, help="Ticks of 0.1 s per episode, instead of the preset's.")
    ] = None,
    keep_every: Annotated[
        int | None, typer.Option(min=1, help="Ticks between two samples, instead of the preset's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder, runs/data/SIMULATOR (-student) when absent. What it holds is completed."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Simulators at once; at most 2 when absent, 1 for the server backend.")
    ] = None,
    observations: Annotated[str, typer.Option(help="Comma-separated, from rgb, labels, map_view.")] = (
        "rgb,labels,map_view"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Draws starts, weathers and pushes.")] = 0,
    target_speed: Annotated[
        float | None,
        typer.Option(min=0.5, help="Of reference and student, m/s; 10 (stk) or 20 km/h (carla) when absent."),
    ] = None,
    max_speed: Annotated[float, typer.Option(min=0.0, help="No throttle above it, m/s; 0 = never.")] = 12.0,
    push_every: Annotated[
        float, typer.Option(min=0.0, help="Mean ticks between two pushes of the steering; 0 = none.")
    ] = 40.0,
    push_steer: Annotated[float, typer.Option(min=0.0, max=2.0, help="Strongest push; the weakest is a third.")] = 0.6,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Weights of the student; or of the ppo driver, instead of the shipped.")
    ] = None,
    reference_share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Of the student's episodes, which the reference drives (DAgger's beta)."),
    ] = 0.25,
    backend: Annotated[str, typer.Option(help="CARLA: embedded or server.")] = "embedded",
    host: Annotated[str, typer.Option(help="Of the server backend.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Of the server backend.")] = None,
    show_config: Annotated[
        bool, typer.Option("--show-config", help="Print the resolved configuration as JSON and stop.")
    ] = False,
) -> None:
    """Record images, labels, map views and driven paths, with pushes of the steering so that recoveries are seen.

    Interrupted? Run the same command again: finished episodes are kept.
    """
    from sim2real_bench.distill.data.collect import CollectSettings, collect, rollout_config
    from sim2real_bench.distill.data.exploration import PushSettings
    from sim2real_bench.distill.data.worlds import backend_words
    from sim2real_bench.presets import preset_named

    values = preset_named(preset).collect
    world = _world(
        simulator, driver, split, town, weathers, observations, target_speed, checkpoint, reference_share, backend,
        host, port,
    )  # fmt: skip
    settings = CollectSettings(
        world=world,
        frames=frames or values.frames,
        episode_ticks=episode_ticks or values.episode_ticks,
        keep_every=keep_every or values.keep_every,
        seed=seed,
        pushes=PushSettings(push_every, steer=(push_steer / 3.0, push_steer)),
        max_speed_mps=max_speed,
    )
    if show_config:
        typer.echo(rollout_config(settings, backend).model_dump_json(indent=2))
        return
    folder = out or Path("runs") / "data" / (f"{simulator}-student" if world.on_policy else simulator)
    from sim2real_bench.cli.progress import progress_display

    # The driver's network is small and looks at one image: beside a busy simulator, a second thread only waits.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with progress_display(f"collect {simulator}", settings.frames, "samples") as update:
        manifest = collect(
            settings,
            folder,
            _command(settings, folder, split, push_every, push_steer),
            backend=backend_words(world),
            workers=workers or _workers(backend),
            progress=lambda done, total, text: update(done, text),
        )
    typer.echo(
        f"{folder}: {manifest.frames} samples of {len(manifest.episodes)} episodes, hash {manifest.content_hash[:16]}"
    )


def _world(
    simulator: str,
    driver: str | None,
    split: str,
    town: str | None,
    weathers: str,
    observations: str,
    target_speed: float | None,
    checkpoint: Path | None,
    reference_share: float,
    backend: str,
    host: str,
    port: int | None,
) -> World:
    from sim2real_bench.cli.configuration import names_in
    from sim2real_bench.distill.data.worlds import STUDENT, World, track_places, weather_names
    from sim2real_bench.envs import ENVS
    from sim2real_bench.errors import ConfigurationError

    keys = tuple(key.strip() for key in observations.split(",") if key.strip())
    if simulator == "stk":
        return World(
            "stk", driver or "ppo", track_places(split), observations=keys, target_speed_mps=target_speed or 10.0,
            checkpoint=checkpoint,
        )  # fmt: skip
    if simulator == "carla":
        return World(
            "carla", driver or "reference", (town or "MiniTown01",), weather_names(weathers), keys,
            target_speed_mps=target_speed or 20.0 / 3.6, checkpoint=checkpoint, backend=backend, host=host, port=port,
            reference_share=reference_share if driver == STUDENT else 0.0,
        )  # fmt: skip
    ENVS.get(simulator)
    if town is None:
        raise ConfigurationError(f"--town is missing: the place in {simulator!r} that is recorded")
    return World(
        simulator, driver or "reference", (town,), tuple(names_in(weathers)), keys,
        target_speed_mps=target_speed or 20.0 / 3.6, backend="embedded",
    )  # fmt: skip


def _workers(backend: str) -> int:
    """One simulator per core, two at most (more do not go faster without a GPU); one for a server somewhere."""
    return 1 if backend == "server" else max(1, min(2, os.cpu_count() or 1))


def _command(settings: CollectSettings, folder: Path, split: str, push_every: float, push_steer: float) -> str:
    """The command with every value written out, so that it means the same when presets change."""
    world = settings.world
    words = ["sim2real-bench", "collect", "--simulator", world.simulator, "--driver", world.driver_name]
    if world.simulator == "stk":
        words += ["--split", split]
    else:
        words += ["--town", world.places[0], "--weathers", ",".join(world.weathers)]
    if world.simulator == "carla":
        words += ["--backend", world.backend]
        if world.backend == "server":
            words += ["--host", world.host, *(["--port", str(world.port)] if world.port else [])]
    if world.driver_name == "reference" or world.on_policy:
        words += ["--target-speed", repr(world.target_speed_mps)]
    if world.on_policy:
        words += ["--reference-share", repr(world.reference_share)]
    if world.checkpoint is not None:
        words += ["--checkpoint", str(world.checkpoint)]
    words += [
        "--frames", str(settings.frames), "--episode-ticks", str(settings.episode_ticks),
        "--keep-every", str(settings.keep_every), "--observations", ",".join(world.observations),
        "--max-speed", repr(settings.max_speed_mps), "--push-every", repr(push_every),
        "--push-steer", repr(push_steer), "--seed", str(settings.seed), "--out", str(folder),
    ]  # fmt: skip
    return shlex.join(words)
