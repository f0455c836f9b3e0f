"""Presets: frozen sets of values for every verb, printable with ``--show-config`` and overridden flag by flag."""

from dataclasses import dataclass

from sim2real_bench.errors import UnknownNameError


@dataclass(frozen=True)
class EvaluateSettings:
    """``evaluate``.

    Attributes:
        episodes_per_controller: episodes for each of the five PID controllers.
        horizon_ticks: an episode's longest duration, ticks of 0.1 s.
        methods: comma-separated names, or "all": every method of this package whose weights come with it.
    """

    episodes_per_controller: int
    horizon_ticks: int
    methods: str = "all"


@dataclass(frozen=True)
class TrainSettings:
    """``train`` (PPO in SuperTuxKart).

    Attributes:
        total_steps: environment steps in all workers together.
        workers: simulator processes.
    """

    total_steps: int
    workers: int


@dataclass(frozen=True)
class CollectSettings:
    """``collect``.

    Attributes:
        frames: images to keep.
        episode_ticks: simulator ticks of 0.1 s per episode.
        keep_every: ticks between two kept images.
    """

    frames: int
    episode_ticks: int
    keep_every: int


@dataclass(frozen=True)
class TransferSettings:
    """``transfer``.

    Attributes:
        network_width: channel multiplier of the waypoint network; 1 is the paper's.
        steps: optimiser steps.
        batch_size: images per step.
        learning_rate: Adam's step size.
        schedule: "constant" (as in the paper) or "cosine" (down to zero; a short training ends better with it).
        translator_width: channels of CyCADA's translators; 64 is the paper's.
        translator_blocks: their residual blocks; 9 is the paper's.
        translator_reduction: images are made smaller by this number before they are translated.
        translator_steps: their optimiser steps, of one image of each side.
    """

    network_width: float
    steps: int
    batch_size: int
    learning_rate: float
    schedule: str
    translator_width: int = 16
    translator_blocks: int = 6
    translator_reduction: int = 2
    translator_steps: int = 4_000


@dataclass(frozen=True)
class SweepSettings:
    """``sweep``.

    Attributes:
        images: numbers of labelled target images.
    """

    images: tuple[int, ...]


@dataclass(frozen=True)
class Preset:
    """One named set of values for all verbs."""

    evaluate: EvaluateSettings
    train: TrainSettings
    collect: CollectSettings
    transfer: TransferSettings
    sweep: SweepSettings


PRESETS: dict[str, Preset] = {
    "quick": Preset(
        EvaluateSettings(5, 600, methods="reference,direct,task-distillation"),
        TrainSettings(total_steps=150_000, workers=8),
        CollectSettings(frames=2_000, episode_ticks=240, keep_every=3),
        TransferSettings(
            network_width=0.25,
            steps=1_500,
            batch_size=32,
            learning_rate=1e-3,
            schedule="cosine",
            translator_steps=1_500,
        ),
        SweepSettings(images=(500, 1_000, 2_000)),
    ),
    "standard": Preset(
        EvaluateSettings(episodes_per_controller=25, horizon_ticks=2400),
        TrainSettings(total_steps=500_000, workers=8),
        CollectSettings(frames=10_000, episode_ticks=240, keep_every=3),
        TransferSettings(network_width=0.25, steps=2_000, batch_size=32, learning_rate=1e-3, schedule="cosine"),
        SweepSettings(images=(500, 1_000, 2_500, 5_000, 10_000)),
    ),
    # The paper's sizes: 50 epochs of 1000 batches, constant learning rate 1e-4 (methods, section 1.4).
    "paper": Preset(
        EvaluateSettings(episodes_per_controller=25, horizon_ticks=2400),
        TrainSettings(total_steps=10_000_000, workers=8),
        CollectSettings(frames=10_000, episode_ticks=1000, keep_every=10),
        # CyCADA: CycleGAN's network and a tenth of its 200 epochs, which 10,000 images make 2 million steps.
        TransferSettings(
            network_width=1.0,
            steps=50_000,
            batch_size=64,
            learning_rate=1e-4,
            schedule="constant",
            translator_width=64,
            translator_blocks=9,
            translator_reduction=1,
            translator_steps=200_000,
        ),
        SweepSettings(images=(500, 1_000, 2_500, 5_000, 10_000)),
    ),
}


def preset_named(name: str) -> Preset:
    """The preset of a name.

    Raises:
        UnknownNameError: an unknown name.
    """
    if name not in PRESETS:
        raise UnknownNameError(f"unknown preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
