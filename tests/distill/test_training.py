"""The training loop: loss by hand, split, order, learning rate, exact resumption, best weights."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.distill.fitting import FitSettings, fit_network, seeded_network
from sim2real_bench.distill.training import (
    TrainingConfig,
    batch_indices,
    batches,
    device_named,
    learning_rate,
    mean_loss,
    split_by_episode,
    train,
    waypoint_loss,
)
from sim2real_bench.errors import CheckpointError, ConfigurationError, DataError

CONFIG = TrainingConfig(steps=12, batch_size=4, learning_rate=1e-3, validate_every=4, validation_share=0.25, seed=5)


@dataclass
class Points:
    """Random images whose targets are a fixed linear function of their mean colour; augmentation adds noise."""

    groups: np.ndarray
    images: torch.Tensor

    def batch(self, indices, generator):
        images = self.images[torch.from_numpy(indices)]
        targets = (images.mean((2, 3))[:, None, :2] * 2 - 1).expand(-1, 5, 2)
        if generator is not None:
            images = images + 0.01 * torch.randn(images.shape, generator=generator)
        return images, targets


def points(count: int = 24) -> Points:
    images = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return Points(np.repeat(np.arange(count // 3), 3), images)


def network() -> WaypointNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return WaypointNetwork(3, 0.05, 32, 32)


def test_the_loss_sums_coordinates_and_averages_the_batch() -> None:
    predicted = torch.zeros(2, 5, 2)
    targets = torch.zeros(2, 5, 2)
    targets[0, 0] = torch.tensor([0.5, -0.25])
    targets[1, 4] = torch.tensor([1.0, 1.0])
    targets[1, 2, 0] = -0.25
    assert waypoint_loss(predicted, targets).item() == pytest.approx((0.75 + 2.25) / 2)


def test_the_split_keeps_episodes_whole() -> None:
    groups = np.repeat(np.arange(20), 7)
    training, validation = split_by_episode(groups, 0.1, seed=3)
    assert len(training) + len(validation) == len(groups)
    assert set(groups[training]).isdisjoint(groups[validation])
    assert len(set(groups[validation])) == 2
    again = split_by_episode(groups, 0.1, seed=3)[1]
    np.testing.assert_array_equal(validation, again)
    assert set(groups[split_by_episode(groups, 0.1, seed=4)[1]]) != set(groups[validation])


def test_one_episode_cannot_be_split() -> None:
    with pytest.raises(DataError, match="1 episode"):
        split_by_episode(np.zeros(9, np.int64), 0.1, 0)
    training, validation = split_by_episode(np.zeros(9, np.int64), 0.0, 0)
    assert (len(training), len(validation)) == (9, 0)


def test_every_epoch_shows_every_example_once_in_another_order() -> None:
    examples = np.arange(100, 112)
    epochs = [np.concatenate([batch_indices(examples, 3 * epoch + s, CONFIG) for s in range(3)]) for epoch in (0, 1)]
    for epoch in epochs:
        assert sorted(epoch) == list(examples)
    assert list(epochs[0]) != list(epochs[1])


def test_learning_rates() -> None:
    assert [learning_rate(step, CONFIG) for step in (0, 11)] == [1e-3, 1e-3]
    cosine = replace(CONFIG, schedule="cosine")
    assert learning_rate(0, cosine) == pytest.approx(1e-3)
    assert learning_rate(6, cosine) == pytest.approx(0.5e-3)
    assert learning_rate(12, cosine) == pytest.approx(0.0)


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, parts = network(), network()
    want = train(whole, points(), CONFIG, tmp_path / "whole.safetensors")

    def stop(done: int, total: int, text: str) -> None:
        if done == 10:  # after the state of step 8, before that of step 12
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(parts, points(), CONFIG, tmp_path / "parts.safetensors", progress=stop)
    resumed = network()
    have = train(resumed, points(), CONFIG, tmp_path / "parts.safetensors", resume=True)
    assert have == want
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


@pytest.mark.parametrize("ahead", [1, 4, 50])
def test_batches_prepared_ahead_are_the_same(ahead: int) -> None:
    examples, indices = points(), np.arange(24)
    one_by_one = list(batches(examples, indices, 3, CONFIG))
    beside = list(batches(examples, indices, 3, CONFIG, ahead=ahead))
    assert len(one_by_one) == len(beside) == CONFIG.steps - 3
    for (images, targets), (other_images, other_targets) in zip(one_by_one, beside, strict=True):
        assert torch.equal(images, other_images)
        assert torch.equal(targets, other_targets)


def test_an_error_in_a_batch_prepared_ahead_reaches_the_caller() -> None:
    class Damaged(Points):
        def batch(self, indices, generator):
            raise DataError("the disk is gone")

    with pytest.raises(DataError, match="the disk is gone"):
        next(batches(Damaged(points().groups, points().images), np.arange(24), 0, CONFIG, ahead=2))


def test_devices() -> None:
    assert device_named("cpu").type == "cpu"
    assert device_named("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ConfigurationError, match=r"'tpu'.*auto, cpu, cuda"):
        device_named("tpu")


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match=r"no usable NVIDIA GPU.*--device cpu"):
        train(network(), points(), CONFIG, tmp_path / "s.safetensors", device="cuda")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_learns_what_the_processor_learns(tmp_path: Path) -> None:
    first = train(network(), points(), CONFIG, tmp_path / "cpu.safetensors")
    trained = network()
    second = train(trained, points(), CONFIG, tmp_path / "gpu.safetensors", device="cuda")
    assert second.best_loss == pytest.approx(first.best_loss, rel=0.05)
    assert next(trained.parameters()).device.type == "cpu"
    resumed = train(network(), points(), CONFIG, tmp_path / "gpu.safetensors", device="cpu", resume=True)
    assert resumed == second


@dataclass
class BrightPixels(Points):
    """Images whose targets are masks: is a pixel's first channel above one half?"""

    def batch(self, indices, generator):
        images, _ = super().batch(indices, generator)
        return images, (images[:, :1] > 0.5).float()


