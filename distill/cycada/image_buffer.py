"""A memory of earlier translations, so that a discriminator does not forget what it learnt to see through."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class ImageBuffer:
    """The last translations, as a discriminator is shown them.

    Source: CycleGAN, section 4, after Shrivastava et al. (CVPR 2017).

    Args:
        capacity: images remembered.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.images: list[Tensor] = []

    def exchanged(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """The batch to show: until the memory is full, and later by a fair coin, the new image; else an earlier one,
        whose place the new one takes.

        Args:
            images: (B, C, h, w) new translations; kept without gradients.
            random: what is drawn from.
        """
        return torch.stack([self._exchanged(image.detach(), random) for image in images])

    def _exchanged(self, image: Tensor, random: np.random.Generator) -> Tensor:
        if len(self.images) < self.capacity:
            self.images.append(image.clone())
            return image
        if random.random() < 0.5:
            return image
        place = int(random.integers(self.capacity))
        earlier, self.images[place] = self.images[place], image.clone()
        return earlier
