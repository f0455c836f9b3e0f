"""Our own methods besides the paper's: their supervision is the same, and they do what they are named after."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sim2real_bench.agents.checkpoints import CheckpointCard, load_checkpoint, save_checkpoint
from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.agents.networks import WaypointNetwork, peak_soft_argmax
from sim2real_bench.agents.waypoint_agent import WaypointAgent
from sim2real_bench.agents.waypoints import CameraGeometry
from sim2real_bench.distill.method import build_agent, checkpoint_for, method_named, method_supervision, trainings_of
from sim2real_bench.distill.methods.peaks import PEAK_SHARE
from sim2real_bench.distill.transfer import TransferRequest
from sim2real_bench.errors import ConfigurationError


@pytest.mark.parametrize("method", ["task-distillation-junctions", "task-distillation-peaks"])
def test_they_read_what_task_distillation_reads(method: str) -> None:
    assert method_supervision(method, "map") == method_supervision("task-distillation", "map")


def test_the_trainings_of_junctions_repeat_their_commands(tmp_path: Path) -> None:
    request = TransferRequest(proxy="map", source_data=Path("S"), target_data=(Path("T"),), out=tmp_path)
    proxy, target = trainings_of("task-distillation-junctions", request)
    assert proxy.words[-2:] == ("--source-data", "S")
    assert target.words[-2:] == ("--proxy-checkpoint", str(tmp_path / "stk-proxy-map-junctions.safetensors"))
    with pytest.raises(ConfigurationError, match="needs --proxy map"):
        trainings_of("task-distillation-junctions", TransferRequest(proxy="camera"))


def test_peaks_drive_the_same_weights_by_their_peaks(tmp_path: Path) -> None:
    assert checkpoint_for("task-distillation-peaks", "map") == checkpoint_for("task-distillation", "map")
    assert method_named("task-distillation-peaks").trainings is None
    torch.manual_seed(0)
    save_checkpoint(
        tmp_path / "net", WaypointNetwork(3, 0.05, 160, 384), CheckpointCard(observation="rgb", command="", seed=0)
    )
    agent = build_agent("task-distillation-peaks", "map", 0, tmp_path / "net")
    assert isinstance(agent, WaypointAgent)
    image = np.random.default_rng(0).integers(0, 256, (160, 384, 3), np.uint8)
    network, _ = load_checkpoint(tmp_path / "net")
    with torch.inference_mode():
        heatmaps = network.heatmaps(torch.from_numpy(image / np.float32(255.0)).permute(2, 0, 1)[None])
        peaks = peak_soft_argmax(heatmaps, PEAK_SHARE)[0].numpy()
    expected = CameraGeometry(DRIVING_CAMERA).to_ego(peaks)
    np.testing.assert_allclose(agent.policy.waypoints({"rgb": image}), expected, rtol=1e-3, atol=1e-3)
