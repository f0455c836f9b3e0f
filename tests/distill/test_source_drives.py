"""Source scores: the same starts for every policy, labels seen through the target's camera, resumed drives."""

import json
from typing import ClassVar

import numpy as np
import pytest
import torch

from sim2real_bench.agents import source_scores
from sim2real_bench.agents.checkpoints import CheckpointCard, checkpoint_hash, save_checkpoint
from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.waypoint_agent import NetworkPolicy
from sim2real_bench.cli.source_score import to_markdown
from sim2real_bench.distill import source_drives
from sim2real_bench.distill.source_drives import (
    AlignedLabelsPolicy,
    SourceScorer,
    SourceScoreSettings,
    planned_starts,
)
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import StkClass
from sim2real_bench.envs.supertuxkart.tracks import HELD_OUT_TRACKS
from sim2real_bench.errors import CheckpointError, DataError, UnknownNameError

KART_CAMERA = PinholeCamera.mounted(384, 160, fov_deg=90.0, x_m=0.0, z_m=0.99)


def network(channels=1, height=160, width=384):
    torch.manual_seed(0)
    return WaypointNetwork(channels, width=0.0625, height_px=height, width_px=width)


def checkpoint(folder, name="proxy", observation="map_view", data=None):
    sizes = (1, 192, 192) if observation == "map_view" else (3, 160, 384)
    card = CheckpointCard(observation=observation, command="a test", seed=0, data=data or {"source": "0" * 64})
    save_checkpoint(folder / name, network(*sizes), card)
    return folder / f"{name}.safetensors"


class FakeKart:
    """Drives 1 m a tick and leaves the track after 3 ticks, but only on the first track."""

    drives: ClassVar[list] = []

    def __init__(self, observations):
        assert observations == ("map_view", "speed")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def reset(self, *, seed, options=None):
        if options is not None:
            FakeKart.drives.append((seed, options["track"], options["reverse"]))
        self.ticks, self.track = 0, (options or {}).get("track")
        return self.observation(), self.info()

    def observation(self):
        return {"map_view": np.full((3, 192, 192), 255, np.uint8), "speed": np.float32(5.0)}

    def info(self):
        lost = self.ticks >= 3 and self.track == HELD_OUT_TRACKS[0].name
        return {
            "progress_m": 1.0, "track_length_m": 5.0, "lateral_m": 0.5, "off_road": False, "rescued": False,
            "laps": 0, "termination": "off_track" if lost else "",
        }  # fmt: skip

    def step(self, action):
        self.ticks += 1
        return self.observation(), 0.0, False, False, self.info()


@pytest.fixture
def karts(monkeypatch):
    FakeKart.drives = []
    monkeypatch.setattr(source_drives, "SuperTuxKartEnv", FakeKart)
    return FakeKart


def test_starts_are_the_same_for_every_policy_and_balanced():
    starts = planned_starts(SourceScoreSettings(starts=25))
    assert starts == planned_starts(SourceScoreSettings(starts=25))
    assert len({start.seed for start in starts}) == len(starts) == 50
    held_out = [start for start in starts if start.split == "held-out"]
    assert sorted(start.controller for start in held_out) == sorted(list(range(5)) * 5)
    assert {start.track for start in held_out} == set(HELD_OUT_TRACKS)
    # More starts, or fewer splits, leave the others where they were.
    assert planned_starts(SourceScoreSettings(starts=3, splits=("train",))) == starts[25:28]
    with pytest.raises(UnknownNameError, match="choose from held-out, train"):
        SourceScoreSettings(splits=("test",))


def test_labels_are_seen_through_the_targets_camera():
    policy = NetworkPolicy(network(), "labels", "stk")
    seen = []
    policy.waypoints_in = lambda image: seen.append(image.numpy()) or np.zeros((5, 2))
    # Road on the ground from 6 m to 10 m ahead and 2 m to either side, as the kart's camera sees it.
    labels = np.full((160, 384), int(StkClass.BACKGROUND), np.uint8)
    rows, columns = np.mgrid[0:160, 0:384]
    ground = KART_CAMERA.ground(np.stack([columns + 0.5, rows + 0.5], axis=-1).reshape(-1, 2), 100.0)
    road = (ground[:, 0] > 6.0) & (ground[:, 0] < 10.0) & (np.abs(ground[:, 1]) < 2.0)
    below_horizon = rows.reshape(-1) > 80
    labels.reshape(-1)[road & below_horizon] = int(StkClass.TRACK)
    AlignedLabelsPolicy(policy, KART_CAMERA).waypoints({"labels": labels})
    mask = seen[0][0] > 0.5
    # In the driving camera (2 m ahead, 1.4 m high, focal 192) the edges lie at 80 + 192 * 1.4 / (x - 2).
    found_rows, found_columns = np.nonzero(mask)
    assert found_rows.min() == pytest.approx(80 + 192 * 1.4 / 8.0, abs=1.5)
    assert found_rows.max() == pytest.approx(80 + 192 * 1.4 / 4.0, abs=2.0)
    widest = found_columns[found_rows == found_rows.max() - 1]
    assert widest.max() - widest.min() == pytest.approx(4.0 * 192 / 4.0, rel=0.05)


