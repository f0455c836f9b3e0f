"""The controls network: image to raw steer and throttle, with nothing between it and the vehicle."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from sim2real_bench.agents.cards import CheckpointCard
from sim2real_bench.agents.checkpoints import MAX_SIDE_PX, load_network, promised_sizes, promised_width, save_tensors
from sim2real_bench.agents.networks import STRIDE, initialise, resnet_trunk, scaled_channels
from sim2real_bench.errors import ConfigurationError

CONTROLS_KIND = "controls"
_TRUNK_CHANNELS = 512  # of the trunk's last stage at width 1


class ControlsNetwork(nn.Module):
    """Colour image to steer and throttle: the waypoint network's trunk, a mean over the image, a linear layer.

    Args:
        width: channel multiplier, as of the waypoint network.
        height_px: image height, a multiple of 32.
        width_px: image width, a multiple of 32.

    Raises:
        ConfigurationError: a size the network cannot have.
    """

    def __init__(self, width: float, height_px: int, width_px: int) -> None:
        super().__init__()
        if width <= 0 or min(height_px, width_px) < STRIDE or height_px % STRIDE or width_px % STRIDE:
            raise ConfigurationError(
                f"controls network of width {width} for images of {width_px}x{height_px}: the width must be positive "
                f"and both sides multiples of {STRIDE}"
            )
        self.width, self.height_px, self.width_px = width, height_px, width_px
        self.input_norm = nn.BatchNorm2d(3)
        self.trunk = resnet_trunk(3, width)
        self.head = nn.Linear(scaled_channels(_TRUNK_CHANNELS, width), 2)
        initialise(self)

    @property
    def architecture(self) -> dict[str, int | float | str]:
        """The arguments that rebuild this network."""
        return {"width": self.width, "height_px": self.height_px, "width_px": self.width_px}

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, height_px, width_px) float in [0, 1] to (B, 2) in [-1, 1]: steer (positive right), throttle or brake.

        Raises:
            ConfigurationError: images of another shape.
        """
        if images.shape[1:] != (3, self.height_px, self.width_px):
            raise ConfigurationError(
                f"image of shape {tuple(images.shape)} for a controls network that reads "
                f"(batch, 3, {self.height_px}, {self.width_px})"
            )
        images = images.contiguous(memory_format=torch.channels_last)
        features: Tensor = self.trunk(self.input_norm(images)).mean(dim=(2, 3))
        result: Tensor = self.head(features).tanh()
        return result


def save_controls(path: Path, network: ControlsNetwork, card: CheckpointCard) -> CheckpointCard:
    """Save a controls network; kind, architecture and hash of the card are filled in.

    Raises:
        CheckpointError: the weights are not finite or the folder cannot be written.
    """
    card = card.model_copy(update={"architecture": network.architecture, "kind": CONTROLS_KIND})
    return save_tensors(path, network.state_dict(), card)


def load_controls(path: Path) -> tuple[ControlsNetwork, CheckpointCard]:
    """A controls network in evaluation mode, and its card.

    Raises:
        CheckpointError: a file is missing, corrupt, or does not fit the architecture in the card.
    """
    return load_network(path, CONTROLS_KIND, _controls_network)


def _controls_network(card: CheckpointCard) -> ControlsNetwork:
    sizes = promised_sizes(card, {"height_px": MAX_SIDE_PX, "width_px": MAX_SIDE_PX})
    return ControlsNetwork(promised_width(card), **sizes)
