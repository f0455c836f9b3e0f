"""The losses of CyCADA, on tensors; each is a mean over the batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from sim2real_bench.distill.training import waypoint_loss

Policy = Callable[[Tensor], Tensor]
"""(B, 3, H, W) images to (B, 5, 2) normalised waypoints."""


def adversarial_loss(scores: Tensor, real: bool) -> Tensor:
    """Mean squared distance of a discriminator's scores from 1 (``real``) or 0.

    Source: "Least Squares Generative Adversarial Networks" (Mao et al., ICCV 2017), equation 9 with a = 0, b = c = 1,
    without its factor 1/2, as CycleGAN uses it in place of its equation 1.
    """
    return F.mse_loss(scores, torch.full_like(scores, 1.0 if real else 0.0))


def discriminator_loss(scores_of_real: Tensor, scores_of_translated: Tensor) -> Tensor:
    """What a discriminator makes small: half the sum of both distances (CycleGAN halves it to slow it down)."""
    return 0.5 * (adversarial_loss(scores_of_real, True) + adversarial_loss(scores_of_translated, False))


def cycle_loss(returned: Tensor, original: Tensor) -> Tensor:
    """Mean absolute difference between an image and itself after both translations (CycleGAN, equation 2)."""
    return F.l1_loss(returned, original)


def identity_loss(translated: Tensor, original: Tensor) -> Tensor:
    """Mean absolute difference between an image and its translation into its own style (CycleGAN, section 5.2)."""
    return F.l1_loss(translated, original)


def policy_loss(policy: Policy, translated: Tensor, original: Tensor) -> Tensor:
    """How far the waypoints of f^S move when an image is translated.

    Source: CyCADA, equation 4, the semantic consistency, with the source's waypoint policy in place of its classifier
    and waypoints' L1 distance in place of the cross-entropy. As there, what the policy sees in the original is a fixed
    aim: gradients flow into the translation only.
    """
    with torch.no_grad():
        aim = policy(original)
    return waypoint_loss(policy(translated), aim)
