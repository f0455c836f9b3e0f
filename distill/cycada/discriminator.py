"""The PatchGAN discriminator: scores for patches of an image, real or translated."""

from __future__ import annotations

from torch import Tensor, nn

from sim2real_bench.agents.translators import draw_normal_weights

_SIZE, _SLOPE = 4, 0.2


class Discriminator(nn.Module):
    """CycleGAN's 70x70 PatchGAN: five 4x4 convolutions, each score sees 70x70 pixels; no sigmoid, for least squares.

    Args:
        width: channels of the first convolution; 64 in the paper.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, _SIZE, 2, 1),
            nn.LeakyReLU(_SLOPE, inplace=True),
            *_convolution(width, 2 * width, 2),
            *_convolution(2 * width, 4 * width, 2),
            *_convolution(4 * width, 8 * width, 1),
            nn.Conv2d(8 * width, 1, _SIZE, 1, 1),
        )
        draw_normal_weights(self)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, h, w) in [-1, 1] to (B, 1, about h / 8, about w / 8) scores; 1 means real."""
        result: Tensor = self.layers(images)
        return result


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, _SIZE, stride, 1),
        nn.InstanceNorm2d(outputs),
        nn.LeakyReLU(_SLOPE, inplace=True),
    ]
