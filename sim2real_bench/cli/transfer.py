"""Verb ``transfer``: run one transfer method on recorded data; the result is a checkpoint with its card."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.cli.progress import Update
    from sim2real_bench.distill.fitting import FitSettings


def command(
    method: Annotated[str, typer.Option(help="A method that can be trained; sim2real-bench list shows all.")],
    proxy: Annotated[str | None, typer.Option(help="map or camera, for methods that have proxies.")] = None,
    source_data: Annotated[Path | None, typer.Option(help="Data set of the source.")] = None,
    target_data: Annotated[
        list[Path] | None, typer.Option(help="Data set of the target; some methods take several (repeat the option).")
    ] = None,
    target_images: Annotated[
        int | None, typer.Option(min=1, help="Use the first whole episodes of the target with about so many images.")
    ] = None,
    stage: Annotated[
        str, typer.Option(help="Stages of the method, separated by commas (task-distillation: proxy,target), or all.")
    ] = "all",
    part: Annotated[
        list[str] | None,
        typer.Option(help="STAGE=CHECKPOINT: use it and leave that stage out; else one in --out, or the shipped one."),
    ] = None,
    proxy_checkpoint: Annotated[Path | None, typer.Option(help="f^P: short for --part proxy=CHECKPOINT.")] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Checkpoint whose weights a training begins with, for methods that can.")
    ] = None,
    image_augmentation: Annotated[
        str | None,
        typer.Option(
            help="paper, or weather (also fog, dusk, night, rain, shadows), for task-distillation-on-policy, -plus."
        ),
    ] = None,
    translator_width: Annotated[
        int | None, typer.Option(min=1, help="cycada: channels of the translators (paper 64), instead of the preset's.")
    ] = None,
    translator_blocks: Annotated[
        int | None, typer.Option(min=1, help="cycada: residual blocks of the translators (paper 9), instead likewise.")
    ] = None,
    translator_reduction: Annotated[
        int | None, typer.Option(min=1, help="cycada: images are translated so many times smaller (paper 1), likewise.")
    ] = None,
    translator_steps: Annotated[
        int | None,
        typer.Option(min=1, help="cycada: optimiser steps of the translators, likewise; --steps is for f^S."),
    ] = None,
    policy_weight: Annotated[
        float, typer.Option(min=0.0, help="cycada: of the loss that keeps f^S's waypoints; 0 = CycleGAN.")
    ] = 1.0,
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
    schedule: Annotated[
        str | None, typer.Option(help="constant (as in the paper) or cosine, instead of the preset's.")
    ] = None,
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
    device: Annotated[str, typer.Option(help="auto (an NVIDIA GPU where there is one), cpu or cuda.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Continue unfinished trainings found in --out.")] = False,
) -> None:
    """Train what a method needs: f^S for direct; f^P, then f^T for task-distillation; what another one declares.

    Writes FOLDER/NAME.safetensors with its card NAME.json, and NAME.training.csv with the losses.
    """
    from sim2real_bench.distill.cycada.settings import TranslatorSettings
    from sim2real_bench.distill.method import trainings_of
    from sim2real_bench.distill.transfer import TransferRequest
    from sim2real_bench.presets import preset_named

    values = preset_named(preset).transfer
    translator = TranslatorSettings(
        translator_width or values.translator_width, translator_blocks or values.translator_blocks,
        translator_reduction or values.translator_reduction, translator_steps or values.translator_steps,
        policy_weight=policy_weight,
    )  # fmt: skip
    request = TransferRequest(
        proxy, stage, source_data, tuple(target_data or ()), _parts(part or [], proxy_checkpoint), out,
        mask_augmentation, align_camera, target_images, start_from, image_augmentation, translator,
    )  # fmt: skip
    trainings = trainings_of(method, request)

    import torch

    from sim2real_bench.distill.fitting import FitSettings
    from sim2real_bench.distill.training import TrainingConfig, device_named

    device_named(device)
    if threads:
        torch.set_num_threads(threads)
    config = TrainingConfig(
        steps=steps or values.steps, batch_size=batch_size or values.batch_size,
        learning_rate=lr or values.learning_rate, weight_decay=weight_decay,
        schedule=schedule or values.schedule, seed=seed,
        validate_every=validate_every,
    )  # fmt: skip
    settings = FitSettings(out, width or values.network_width, config, "", resume, device=device)
    for training in trainings:
        with _Display() as display:
            command_line = shlex.join(("sim2real-bench", "transfer", *training.words, *_shared_words(settings)))
            path = training.fit(replace(settings, command=command_line, progress=display.for_network))
        _report(path)


def _parts(texts: Sequence[str], proxy_checkpoint: Path | None) -> dict[str, Path]:
    """Stage to checkpoint.

    Raises:
        ConfigurationError: a text of another form, or a stage named twice.
    """
    from sim2real_bench.errors import ConfigurationError

    pairs = [] if proxy_checkpoint is None else [("proxy", str(proxy_checkpoint))]
    for text in texts:
        stage, _, path = text.partition("=")
        if not stage or not path:
            raise ConfigurationError(f"--part {text!r}: write STAGE=CHECKPOINT")
        pairs.append((stage, path))
    found = {stage: Path(path) for stage, path in pairs}
    if len(found) < len(pairs):
        raise ConfigurationError(f"--part names a stage twice: {', '.join(f'{s}={p}' for s, p in pairs)}")
    return found


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
