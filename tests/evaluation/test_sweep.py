"""The sweep over numbers of target images: its commands, what it reads from their results, and the picture."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_driving import row, settings

from sim2real_bench.agents.cards import CheckpointCard, card_path
from sim2real_bench.distill.data.episode import EpisodeArrays, EpisodeNote
from sim2real_bench.distill.data.rollouts import RolloutConfig, RolloutDataset, RolloutWriter
from sim2real_bench.errors import ConfigurationError, DataError, UnknownNameError
from sim2real_bench.evaluation.runner import evaluate
from sim2real_bench.evaluation.sweep.picture import write_picture
from sim2real_bench.evaluation.sweep.points import images_of, measured_data, write_data
from sim2real_bench.evaluation.sweep.steps import SweepSettings, sweep_points, sweep_steps

PROXIES = {"map": Path("proxy-map.safetensors"), "camera": Path("proxy-camera.safetensors")}


@pytest.fixture(scope="module")
def target_data(tmp_path_factory):
    """A data set of 4 + 5 + 6 + 7 samples without images."""
    folder = tmp_path_factory.mktemp("target")
    config = RolloutConfig(
        simulator="carla", backend="synthetic", driver="none", places=("nowhere",), weathers=(), observations=(),
        image_size=(32, 16), camera="none", seed=0, episode_ticks=50, keep_every=5, exploration="none",
        max_speed_mps=0.0,
    )  # fmt: skip
    writer = RolloutWriter(folder, config, "sim2real-bench collect")
    for index in range(4):
        count = 4 + index
        poses, speed = np.tile(np.eye(4), (count, 1, 1)), np.zeros(count, np.float32)
        waypoints = np.zeros((count, 5, 3), np.float32)
        writer.append(index, EpisodeArrays(ego_pose=poses, speed=speed, waypoints=waypoints),
                      EpisodeNote(index, "nowhere", "", 50, "horizon"))  # fmt: skip
    writer.finish(4)
    return folder


def sweep(tmp_path, target_data, **changes):
    base = SweepSettings(
        methods=("task-distillation",), images=(4, 9, 22), target_data=target_data, out=tmp_path / "sweep",
        proxy="map", proxy_checkpoints=PROXIES, transfer=("--preset", "quick"), evaluate=("--episodes", "2"),
        transfer_aside=("--threads", "2"), evaluate_aside=("--workers", "1"),
    )  # fmt: skip
    return replace(base, **changes)


def finish(point, driven="task-distillation"):
    """What the two commands of a point would leave; the fake agents drive as their names say."""
    evaluate(settings(point.results, rows=(row(driven, "map"),)))
    card = CheckpointCard(
        observation="rgb", command="c", seed=0, metrics={"validation_loss": 0.25}, weights_sha256="ab"
    )
    card_path(point.checkpoint).write_text(card.model_dump_json())


def test_every_point_is_a_transfer_and_an_evaluation(tmp_path, target_data):
    train, drive, *more = sweep_steps(sweep(tmp_path, target_data))
    assert len(more) == 4
    folder = tmp_path / "sweep" / "task-distillation-map" / "00004"
    weights = folder / "stk-carla-task-distillation-map.safetensors"
    assert train.identity == (
        f"sim2real-bench transfer --method task-distillation --proxy map --target-data {target_data} --target-images 4 "
        f"--out {folder} --preset quick --part proxy=proxy-map.safetensors"
    )
    assert train.aside == ("--resume", "--threads", "2")
    assert train.result == weights
    assert drive.identity == (
        f"sim2real-bench evaluate --methods task-distillation --proxy map --checkpoint task-distillation:map={weights} "
        f"--out {folder / 'results'} --episodes 2"
    )
    assert drive.result == folder / "results" / "table.json"


def test_a_method_may_have_a_proxy_policy_of_its_own(tmp_path, target_data):
    own = PROXIES | {"task-distillation-junctions:map": Path("junctions.safetensors")}
    methods = ("task-distillation", "task-distillation-junctions")
    steps = sweep_steps(sweep(tmp_path, target_data, methods=methods, proxy_checkpoints=own))
    parts = [step.words[-1] for step in steps if step.words[0] == "transfer"]
    assert parts[:2] == ["proxy=proxy-map.safetensors", "proxy=junctions.safetensors"]


def test_all_proxies_and_methods_size_by_size(tmp_path, target_data):
    points = sweep_points(sweep(tmp_path, target_data, methods=("task-distillation", "direct"), proxy="all"))
    assert [point.name for point in points[:4]] == [
        "task-distillation-map-00004", "task-distillation-camera-00004", "direct-00004", "task-distillation-map-00009",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"methods": ()}, ConfigurationError, "--methods"),
        ({"methods": ("direct", "direct")}, ConfigurationError, "each once"),
        ({"methods": ("task-destillation",)}, UnknownNameError, "task-distillation"),
        ({"methods": ("reference",)}, ConfigurationError, "learns nothing"),
        ({"proxy": "smell"}, ConfigurationError, "smell"),
        ({"images": (0, 5)}, ConfigurationError, "positive"),
        ({"images": (5, 5)}, ConfigurationError, "each once"),
        ({"proxy_checkpoints": {}}, ConfigurationError, "--proxy-checkpoint task-distillation:map=PATH"),
        ({"methods": ("task-distillation-junctions",)}, ConfigurationError, "task-distillation-junctions:map=PATH"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, target_data, changes, error, text):
    with pytest.raises(error, match=text):
        sweep_steps(sweep(tmp_path, target_data, **changes))


def test_a_data_set_that_is_too_small_is_told_beforehand(tmp_path, target_data):
    assert images_of(sweep(tmp_path, target_data)) == {4: 4, 9: 9, 22: 22}
    assert images_of(sweep(tmp_path, target_data, images=(6,))) == {6: 4}
    with pytest.raises(DataError, match="22 samples, not the 23"):
        images_of(sweep(tmp_path, target_data, images=(4, 23)))


def test_finished_points_are_measured_and_the_rest_is_missing(tmp_path, target_data):
    asked = sweep(tmp_path, target_data)
    first, second, _ = sweep_points(asked)
    finish(first)
    (second.results).mkdir(parents=True)
    data = measured_data(asked)
    assert not data.complete
    (point,) = data.points
    table = json.loads((first.results / "table.json").read_text())["rows"][0]
    assert (point.images, point.images_asked, point.episodes) == (4, 4, 10)
    assert point.distance_m == pytest.approx(table["distance_m"]["mean"])
    assert list(point.ci95_by_start) == pytest.approx(table["distance_m"]["ci95_by_start"])
    assert (point.metrics, point.checkpoint_sha256) == ({"validation_loss": 0.25}, "ab")
    assert data.target_data_sha256 == RolloutDataset(target_data).hash


def test_data_and_picture_are_written(tmp_path, target_data):
    asked = sweep(tmp_path, target_data, images=(4, 22))
    for point in sweep_points(asked):
        finish(point)
    data = measured_data(asked)
    assert data.complete
    write_data(data, asked.out)
    assert json.loads((asked.out / "sweep.json").read_text())["complete"] is True
    rows = list(csv.DictReader((asked.out / "sweep.csv").open()))
    assert [int(row["images"]) for row in rows] == [4, 22]
    assert float(rows[1]["ci95_by_start_low_m"]) == data.points[1].ci95_by_start[0]
    write_picture(data, asked.out)
    assert (asked.out / "sweep.png").read_bytes().startswith(b"\x89PNG")
    drawn = (asked.out / "sweep.svg").read_text()
    write_picture(data, asked.out)
    assert (asked.out / "sweep.svg").read_text() == drawn


def test_methods_with_fewer_images_are_compared_with_others_with_the_most(tmp_path, target_data):
    asked = sweep(tmp_path, target_data, methods=("task-distillation", "modular"), images=(4, 22))
    for point in sweep_points(asked):
        finish(point, driven="parked" if point.method == "modular" else "task-distillation")
    data = measured_data(asked)
    compared = {(item.row, item.images): item for item in data.comparisons}
    assert set(compared) == {(f"{m} (map)", n) for m in ("task-distillation", "modular") for n in (4, 22)}
    half = compared["task-distillation (map)", 4]
    assert (half.over, half.over_images, half.pairs) == ("modular (map)", 22, 10)
    distances = {(point.label, point.images): point.distance_m for point in data.points}
    expected = distances["task-distillation (map)", 4] - distances["modular (map)", 22]
    assert half.difference_m == pytest.approx(expected)
    assert half.difference_m > 1.0
    assert half.ci95_by_start[0] <= half.difference_m <= half.ci95_by_start[1]


def test_nothing_finished_is_an_empty_picture(tmp_path, target_data):
    asked = sweep(tmp_path, target_data)
    data = measured_data(asked)
    assert (data.complete, data.points) == (False, ())
    write_data(data, asked.out)
    write_picture(data, asked.out)
    assert (asked.out / "sweep.png").exists()
