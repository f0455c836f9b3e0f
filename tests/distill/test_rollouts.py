"""The data set on disk: round trip, resume, and what is said about damaged or foreign folders."""

import json
from pathlib import Path

import numpy as np
import pytest

from sim2real_bench.distill.data.episode import (
    EpisodeArrays,
    EpisodeNote,
    pack_map_view,
    read_episode,
    unpack_map_view,
    write_episode,
)
from sim2real_bench.distill.data.rollouts import (
    RolloutConfig,
    RolloutDataset,
    RolloutWriter,
    episode_path,
    manifest_path,
)
from sim2real_bench.errors import DataError

COMMAND = "sim2real-bench collect --simulator stk"


def config(**changes) -> RolloutConfig:
    values = dict(
        simulator="stk", backend="pystk2", driver="ppo", places=("lighthouse",), weathers=(),
        observations=("rgb", "map_view"), image_size=(32, 16), camera="behind", seed=3, episode_ticks=50, keep_every=5,
        exploration="none", max_speed_mps=0.0,
    )  # fmt: skip
    return RolloutConfig(**(values | changes))


def arrays(seed: int, count: int = 4) -> EpisodeArrays:
    rng = np.random.default_rng(seed)
    return EpisodeArrays(
        ego_pose=np.tile(np.eye(4), (count, 1, 1)),
        speed=rng.random(count).astype(np.float32),
        waypoints=rng.random((count, 5, 3)).astype(np.float32),
        rgb=rng.integers(0, 256, (count, 16, 32, 3), dtype=np.uint8),
        map_view=pack_map_view(rng.integers(0, 2, (count, 1, 192, 192), dtype=np.uint8) * 255),
        camera_focal=np.full((count, 2), 20.0),
        camera_rotation=np.tile(np.eye(3), (count, 1, 1)),
        camera_position=np.tile([1.0, 0.0, 1.5], (count, 1)),
    )


NOTE = EpisodeNote(seed=1, place="lighthouse", weather="", ticks=50, ended_by="horizon")


def write_dataset(folder: Path, count: int = 3) -> None:
    writer = RolloutWriter(folder, config(), COMMAND)
    for index in range(count):
        writer.append(index, arrays(index, 4 + index), NOTE)
    writer.finish(count)


def test_round_trip_keeps_every_array(tmp_path: Path):
    write_dataset(tmp_path)
    data = RolloutDataset(tmp_path)
    assert len(data) == 4 + 5 + 6
    for index in range(3):
        want, have = arrays(index, 4 + index), data.episode(index)
        for name in ("ego_pose", "speed", "waypoints", "rgb", "map_view", "camera_focal", "camera_position"):
            np.testing.assert_array_equal(getattr(have, name), getattr(want, name))
        assert have.labels is None
    np.testing.assert_array_equal(data.stack("rgb")[4:9], arrays(1, 5).rgb)
    np.testing.assert_array_equal(data.episode_of_sample(), [0] * 4 + [1] * 5 + [2] * 6)
    camera = data.cameras()[7]
    assert (camera.width, camera.height, camera.focal_x, camera.position[2]) == (32, 16, 20.0, 1.5)
    data.verify()


def test_an_episode_without_samples_is_passed_over(tmp_path: Path):
    writer = RolloutWriter(tmp_path, config(), COMMAND)
    empty = EpisodeArrays(
        ego_pose=np.zeros((0, 4, 4)), speed=np.zeros(0, np.float32), waypoints=np.zeros((0, 5, 3), np.float32)
    )
    for index, episode in enumerate((arrays(0), empty, arrays(1))):
        writer.append(index, episode, NOTE)
    writer.finish(3)
    data = RolloutDataset(tmp_path)
    assert (len(data), len(data.cameras()), len(data.stack("rgb"))) == (8, 8, 8)
    np.testing.assert_array_equal(data.episode_of_sample(), [0] * 4 + [2] * 4)
    data.verify()


@pytest.mark.parametrize(
    ("asked", "held", "count"), [(1, 4, 1), (6, 4, 1), (7, 9, 2), (9, 9, 2), (14, 15, 3), (15, 15, 3)]
)
def test_the_first_episodes_are_a_data_set_of_their_own(tmp_path: Path, asked: int, held: int, count: int):
    write_dataset(tmp_path / "three")  # 4 + 5 + 6 samples
    write_dataset(tmp_path / "fewer", count)
    whole, fewer = RolloutDataset(tmp_path / "three"), RolloutDataset(tmp_path / "fewer")
    part = whole.first(asked)
    assert len(part) == len(part.stack("rgb")) == len(part.cameras()) == len(part.episode_of_sample()) == held
    assert part.hash == fewer.hash
    np.testing.assert_array_equal(part.stack("waypoints"), whole.stack("waypoints")[:held])
    assert len(whole) == 15


