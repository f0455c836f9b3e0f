"""Raw control: a network from source images to the steer and throttle that the source's driver answered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sim2real_bench.agents.checkpoints import CheckpointCard, weights_path
from sim2real_bench.agents.controls import ControlsNetwork, save_controls
from sim2real_bench.distill.augment import chosen, photometric
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.examples import Images, Indices, rgb_images
from sim2real_bench.distill.fitting import FitSettings, fit_network, seeded_network
from sim2real_bench.distill.training import predict
from sim2real_bench.envs.observation import RGB


@dataclass(frozen=True)
class ControlExamples:
    """Colour images with what was done there.

    Attributes:
        images: the images.
        actions: (N, 2) float32: steer (positive right), throttle or brake.
        groups: (N,) episode of every example.
    """

    images: Images
    actions: npt.NDArray[np.float32]
    groups: Indices

    def batch(self, indices: Indices, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) and (B, 2); with a generator half is mirrored, and some changed in colour and sharpness."""
        images, actions = self.images.batch(indices), torch.from_numpy(self.actions[indices])
        if generator is None:
            return images, actions
        which = chosen(generator, len(images), 0.5)
        images[which] = images[which].flip(-1)
        actions[which, 0] = -actions[which, 0]
        return photometric(images, generator), actions


def control_loss(answers: Tensor, actions: Tensor) -> Tensor:
    """Mean over the batch of the L1 distance between (B, 2) actions, summed over steer and throttle.

    The counterpart of ``waypoint_loss``.
    """
    return (answers - actions).abs().sum(dim=1).mean()


def fit_controls(source: RolloutDataset, name: str, settings: FitSettings) -> Path:
    """Train a controls network on source images and save it as ``settings.out / name``.

    Returns:
        The weights file.

    Raises:
        DataError: the data set lacks colour images, or the driver's actions.
    """
    source.require(source.config.simulator, (RGB,))
    examples = ControlExamples(rgb_images(source), source.stack("action"), source.episode_of_sample())
    first, _ = examples.batch(np.zeros(1, np.int64), None)
    network = seeded_network(
        settings.training.seed, lambda: ControlsNetwork(settings.width, first.shape[2], first.shape[3])
    )
    identity = (name, settings.width, source.hash)
    fitted = fit_network(name, network, examples, settings, identity=identity, loss=control_loss)
    answers = predict(network, lambda rows: examples.batch(fitted.judged[rows], None)[0], len(fitted.judged)).numpy()
    errors = np.abs(answers - examples.actions[fitted.judged]).mean(axis=0)
    card = CheckpointCard(
        observation=RGB,
        command=settings.command,
        seed=settings.training.seed,
        data={"source": source.hash},
        metrics=fitted.metrics | {"mean_steer_error": float(errors[0]), "mean_throttle_error": float(errors[1])},
        notes=f"{source.config.simulator} image to steer and throttle of its driver {source.config.driver}",
    )
    save_controls(settings.out / name, network, card)
    return weights_path(settings.out / name)
