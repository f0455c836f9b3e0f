"""Translators and controls networks: shapes, files, and what a forged card may ask for."""

import json

import pytest
import torch

from sim2real_bench.agents.cards import CheckpointCard, card_path
from sim2real_bench.agents.controls import ControlsNetwork, load_controls, save_controls
from sim2real_bench.agents.translators import (
    PAPER_BLOCKS,
    PAPER_WIDTH,
    TranslatorNetwork,
    enlarged,
    load_translator,
    reduced,
    save_translator,
)
from sim2real_bench.errors import CheckpointError, ConfigurationError

CARD = CheckpointCard(observation="rgb", command="sim2real-bench transfer", seed=0)


def test_the_paper_size_is_cyclegans_generator() -> None:
    """The released network with nine blocks has 11.378 million weights; instance norms have none."""
    with torch.device("meta"):
        network = TranslatorNetwork(PAPER_WIDTH, PAPER_BLOCKS)
    assert sum(parameter.numel() for parameter in network.parameters()) == 11_378_179


def test_an_image_keeps_its_size_and_range() -> None:
    network = TranslatorNetwork(4, 1, reduction=2).eval()
    images = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    translated = network.translate(images)
    assert translated.shape == images.shape
    assert translated.min() >= 0.0
    assert translated.max() <= 1.0
    alone = network.translate(images[1:])
    torch.testing.assert_close(translated[1:], alone, atol=1e-5, rtol=0)  # no image changes another's style


def test_making_smaller_and_larger_by_hand() -> None:
    image = torch.tensor([[0.0, 1.0], [0.5, 0.5]]).expand(1, 3, 2, 2)
    assert torch.equal(reduced(image, 2), torch.zeros(1, 3, 1, 1))
    assert torch.equal(reduced(image, 1)[0, 0], torch.tensor([[-1.0, 1.0], [0.0, 0.0]]))
    assert torch.equal(enlarged(torch.full((1, 3, 1, 1), -0.5), 2), torch.full((1, 3, 2, 2), 0.25))


def test_other_images_and_sizes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="multiples of 8"):
        TranslatorNetwork(4, 1, reduction=2)(torch.zeros(1, 3, 18, 32))
    with pytest.raises(ConfigurationError, match="blocks=0"):
        TranslatorNetwork(4, 0)
    with pytest.raises(ConfigurationError, match="multiples of 32"):
        ControlsNetwork(0.05, 30, 64)
    with pytest.raises(ConfigurationError, match=r"reads \(batch, 3, 32, 64\)"):
        ControlsNetwork(0.05, 32, 64)(torch.zeros(1, 3, 64, 64))


def test_translators_come_back_from_their_files(tmp_path) -> None:
    network = TranslatorNetwork(4, 2, 2).eval()
    save_translator(tmp_path / "a", network, CARD)
    again, card = load_translator(tmp_path / "a")
    assert (card.kind, card.architecture) == ("translator", {"width": 4, "blocks": 2, "reduction": 2})
    images = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(again.translate(images), network.translate(images), atol=2e-3, rtol=0)  # float16


def test_controls_networks_come_back_from_their_files(tmp_path) -> None:
    network = ControlsNetwork(0.05, 32, 64).eval()
    save_controls(tmp_path / "a", network, CARD)
    again, card = load_controls(tmp_path / "a")
    assert card.kind == "controls"
    images = torch.rand(2, 3, 32, 64)
    answers = again(images)
    assert answers.shape == (2, 2)
    assert answers.abs().max() <= 1.0
    torch.testing.assert_close(answers, network(images), atol=2e-2, rtol=0)


@pytest.mark.parametrize("change", [{"width": 100_000}, {"blocks": 0}, {"reduction": -1}, {"width": 8}])
def test_a_forged_card_is_refused(tmp_path, change: dict[str, int]) -> None:
    save_translator(tmp_path / "a", TranslatorNetwork(4, 1), CARD)
    where = card_path(tmp_path / "a")
    document = json.loads(where.read_text())
    document["architecture"] |= change
    where.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="architecture"):
        load_translator(tmp_path / "a")
