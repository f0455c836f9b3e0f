"""Learning from the student's own drives: who drives, how data sets are chained, and that the student learns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sim2real_bench.agents.checkpoints import (
    CheckpointCard,
    checkpoint_hash,
    read_card,
    save_checkpoint,
)
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.data.worlds import World
from sim2real_bench.distill.fitting import FitSettings
from sim2real_bench.distill.method import method_named, trainings_of
from sim2real_bench.distill.on_policy.aggregate import Aggregate, ChainedImages, open_aggregate
from sim2real_bench.distill.on_policy.driver import StudentDriver
from sim2real_bench.distill.on_policy.student import fit_student, load_student
from sim2real_bench.distill.task_distillation import teacher_targets
from sim2real_bench.distill.training import TrainingConfig
from sim2real_bench.distill.transfer import TransferRequest
from sim2real_bench.errors import AgentError, CheckpointError, ConfigurationError, DataError

SPEED = {"speed": np.float32(5.0)}


class Left:
    """A student that always wants to the left."""

    observations = ("rgb",)

    def waypoints(self, observation: dict) -> np.ndarray:
        return np.stack([np.linspace(6, 18, 5), np.linspace(2, 6, 5)], axis=-1)


def steered(driver: StudentDriver, seed: int) -> float:
    """What the driver answers at the first tick where the reference goes straight on."""
    straight = np.stack([np.linspace(6, 18, 5), np.zeros(5)], axis=-1).astype(np.float32)
    driver.reset(seed)
    return float(driver.act({**SPEED, "rgb": np.zeros(0), "waypoints": straight})[0])


def test_the_reference_drives_its_share_of_the_episodes_and_the_student_the_others() -> None:
    driver = StudentDriver(Left(), 0.25, 5.0)
    steers = np.array([steered(driver, seed) for seed in range(400)])
    assert abs((steers == 0.0).mean() - 0.25) < 0.06
    assert (steers <= 0.0).all()  # positive is to the right
    assert len(np.unique(steers)) == 6  # the reference, and the student under five controllers
    assert steered(driver, 7) == steered(driver, 7)
    assert set(driver.observations) == {"rgb", "waypoints", "speed"}


def test_a_student_driver_wants_to_be_reset() -> None:
    with pytest.raises(AgentError, match="reset"):
        StudentDriver(Left(), 0.0, 5.0).act(dict(SPEED))


def test_worlds_name_their_student(tmp_path: Path) -> None:
    save_checkpoint(
        tmp_path / "s", WaypointNetwork(3, 0.03, 160, 384), CheckpointCard(observation="rgb", command="", seed=0)
    )
    weights = tmp_path / "s.safetensors"
    world = World("carla", "student", ("MiniTown01",), checkpoint=weights, reference_share=0.25)
    assert (
        world.driver_words()
        == f"student {checkpoint_hash(weights)[:16]} at 5.56 m/s, reference in 0.25 of the episodes"
    )
    assert isinstance(world.driver(), StudentDriver)
    with pytest.raises(ConfigurationError, match="needs --checkpoint"):
        World("carla", "student", ("MiniTown01",))
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        World("carla", "student", ("MiniTown01",), checkpoint=weights, reference_share=1.5)
    with pytest.raises(ConfigurationError, match="'reference' has no weights"):
        World("carla", "reference", ("MiniTown01",), checkpoint=weights)


class Numbered:
    """Images that are one number each."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = np.array(numbers, np.float32)

    def __len__(self) -> int:
        return len(self.numbers)

    def batch(self, indices: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self.numbers[indices])[:, None, None, None]


def test_chained_images_come_in_the_order_asked_for() -> None:
    chain = ChainedImages([Numbered([10, 11, 12]), Numbered([]), Numbered([20, 21])])
    assert len(chain) == 5
    assert chain.batch(np.array([4, 0, 3, 2, 0])).flatten().tolist() == [21, 10, 20, 12, 10]
    assert chain.batch(np.array([1])).shape == (1, 1, 1, 1)


@pytest.fixture
def two(make_dataset, tmp_path: Path) -> tuple[RolloutDataset, RolloutDataset]:
    """The synthetic target, and its first two episodes as a data set of their own."""
    whole = make_dataset("carla")
    return whole, whole.first(8)


def test_an_aggregate_counts_samples_and_episodes_through_all_of_its_parts(two) -> None:
    whole, part = two
    both = Aggregate((whole, part))
    assert len(both) == 20 and len(both.images()) == 20 and len(both.geometries()) == 20
    assert both.groups().tolist() == np.repeat(np.arange(5), 4).tolist()
    network = WaypointNetwork(1, 0.05, 192, 192).eval()
    targets, metres = both.teacher_targets(network, "map")
    np.testing.assert_array_equal(targets[12:], teacher_targets(network, part, "map")[0])
    assert metres.shape == (20, 5, 2)
    images = both.images().batch(np.arange(20))
    assert torch.equal(images[12:], images[:8])
    assert both.hashes == {"target": whole.hash, "target-2": part.hash}


