"""How translators are trained; light, so that the command line can build it without torch."""

from __future__ import annotations

from dataclasses import dataclass

from sim2real_bench.errors import ConfigurationError


@dataclass(frozen=True)
class TranslatorSettings:
    """Sizes and weights of CyCADA's training.

    Attributes:
        width: channels of the first convolution of generators and discriminators; 64 in the paper.
        blocks: residual blocks of a generator; 9 in the paper.
        reduction: images are made smaller by this whole number before they are translated; 1 in the paper.
        steps: optimiser steps; 2 million in CycleGAN's (200 epochs of 10,000 images).
        batch_size: images of each side per step; 1 in the paper.
        learning_rate: Adam's step size; constant for the first half, then linearly to 0.
        cycle_weight: of the L1 distance between an image and itself after both translations.
        identity_weight: of the L1 distance between an image and its translation into the style it has.
        policy_weight: of the L1 distance between f^S's waypoints before and after a translation; 0 = CycleGAN.
        buffer_images: translations remembered for the discriminators; 50 in CycleGAN.
    """

    width: int = 16
    blocks: int = 6
    reduction: int = 2
    steps: int = 6_000
    batch_size: int = 1
    learning_rate: float = 2e-4
    cycle_weight: float = 10.0
    identity_weight: float = 5.0
    policy_weight: float = 1.0
    buffer_images: int = 50

    def __post_init__(self) -> None:
        sizes = (self.width, self.blocks, self.reduction, self.steps, self.batch_size, self.buffer_images)
        if min(sizes) < 1 or self.learning_rate <= 0.0:
            raise ConfigurationError(f"{self}: sizes, steps and the learning rate must be positive")
        if min(self.cycle_weight, self.identity_weight, self.policy_weight) < 0.0:
            raise ConfigurationError(f"{self}: weights of losses must not be negative")
