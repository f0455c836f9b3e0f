"""The verbs collect and transfer as a user meets them."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from sim2real_bench.agents.checkpoints import CheckpointCard, read_card, save_checkpoint
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.cli import _guarded, collect, transfer
from sim2real_bench.distill.data.episode import EpisodeArrays, EpisodeNote, pack_map_view
from sim2real_bench.distill.data.rollouts import RolloutConfig, RolloutDataset, RolloutWriter

Run = Callable[..., Any]


@pytest.fixture
def run() -> Run:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("collect")(_guarded(collect.command))
    app.command("transfer")(_guarded(transfer.command))
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two tiny data sets of noise."""
    folders = {}
    for simulator in ("stk", "carla"):
        folder = folders[simulator] = tmp_path_factory.mktemp(simulator)
        config = RolloutConfig(
            simulator=simulator, backend="none", driver="none", places=("nowhere",), weathers=(),
            observations=("rgb", "labels", "map_view"), image_size=(64, 32), camera="mounted", seed=0, episode_ticks=4,
            keep_every=1, exploration="none", max_speed_mps=0.0,
        )  # fmt: skip
        writer = RolloutWriter(folder, config, "sim2real-bench collect")
        random = np.random.default_rng(0)
        for index in range(2):
            arrays = EpisodeArrays(
                ego_pose=np.tile(np.eye(4), (4, 1, 1)),
                speed=np.zeros(4, np.float32),
                waypoints=np.tile([[6, 0, 0], [9, 0, 0], [12, 0, 0], [15, 1, 0], [18, 1, 0]], (4, 1, 1)).astype(
                    np.float32
                ),
                rgb=random.integers(0, 255, (4, 32, 64, 3), dtype=np.uint8),
                labels=random.integers(0, 2, (4, 32, 64), dtype=np.uint8),
                map_view=pack_map_view(random.integers(0, 2, (4, 1, 192, 192), dtype=np.uint8) * 255),
                camera_focal=np.full((4, 2), 32.0),
                camera_rotation=np.tile([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]], (4, 1, 1)),
                camera_position=np.tile([2.0, 0.0, 1.4], (4, 1)),
            )
            writer.append(index, arrays, EpisodeNote(0, "nowhere", "", 4, "horizon"))
        writer.finish(2)
    return folders


TINY = ("--width", 0.05, "--steps", 2, "--batch-size", 2, "--validate-every", 1)


def test_direct_writes_a_checkpoint_whose_card_repeats_it(run: Run, data: dict[str, Path], tmp_path: Path) -> None:
    result = run("transfer", "--method", "direct", "--source-data", data["stk"], "--out", tmp_path / "a", *TINY)
    assert result.exit_code == 0, result.output
    assert "validation_loss" in result.stdout
    card = read_card(tmp_path / "a" / "stk-direct")
    assert card.data == {"source": RolloutDataset(data["stk"]).hash}
    words = shlex.split(card.command.replace(str(tmp_path / "a"), str(tmp_path / "b")))
    again = run(*words[1:])
    assert again.exit_code == 0, again.output
    assert read_card(tmp_path / "b" / "stk-direct").weights_sha256 == card.weights_sha256
    assert (tmp_path / "a" / "stk-direct.training.csv").read_text().startswith("step,training_loss,validation_loss\n1,")