@pytest.mark.parametrize("asked", [0, 16])
def test_samples_that_are_not_there_are_refused(tmp_path: Path, asked: int):
    write_dataset(tmp_path)
    with pytest.raises(DataError, match=f"15 samples, not the {asked}"):
        RolloutDataset(tmp_path).first(asked)


def test_packing_the_map_view_loses_nothing():
    view = np.random.default_rng(0).integers(0, 2, (3, 2, 192, 192), dtype=np.uint8) * 255
    np.testing.assert_array_equal(unpack_map_view(pack_map_view(view)) * 255, view)


def test_same_content_same_hash(tmp_path: Path):
    write_dataset(tmp_path / "a")
    write_dataset(tmp_path / "b")
    assert RolloutDataset(tmp_path / "a").hash == RolloutDataset(tmp_path / "b").hash
    write_dataset(tmp_path / "c", count=2)
    assert RolloutDataset(tmp_path / "c").hash != RolloutDataset(tmp_path / "a").hash


def test_resume_keeps_finished_episodes_and_drops_surplus_ones(tmp_path: Path):
    writer = RolloutWriter(tmp_path, config(), COMMAND)
    writer.append(0, arrays(0), NOTE)
    writer.append(2, arrays(2), NOTE)
    with pytest.raises(DataError, match="not finished"):
        RolloutDataset(tmp_path)
    again = RolloutWriter(tmp_path, config(), COMMAND)
    assert again.finished() == {0: 4, 2: 4}
    again.append(1, arrays(1), NOTE)
    assert again.finish(2).frames == 8
    assert not episode_path(tmp_path, 2).exists()


def test_resume_deletes_a_half_written_episode(tmp_path: Path):
    writer = RolloutWriter(tmp_path, config(), COMMAND)
    writer.append(0, arrays(0), NOTE)
    path = episode_path(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:300])
    assert writer.finished() == {}
    assert not path.exists()


def test_another_configuration_is_refused_with_the_difference(tmp_path: Path):
    write_dataset(tmp_path)
    with pytest.raises(DataError, match=r"seed: 3 there, 4 asked for"):
        RolloutWriter(tmp_path, config(seed=4), COMMAND)


def test_a_missing_data_set_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(DataError, match="sim2real-bench collect"):
        RolloutDataset(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["truncate", "garbage", "flip"])
def test_a_damaged_episode_is_named(tmp_path: Path, damage: str):
    write_dataset(tmp_path)
    path = episode_path(tmp_path, 1)
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        content = content[: len(content) // 2]
    elif damage == "garbage":
        content = bytearray(b"hello")
    else:
        content[2000] ^= 0xFF
    path.write_bytes(bytes(content))
    data = RolloutDataset(tmp_path)
    with pytest.raises(DataError, match=r"00001\.npz"):
        data.verify()
    if damage != "flip":
        with pytest.raises(DataError, match=r"00001\.npz"):
            data.stack("rgb")


def test_wrong_shapes_are_named(tmp_path: Path):
    wrong = arrays(0)
    object.__setattr__(wrong, "waypoints", np.zeros((4, 4, 3), np.float32))
    write_episode(tmp_path / "e.npz", wrong, NOTE)
    with pytest.raises(DataError, match=r"waypoints is float32 \(4, 4, 3\)"):
        read_episode(tmp_path / "e.npz")


def test_pickles_are_not_read(tmp_path: Path):
    np.savez(tmp_path / "e.npz", ego_pose=np.array([{"a": 1}], dtype=object), note=np.zeros(2, np.uint8))
    with pytest.raises(DataError, match="cannot be read"):
        read_episode(tmp_path / "e.npz")


def test_an_edited_manifest_is_noticed(tmp_path: Path):
    write_dataset(tmp_path)
    raw = json.loads(manifest_path(tmp_path).read_text())
    raw["config"]["driver"] = "somebody else"
    manifest_path(tmp_path).write_text(json.dumps(raw))
    with pytest.raises(DataError, match="content hash"):
        RolloutDataset(tmp_path)
    raw["format_version"] = 99
    manifest_path(tmp_path).write_text(json.dumps(raw))
    with pytest.raises(DataError, match="format version 99"):
        RolloutDataset(tmp_path)


def test_require_says_what_to_collect(tmp_path: Path):
    write_dataset(tmp_path)
    data = RolloutDataset(tmp_path)
    data.require("stk", ("rgb",))
    with pytest.raises(DataError, match="--simulator carla --observations rgb,labels"):
        data.require("carla", ("rgb", "labels"))
