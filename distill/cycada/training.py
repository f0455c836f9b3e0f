"""The loop of CyCADA's training: seeded, resumable, with pictures of how far it is."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sim2real_bench.distill.cycada.adversaries import Adversaries, Opponents
from sim2real_bench.distill.cycada.pictures import translation_grid, write_grid
from sim2real_bench.distill.cycada.settings import TranslatorSettings
from sim2real_bench.distill.cycada.state import Standing, read_training, write_training
from sim2real_bench.distill.cycada.unpaired import UnpairedImages
from sim2real_bench.distill.training import Progress, device_named
from sim2real_bench.errors import DataError

_LOG = logging.getLogger(__name__)
_STREAM = 3  # of random numbers below the seed; the training loop of other networks has 0 to 2


@dataclass(frozen=True)
class TrainingPlace:
    """Where a training keeps itself, and how often.

    Attributes:
        folder: of the files.
        name: they begin with.
        save_every: steps between two saved states.
    """

    folder: Path
    name: str
    save_every: int

    @property
    def state(self) -> Path:
        """The state; its history lies beside it as ``.csv``."""
        return self.folder / f"{self.name}.training.safetensors"

    @property
    def pictures(self) -> Path:
        """Translations by the newest saved state."""
        return self.folder / f"{self.name}.pictures.png"


def seeded_adversaries(settings: TranslatorSettings, seed: int) -> Adversaries:
    """New networks, their weights drawn from ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Adversaries(settings)


def train_translators(
    images: UnpairedImages,
    policy: nn.Module,
    settings: TranslatorSettings,
    place: TrainingPlace,
    *,
    seed: int = 0,
    identity: str = "",
    device: str = "cpu",
    resume: bool = False,
    progress: Progress = lambda done, total, text: None,
) -> tuple[Adversaries, Standing]:
    """Train translators both ways.

    A GAN has no loss that tells the best step: the last weights are the result.

    Args:
        images: of both sides.
        policy: f^S, whose answers a translation shall keep; it is not changed.
        settings: how.
        place: where state, history and pictures go.
        seed: of weights, order and memories.
        identity: what is learnt from, in words; a training is continued only where it is the same.
        device: "cpu", "cuda" or "auto".
        resume: continue from the state, if there is one; the result is that of an uninterrupted run.
        progress: called after every step.

    Returns:
        The networks, on the CPU, and the training's end.

    Raises:
        CheckpointError: the state belongs to another training, or cannot be read.
        DataError: a loss is not finite.
    """
    where = device_named(device)
    networks = seeded_adversaries(settings, seed)
    networks.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    opponents = Opponents(networks, settings)
    whole = f"{settings}, seed {seed}, {identity}"
    standing = read_training(place.state, opponents, whole) if resume and place.state.exists() else Standing()
    frozen = policy.to(where).eval().requires_grad_(False)
    while standing.step < settings.steps:
        random = np.random.default_rng([seed, _STREAM, standing.step])
        source, target = (side.to(where) for side in images.batch(settings.batch_size, random))
        values = opponents.step(standing.step, source, target, frozen, random)
        _require_finite(values, standing.step + 1)
        standing = standing.after(values)
        progress(standing.step, settings.steps, _words(standing))
        if standing.step % place.save_every == 0 or standing.step == settings.steps:
            standing = standing.noted()
            write_training(place.state, standing, opponents, whole)
            write_grid(place.pictures, translation_grid(networks.to_source, networks.to_target, images))
            _LOG.info("step %d: %s", standing.step, _words(standing))
    networks.cpu().eval()
    return networks, standing


def _require_finite(values: dict[str, float], step: int) -> None:
    broken = [name for name, value in values.items() if not math.isfinite(value)]
    if broken:
        raise DataError(f"the {broken[0]} loss became {values[broken[0]]} at step {step}; train with another --seed")


def _words(standing: Standing) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in standing.running)
