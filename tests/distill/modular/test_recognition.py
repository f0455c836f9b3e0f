"""Modular transfer on a synthetic world: the loss by hand, recognisers that learn, f^P on predicted labels."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sim2real_bench.agents.cards import CheckpointCard, read_card
from sim2real_bench.agents.checkpoints import load_checkpoint
from sim2real_bench.agents.recognisers import RecogniserNetwork, load_recogniser, save_recogniser
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.examples import MIRROR_ONLY, rgb_images
from sim2real_bench.distill.fitting import FitSettings
from sim2real_bench.distill.modular.pictures import FALSE_ALARM, HIT, MISS, REJECTION, coloured
from sim2real_bench.distill.modular.predicted_labels import fit_predicted_proxy, predicted_masks
from sim2real_bench.distill.modular.recognition import (
    fit_recogniser,
    load_recogniser_of,
    mask_loss,
    recogniser_images,
    recognition_examples,
    road_confusion,
)
from sim2real_bench.distill.task_distillation import ProxySettings
from sim2real_bench.distill.training import TrainingConfig
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.errors import CheckpointError, UnknownNameError

EVERYTHING = np.arange(12)
CAMERA = PinholeCamera.mounted(96, 64, fov_deg=90.0, x_m=2.0, z_m=1.4)  # of the synthetic world


def settings(out: Path, steps: int) -> FitSettings:
    training = TrainingConfig(
        steps=steps, batch_size=12, learning_rate=1e-2, schedule="cosine", validate_every=20, validation_share=0.0,
        seed=1,
    )  # fmt: skip
    return FitSettings(out, 0.1, training, "sim2real-bench transfer", device="cpu")


def test_the_loss_by_hand() -> None:
    logits = torch.tensor([[[[0.0, 2.0]]], [[[-1.0, 3.0]]]])
    masks = torch.tensor([[[[1.0, 1.0]]], [[[0.0, 0.0]]]])
    want = (math.log(2.0) + math.log1p(math.exp(-2.0)) + math.log1p(math.exp(-1.0)) + math.log1p(math.exp(3.0))) / 4
    assert float(mask_loss(logits, masks)) == pytest.approx(want)


@pytest.mark.parametrize(("proxy", "wanted"), [("camera", 0.9), ("map", 0.75)])
def test_a_recogniser_learns_a_handful_of_images(make_dataset, tmp_path: Path, proxy: str, wanted: float) -> None:
    data = make_dataset("carla")
    path = fit_recogniser(data, proxy, "eye", settings(tmp_path, 40))
    card = read_card(path)
    assert (card.kind, card.observation, card.data) == ("recogniser", "rgb", {"images": data.hash})
    network = load_recogniser_of(path, proxy)
    judged = road_confusion(network, recognition_examples(data, proxy), EVERYTHING)
    assert judged.mean_iou > wanted
    assert card.metrics["mean_iou"] == pytest.approx(judged.mean_iou, abs=0.01)
    with pytest.raises(CheckpointError, match="it must recognise"):
        load_recogniser_of(path, {"camera": "map", "map": "camera"}[proxy])
    with pytest.raises(UnknownNameError, match="depth"):
        fit_recogniser(data, "depth", "eye", settings(tmp_path, 1))


def test_augmented_images_keep_their_masks(make_dataset) -> None:
    """The road's colour tells it apart from the ground: after any change, masks still lie on the road."""
    examples = recognition_examples(make_dataset("carla"), "camera")
    images, masks = examples.batch(EVERYTHING, None)
    mirrored = 0
    for seed in range(4):
        changed, moved = examples.batch(EVERYTHING, torch.Generator().manual_seed(seed))
        for index in range(12):
            flipped = torch.equal(moved[index], masks[index].flip(-1))
            assert flipped or torch.equal(moved[index], masks[index])
            mirrored += flipped and not torch.equal(moved[index], masks[index])
            on, off = changed[index][:, moved[index, 0] > 0], changed[index][:, moved[index, 0] == 0]
            assert (on.mean(1) - off.mean(1)).abs().max() > 0.02
    assert 5 < mirrored < 43
    assert images.max() <= 1.0


