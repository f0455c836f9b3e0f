"""Presets: frozen sets of values for every verb, printable with ``--show-config`` and overridden flag by flag."""

from dataclasses import dataclass

from sim2real_bench.errors import UnknownNameError


@dataclass(frozen=True)
class EvaluateSettings:
    """``evaluate``.

    Attributes:
        episodes_per_controller: episodes for each of the five PID controllers.
        horizon_ticks: an episode's longest duration, ticks of 0.1 s.
    """

    episodes_per_controller: int
    horizon_ticks: int


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
    """

    network_width: float
    steps: int
    batch_size: int
    learning_rate: float
    schedule: str


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
        EvaluateSettings(episodes_per_controller=5, horizon_ticks=600),
        TrainSettings(total_steps=150_000, workers=8),
        CollectSettings(frames=2_000, episode_ticks=240, keep_every=3),
        TransferSettings(network_width=0.25, steps=1_500, batch_size=32, learning_rate=1e-3, schedule="cosine"),
        SweepSettings(images=(500, 1_000, 2_000)),
    ),
    "standard": Preset(
        EvaluateSettings(episodes_per_controller=25, horizon_ticks=2400),
        TrainSettings(total_steps=500_000, workers=8),
        CollectSettings(frames=10_000, episode_ticks=240, keep_every=3),
        TransferSettings(network_width=0.25, steps=6_000, batch_size=32, learning_rate=1e-3, schedule="cosine"),
        SweepSettings(images=(500, 1_000, 2_500, 5_000, 10_000)),
    ),
    # The paper's sizes: 50 epochs of 1000 batches, constant learning rate 1e-4 (methods, section 1.4).
    "paper": Preset(
        EvaluateSettings(episodes_per_controller=25, horizon_ticks=2400),
        TrainSettings(total_steps=10_000_000, workers=8),
        CollectSettings(frames=10_000, episode_ticks=1000, keep_every=10),
        TransferSettings(network_width=1.0, steps=50_000, batch_size=64, learning_rate=1e-4, schedule="constant"),
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
