"""Raw control: its examples, its loss by hand, and that it overfits a handful of images."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sim2real_bench.agents.cards import read_card
from sim2real_bench.agents.controls import load_controls
from sim2real_bench.distill.cycada.raw_controls import ControlExamples, control_loss, fit_controls
from sim2real_bench.distill.data.episode import EpisodeNote
from sim2real_bench.distill.data.rollouts import RolloutDataset, RolloutWriter
from sim2real_bench.distill.examples import RgbImages
from sim2real_bench.distill.fitting import FitSettings
from sim2real_bench.distill.training import TrainingConfig
from sim2real_bench.errors import DataError


@pytest.fixture(scope="module")
def driven(make_dataset: Callable[[str], RolloutDataset], tmp_path_factory: pytest.TempPathFactory) -> RolloutDataset:
    """The synthetic kart data with a driver who steers as far as the road bends (right is positive)."""
    without = make_dataset("stk")
    folder = tmp_path_factory.mktemp("driven")
    writer = RolloutWriter(folder, without.config, "sim2real-bench collect")
    for index, episode in enumerate(without.episodes()):
        bend = -episode.waypoints[:, -1, 1] / 10.0
        action = np.stack([bend, np.full(len(episode), 0.3)], axis=-1).astype(np.float32)
        writer.append(index, replace(episode, action=action), EpisodeNote(index, "arc", "", 4, "horizon"))
    writer.finish(index + 1)
    return RolloutDataset(folder)


def test_control_loss() -> None:
    answers, actions = torch.tensor([[0.5, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 0.25], [0.0, 0.0]])
    assert control_loss(answers, actions).item() == pytest.approx(((0.5 + 0.25) + (0.0 + 1.0)) / 2)


def test_a_mirrored_image_is_steered_the_other_way() -> None:
    images = np.zeros((1, 32, 32, 3), np.uint8)
    images[:, :, :16] = 255
    examples = ControlExamples(RgbImages(images), np.array([[0.5, 0.3]], np.float32), np.zeros(1, np.int64))
    indices = np.zeros(40, np.int64)
    seen, actions = examples.batch(indices, torch.Generator().manual_seed(0))
    brighter_left = seen[:, :, :, :16].mean(dim=(1, 2, 3)) > seen[:, :, :, 16:].mean(dim=(1, 2, 3))
    assert 8 < int(brighter_left.sum()) < 32
    assert torch.equal(actions[:, 0], torch.where(brighter_left, 0.5, -0.5))
    assert torch.equal(actions[:, 1], torch.full((40,), 0.3))
    plain, unchanged = examples.batch(indices, None)
    assert bool((plain[..., :16] == 1.0).all())
    assert torch.equal(unchanged[:, 0], torch.full((40,), 0.5))


def test_it_overfits_a_handful_of_images(driven: RolloutDataset, tmp_path: Path) -> None:
    config = TrainingConfig(120, 12, 5e-3, validation_share=0.0, validate_every=30, schedule="cosine")
    path = fit_controls(driven, "stk-controls", FitSettings(tmp_path, 0.05, config, "a command", device="cpu"))
    card = read_card(path)
    assert (card.kind, card.data) == ("controls", {"source": driven.hash})
    assert card.metrics["mean_steer_error"] < 0.1 < np.abs(driven.stack("action")[:, 0]).mean()
    assert card.metrics["mean_throttle_error"] < 0.05
    network, _ = load_controls(path)
    assert network(torch.zeros(1, 3, 64, 96)).shape == (1, 2)


def test_data_without_actions_are_refused(make_dataset: Callable[[str], RolloutDataset], tmp_path: Path) -> None:
    config = TrainingConfig(1, 2, 1e-3)
    with pytest.raises(DataError, match="holds no action"):
        fit_controls(make_dataset("stk"), "stk-controls", FitSettings(tmp_path, 0.05, config, "", device="cpu"))
    assert list(tmp_path.iterdir()) == []
