"""The methods on a synthetic world: each can learn, and a student is taught exactly what its teacher means."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sim2real_bench.agents.checkpoints import CheckpointCard, read_card, save_checkpoint
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.waypoints import CameraGeometry, MapGeometry
from sim2real_bench.distill.direct import direct_examples, fit_direct
from sim2real_bench.distill.examples import MIRROR_ONLY
from sim2real_bench.distill.fitting import FitSettings
from sim2real_bench.distill.task_distillation import (
    MASK_CHANGES,
    ProxySettings,
    fit_proxy,
    fit_target,
    load_teacher,
    proxy_examples,
    teacher_targets,
)
from sim2real_bench.distill.training import TrainingConfig
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.errors import CheckpointError, DataError, UnknownNameError

EVERYTHING = np.arange(12)
CAMERA = PinholeCamera.mounted(96, 64, fov_deg=90.0, x_m=2.0, z_m=1.4)


def settings(out: Path, steps: int = 160) -> FitSettings:
    training = TrainingConfig(
        steps=steps, batch_size=12, learning_rate=8e-3, schedule="cosine", validate_every=20, validation_share=0.0,
        seed=1,
    )  # fmt: skip
    return FitSettings(out, 0.1, training, "sim2real-bench transfer")


def constant_loss(targets: torch.Tensor) -> float:
    """The loss of the best answer that does not look at the image."""
    return float((targets - targets.median(0).values).abs().sum((1, 2)).mean())


def test_direct_learns_source_images(make_dataset, tmp_path: Path) -> None:
    path = fit_direct(make_dataset("stk"), settings(tmp_path))
    card = read_card(path)
    assert path.name == "stk-direct.safetensors"
    _, targets = direct_examples(make_dataset("stk")).batch(EVERYTHING, None)
    assert card.metrics["validation_loss"] < 0.7 * constant_loss(targets)
    assert card.metrics["driven_path_median_error_m"] < 2.0
    assert (card.observation, card.data) == ("rgb", {"source": make_dataset("stk").hash})


@pytest.mark.parametrize("proxy", ["map", "camera"])
def test_task_distillation_learns_both_stages(make_dataset, tmp_path: Path, proxy: str) -> None:
    teacher = fit_proxy(make_dataset("stk"), ProxySettings(proxy, MIRROR_ONLY, CAMERA), settings(tmp_path))
    student = fit_target(make_dataset("carla"), proxy, teacher, "stk", settings(tmp_path))
    assert (teacher.stem, student.stem) == (f"stk-proxy-{proxy}", f"stk-carla-task-distillation-{proxy}")
    assert read_card(teacher).observation == {"map": "map_view", "camera": "labels"}[proxy]
    card = read_card(student)
    assert card.observation == "rgb"
    assert set(card.data) == {"target", "teacher"}
    targets, _ = teacher_targets(load_teacher(teacher, proxy), make_dataset("carla"), proxy)
    assert card.metrics["validation_loss"] < 0.7 * constant_loss(torch.tensor(targets))
    assert card.metrics["driven_path_median_error_m"] < 2.5


class Saying(nn.Module):
    """A network that always gives the same answers, one row per image."""

    def __init__(self, answers: np.ndarray) -> None:
        super().__init__()
        self.answers, self.next = torch.tensor(answers, dtype=torch.float32), 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.next += len(images)
        return self.answers[self.next - len(images) : self.next]


def test_the_student_of_the_map_proxy_is_taught_the_same_metres(make_dataset) -> None:
    metres = (
        np.stack([np.linspace(6, 18, 5), np.linspace(0.5, 2.0, 5)], axis=-1) * np.linspace(0.9, 1.1, 12)[:, None, None]
    )
    data = make_dataset("carla")
    targets, lifted = teacher_targets(Saying(MapGeometry().to_normalised(metres)), data, "map")
    np.testing.assert_allclose(lifted, metres, atol=1e-4)
    for row, camera in zip(targets, data.cameras(), strict=True):
        index = int(np.flatnonzero((targets == row).all((1, 2)))[0])
        np.testing.assert_allclose(CameraGeometry(camera).to_ego(row), metres[index], atol=1e-2)


def test_the_student_of_the_camera_proxy_is_taught_the_same_pixels(make_dataset) -> None:
    answers = np.random.default_rng(0).uniform(-0.5, 0.5, (12, 5, 2))
    targets, _ = teacher_targets(Saying(answers), make_dataset("carla"), "camera")
    np.testing.assert_allclose(targets, answers, atol=1e-6)


def test_direct_targets_are_the_projected_path(make_dataset) -> None:
    data = make_dataset("stk")
    _, targets = direct_examples(data).batch(EVERYTHING, None)
    for index in (0, 5, 11):
        want = CameraGeometry(CAMERA).to_normalised(data.stack("waypoints")[index])
        np.testing.assert_allclose(targets[index], want, atol=1e-6)


@pytest.mark.parametrize("proxy", ["map", "camera"])
def test_augmented_paths_stay_on_the_augmented_road(make_dataset, proxy: str) -> None:
    """The road is 8 m wide and the path its middle: whatever moves, waypoints must lie on road pixels."""
    examples = proxy_examples(make_dataset("stk"), ProxySettings(proxy, MASK_CHANGES[proxy], CAMERA))
    on_road = []
    for seed in range(6):
        masks, targets = examples.batch(EVERYTHING, torch.Generator().manual_seed(seed))
        height, width = masks.shape[2:]
        for mask, points in zip(masks, targets, strict=True):
            for x, y in points.tolist():
                if max(abs(x), abs(y)) < 0.97:
                    on_road.append(float(mask[0, int((y + 1) / 2 * height), int((x + 1) / 2 * width)]))
    assert np.mean(on_road) > 0.9
    plain, targets = examples.batch(EVERYTHING, None)
    changed, moved = examples.batch(EVERYTHING, torch.Generator().manual_seed(0))
    assert not torch.equal(plain, changed)
    assert not torch.allclose(targets, moved)


def test_an_unaligned_camera_proxy_keeps_masks_and_targets(make_dataset) -> None:
    data = make_dataset("stk")
    examples = proxy_examples(data, ProxySettings("camera", MIRROR_ONLY, None))
    masks, targets = examples.batch(EVERYTHING, None)
    np.testing.assert_array_equal(masks[:, 0], data.stack("labels"))
    want = CameraGeometry(CAMERA).to_normalised(data.stack("waypoints")[3])
    np.testing.assert_allclose(targets[3], want, atol=1e-5)


def test_a_teacher_of_the_other_proxy_is_refused(tmp_path: Path) -> None:
    network = WaypointNetwork(1, 0.05, 192, 192)
    save_checkpoint(tmp_path / "p", network, CheckpointCard(observation="map_view", command="", seed=0))
    assert isinstance(load_teacher(tmp_path / "p", "map"), WaypointNetwork)
    with pytest.raises(CheckpointError, match="must read 'labels'"):
        load_teacher(tmp_path / "p", "camera")


def test_unknown_proxies_and_missing_labels_are_named(make_dataset, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="depth"):
        ProxySettings("depth", MIRROR_ONLY)
    data = make_dataset("carla")
    with pytest.raises(DataError, match="needed: depth from 'carla'"):
        data.require("carla", ("depth",))
