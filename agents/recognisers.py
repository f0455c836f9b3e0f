"""Recognisers: networks from a camera image to the road mask that a proxy policy reads.

They are the waypoint network's encoder and decoder with one logit per pixel in place of five heatmaps, so that modular
transfer and task distillation differ in what passes between image and waypoints and not in the network. The map seen
from above needs a change of view: the image is first laid onto the ground by the driving camera's homography (inverse
perspective mapping), and the same network then sees a 192x192 picture of the ground.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sim2real_bench.agents.cards import CheckpointCard
from sim2real_bench.agents.checkpoints import MAX_SIDE_PX, load_network, promised_sizes, promised_width, save_tensors
from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.agents.networks import (
    DECODER_CHANNELS,
    STRIDE,
    deconvolutions,
    initialise,
    resnet_trunk,
    scaled_channels,
)
from sim2real_bench.agents.waypoints import MapGeometry, pixels_to_normalised
from sim2real_bench.envs.observation import LABELS, MAP_SIZE, MAP_VIEW
from sim2real_bench.errors import ConfigurationError

RECOGNISER_KIND = "recogniser"


class RecogniserNetwork(nn.Module):
    """Camera image to one logit for "road" at each pixel of the camera image or of the map view.

    Args:
        output: what it predicts: "labels" (the road mask of the camera image) or "map_view" (the map's road channel).
        width: channel multiplier, as of the waypoint network.
        height_px: image height, a multiple of 32.
        width_px: image width, a multiple of 32.

    Raises:
        ConfigurationError: a size or an output the network cannot have.
    """

    ground: Tensor

    def __init__(self, output: str, width: float, height_px: int, width_px: int) -> None:
        super().__init__()
        if output not in (LABELS, MAP_VIEW):
            raise ConfigurationError(f"a recogniser predicts {LABELS!r} or {MAP_VIEW!r}, not {output!r}")
        if width <= 0 or min(height_px, width_px) < STRIDE or height_px % STRIDE or width_px % STRIDE:
            raise ConfigurationError(
                f"recogniser of width {width} for images of {width_px}x{height_px}: the width must be positive and "
                f"both sides multiples of {STRIDE}"
            )
        self.output, self.width = output, width
        self.height_px, self.width_px = height_px, width_px
        self.input_norm = nn.BatchNorm2d(3)
        self.trunk = resnet_trunk(3, width)
        self.decoder = deconvolutions(width)
        self.head = nn.Conv2d(scaled_channels(DECODER_CHANNELS[-1], width), 1, 1)
        self.register_buffer("ground", _ground_grid(), persistent=False)
        initialise(self)

    @property
    def architecture(self) -> dict[str, int | float | str]:
        """The arguments that rebuild this network."""
        return {
            "output": self.output,
            "width": self.width,
            "height_px": self.height_px,
            "width_px": self.width_px,
        }

    def forward(self, image: Tensor) -> Tensor:
        """Logits of road.

        Args:
            image: (B, 3, height_px, width_px) float in [0, 1]; for the map, as the driving camera sees it.

        Returns:
            (B, 1, height_px, width_px), or (B, 1, 192, 192) for the map.
        """
        if image.shape[1:] != (3, self.height_px, self.width_px):
            raise ConfigurationError(
                f"image of shape {tuple(image.shape)} for a recogniser that reads "
                f"(batch, 3, {self.height_px}, {self.width_px})"
            )
        if self.output == MAP_VIEW:
            image = F.grid_sample(image, self.ground.expand(len(image), -1, -1, -1), align_corners=False)
        image = image.contiguous(memory_format=torch.channels_last)
        features: Tensor = self.decoder(self.trunk(self.input_norm(image)))
        return F.interpolate(self.head(features), size=image.shape[2:], mode="bilinear", align_corners=False)

    def masks(self, image: Tensor) -> Tensor:
        """(B, 1, H, W) float 0 or 1: where road is likelier than not."""
        return (self(image) > 0.0).float()


def _ground_grid() -> Tensor:
    """(1, 192, 192, 2): where the driving camera sees the middle of each pixel of the map, normalised."""
    middles = (np.arange(MAP_SIZE) + 0.5) * 2.0 / MAP_SIZE - 1.0
    right, down = np.meshgrid(middles, middles)
    pixels, depth = DRIVING_CAMERA.project(MapGeometry().to_ego(np.stack([right, down], axis=-1)))
    seen = pixels_to_normalised(pixels, DRIVING_CAMERA.width, DRIVING_CAMERA.height)
    seen[depth <= 0.0] = 2.0  # beside the image, where everything is black
    return torch.from_numpy(seen).float()[None]


def save_recogniser(path: Path, network: RecogniserNetwork, card: CheckpointCard) -> CheckpointCard:
    """Save a recogniser; kind, architecture and hash of the card are filled in.

    Raises:
        CheckpointError: the weights are not finite or the folder cannot be written.
    """
    card = card.model_copy(update={"architecture": network.architecture, "kind": RECOGNISER_KIND})
    return save_tensors(path, network.state_dict(), card)


def load_recogniser(path: Path) -> tuple[RecogniserNetwork, CheckpointCard]:
    """A recogniser in evaluation mode, and its card.

    Raises:
        CheckpointError: a file is missing, corrupt, or does not fit the architecture in the card.
    """
    return load_network(path, RECOGNISER_KIND, _recogniser)


def _recogniser(card: CheckpointCard) -> RecogniserNetwork:
    sizes = promised_sizes(card, {"height_px": MAX_SIDE_PX, "width_px": MAX_SIDE_PX})
    return RecogniserNetwork(str(card.architecture["output"]), promised_width(card), **sizes)
