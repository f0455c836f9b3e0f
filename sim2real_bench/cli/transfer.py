"""Verb ``transfer``: run one transfer method on recorded data; the result is a checkpoint with its card."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.cli.progress import Update
    from sim2real_bench.distill.fitting import FitSettings

STAGES = ("proxy", "target", "all")
SOURCE = "stk"  # the simulator f^P comes from: begins the names of checkpoints


@dataclass(frozen=True)
class _Training:
    """One network to train: the words of its command that are its own, and what trains it."""

    words: tuple[str, ...]
    fit: Callable[[FitSettings], Path]


def command(
    method: Annotated[str, typer.Option(help="direct or task-distillation.")],
    proxy: Annotated[str | None, typer.Option(help="task-distillation: map or camera.")] = None,
    source_data: Annotated[Path | None, typer.Option(help="Data set of the source (direct; stage proxy).")] = None,
    target_data: Annotated[Path | None, typer.Option(help="Data set of the target (stage target).")] = None,
    stage: Annotated[str, typer.Option(help="task-distillation: proxy, target or all.")] = "all",
    proxy_checkpoint: Annotated[
        Path | None, typer.Option(help="f^P for stage target; when absent the one in --out, or else the shipped one.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of checkpoints, cards and training states.")] = Path(
        "runs/transfer"
    ),
    preset: Annotated[str, typer.Option(help="quick (minutes on 2 cores), standard (hours) or paper.")] = "quick",
    width: Annotated[
        float | None, typer.Option(min=0.03, help="Channel multiplier of the networks, instead of the preset's.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps, instead of the preset's.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help="Examples a step, instead of the preset's.")] = None,
    lr: Annotated[float | None, typer.Option(min=0.0, help="Adam's step size, instead of the preset's.")] = None,
    schedule: Annotated[str, typer.Option(help="constant (as in the paper) or cosine.")] = "constant",
    weight_decay: Annotated[float, typer.Option(min=0.0, help="Adam's L2 pull.")] = 5e-6,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations and saved states.")] = 250,
    mask_augmentation: Annotated[
        bool, typer.Option(help="f^P: move, turn and scale the ground, change edges; a mirror is always used.")
    ] = True,
    align_camera: Annotated[
        bool, typer.Option(help="Proxy camera: show source labels as the target's camera would see them.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order, augmentation and split.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="PyTorch threads; all cores when absent.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue unfinished trainings found in --out.")] = False,
) -> None:
    """Train what a method needs: f^S for direct; f^P, then f^T for task-distillation.

    Writes FOLDER/NAME.safetensors with its card NAME.json, and NAME.training.csv with the losses.
    """
    from sim2real_bench.errors import ConfigurationError

    if stage not in STAGES:
        raise ConfigurationError(f"stage {stage!r} is unknown; choose {', '.join(STAGES)}")
    trainings = _trainings(
        method, proxy, stage, source_data, target_data, proxy_checkpoint, out, mask_augmentation, align_camera
    )  # fmt: skip

    import torch

    from sim2real_bench.distill.fitting import FitSettings
    from sim2real_bench.distill.training import TrainingConfig
    from sim2real_bench.presets import preset_named

    if threads:
        torch.set_num_threads(threads)
    values = preset_named(preset).transfer
    config = TrainingConfig(
        steps=steps or values.steps, batch_size=batch_size or values.batch_size,
        learning_rate=lr or values.learning_rate, weight_decay=weight_decay, schedule=schedule, seed=seed,
        validate_every=validate_every,
    )  # fmt: skip
    settings = FitSettings(out, width or values.network_width, config, "", resume)
    for training in trainings:
        with _Display() as display:
            command_line = shlex.join(("sim2real-bench", "transfer", *training.words, *_shared_words(settings)))
            path = training.fit(replace(settings, command=command_line, progress=display.for_network))
        _report(path)


def _trainings(
    method: str,
    proxy: str | None,
    stage: str,
    source_data: Path | None,
    target_data: Path | None,
    proxy_checkpoint: Path | None,
    out: Path,
    mask_augmentation: bool,
    align_camera: bool,
) -> list[_Training]:
    """What the chosen method has to train, in order.

    Raises:
        ConfigurationError: an option is missing or does not fit.
    """
    from sim2real_bench.distill.method import method_named
    from sim2real_bench.errors import ConfigurationError

    method_named(method).key(proxy)
    if method == "direct":
        return [_direct(_given(source_data, "--source-data"))]
    if method != "task-distillation" or proxy is None:
        raise ConfigurationError(f"method {method!r} needs no training; transfer trains direct and task-distillation")
    trainings = []
    if stage in ("proxy", "all"):
        trainings.append(_proxy(_given(source_data, "--source-data"), proxy, mask_augmentation, align_camera))
    if stage in ("target", "all"):
        teacher = proxy_checkpoint or (out / f"{SOURCE}-proxy-{proxy}.safetensors" if stage == "all" else None)
        trainings.append(_target(_given(target_data, "--target-data"), proxy, teacher, out))
    return trainings


def _given(path: Path | None, option: str) -> Path:
    from sim2real_bench.errors import ConfigurationError

    if path is None:
        raise ConfigurationError(f"{option} is missing; record a data set with: sim2real-bench collect")
    return path


def _direct(source_data: Path) -> _Training:
    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.data.rollouts import RolloutDataset
        from sim2real_bench.distill.direct import fit_direct

        return fit_direct(RolloutDataset(source_data), settings)

    return _Training(("--method", "direct", "--source-data", str(source_data)), fit)


def _proxy(source_data: Path, proxy: str, mask_augmentation: bool, align_camera: bool) -> _Training:
    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.agents.inputs import DRIVING_CAMERA
        from sim2real_bench.distill.data.rollouts import RolloutDataset
        from sim2real_bench.distill.examples import MIRROR_ONLY
        from sim2real_bench.distill.task_distillation import MASK_CHANGES, ProxySettings, fit_proxy

        changes = MASK_CHANGES[proxy] if mask_augmentation else MIRROR_ONLY
        preparation = ProxySettings(proxy, changes, DRIVING_CAMERA if align_camera else None)
        return fit_proxy(RolloutDataset(source_data), preparation, settings)

    words = ["--method", "task-distillation", "--proxy", proxy, "--stage", "proxy", "--source-data", str(source_data)]
    words.append("--mask-augmentation" if mask_augmentation else "--no-mask-augmentation")
    if proxy == "camera":
        words.append("--align-camera" if align_camera else "--no-align-camera")
    return _Training(tuple(words), fit)


def _target(target_data: Path, proxy: str, proxy_checkpoint: Path | None, out: Path) -> _Training:
    teacher = proxy_checkpoint or _found_teacher(proxy, out)

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.data.rollouts import RolloutDataset
        from sim2real_bench.distill.task_distillation import fit_target

        return fit_target(RolloutDataset(target_data), proxy, teacher, SOURCE, settings)

    words = ("--method", "task-distillation", "--proxy", proxy, "--stage", "target", "--target-data", str(target_data))
    return _Training((*words, "--proxy-checkpoint", str(teacher)), fit)


def _found_teacher(proxy: str, out: Path) -> Path:
    """f^P where an earlier stage left it, or else the shipped one."""
    from sim2real_bench.agents.checkpoints import shipped_checkpoint

    own = out / f"{SOURCE}-proxy-{proxy}.safetensors"
    return own if own.exists() else shipped_checkpoint(f"{SOURCE}-proxy-{proxy}")


def _shared_words(settings: FitSettings) -> tuple[str, ...]:
    """Every value written out, so that the command means the same when presets change."""
    config = settings.training
    return (
        "--width", repr(settings.width), "--steps", str(config.steps), "--batch-size", str(config.batch_size),
        "--lr", repr(config.learning_rate), "--schedule", config.schedule,
        "--weight-decay", repr(config.weight_decay), "--validate-every", str(config.validate_every),
        "--seed", str(config.seed), "--out", str(settings.out),
    )  # fmt: skip


class _Display(ExitStack):
    """Opens a progress display when the steps of a network are known."""

    def for_network(self, name: str) -> Callable[[int, int, str], None]:
        """The callback of one network's training."""
        from sim2real_bench.cli.progress import progress_display

        opened: list[Update] = []

        def update(done: int, total: int, text: str) -> None:
            if not opened:
                opened.append(self.enter_context(progress_display(name, total, "steps", done=done - 1)))
            opened[0](done, text)

        return update


def _report(path: Path) -> None:
    from sim2real_bench.agents.checkpoints import read_card

    card = read_card(path)
    typer.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    for name, value in card.metrics.items():
        typer.echo(f"  {name:<30} {value:.4g}")