def test_another_network_learns_another_loss_from_targets_of_another_shape(tmp_path: Path) -> None:
    examples = BrightPixels(points().groups, points().images)
    training = replace(CONFIG, steps=150, learning_rate=0.1, validate_every=50, validation_share=0.0)
    pixelwise = seeded_network(3, lambda: nn.Conv2d(3, 1, 1))
    loss = nn.functional.binary_cross_entropy_with_logits
    settings = FitSettings(tmp_path, 1.0, training, "")
    before = mean_loss(pixelwise, examples, np.arange(24), 8, loss)
    fitted = fit_network("masks", pixelwise, examples, settings, identity=("masks",), loss=loss)
    assert fitted.metrics["validation_loss"] < 0.5 * before
    assert fitted.result.best_loss == pytest.approx(mean_loss(pixelwise, examples, np.arange(24), 8, loss), rel=1e-3)
    assert list(fitted.judged) == list(range(24))
    with pytest.raises(CheckpointError, match="data="):
        again = replace(settings, resume=True)
        fit_network("masks", pixelwise, examples, again, identity=("other masks",), loss=loss)


def test_the_seed_decides_the_first_weights() -> None:
    weights = [seeded_network(seed, lambda: nn.Linear(2, 2)).weight for seed in (3, 3, 4)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_state_of_other_settings_is_refused(tmp_path: Path) -> None:
    train(network(), points(), CONFIG, tmp_path / "s.safetensors")
    with pytest.raises(CheckpointError, match=r"learning_rate=0.001, not 0.01"):
        train(network(), points(), replace(CONFIG, learning_rate=0.01), tmp_path / "s.safetensors", resume=True)
    (tmp_path / "s.safetensors").write_bytes(b"no state at all")
    with pytest.raises(CheckpointError, match="without --resume"):
        train(network(), points(), CONFIG, tmp_path / "s.safetensors", resume=True)


def test_the_best_weights_are_kept_and_the_history_is_written(tmp_path: Path) -> None:
    trained, examples = network(), points()
    result = train(trained, examples, replace(CONFIG, steps=20), tmp_path / "s.safetensors")
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    assert [int(row["step"]) for row in rows] == [4, 8, 12, 16, 20]
    losses = [float(row["validation_loss"]) for row in rows]
    assert result.best_loss == pytest.approx(min(losses))
    held_out = split_by_episode(examples.groups, CONFIG.validation_share, CONFIG.seed)[1]
    assert mean_loss(trained, examples, held_out, 4) == pytest.approx(min(losses), rel=1e-5)


def test_a_diverging_training_says_so(tmp_path: Path) -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(float("nan")))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.weight * torch.ones(len(images), 5, 2)

    with pytest.raises(DataError, match="smaller --lr"):
        train(Broken(), points(), CONFIG, tmp_path / "s.safetensors")


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"learning_rate": 0.0}, {"schedule": "step"}, {"validation_share": 1}])
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigurationError):
        replace(CONFIG, **wrong)
