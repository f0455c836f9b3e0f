"""Unpaired images of source and target, made small, and the batches of each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sim2real_bench.agents.translators import reduced
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.examples import Indices
from sim2real_bench.envs.observation import RGB
from sim2real_bench.errors import DataError

Pixels = npt.NDArray[np.uint8]
_CHUNK = 64  # images made smaller at once


@dataclass(frozen=True)
class UnpairedImages:
    """Images of both sides in memory; nothing says which belong together.

    Attributes:
        source: (N, 3, h, w) uint8.
        target: (M, 3, h, w) uint8.
    """

    source: Pixels
    target: Pixels

    def __post_init__(self) -> None:
        if self.source.shape[1:] != self.target.shape[1:]:
            raise DataError(
                f"images of the source are {self.source.shape[1:]}, of the target {self.target.shape[1:]} (channels, "
                "height, width): collect both with the same --image-size"
            )

    def batch(self, size: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Two times (size, 3, h, w) float in [-1, 1], drawn with replacement, half of them mirrored."""
        source, target = (_drawn(images, size, random) for images in (self.source, self.target))
        return source, target


def _drawn(images: Pixels, size: int, random: np.random.Generator) -> Tensor:
    chosen = images[random.integers(len(images), size=size)]
    mirrored = random.random(size) < 0.5
    chosen[mirrored] = chosen[mirrored][..., ::-1]
    return as_tensor(chosen)


def as_tensor(images: Pixels) -> Tensor:
    """Float in [-1, 1] of uint8, channels last in memory."""
    scaled = torch.from_numpy(images).float().div_(127.5).sub_(1.0)
    return scaled.contiguous(memory_format=torch.channels_last)


def small_images(data: RolloutDataset, reduction: int) -> Pixels:
    """(N, 3, H / reduction, W / reduction) uint8: the colour images of a data set, made smaller episode by episode.

    Raises:
        DataError: the data set holds no colour images.
    """
    return np.concatenate([piece for images in _episodes(data) for piece in _pieces(images, reduction)])


def chosen_images(data: RolloutDataset, chosen: Indices) -> Pixels:
    """(K, H, W, 3) uint8: the colour images of some samples, in order; one episode in memory at a time.

    Raises:
        DataError: the data set holds no colour images.
    """
    found, start = [], 0
    for images in _episodes(data):
        here = chosen[(chosen >= start) & (chosen < start + len(images))]
        found.append(images[here - start])
        start += len(images)
    return np.concatenate(found)


def _episodes(data: RolloutDataset) -> Iterator[Pixels]:
    data.require(data.config.simulator, (RGB,))
    for index, episode in zip(data.filled, data.episodes((RGB,)), strict=True):
        if episode.rgb is None:
            raise DataError(f"episode {index} of {data.folder} holds no {RGB}; collect it anew")
        yield episode.rgb


def _pieces(images: Pixels, reduction: int) -> Iterator[Pixels]:
    for start in range(0, len(images), _CHUNK):
        chunk = torch.from_numpy(images[start : start + _CHUNK]).permute(0, 3, 1, 2).float().div_(255.0)
        yield as_pixels(reduced(chunk, reduction))


def as_pixels(images: Tensor) -> Pixels:
    """uint8 of float in [-1, 1]."""
    scaled: Pixels = images.add(1.0).mul(127.5).round().clamp(0, 255).byte().contiguous().numpy()
    return scaled