def test_images_of_another_camera_are_shown_as_the_driving_camera_sees_them(make_dataset, monkeypatch) -> None:
    data: RolloutDataset = make_dataset("stk")
    module = "sim2real_bench.distill.modular.recognition.DRIVING_CAMERA"
    monkeypatch.setattr(module, CAMERA)
    assert torch.equal(recogniser_images(data, "map").batch(EVERYTHING), rgb_images(data).batch(EVERYTHING))
    other = PinholeCamera.mounted(96, 64, fov_deg=90.0, x_m=2.0, z_m=2.8)
    monkeypatch.setattr(module, other)
    assert torch.equal(recogniser_images(data, "camera").batch(EVERYTHING), rgb_images(data).batch(EVERYTHING))
    seen = recogniser_images(data, "map").batch(EVERYTHING)
    ground = np.array([8.0, 1.0])
    want = rgb_images(data).batch(EVERYTHING)
    here, there = (np.floor(camera.project(ground)[0]).astype(int) for camera in (CAMERA, other))
    np.testing.assert_allclose(seen[:, :, there[1], there[0]], want[:, :, here[1], here[0]], atol=0.25)


def test_predicted_labels_are_those_of_the_recogniser(make_dataset) -> None:
    network = RecogniserNetwork("labels", 0.05, 64, 96).eval()
    images = rgb_images(make_dataset("stk"))
    packed = predicted_masks(network, images)
    assert len(packed) == 12
    with torch.no_grad():
        want = network.masks(images.batch(EVERYTHING))
    assert float((packed.batch(EVERYTHING) - want).abs().mean()) < 0.01


def test_the_proxy_policy_learns_on_predicted_labels(make_dataset, tmp_path: Path) -> None:
    data = make_dataset("stk")
    recogniser = fit_recogniser(data, "camera", "eye", settings(tmp_path, 40))
    preparation = ProxySettings("camera", MIRROR_ONLY, CAMERA)
    path = fit_predicted_proxy(data, preparation, recogniser, "mind", settings(tmp_path, 60))
    card = read_card(path)
    assert card.data == {"source": data.hash, "source_recogniser": read_card(recogniser).weights_sha256}
    assert card.observation == "labels"
    blind = save_blind(tmp_path / "blind", "labels")
    lost = fit_predicted_proxy(data, preparation, blind, "lost", settings(tmp_path, 60))
    assert read_card(lost).metrics["validation_loss"] > 1.3 * card.metrics["validation_loss"]


def test_the_map_policy_reads_predicted_maps(make_dataset, tmp_path: Path) -> None:
    blind = save_blind(tmp_path / "blind", "map_view")
    preparation = ProxySettings("map", MIRROR_ONLY, CAMERA)
    path = fit_predicted_proxy(make_dataset("stk"), preparation, blind, "mind", settings(tmp_path, 2))
    network, card = load_checkpoint(path)
    assert (network.channels, network.height_px, card.observation) == (1, 192, "map_view")


def test_a_picture_tells_right_from_wrong() -> None:
    predicted, true = np.array([[1, 0], [1, 0]], bool), np.array([[1, 1], [0, 0]], bool)
    assert coloured(predicted, true).tolist() == [[list(HIT), list(MISS)], [list(FALSE_ALARM), list(REJECTION)]]


def save_blind(path: Path, output: str) -> Path:
    """A recogniser that never sees any road."""
    network = RecogniserNetwork(output, 0.05, 64, 96)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(-1.0)
    save_recogniser(path, network, CheckpointCard(observation="rgb", command="", seed=0))
    assert float(load_recogniser(path)[0].masks(torch.rand(1, 3, 64, 96)).max()) == 0.0
    return path.with_suffix(".safetensors")