def test_the_same_camera_changes_nothing():
    policy = NetworkPolicy(network(), "labels", "stk")
    labels = np.full((160, 384), int(StkClass.BACKGROUND), np.uint8)
    labels[100:, 120:240] = int(StkClass.TRACK)
    expected = policy.waypoints({"labels": labels})
    assert np.allclose(AlignedLabelsPolicy(policy, DRIVING_CAMERA).waypoints({"labels": labels}), expected, atol=1e-3)


def test_a_score_goes_on_where_it_stopped(tmp_path, karts):
    path, settings = checkpoint(tmp_path), SourceScoreSettings(starts=3, splits=("held-out",), duration_s=0.4)

    def interrupt(drive):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SourceScorer(path, settings, tmp_path / "out").run(interrupt)
    half = source_scores.read_source_score(tmp_path / "out" / "proxy.source.json")
    assert (len(half.drives), half.distance_m()) == (1, None)
    score = SourceScorer(path, settings, tmp_path / "out").run(lambda drive: None)
    assert [drive.index for drive in score.drives] == [0, 1, 2]
    assert len(karts.drives) == 3
    # 3 m on zengarden and its reverse until it is lost, 4 m in the 0.4 s on the third track.
    assert [drive.ended for drive in score.drives] == ["off_track", "off_track", "time"]
    assert score.distance_m() == pytest.approx((3.0 + 3.0 + 4.0) / 3)
    assert score.drives[2].track_share == pytest.approx(0.8)
    assert (score.weights_sha256, score.observation) == (checkpoint_hash(path), "map_view")
    with pytest.raises(DataError, match="another seed"):
        SourceScorer(path, SourceScoreSettings(3, ("held-out",), 0.4, seed=1), tmp_path / "out")
    line = to_markdown([score]).splitlines()[2]
    assert line.startswith("| proxy | map_view | held-out | 3 | 3 | 3 to 4 | 33% | 0.67 | 0.0% | 0.50 |")


def test_the_package_finds_scores_by_hash(tmp_path, karts, monkeypatch):
    path, settings = checkpoint(tmp_path), SourceScoreSettings(2, ("held-out",), 0.4)
    SourceScorer(path, settings, tmp_path / "out").run(lambda drive: None)
    monkeypatch.setattr(source_scores, "FOLDER", tmp_path / "out")
    source_scores._shipped.cache_clear()
    try:
        assert source_scores.source_distance_m(checkpoint_hash(path)) == pytest.approx(3.0)
        assert source_scores.source_distance_m("0" * 64) is None
    finally:
        source_scores._shipped.cache_clear()


def test_what_cannot_be_scored(tmp_path):
    settings = SourceScoreSettings(1)
    with pytest.raises(CheckpointError, match="trained for the target"):
        SourceScorer(checkpoint(tmp_path, data={"target": "0" * 64}), settings, tmp_path)
    with pytest.raises(CheckpointError):
        SourceScorer(tmp_path / "none.safetensors", settings, tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "track-follower.source.json").write_text(json.dumps({"name": 3}))
    with pytest.raises(DataError, match="is not a source score"):
        SourceScorer(None, settings, tmp_path / "out")


@pytest.mark.simulator
def test_the_track_follower_and_a_labels_policy_drive(stk, tmp_path):
    settings = SourceScoreSettings(starts=1, splits=("train",), duration_s=3.0)
    score = SourceScorer(None, settings, tmp_path).run(lambda drive: None)
    assert score.drives[0].ended == "time"
    assert score.distance_m("train") > 8.0
    torch.manual_seed(0)
    card = CheckpointCard(observation="labels", command="a test", seed=0)
    save_checkpoint(tmp_path / "labels", network(), card)
    short = SourceScoreSettings(starts=1, splits=("train",), duration_s=0.5)
    drives = SourceScorer(tmp_path / "labels.safetensors", short, tmp_path).run(lambda drive: None).drives
    assert drives[0].driven_s == pytest.approx(0.5)
