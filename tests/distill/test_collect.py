"""Recording: what is kept, repeatability, resumption, and the real simulators."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim2real_bench.distill.data import collect as collecting
from sim2real_bench.distill.data.collect import CollectSettings, collect, episode_seed, record_episode
from sim2real_bench.distill.data.exploration import PushSettings, SteeringPushes
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.data.worlds import World, backend_words, track_places, weather_names
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.errors import ConfigurationError, DataError, SimulatorError

NEVER = PushSettings(every_ticks=0)


class Plane:
    """A point that drives over an endless plane: throttle above 0 moves it 1 m a tick, steering turns it."""

    camera = PinholeCamera.mounted(32, 16, 90.0, 2.0, 1.4)

    def __init__(self, speed_m: float = 1.0, wall_after: int = 10_000) -> None:
        self.speed_m, self.wall_after, self.resets = speed_m, wall_after, 0
        self.fails_at, self.failures = -1, 0
        self.actions: list[np.ndarray] = []
        self.options: list[dict[str, Any]] = []

    def reset(self, *, seed: int, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.resets == self.fails_at and self.failures > 0:
            self.failures -= 1
            raise SimulatorError("the engine ended")
        self.resets += 1
        self.options.append(options)
        random = np.random.default_rng(seed)
        self.place, self.yaw, self.tick = random.uniform(-50, 50, 2), random.uniform(-3, 3), 0
        return self._seen()

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.actions.append(action.copy())
        self.tick += 1
        self.yaw -= 0.05 * float(action[0])
        if action[1] > 0:
            self.place = self.place + self.speed_m * np.array([np.cos(self.yaw), np.sin(self.yaw)])
        observation, info = self._seen()
        hit = self.tick >= self.wall_after
        info["collided_with"] = "static.building" if hit else ""
        return observation, 0.0, hit, False, info

    def _seen(self) -> tuple[dict[str, Any], dict[str, Any]]:
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(self.yaw), -np.sin(self.yaw)], [np.sin(self.yaw), np.cos(self.yaw)]]
        pose[:2, 3] = self.place
        rgb = np.full((16, 32, 3), self.tick % 256, np.uint8)
        observation = {
            "rgb": rgb,
            "map_view": np.zeros((1, 192, 192), np.uint8),
            "speed": np.float32(10 * self.speed_m),
        }
        return observation, {"ego_pose": pose, "camera": self.camera, "speed_mps": 10 * self.speed_m}

    def close(self) -> None:
        pass


@dataclass
class Straight:
    """Full throttle, straight on."""

    observations: tuple[str, ...] = ("speed",)

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: dict[str, Any]) -> np.ndarray:
        return np.array([0.0, 1.0], np.float32)


def settings(**changes: Any) -> CollectSettings:
    world = World("carla", "reference", ("MiniTown01",), ("noon", "rain"), ("rgb", "map_view"), (32, 16))
    return replace(CollectSettings(world, 60, 60, 3, 7, NEVER, 0.0), **changes)


@pytest.fixture
def plane(monkeypatch: pytest.MonkeyPatch) -> Plane:
    made = Plane()
    monkeypatch.setattr(collecting, "open_world", lambda world, keys, every: made)
    monkeypatch.setattr(World, "driver", lambda self: Straight())
    return made


def test_samples_are_kept_every_few_ticks_with_their_true_future() -> None:
    arrays, note = record_episode(Plane(), Straight(), settings(), 0)
    # 60 ticks of 1 m: ticks 0, 3, ..., 39 have 18 m of future before tick 59
    assert len(arrays) == 14
    assert arrays.rgb is not None
    assert arrays.rgb[:, 0, 0, 0].tolist() == list(range(0, 42, 3))
    np.testing.assert_allclose(arrays.waypoints[..., 0], np.tile([6, 9, 12, 15, 18], (14, 1)), atol=1e-4)
    np.testing.assert_allclose(arrays.waypoints[..., 1:], 0, atol=1e-4)
    assert (note.seed, note.ticks, note.ended_by) == (episode_seed(7, 0), 60, "horizon")
    assert note.weather in ("noon", "rain")


def test_pushed_ticks_are_driven_but_not_kept() -> None:
    plane = Plane()
    arrays, _ = record_episode(plane, Straight(), settings(keep_every=1, pushes=PushSettings(every_ticks=6.0)), 0)
    steering = np.array([action[0] for action in plane.actions])
    assert (steering != 0).any() and (steering == 0).any()
    assert arrays.rgb is not None
    kept = arrays.rgb[:, 0, 0, 0].astype(int)
    assert len(kept)
    assert not set(kept) & {tick for tick in range(1, 60) if steering[tick - 1] != 0}


def test_half_of_the_pushes_go_to_each_side() -> None:
    pushes = SteeringPushes(PushSettings(10.0, (3, 8), (0.2, 0.6)), np.random.default_rng(0))
    values = np.array([pushes.step() for _ in range(20_000)])
    pushed = values[values != 0]
    assert np.abs(pushed).min() >= 0.2 and np.abs(pushed).max() <= 0.6
    assert abs(pushed.mean()) < 0.05
    assert 0.25 < len(pushed) / len(values) < 0.45  # 5.5 of every 9 + 5.5 ticks


def test_above_the_speed_limit_there_is_no_throttle() -> None:
    plane = Plane()
    record_episode(plane, Straight(), settings(max_speed_mps=5.0), 0)
    assert max(action[1] for action in plane.actions) == 0.0


def test_a_standing_vehicle_is_recorded_once_and_gives_nothing() -> None:
    arrays, _ = record_episode(Plane(speed_m=0.0), Straight(), settings(), 0)
    assert len(arrays) == 0


def test_an_episode_ends_at_a_collision() -> None:
    arrays, note = record_episode(Plane(wall_after=30), Straight(), settings(), 0)
    assert (note.ticks, note.ended_by) == (30, "collision")
    assert len(arrays) == 4  # ticks 0, 3, 6, 9 of the 29 m recorded


STUDENT = World("carla", "student", ("MiniTown01",), ("noon",), ("rgb",), (32, 16), checkpoint=Path("student"))


def test_what_a_student_saw_is_kept_up_to_the_collision() -> None:
    arrays, note = record_episode(Plane(wall_after=30), Straight(), settings(world=STUDENT), 0)
    assert (note.ticks, note.ended_by) == (30, "collision")
    assert len(arrays) == 10  # ticks 0, 3, ..., 27
    np.testing.assert_allclose(arrays.waypoints[0, :, 0], [6, 9, 12, 15, 18], atol=1e-4)
    np.testing.assert_allclose(arrays.waypoints[-2, :, 0], [5, 5, 5, 5, 5], atol=1e-4)  # all that was left


def test_a_student_that_left_the_road_is_recorded_for_one_second_more() -> None:
    class Verge(Plane):
        def _seen(self) -> tuple[dict[str, Any], dict[str, Any]]:
            observation, info = super()._seen()
            return observation, {**info, "off_road": self.tick in (5, 6) or self.tick >= 20}

    arrays, note = record_episode(Verge(), Straight(), settings(world=STUDENT), 0)
    assert (note.ticks, note.ended_by) == (30, "off_road")
    assert len(arrays) == 10
    _, of_reference = record_episode(Verge(), Straight(), settings(), 0)
    assert of_reference.ended_by == "horizon"


def test_collect_ends_with_the_episode_that_reaches_the_wish(plane: Plane, tmp_path: Path) -> None:
    manifest = collect(settings(), tmp_path, "command", backend="plane")
    assert [entry.frames for entry in manifest.episodes] == [14] * 5
    data = RolloutDataset(tmp_path)
    assert len(data) == 70
    assert data.config.weathers == ("noon", "rain")
    assert {options["town"] for options in plane.options} == {"MiniTown01"}
    assert {options["weather"] for options in plane.options} == {"noon", "rain"}


def test_an_interrupted_collection_continues_to_the_same_data(plane: Plane, tmp_path: Path) -> None:
    want = collect(settings(pushes=PushSettings(8.0)), tmp_path / "whole", "command", backend="plane")
    plane.resets, plane.fails_at, plane.failures = 0, 2, 3
    with pytest.raises(SimulatorError):
        collect(settings(pushes=PushSettings(8.0)), tmp_path / "parts", "command", backend="plane")
    plane.options.clear()
    have = collect(settings(pushes=PushSettings(8.0)), tmp_path / "parts", "command", backend="plane")
    assert have == want
    assert len(plane.options) == len(want.episodes) - 2
    plane.options.clear()
    assert collect(settings(pushes=PushSettings(8.0)), tmp_path / "parts", "command", backend="plane") == want
    assert plane.options == []


def test_an_episode_whose_simulator_fails_is_tried_again(plane: Plane, tmp_path: Path) -> None:
    want = collect(settings(), tmp_path / "calm", "command", backend="plane")
    plane.resets, plane.fails_at, plane.failures = 0, 1, 2
    assert collect(settings(), tmp_path / "stormy", "command", backend="plane") == want


def test_a_driver_that_gets_nowhere_is_reported(plane: Plane, tmp_path: Path) -> None:
    plane.speed_m = 0.0
    with pytest.raises(DataError, match="20 episodes in a row gave no sample"):
        collect(settings(), tmp_path, "command", backend="plane")


def test_worlds_refuse_what_does_not_go_together() -> None:
    with pytest.raises(ConfigurationError, match="'ppo' does not drive 'carla'"):
        World("carla", "ppo", ("MiniTown01",))
    with pytest.raises(ConfigurationError, match="depth"):
        World("stk", "reference", ("lighthouse",), observations=("depth",))
    with pytest.raises(ConfigurationError, match="train or held-out"):
        track_places("test")
    with pytest.raises(ConfigurationError, match="weather 'snow' is unknown"):
        weather_names("noon,snow")
    assert not set(track_places("train")) & set(track_places("held-out"))


def test_wrong_pushes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="increasing order"):
        PushSettings(steer=(0.5, 0.1))


@pytest.mark.simulator
@pytest.mark.usefixtures("stk")
def test_supertuxkart_is_recorded_by_two_workers_as_by_one(tmp_path: Path) -> None:
    world = World(
        "stk", "reference", ("lighthouse", "hacienda/reverse"), observations=("map_view",), target_speed_mps=10.0
    )
    wish = CollectSettings(world, 40, 120, 4, 0, PushSettings(), 12.0)
    one = collect(wish, tmp_path / "one", "command", backend=backend_words(world))
    two = collect(wish, tmp_path / "two", "command", backend=backend_words(world), workers=2)
    assert one == two
    data = RolloutDataset(tmp_path / "one")
    waypoints, maps = data.stack("waypoints"), data.stack("map_view")
    assert len(data) >= 40 and maps.any()
    np.testing.assert_allclose(np.linalg.norm(waypoints[:, 0], axis=1), 6.0, atol=0.8)
    assert (waypoints[:, 0, 0] > 4.0).mean() > 0.9


@pytest.mark.simulator
@pytest.mark.usefixtures("stk")
def test_supertuxkart_records_camera_and_labels(tmp_path: Path) -> None:
    world = World("stk", "reference", ("lighthouse",), target_speed_mps=10.0)
    collect(CollectSettings(world, 5, 60, 8, 0, NEVER, 12.0), tmp_path, "command", backend="stk")
    data = RolloutDataset(tmp_path)
    assert data.stack("rgb").std() > 5 and (data.stack("labels") == 1).mean() > 0.05
    pixels, depth = data.cameras()[0].project(data.stack("waypoints")[0])
    assert (depth > 0).all() and (pixels[:, 1] > 40).all()


@pytest.mark.simulator
@pytest.mark.usefixtures("carla_embedded")
def test_the_embedded_town_is_recorded(tmp_path: Path) -> None:
    world = World("carla", "reference", ("MiniTown01",), ("noon",))
    collect(CollectSettings(world, 8, 150, 10, 0, NEVER, 0.0), tmp_path, "command", backend=backend_words(world))
    data = RolloutDataset(tmp_path)
    assert data.config.backend.startswith("embedded")
    assert data.stack("rgb").std() > 5
    assert data.stack("map_view").any()
    assert (data.stack("labels") == 1).mean() > 0.05
    np.testing.assert_allclose(data.stack("waypoints")[:, 4, 0], 18.0, atol=6.0)
