"""CyCADA's training: it overfits a handful of images, goes on where it was stopped, and writes what it should."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sim2real_bench.distill.cycada.pictures import translation_grid
from sim2real_bench.distill.cycada.settings import TranslatorSettings
from sim2real_bench.distill.cycada.training import TrainingPlace, seeded_adversaries, train_translators
from sim2real_bench.distill.cycada.unpaired import UnpairedImages, as_pixels, as_tensor
from sim2real_bench.errors import CheckpointError, DataError

SIDE = 32
TINY = TranslatorSettings(width=4, blocks=1, reduction=1, steps=150, learning_rate=2e-3, buffer_images=3)


class BrightestColumn(nn.Module):
    """A policy without weights: every waypoint lies where the image is brightest."""

    def forward(self, images: Tensor) -> Tensor:
        columns = (images.mean(dim=(1, 2)) * 20.0).softmax(dim=1)
        place = (columns * torch.linspace(-1.0, 1.0, images.shape[3])).sum(dim=1)
        return place[:, None, None].expand(-1, 5, 2)


def bars(background: tuple[int, int, int], bar: tuple[int, int, int]) -> np.ndarray:
    """(4, 3, SIDE, SIDE) uint8: a bright bar at four places."""
    images = np.empty((4, 3, SIDE, SIDE), np.uint8)
    images[:] = np.array(background, np.uint8)[:, None, None]
    for index, left in enumerate((2, 9, 16, 23)):
        images[index, :, :, left : left + 6] = np.array(bar, np.uint8)[:, None, None]
    return images


IMAGES = UnpairedImages(source=bars((120, 20, 20), (250, 200, 60)), target=bars((20, 40, 130), (220, 220, 250)))


def place(folder: Path) -> TrainingPlace:
    return TrainingPlace(folder, "t", save_every=50)


def test_it_overfits_a_handful_of_images(tmp_path: Path) -> None:
    networks, standing = train_translators(IMAGES, BrightestColumn(), TINY, place(tmp_path))
    source, target = as_tensor(IMAGES.source), as_tensor(IMAGES.target)
    with torch.no_grad():
        translated = networks.to_source(target)
        returned = networks.to_target(translated)
        unlearnt = seeded_adversaries(TINY, 0).to_source(target)

    def colours(images: Tensor) -> Tensor:
        return images.mean(dim=(0, 2, 3))

    towards = (colours(translated) - colours(source)).abs().sum()
    assert towards < 0.35 * (colours(target) - colours(source)).abs().sum()  # the source's colours
    assert (returned - target).abs().mean() < 0.2  # and back, where 2 is black against white
    policy = BrightestColumn()
    moved = (policy(translated / 2 + 0.5) - policy(target / 2 + 0.5)).abs().mean()
    assert moved < 0.1  # the bar stays where it is
    assert moved < 0.3 * (policy(unlearnt / 2 + 0.5) - policy(target / 2 + 0.5)).abs().mean()
    assert [row["step"] for row in standing.history] == [50, 100, 150]
    assert standing.history[-1]["cycle"] < standing.history[0]["cycle"]


def test_a_stopped_training_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    settings = replace(TINY, steps=8)
    whole, _ = train_translators(IMAGES, BrightestColumn(), settings, TrainingPlace(tmp_path / "a", "t", 4), seed=3)

    class Stopped(Exception):
        pass

    def stop(done: int, total: int, text: str) -> None:
        if done == 6:
            raise Stopped

    here = TrainingPlace(tmp_path / "b", "t", 4)
    with pytest.raises(Stopped):
        train_translators(IMAGES, BrightestColumn(), settings, here, seed=3, progress=stop)
    steps: list[int] = []
    again, standing = train_translators(
        IMAGES, BrightestColumn(), settings, here, seed=3, resume=True, progress=lambda done, *_: steps.append(done)
    )
    assert steps == [5, 6, 7, 8]
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    assert here.state.with_suffix(".csv").read_text() == (tmp_path / "a" / "t.training.csv").read_text()
    assert [row["step"] for row in standing.history] == [4, 8]

    with pytest.raises(CheckpointError, match=r"belongs to a training of .*steps=8.*--resume"):
        train_translators(IMAGES, BrightestColumn(), replace(settings, steps=9), here, seed=3, resume=True)
    here.state.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be continued"):
        train_translators(IMAGES, BrightestColumn(), settings, here, seed=3, resume=True)


def test_without_the_policy_it_is_cyclegan(tmp_path: Path) -> None:
    def forbidden(images: Tensor) -> Tensor:
        raise AssertionError("asked for waypoints")

    policy = BrightestColumn()
    policy.forward = forbidden  # type: ignore[method-assign]
    settings = replace(TINY, steps=2, policy_weight=0.0)
    _, standing = train_translators(IMAGES, policy, settings, place(tmp_path))
    assert {name for name, _ in standing.running} == {"adversarial", "cycle", "identity", "discriminators"}


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean(dim=(1, 2, 3))[:, None, None].expand(-1, 5, 2) * torch.nan

    with pytest.raises(DataError, match="policy loss became nan at step 1"):
        train_translators(IMAGES, Broken(), replace(TINY, steps=2), place(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_batches_are_unpaired_and_mirrored() -> None:
    source, target = IMAGES.batch(64, np.random.default_rng(0))
    assert source.shape == target.shape == (64, 3, SIDE, SIDE)
    assert (source.min() >= -1.0) and (source.max() <= 1.0)
    at = [BrightestColumn()(side / 2 + 0.5)[:, 0, 0].numpy().round(2) for side in (source, target)]
    assert len(set(at[0])) > 5  # four places and their mirrors, of which some are near each other
    assert abs(np.corrcoef(*at)[0, 1]) < 0.5
    np.testing.assert_array_equal(as_pixels(as_tensor(IMAGES.source)), IMAGES.source)


def test_sides_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match="collect both"):
        UnpairedImages(IMAGES.source, IMAGES.target[:, :, :16])


def test_the_grid_shows_both_ways() -> None:
    networks = seeded_adversaries(TINY, 0)
    grid = translation_grid(networks.to_source, networks.to_target, IMAGES)
    assert grid.shape == (4 * SIDE + 3 * 4, 6 * SIDE + 5 * 4, 3)
    np.testing.assert_array_equal(grid[:SIDE, :SIDE], np.moveaxis(IMAGES.target[0], 0, -1))
    middle = 3 * (SIDE + 4)
    np.testing.assert_array_equal(grid[:SIDE, middle : middle + SIDE], np.moveaxis(IMAGES.source[0], 0, -1))
    with torch.no_grad():
        translated = as_pixels(networks.to_source(as_tensor(IMAGES.target)))[0]
    np.testing.assert_allclose(grid[:SIDE, SIDE + 4 : 2 * SIDE + 4].astype(int), np.moveaxis(translated, 0, -1), atol=1)
