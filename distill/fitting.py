"""From examples to a checkpoint: build the network, train it, measure it, write weights and card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sim2real_bench.agents.checkpoints import CheckpointCard, save_checkpoint, weights_path
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.waypoints import ImageGeometry
from sim2real_bench.distill.examples import Examples, Indices
from sim2real_bench.distill.training import (
    Loss,
    Progress,
    TrainingConfig,
    TrainingResult,
    predict,
    split_by_episode,
    train,
    waypoint_loss,
)

JUDGED = 2000  # held-out examples that a finished network is measured on, at most
Network = TypeVar("Network", bound=nn.Module)
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FitSettings:
    """What all trainings of one ``transfer`` share.

    Attributes:
        out: folder of the checkpoints.
        width: channel multiplier of the networks.
        training: how they are trained.
        command: goes into the cards.
        resume: continue unfinished trainings found in ``out``.
        device: "auto" (a GPU where there is one), "cpu" or "cuda".
        progress: told the name of the network and how far its training is; (name) -> callback.
    """

    out: Path
    width: float
    training: TrainingConfig
    command: str
    resume: bool = False
    progress: Callable[[str], Progress] = lambda name: lambda done, total, text: None
    device: str = "auto"


@dataclass(frozen=True)
class Yardstick:
    """How a network's answers are turned into metres, and what they are compared with.

    Attributes:
        name: of the metric, without its unit.
        geometries: of each example's image, or one for all.
        waypoints: (N, 5, 2 or 3) metres, ego frame.
    """

    name: str
    geometries: list[ImageGeometry]
    waypoints: npt.NDArray[np.float32] | Float

    def median_error_m(self, predicted: npt.NDArray[np.float32], indices: Indices) -> float:
        """Median distance on the ground between predicted (M, 5, 2) and true waypoints of ``indices``, metres."""
        one = len(self.geometries) == 1
        lifted = np.stack(
            [
                self.geometries[0 if one else index].to_ego(points)
                for points, index in zip(predicted, indices, strict=True)
            ]
        )
        return float(np.median(np.linalg.norm(lifted - self.waypoints[indices][..., :2], axis=-1)))


@dataclass(frozen=True)
class FittedNetwork:
    """How a training ended.

    Attributes:
        result: of the training loop.
        judged: held-out examples to measure the network on (examples learnt from, where none is held out).
    """

    result: TrainingResult
    judged: Indices

    @property
    def metrics(self) -> dict[str, float]:
        """What every card tells."""
        return {
            "validation_loss": self.result.best_loss,
            "best_step": float(self.result.best_step),
            "training_examples": float(self.result.training_examples),
            "validation_examples": float(self.result.validation_examples),
        }


def fit_network(
    name: str,
    network: nn.Module,
    examples: Examples,
    settings: FitSettings,
    *,
    identity: tuple[object, ...],
    loss: Loss = waypoint_loss,
) -> FittedNetwork:
    """Train any network in place, its state and history in ``settings.out`` under ``name``.

    Args:
        name: of the checkpoint it will become.
        network: images to answers; holds its first weights, and the best at the end.
        examples: what it learns from.
        settings: how.
        identity: everything that decides what is learnt, besides the settings; printed alike for equal trainings. An
            unfinished training is only continued where it is the same.
        loss: between the network's answers and the examples' targets.
    """
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()
    config = replace(settings.training, data=digest)
    result = train(
        network,
        examples,
        config,
        settings.out / f"{name}.training.safetensors",
        loss=loss,
        device=settings.device,
        resume=settings.resume,
        progress=settings.progress(name),
    )
    training, validation = split_by_episode(examples.groups, config.validation_share, config.seed)
    return FittedNetwork(result, (validation if len(validation) else training)[:JUDGED])


def seeded_network(seed: int, build: Callable[[], Network]) -> Network:
    """What ``build`` makes, its random weights drawn from ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def fit_checkpoint(
    name: str,
    observation: str,
    examples: Examples,
    settings: FitSettings,
    *,
    data: dict[str, str],
    yardsticks: list[Yardstick],
    notes: str,
    start: WaypointNetwork | None = None,
) -> Path:
    """Train a waypoint network on examples and save it as ``settings.out / name``.

    Args:
        name: of the checkpoint.
        observation: what the network reads at test time, a key of ``agents.inputs.NETWORK_INPUTS``.
        examples: what it learns from; their image size becomes the network's.
        settings: how.
        data: hashes for the card, by name.
        yardsticks: measured on the held-out episodes (or on all, where none is held out).
        notes: for the card.
        start: trained further instead of a new network; its hash belongs into ``data``.

    Returns:
        The weights file.
    """
    seed = settings.training.seed
    images, _ = examples.batch(np.zeros(1, np.int64), None)
    network = start or seeded_network(
        seed, lambda: WaypointNetwork(images.shape[1], settings.width, images.shape[2], images.shape[3])
    )
    fitted = fit_network(
        name, network, examples, settings, identity=(name, settings.width, sorted(data.items()), notes)
    )
    judged = fitted.judged
    answers = predict(network, lambda rows: examples.batch(judged[rows], None)[0], len(judged)).numpy()
    errors = {f"{stick.name}_median_error_m": stick.median_error_m(answers, judged) for stick in yardsticks}
    card = CheckpointCard(
        observation=observation,
        command=settings.command,
        seed=seed,
        data=data,
        metrics=fitted.metrics | errors,
        notes=notes,
    )
    save_checkpoint(settings.out / name, network, card)
    return weights_path(settings.out / name)