def test_data_sets_that_are_not_one_target_are_refused(two, make_dataset) -> None:
    with pytest.raises(DataError, match="carla, stk are not one target"):
        Aggregate((two[0], make_dataset("stk")))
    with pytest.raises(DataError, match="give each once"):
        Aggregate((two[0], two[0]))


def test_the_number_of_images_counts_those_of_the_students_first(make_dataset, monkeypatch) -> None:
    whole = make_dataset("carla")
    sizes = {Path("reference"): whole, Path("student"): whole.first(4)}
    monkeypatch.setattr(
        "sim2real_bench.distill.on_policy.aggregate.opened",
        lambda folder, most=None: sizes[folder] if most is None else sizes[folder].first(most),
    )
    folders = (Path("reference"), Path("student"))
    assert [len(part) for part in open_aggregate(folders).parts] == [12, 4]
    assert [len(part) for part in open_aggregate(folders, 12).parts] == [8, 4]
    with pytest.raises(ConfigurationError, match="hold 4 images already"):
        open_aggregate(folders, 4)


def settings(out: Path, steps: int) -> FitSettings:
    training = TrainingConfig(
        steps=steps, batch_size=12, learning_rate=8e-3, schedule="cosine", validate_every=20, validation_share=0.0,
        seed=1,
    )  # fmt: skip
    return FitSettings(out, 0.1, training, "sim2real-bench transfer", device="cpu")


class MiddleOfTheRoad(torch.nn.Module):
    """A teacher that needs no training: the middle of the road in five rows of the map."""

    def forward(self, masks: torch.Tensor) -> torch.Tensor:
        rows = masks[:, 0, [150, 130, 110, 90, 70]] + 1e-6
        x = (rows * torch.linspace(-1, 1, 192)).sum(-1) / rows.sum(-1)
        y = torch.linspace(150 / 96 - 1, 70 / 96 - 1, 5).expand_as(x)
        return torch.stack([x, y], dim=-1)


def test_a_student_learns_and_learns_on(two, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sim2real_bench.distill.on_policy.student.load_teacher", lambda path, proxy: MiddleOfTheRoad())
    teacher = tmp_path / "teacher.safetensors"
    card = CheckpointCard(observation="map_view", command="", seed=0)
    save_checkpoint(teacher, WaypointNetwork(1, 0.05, 192, 192), card)
    first = fit_student("first", Aggregate(two[:1]), "map", teacher, settings(tmp_path, 60))
    further = fit_student(
        "further", Aggregate(two), "map", teacher, settings(tmp_path, 20), start_path=first, augmentation="weather",
        keeps_rule=True,
    )  # fmt: skip
    learnt, on = read_card(first), read_card(further)
    targets, _ = Aggregate(two).teacher_targets(MiddleOfTheRoad(), "map")
    constant = np.abs(targets - np.median(targets, axis=0)).sum((1, 2)).mean()
    assert learnt.metrics["validation_loss"] < 0.8 * constant
    assert on.metrics["validation_loss"] < 0.8 * constant
    assert on.data == {
        "target": two[0].hash,
        "target-2": two[1].hash,
        "teacher": checkpoint_hash(teacher),
        "start": checkpoint_hash(first),
    }
    assert "start" not in learnt.data
    assert "augmentation weather" in on.notes and "12 (arc) + 8 (arc) images" in on.notes
    assert "teacher_median_error_m" in on.metrics and "driven_path_median_error_m" not in on.metrics


def test_a_student_must_read_images(tmp_path: Path) -> None:
    save_checkpoint(
        tmp_path / "p", WaypointNetwork(1, 0.05, 192, 192), CheckpointCard(observation="map_view", command="", seed=0)
    )
    with pytest.raises(CheckpointError, match="must read 'rgb'"):
        load_student(tmp_path / "p")


@pytest.mark.parametrize(
    ("name", "augmentation"), [("task-distillation-on-policy", "paper"), ("task-distillation-plus", "weather")]
)
def test_the_methods_repeat_what_they_were_given(name: str, augmentation: str, tmp_path: Path) -> None:
    request = TransferRequest(
        "map", target_data=(Path("a"), Path("b")), target_images=10, parts={"proxy": Path("f.safetensors")},
        out=tmp_path,
    )  # fmt: skip
    [training] = trainings_of(name, request)
    assert training.words == (
        "--method", name, "--proxy", "map", "--target-data", "a", "--target-data", "b", "--target-images", "10",
        "--proxy-checkpoint", "f.safetensors", "--image-augmentation", augmentation,
    )  # fmt: skip
    [training] = trainings_of(name, replace(request, start_from=Path("s"), image_augmentation="paper"))
    assert training.words[-4:] == ("--start-from", "s", "--image-augmentation", "paper")
    assert method_named(name).proxies == ("map",)
