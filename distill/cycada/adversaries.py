"""The four networks of CyCADA, their losses, and one step of their training."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from sim2real_bench.agents.translators import TranslatorNetwork, enlarged
from sim2real_bench.distill.cycada.discriminator import Discriminator
from sim2real_bench.distill.cycada.image_buffer import ImageBuffer
from sim2real_bench.distill.cycada.losses import (
    Policy,
    adversarial_loss,
    cycle_loss,
    discriminator_loss,
    identity_loss,
    policy_loss,
)
from sim2real_bench.distill.cycada.settings import TranslatorSettings

_BETAS = (0.5, 0.999)  # of Adam, as in CycleGAN
TERMS = ("adversarial", "cycle", "identity", "policy", "discriminators")


class Adversaries(nn.Module):
    """Both translators and both discriminators.

    Attributes:
        to_source: target image to source style; what drives in the end.
        to_target: source image to target style.
        judge_source: knows the source's images from translated ones.
        judge_target: knows the target's.
    """

    def __init__(self, settings: TranslatorSettings) -> None:
        super().__init__()
        self.settings = settings
        shape = (settings.width, settings.blocks, settings.reduction)
        self.to_source, self.to_target = TranslatorNetwork(*shape), TranslatorNetwork(*shape)
        self.judge_source, self.judge_target = Discriminator(settings.width), Discriminator(settings.width)

    def translator_parameters(self) -> list[nn.Parameter]:
        """Of both translators."""
        return [*self.to_source.parameters(), *self.to_target.parameters()]

    def discriminator_parameters(self) -> list[nn.Parameter]:
        """Of both discriminators."""
        return [*self.judge_source.parameters(), *self.judge_target.parameters()]

    def translated(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(target in source style, source in target style, and both images translated into their own style)."""
        as_source = self.to_source(torch.cat([target, source]))
        as_target = self.to_target(torch.cat([source, target]))
        (target_as_source, source_again), (source_as_target, target_again) = as_source.chunk(2), as_target.chunk(2)
        return target_as_source, source_as_target, source_again, target_again

    def translator_terms(
        self, source: Tensor, target: Tensor, policy: Policy
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """The weighted losses of the translators on a batch of each side, and their translations.

        Args:
            source: (B, 3, h, w) in [-1, 1].
            target: the same of the target.
            policy: f^S on images in [0, 1] of full size; its weights get no gradients.

        Returns:
            Losses by name (all but "discriminators" of ``TERMS``), target in source style, source in target style.
        """
        settings = self.settings
        target_as_source, source_as_target, source_again, target_again = self.translated(source, target)
        cycle = cycle_loss(self.to_source(source_as_target), source)
        cycle = cycle + cycle_loss(self.to_target(target_as_source), target)
        terms = {
            "adversarial": adversarial_loss(self.judge_source(target_as_source), True)
            + adversarial_loss(self.judge_target(source_as_target), True),
            "cycle": settings.cycle_weight * cycle,
            "identity": settings.identity_weight
            * (identity_loss(source_again, source) + identity_loss(target_again, target)),
        }
        if settings.policy_weight > 0.0:
            moved = self._policy_loss(policy, target_as_source, target)
            terms["policy"] = settings.policy_weight * (moved + self._policy_loss(policy, source_as_target, source))
        return terms, target_as_source, source_as_target

    def _policy_loss(self, policy: Policy, translated: Tensor, original: Tensor) -> Tensor:
        reduction = self.settings.reduction
        return policy_loss(policy, enlarged(translated, reduction), enlarged(original, reduction))

    def discriminator_term(
        self, source: Tensor, target: Tensor, target_as_source: Tensor, source_as_target: Tensor
    ) -> Tensor:
        """The loss of both discriminators on real images and translations, which get no gradients."""
        of_source = discriminator_loss(self.judge_source(source), self.judge_source(target_as_source.detach()))
        of_target = discriminator_loss(self.judge_target(target), self.judge_target(source_as_target.detach()))
        return of_source + of_target


class Opponents:
    """The optimisers of translators and discriminators, and the discriminators' memories.

    Args:
        networks: trained in place.
        settings: how.
    """

    def __init__(self, networks: Adversaries, settings: TranslatorSettings) -> None:
        self.networks, self.settings = networks, settings
        self.translators = torch.optim.Adam(networks.translator_parameters(), settings.learning_rate, _BETAS)
        self.discriminators = torch.optim.Adam(networks.discriminator_parameters(), settings.learning_rate, _BETAS)
        self.source_memory = ImageBuffer(settings.buffer_images)
        self.target_memory = ImageBuffer(settings.buffer_images)

    def step(
        self, number: int, source: Tensor, target: Tensor, policy: Policy, random: np.random.Generator
    ) -> dict[str, float]:
        """One step of the translators, then one of the discriminators.

        Args:
            number: of this step, counted from 0.
            source: (B, 3, h, w) in [-1, 1].
            target: the same of the target.
            policy: f^S, see ``Adversaries.translator_terms``.
            random: decides what the discriminators are reminded of.

        Returns:
            The weighted losses by name.
        """
        for optimiser in (self.translators, self.discriminators):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(number, self.settings)
        _set_learning(self.networks.discriminator_parameters(), False)
        terms, target_as_source, source_as_target = self.networks.translator_terms(source, target, policy)
        _descend(self.translators, torch.stack(list(terms.values())).sum())
        _set_learning(self.networks.discriminator_parameters(), True)
        shown = (
            self.source_memory.exchanged(target_as_source, random),
            self.target_memory.exchanged(source_as_target, random),
        )
        terms["discriminators"] = self.networks.discriminator_term(source, target, *shown)
        _descend(self.discriminators, terms["discriminators"])
        return {name: float(term.detach()) for name, term in terms.items()}


def learning_rate(step: int, settings: TranslatorSettings) -> float:
    """Constant for the first half of the steps, then linearly to 0, as CycleGAN's 100 + 100 epochs."""
    left = (settings.steps - step) / (settings.steps - settings.steps // 2)
    return settings.learning_rate * min(1.0, left)


def _set_learning(parameters: Iterable[nn.Parameter], learning: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(learning)


def _descend(optimiser: torch.optim.Adam, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
