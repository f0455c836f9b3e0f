"""Augmentation of a student's colour images: the paper's, or one that also draws weather, night and shadows over them.

The weather of a picture changes where a picture lies in colour, not where the road is. A data set shows each corner in
one weather; these changes show it in others. They are rough on purpose and read nothing but the picture: depth is that
of flat ground seen by the driving camera (90 degrees wide, 1.4 m high, horizon in the middle row).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from sim2real_bench.distill.augment import photometric, saturate, uniform
from sim2real_bench.errors import UnknownNameError

ImageChange = Callable[[Tensor, torch.Generator], Tensor]
"""((B, 3, H, W) in [0, 1], randomness) to new images of the same shape in [0, 1]."""

_CAMERA_HEIGHT_M = 1.4
_FARTHEST_M = 35.0  # how far whatever stands above the horizon is taken to be
_DUSK = (1.0, 0.8, 0.85)
_NIGHT = (1.0, 1.0, 0.9)


def ground_depth(height: int, width: int) -> Tensor:
    """(height,) metres from a camera of 90 degrees to the flat ground seen in each row; ``_FARTHEST_M`` at most."""
    below = torch.arange(height, dtype=torch.float32) + 0.5 - height / 2
    return (_CAMERA_HEIGHT_M * width / 2 / below.clamp_min(1e-3)).clamp_max(_FARTHEST_M)


def fog(images: Tensor, generator: torch.Generator) -> Tensor:
    """Grey air: what is seen at depth d keeps exp(-d / visibility) of its contrast (Koschmieder's law)."""
    count, _, height, width = images.shape
    visibility_m = uniform(generator, 12.0, 60.0, count, 1, 1, 1)
    air = uniform(generator, 0.5, 0.9, count, 1, 1, 1)
    kept = torch.exp(-ground_depth(height, width)[:, None] / visibility_m)
    return kept * images + (1.0 - kept) * air


def dusk(images: Tensor, generator: torch.Generator) -> Tensor:
    """A low sun: less light, the warmer part of it."""
    light = uniform(generator, 0.4, 0.9, len(images), 1, 1, 1)
    return images * light * images.new_tensor(_DUSK).view(1, 3, 1, 1)


def night(images: Tensor, generator: torch.Generator) -> Tensor:
    """Little light, headlights on the road ahead, a noisy picture."""
    count, _, height, width = images.shape
    row = torch.linspace(0.0, 1.0, height)[:, None]
    column = torch.linspace(-1.0, 1.0, width)
    beam = torch.exp(-((column / 0.8) ** 2) - ((row - 0.8) / 0.25) ** 2)
    ambient = uniform(generator, 0.08, 0.3, count, 1, 1, 1)
    light = ambient + uniform(generator, 0.4, 1.0, count, 1, 1, 1) * beam
    noise = torch.randn(images.shape, generator=generator) * uniform(generator, 0.0, 0.04, count, 1, 1, 1)
    return images * light * images.new_tensor(_NIGHT).view(1, 3, 1, 1) + noise


def rain(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pale colours, haze, and bright streaks."""
    count, _, height, width = images.shape
    pale = saturate(images, uniform(generator, 0.2, 0.7, count, 1, 1, 1))
    hazy = pale + uniform(generator, 0.1, 0.5, count, 1, 1, 1) * (0.55 - pale)
    drops = (torch.rand((count, 1, height, width), generator=generator) < 0.0015).float()
    streaks = F.max_pool2d(drops, (11, 1), 1, (5, 0))
    return hazy + streaks * uniform(generator, 0.05, 0.2, count, 1, 1, 1)


def shade(images: Tensor, generator: torch.Generator) -> Tensor:
    """The shadow of a house: what lies on one side of a line is darker."""
    count, _, height, width = images.shape
    angle = uniform(generator, 0.0, 2.0 * math.pi, count, 1, 1)
    offset = uniform(generator, -0.5, 0.5, count, 1, 1)
    across = torch.cos(angle) * torch.linspace(-1, 1, width) + torch.sin(angle) * torch.linspace(-1, 1, height)[:, None]
    dark = uniform(generator, 0.35, 0.8, count, 1, 1, 1)
    return torch.where((across > offset)[:, None], images * dark, images)


WEATHER_SHARES: tuple[tuple[ImageChange, float], ...] = (
    (fog, 0.15), (dusk, 0.12), (night, 0.12), (rain, 0.12), (shade, 0.12),
)  # fmt: skip
"""What happens to which share of the images; the paper's changes happen to the others."""


def weather(images: Tensor, generator: torch.Generator) -> Tensor:
    """On most images one change of weather, of night, or of a shadow; on the others the paper's changes.

    Args:
        images: (B, 3, H, W) in [0, 1].
        generator: source of all randomness.

    Returns:
        New images of the same shape in [0, 1].
    """
    result = photometric(images, generator)
    drawn, low = torch.rand(len(images), generator=generator), 0.0
    for change, share in WEATHER_SHARES:
        which = torch.nonzero((drawn >= low) & (drawn < low + share)).flatten()
        if len(which):
            result[which] = change(images[which], generator)
        low += share
    return result.clamp_(0.0, 1.0)


IMAGE_CHANGES: dict[str, ImageChange] = {"paper": photometric, "weather": weather}


def image_changes(name: str) -> ImageChange:
    """The augmentation of a name.

    Raises:
        UnknownNameError: no such augmentation.
    """
    if name not in IMAGE_CHANGES:
        raise UnknownNameError(f"unknown image augmentation {name!r}; choose one of {', '.join(IMAGE_CHANGES)}")
    return IMAGE_CHANGES[name]
