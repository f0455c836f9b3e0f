"""CyCADA's losses and the discriminators' memory against values by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sim2real_bench.distill.cycada.adversaries import learning_rate
from sim2real_bench.distill.cycada.discriminator import Discriminator
from sim2real_bench.distill.cycada.image_buffer import ImageBuffer
from sim2real_bench.distill.cycada.losses import (
    adversarial_loss,
    cycle_loss,
    discriminator_loss,
    identity_loss,
    policy_loss,
)
from sim2real_bench.distill.cycada.settings import TranslatorSettings
from sim2real_bench.errors import ConfigurationError

SCORES = torch.tensor([[[[0.0, 1.0], [0.5, 2.0]]]])


def test_adversarial_loss() -> None:
    assert adversarial_loss(SCORES, real=True).item() == pytest.approx((1 + 0 + 0.25 + 1) / 4)
    assert adversarial_loss(SCORES, real=False).item() == pytest.approx((0 + 1 + 0.25 + 4) / 4)


def test_discriminator_loss() -> None:
    real, translated = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    assert discriminator_loss(real, translated).item() == pytest.approx(0.5 * (0.5 + 4.5))
    assert discriminator_loss(torch.ones(3), torch.zeros(3)).item() == 0.0


def test_cycle_and_identity_loss() -> None:
    original = torch.tensor([-1.0, 0.0, 1.0, 0.5])
    changed = torch.tensor([-0.5, 0.0, 0.0, 0.25])
    for loss in (cycle_loss, identity_loss):
        assert loss(changed, original).item() == pytest.approx((0.5 + 0 + 1 + 0.25) / 4)


def brightness(images: Tensor) -> Tensor:
    """A policy whose ten numbers are all the image's mean."""
    return images.mean(dim=(1, 2, 3))[:, None, None].expand(-1, 5, 2)


def test_policy_loss_and_its_gradients() -> None:
    original = torch.full((2, 3, 4, 4), 0.5, requires_grad=True)
    translated = torch.stack([torch.full((3, 4, 4), 0.7), torch.full((3, 4, 4), 0.4)]).requires_grad_()
    loss = policy_loss(brightness, translated, original)
    assert loss.item() == pytest.approx(10 * (0.2 + 0.1) / 2)
    loss.backward()
    assert original.grad is None  # what is seen in the original is a fixed aim
    assert translated.grad is not None
    signs = translated.grad.mean(dim=(1, 2, 3)).sign().tolist()
    assert signs == [1.0, -1.0]


def test_a_discriminators_score_sees_70_pixels() -> None:
    torch.manual_seed(0)
    judge = Discriminator(4)
    image = torch.zeros(1, 3, 128, 128, requires_grad=True)
    norms = [layer for layer in judge.layers if isinstance(layer, torch.nn.InstanceNorm2d)]
    assert len(norms) == 3
    for index, layer in enumerate(judge.layers):  # a norm over the whole image would see all of it
        if layer in norms:
            judge.layers[index] = torch.nn.Identity()
    scores = judge(image)
    assert scores.shape == (1, 1, 14, 14)
    scores[0, 0, 7, 7].backward()
    assert image.grad is not None
    rows = torch.nonzero(image.grad.abs().sum(dim=(0, 1, 3))).flatten()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_a_memory_fills_up_then_exchanges_half() -> None:
    memory, random = ImageBuffer(4), np.random.default_rng(0)
    first = torch.arange(4.0).view(4, 1, 1, 1)
    assert torch.equal(memory.exchanged(first, random), first)
    old = 0
    for number in range(4, 404):
        new = torch.full((1, 1, 1, 1), float(number))
        held = {image.item() for image in memory.images}
        shown = memory.exchanged(new, random).item()
        now = {image.item() for image in memory.images}
        if shown == number:
            assert now == held
        else:
            old += 1
            assert now == (held - {shown}) | {number}
    assert 160 < old < 240


def test_a_memory_keeps_no_gradients() -> None:
    memory = ImageBuffer(2)
    shown = memory.exchanged(torch.ones(1, 3, 2, 2, requires_grad=True), np.random.default_rng(0))
    assert not shown.requires_grad
    assert not memory.images[0].requires_grad


def test_the_learning_rate_falls_over_the_second_half() -> None:
    settings = TranslatorSettings(steps=10, learning_rate=1.0)
    assert [learning_rate(step, settings) for step in range(10)] == pytest.approx([1.0] * 6 + [0.8, 0.6, 0.4, 0.2])


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="must be positive"):
        TranslatorSettings(width=0)
    with pytest.raises(ConfigurationError, match="must not be negative"):
        TranslatorSettings(policy_weight=-1.0)