@pytest.mark.parametrize("proxy", ["map", "camera"])
def test_task_distillation_writes_teacher_and_student(
    run: Run, data: dict[str, Path], tmp_path: Path, proxy: str
) -> None:
    options = ("--source-data", data["stk"], "--target-data", data["carla"], "--out", tmp_path, *TINY)
    if proxy == "camera":
        options = (*options, "--no-align-camera")
    result = run("transfer", "--method", "task-distillation", "--proxy", proxy, *options)
    assert result.exit_code == 0, result.output
    teacher, student = (
        read_card(tmp_path / name) for name in (f"stk-proxy-{proxy}", f"stk-carla-task-distillation-{proxy}")
    )
    assert student.data["teacher"] == teacher.weights_sha256
    assert "--stage target" in student.command and f"--proxy-checkpoint {tmp_path}" in student.command
    assert "--stage proxy" in teacher.command
    resumed = run("transfer", "--method", "task-distillation", "--proxy", proxy, *options, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert read_card(tmp_path / f"stk-proxy-{proxy}").weights_sha256 == teacher.weights_sha256


@pytest.mark.parametrize("method", ["task-distillation-on-policy", "task-distillation-plus"])
def test_second_stages_learn_from_several_data_sets_and_start_from_a_student(
    run: Run, data: dict[str, Path], tmp_path: Path, method: str
) -> None:
    driven = shutil.copytree(data["carla"], tmp_path / "driven")
    (driven / "manifest.json").unlink()
    config = RolloutDataset(data["carla"]).config.model_copy(update={"driver": "student"})
    RolloutWriter(driven, config, "sim2real-bench collect").finish(1)
    for name, network in (("f-p", WaypointNetwork(1, 0.05, 192, 192)), ("f-t", WaypointNetwork(3, 0.05, 32, 64))):
        observation = {1: "map_view", 3: "rgb"}[network.channels]
        save_checkpoint(tmp_path / name, network, CheckpointCard(observation=observation, command="", seed=0))
    result = run(
        "transfer", "--method", method, "--proxy", "map", "--target-data", data["carla"], "--target-data", driven,
        "--target-images", 8, "--part", f"proxy={tmp_path / 'f-p.safetensors'}", "--start-from",
        tmp_path / "f-t.safetensors", "--out", tmp_path / "a", *TINY,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    card = read_card(tmp_path / "a" / f"stk-carla-{method}-map")
    first = RolloutDataset(data["carla"]).first(4)
    assert (card.data["target"], card.data["target-2"]) == (first.hash, RolloutDataset(driven).hash)
    assert card.data["start"] == read_card(tmp_path / "f-t").weights_sha256
    words = shlex.split(card.command.replace(str(tmp_path / "a"), str(tmp_path / "b")))
    assert run(*words[1:]).exit_code == 0
    again = read_card(tmp_path / "b" / f"stk-carla-{method}-map")
    assert again.weights_sha256 == card.weights_sha256
    refused = run(*words[1:], "--target-images", 4)
    assert refused.exit_code == 2
    assert "hold 4 images already" in refused.stderr


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--method", "direct"), 2, "--source-data is missing"),
        (("--method", "reference"), 2, "needs no training"),
        (("--method", "dirct"), 2, "did you mean 'direct'"),
        (("--method", "task-distillation"), 2, "needs --proxy map or camera"),
        (("--method", "task-distillation", "--proxy", "map", "--stage", "both"), 2, "choose proxy, target, all"),
        (("--method", "direct", "--preset", "fast", "--source-data", "x"), 2, "unknown preset 'fast'"),
        (("--method", "direct", "--source-data", "no/such/folder"), 1, "is not a data set"),
    ],
)
def test_wrong_transfers_are_explained(run: Run, words: tuple[str, ...], status: int, message: str) -> None:
    result = run("transfer", *words)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stderr.startswith("error: ")


def test_the_resolved_collection_can_be_shown(run: Run) -> None:
    result = run("collect", "--simulator", "carla", "--weathers", "noon,rain", "--keep-every", 7, "--show-config")
    assert result.exit_code == 0, result.output
    config = json.loads(result.stdout)
    assert (config["simulator"], config["places"], config["keep_every"]) == ("carla", ["MiniTown01"], 7)
    assert config["weathers"] == ["noon", "rain"]
    assert config["driver"] == "reference at 5.56 m/s"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--simulator", "doom"), "unknown simulator"),
        (("--simulator", "carla", "--driver", "ppo"), "'ppo' does not drive 'carla'"),
        (("--simulator", "carla", "--driver", "student"), "needs --checkpoint"),
        (("--simulator", "stk", "--driver", "student"), "'student' does not drive 'stk'"),
        (("--simulator", "carla", "--checkpoint", "x"), "'reference' has no weights"),
        (("--simulator", "carla", "--observations", "rgb,depth"), "cannot be recorded"),
        (("--simulator", "carla", "--weathers", "hail"), "weather 'hail' is unknown"),
        (("--simulator", "stk", "--split", "all"), "choose train or held-out"),
    ],
)
def test_wrong_collections_are_explained(run: Run, words: tuple[str, ...], message: str) -> None:
    result = run("collect", *words, "--show-config")
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.simulator
@pytest.mark.usefixtures("stk")
def test_collect_records_supertuxkart_and_the_manifest_repeats_it(run: Run, tmp_path: Path) -> None:
    result = run(
        "collect", "--simulator", "stk", "--driver", "reference", "--frames", 20, "--episode-ticks", 100,
        "--keep-every", 5, "--observations", "map_view", "--workers", 1, "--out", tmp_path / "a",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    manifest = RolloutDataset(tmp_path / "a").manifest
    assert manifest.frames >= 20
    assert f"{manifest.frames} samples" in result.stdout
    words = shlex.split(manifest.command.replace(str(tmp_path / "a"), str(tmp_path / "b")))
    assert run(*words[1:], "--workers", 1).exit_code == 0
    assert RolloutDataset(tmp_path / "b").hash == manifest.content_hash
    other = run(*words[1:], "--seed", 9)
    assert other.exit_code == 1
    assert "seed: 0 there, 9 asked for" in other.stderr
