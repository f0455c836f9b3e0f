"""Translators: CycleGAN's generator, which paints an image of one simulator in the style of another.

Source: "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks" (Zhu et al., ICCV 2017),
appendix 7.2, and its released code; CyCADA ("CyCADA: Cycle-Consistent Adversarial Domain Adaptation", Hoffman et al.,
ICML 2018) uses the same network. Two things differ here, so that it drives on a CPU: fewer channels, and an image that
is made smaller before it and larger again after it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sim2real_bench.agents.cards import CheckpointCard
from sim2real_bench.agents.checkpoints import load_network, promised_sizes, save_tensors
from sim2real_bench.errors import ConfigurationError

TRANSLATOR_KIND = "translator"
PAPER_WIDTH, PAPER_BLOCKS = 64, 9
_STRIDE = 4  # of the two convolutions that make the image smaller
_WEIGHT_DEVIATION = 0.02
_LIMITS = {"width": 512, "blocks": 32, "reduction": 16}  # beyond them a card is refused


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions with reflected edges, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels, channels, 3, 1, nn.ReLU(inplace=True)), *_convolution(channels, channels, 3, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.layers(x)
        return x + changed


def _convolution(inputs: int, outputs: int, size: int, padding: int, *after: nn.Module) -> list[nn.Module]:
    return [nn.ReflectionPad2d(padding), nn.Conv2d(inputs, outputs, size), nn.InstanceNorm2d(outputs), *after]


class TranslatorNetwork(nn.Module):
    """Image to image, the same size and the same scene in another style.

    Args:
        width: channels of the first convolution; 64 in the paper.
        blocks: residual blocks; 9 in the paper.
        reduction: the image is made smaller by this whole number first; 1 in the paper.

    Raises:
        ConfigurationError: one of them is not positive.
    """

    def __init__(self, width: int, blocks: int, reduction: int = 1) -> None:
        super().__init__()
        if min(width, blocks, reduction) < 1:
            raise ConfigurationError(
                f"translator with width={width}, blocks={blocks}, reduction={reduction}: all must be positive"
            )
        self.width, self.blocks, self.reduction = width, blocks, reduction
        self.layers = nn.Sequential(
            *_convolution(3, width, 7, 3, nn.ReLU(inplace=True)),
            *_smaller(width, 2 * width),
            *_smaller(2 * width, 4 * width),
            *(_ResidualBlock(4 * width) for _ in range(blocks)),
            *_larger(4 * width, 2 * width),
            *_larger(2 * width, width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, 3, 7),
            nn.Tanh(),
        )
        draw_normal_weights(self)

    @property
    def architecture(self) -> dict[str, int | float | str]:
        """The arguments that rebuild this network."""
        return {"width": self.width, "blocks": self.blocks, "reduction": self.reduction}

    def forward(self, images: Tensor) -> Tensor:
        """Translate images that were made smaller already.

        Args:
            images: (B, 3, h, w) in [-1, 1]; both sides multiples of 4.

        Returns:
            (B, 3, h, w) in [-1, 1].

        Raises:
            ConfigurationError: images of another shape.
        """
        if images.shape[1] != 3 or images.shape[2] % _STRIDE or images.shape[3] % _STRIDE:
            raise ConfigurationError(
                f"images of shape {tuple(images.shape)} for a translator: needed are three channels and sides that "
                f"are multiples of {_STRIDE * self.reduction} before they are made smaller {self.reduction} times"
            )
        result: Tensor = self.layers(images)
        return result

    def translate(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) images in [0, 1] in the other style, of the same size and range."""
        return enlarged(self(reduced(images, self.reduction)), self.reduction)


def _smaller(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.InstanceNorm2d(outputs), nn.ReLU(inplace=True)]


def _larger(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1),
        nn.InstanceNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def draw_normal_weights(network: nn.Module) -> None:
    """Draw the weights of all convolutions from N(0, 0.02), biases 0, as CycleGAN's code does."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, _WEIGHT_DEVIATION)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def reduced(images: Tensor, reduction: int) -> Tensor:
    """(B, 3, H, W) in [0, 1] to (B, 3, H / reduction, W / reduction) in [-1, 1]: means of square blocks of pixels."""
    smaller = images if reduction == 1 else F.avg_pool2d(images, reduction)
    return smaller * 2.0 - 1.0


def enlarged(images: Tensor, reduction: int) -> Tensor:
    """(B, 3, h, w) in [-1, 1] to (B, 3, h reduction, w reduction) in [0, 1], interpolated."""
    images = (images + 1.0) / 2.0
    if reduction == 1:
        return images
    return F.interpolate(images, scale_factor=reduction, mode="bilinear", align_corners=False)


def save_translator(path: Path, network: TranslatorNetwork, card: CheckpointCard) -> CheckpointCard:
    """Save a translator; kind, architecture and hash of the card are filled in.

    Raises:
        CheckpointError: the weights are not finite or the folder cannot be written.
    """
    card = card.model_copy(update={"architecture": network.architecture, "kind": TRANSLATOR_KIND})
    return save_tensors(path, network.state_dict(), card)


def load_translator(path: Path) -> tuple[TranslatorNetwork, CheckpointCard]:
    """A translator in evaluation mode, and its card.

    Raises:
        CheckpointError: a file is missing, corrupt, or does not fit the architecture in the card.
    """
    return load_network(path, TRANSLATOR_KIND, lambda card: TranslatorNetwork(**promised_sizes(card, _LIMITS)))


def translated_image(network: TranslatorNetwork, image: Tensor) -> Tensor:
    """(3, H, W) of one (3, H, W) image, both in [0, 1], without gradients."""
    with torch.inference_mode():
        return network.translate(image[None])[0]
