"""The CARLA environment with the genuine client against the embedded server."""

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import numpy as np
import pytest

from sim2real_bench.envs import make
from sim2real_bench.envs.carla.backends import EmbeddedBackend
from sim2real_bench.envs.carla.connection import SpawnBlockedError
from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess
from sim2real_bench.envs.carla.environment import CarlaDriveEnv
from sim2real_bench.envs.carla.frames import pose_2d
from sim2real_bench.envs.classes import CarlaClass, road_mask
from sim2real_bench.envs.map_view import ego_to_map_pixels
from sim2real_bench.envs.observation import KEYS, MAP_SIZE
from sim2real_bench.errors import ConfigurationError, ConnectionLostError, SettingsChangedError

pytestmark = [pytest.mark.simulator, pytest.mark.usefixtures("carla_embedded")]

TOWN = "MiniTown01"
FULL_THROTTLE = np.array([0.0, 1.0], np.float32)
INFO_KEYS = {
    "ego_pose", "speed_mps", "off_road", "distance_m", "frame", "collision_impulse_ns", "collided_with",
    "spawn_index", "weather", "town", "reward_terms",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(carla_embedded: None) -> Iterator[EmbeddedServerProcess]:
    with EmbeddedServerProcess(town=TOWN) as process:
        yield process


@pytest.fixture(scope="module")
def onlooker(server: EmbeddedServerProcess) -> Any:
    """A second client of the same server."""
    import carla

    client = carla.Client(server.host, server.port)
    client.set_timeout(10.0)
    return client


def environment(server: EmbeddedServerProcess, *observations: str, **arguments: Any) -> CarlaDriveEnv:
    return CarlaDriveEnv(
        backend="server", host=server.host, port=server.port, town=TOWN, observations=observations, **arguments
    )


@pytest.fixture(scope="module")
def seeing(carla_embedded: None) -> Iterator[CarlaDriveEnv]:
    """One environment with every key and a server of its own, shared by the tests that only look."""
    with make("carla", backend="embedded", town=TOWN, observations=KEYS) as env:
        yield env


def actors(onlooker: Any) -> list[str]:
    """Type ids of all vehicles and sensors on the server, as a client sees them that has just connected."""
    kinds = (actor.type_id for actor in onlooker.get_world().get_actors())
    return sorted(kind for kind in kinds if kind.startswith(("vehicle.", "sensor.")))


def awaited(ask: Callable[[], Any], expected: Any, seconds: float = 10.0) -> Any:
    """The answer, asked again until it is the expected one: a second client learns of a tick a little later."""
    deadline = time.monotonic() + seconds
    while (answer := ask()) != expected and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


def steer_by_waypoints(observation: Any) -> np.ndarray:
    """Pure pursuit of the second waypoint at about 20 km/h."""
    forward, left = observation["waypoints"][0].astype(float)
    curvature = 2.0 * left / (forward**2 + left**2)
    throttle = 0.5 if observation["speed"] < 20.0 / 3.6 else 0.0
    return np.array([np.clip(-math.atan(2.9 * curvature) / 0.6, -1.0, 1.0), throttle], np.float32)


def test_observations_and_info_are_as_declared(seeing: CarlaDriveEnv) -> None:
    observation, info = seeing.reset(seed=3)
    assert seeing.observation_space.contains(observation)
    assert set(info) == INFO_KEYS | {"camera"}
    assert info["speed_mps"] < 0.2 and info["distance_m"] == 0.0
    for _ in range(3):
        observation, reward, terminated, truncated, info = seeing.step(FULL_THROTTLE)
    assert seeing.observation_space.contains(observation)
    assert set(info) == INFO_KEYS | {"camera"}
    assert reward == sum(info["reward_terms"].values()) and not terminated and not truncated
    assert info["ego_pose"].shape == (4, 4)
    np.testing.assert_allclose(np.linalg.det(info["ego_pose"][:3, :3]), 1.0, atol=1e-6)
    assert observation["rgb"].std() > 5.0  # a picture, not one colour


def test_the_ground_in_the_image_is_where_the_camera_says(seeing: CarlaDriveEnv) -> None:
    """Lane centres ahead, projected, hit road pixels at the depth that geometry gives."""
    import carla

    text = (resources.files("sim2real_bench.envs.carla.embedded.town.maps") / f"{TOWN}.xodr").read_text()
    town_map = carla.Map(TOWN, text)
    road_hits, errors = [], []
    for seed in range(6):
        observation, info = seeing.reset(seed=seed, options={"weather": "noon"})
        ego, camera = info["ego_pose"], info["camera"]
        lane = town_map.get_waypoint(carla.Location(ego[0, 3], -ego[1, 3], 0.0))
        for distance in (8.0, 10.0, 12.0, 16.0):
            ahead = pose_2d(lane.next(distance)[0].transform)
            point = np.linalg.inv(ego) @ [ahead.x, ahead.y, 0.0, 1.0]
            (column, row), depth = camera.project(point[:3])
            if 0 <= column < camera.width and 0 <= row < camera.height:
                label = observation["labels"][int(row) : int(row) + 1, int(column)]
                road_hits.append(bool(road_mask(label, "carla")[0]))
                errors.append(abs(observation["depth"][int(row), int(column)] - depth) / depth)
    assert len(road_hits) >= 15
    assert np.mean(road_hits) >= 0.9  # a car in a junction may hide the ground
    assert np.median(errors) < 0.03


def test_labels_and_map_view_tell_the_same_road(seeing: CarlaDriveEnv) -> None:
    """Road pixels of the map view, up to 20 m ahead, carry road labels in the camera image."""
    for seed in range(3):
        observation, info = seeing.reset(seed=seed)
        grid = np.stack(np.meshgrid(np.arange(7.0, 20.0, 0.5), np.arange(-1.5, 1.6, 0.5)), -1).reshape(-1, 2)
        columns, rows = ego_to_map_pixels(grid).astype(int).T
        on_road = observation["map_view"][0, rows, columns] == 255
        pixels, _ = info["camera"].project(grid)
        seen = observation["labels"][pixels[:, 1].astype(int), pixels[:, 0].astype(int)]
        assert on_road.mean() > 0.8
        assert road_mask(seen, "carla")[on_road].mean() > 0.95


def test_the_same_seed_gives_the_same_states(server: EmbeddedServerProcess) -> None:
    def drive(env: CarlaDriveEnv, seed: int) -> tuple[Any, np.ndarray]:
        observation, info = env.reset(seed=seed)
        states = []
        for _ in range(40):
            observation, _, _, _, now = env.step(steer_by_waypoints(observation))
            states.append(np.concatenate([now["ego_pose"].ravel(), observation["waypoints"].ravel()]))
        return (info["weather"], info["spawn_index"]), np.array(states)

    with environment(server, "waypoints", "speed") as env:
        first, other, again = drive(env, 5), drive(env, 6), drive(env, 5)
    with environment(server, "waypoints", "speed") as env:
        elsewhere = drive(env, 5)
    assert first[0] == again[0] == elsewhere[0]
    np.testing.assert_array_equal(first[1], again[1])
    np.testing.assert_array_equal(first[1], elsewhere[1])
    assert not np.array_equal(first[1], other[1])


def test_an_episode_does_not_depend_on_those_before_it(seeing: CarlaDriveEnv) -> None:
    """Pictures in the rain and the phases of the lights: what a policy sees must be the same after a resumed run."""

    def drive(ticks: int) -> tuple[np.ndarray, list[tuple[int, str, float]]]:
        observation, _ = seeing.reset(seed=5, options={"weather": "rain"})
        for _ in range(ticks):
            observation, *_ = seeing.step([0.0, 0.3])
        lights = seeing._session._world.get_actors().filter("traffic.traffic_light")
        phases = sorted((light.id, str(light.state), round(light.get_elapsed_time(), 3)) for light in lights)
        return observation["rgb"], phases

    first = drive(5)
    drive(40)
    again = drive(5)
    assert first[1] and first[1] == again[1]
    np.testing.assert_array_equal(first[0], again[0])


def test_pure_pursuit_of_the_waypoints_stays_on_the_road(server: EmbeddedServerProcess) -> None:
    with environment(server, "waypoints", "speed") as env:
        observation, _ = env.reset(seed=0)
        total, off_road = 0.0, 0
        for _ in range(300):
            observation, _, terminated, _, info = env.step(steer_by_waypoints(observation))
            assert not terminated, info["collided_with"]
            total += info["reward_terms"]["progress_m"]
            off_road += info["off_road"]
    assert info["distance_m"] > 100.0
    assert total == pytest.approx(info["distance_m"], rel=0.05)
    assert off_road <= 3


def test_a_collision_ends_the_episode_and_says_with_what(server: EmbeddedServerProcess) -> None:
    with environment(server, "speed") as env:
        env.reset(seed=1)
        for _ in range(300):
            _, reward, terminated, _, info = env.step([0.35, 0.8])
            if terminated:
                break
        assert terminated and info["collision_impulse_ns"] > 10.0 and info["collided_with"]
        assert reward < -5.0 and info["reward_terms"]["collision"] == -10.0
        _, info = env.reset()
        assert info["collision_impulse_ns"] == 0.0
        assert not env.step([0.0, 0.0])[2]


def test_options_fix_weather_spawn_and_town(server: EmbeddedServerProcess) -> None:
    with environment(server, "speed") as env:
        _, info = env.reset(seed=1, options={"weather": "fog", "spawn_index": 2})
        assert (info["weather"], info["spawn_index"], info["town"]) == ("fog", 2, TOWN)
        _, info = env.reset(seed=1, options={"town": "/Game/Carla/Maps/MiniTown02"})
        assert info["town"] == "MiniTown02"
        assert env.spawn_count("MiniTown02") >= 20
        _, info = env.reset(seed=1)
        assert info["town"] == TOWN  # reloaded, with the settings in force
        first = env.step(FULL_THROTTLE)[4]["frame"]
        assert env.step(FULL_THROTTLE)[4]["frame"] == first + 1
        with pytest.raises(ConfigurationError, match="has the spawn points 0 to"):
            env.reset(options={"spawn_index": 10_000})
        with pytest.raises(ConfigurationError, match=r"it has: .*MiniTown01, MiniTown02"):
            env.reset(options={"town": "Town99"})
        assert env.reset(seed=1)[1]["town"] == TOWN


def test_only_what_is_observed_is_spawned_and_nothing_stays(server: EmbeddedServerProcess, onlooker: Any) -> None:
    env = environment(server, "labels", "speed")
    env.reset(seed=0)
    env.step(FULL_THROTTLE)
    ego = "vehicle.lincoln.mkz_2020"
    expected = ["sensor.camera.semantic_segmentation", "sensor.other.collision", ego]
    assert awaited(lambda: actors(onlooker), expected) == expected
    env.reset(seed=1)
    assert awaited(lambda: actors(onlooker), expected) == expected
    env.close()
    env.close()
    world = onlooker.get_world()
    settings = world.get_settings()
    assert not settings.synchronous_mode and settings.fixed_delta_seconds is None
    for _ in range(2):  # it runs freely again; the first state may be from before the clean-up
        world.wait_for_tick(10.0)
    assert awaited(lambda: actors(onlooker), []) == []


def test_an_error_in_reset_leaves_no_actor(
    server: EmbeddedServerProcess, onlooker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("no collisions today")

    monkeypatch.setattr("sim2real_bench.envs.carla.ego.CollisionSensor", broken)
    with environment(server, "rgb") as env:
        with pytest.raises(ValueError, match="no collisions today"):
            env.reset(seed=0)
        onlooker.get_world().tick()
        assert awaited(lambda: actors(onlooker), []) == []


def test_settings_changed_behind_the_back(server: EmbeddedServerProcess, onlooker: Any) -> None:
    with environment(server, "speed") as env:
        env.reset(seed=0)
        world = onlooker.get_world()
        settings = world.get_settings()
        settings.fixed_delta_seconds = 0.05
        world.apply_settings(settings)
        with pytest.raises(SettingsChangedError, match="does not wait for this environment alone"):
            env.step(FULL_THROTTLE)
        env.reset(seed=0)  # connects and applies them anew
        settings.max_substeps = 3
        settings.fixed_delta_seconds = 0.1
        world = onlooker.get_world()
        world.apply_settings(settings)
        with pytest.raises(SettingsChangedError, match="max_substeps=3 instead of 10"):
            env.reset(seed=0)


def test_a_taken_spawn_point(server: EmbeddedServerProcess, onlooker: Any) -> None:
    with environment(server, "map_view", "speed") as env:
        _, drawn = env.reset(seed=4)
        world = onlooker.get_world()
        env.reset(seed=4, options={"spawn_index": (drawn["spawn_index"] + 5) % env.spawn_count(TOWN)})
        place = world.get_map().get_spawn_points()[drawn["spawn_index"]]
        other = world.spawn_actor(world.get_blueprint_library().filter("vehicle.*")[0], place)
        _, moved = env.reset(seed=4)
        assert moved["spawn_index"] != drawn["spawn_index"]
        with pytest.raises(SpawnBlockedError, match=f"spawn point {drawn['spawn_index']} of {TOWN}"):
            env.reset(seed=4, options={"spawn_index": drawn["spawn_index"]})
        assert other.destroy()


def test_other_vehicles_are_seen_in_the_map_view(server: EmbeddedServerProcess, onlooker: Any) -> None:
    import carla

    with environment(server, "map_view") as env:
        before, info = env.reset(seed=2)
        ego = info["ego_pose"]
        x, y = (ego @ [14.0, 0.0, 0.0, 1.0])[:2]
        yaw = -math.degrees(math.atan2(ego[1, 0], ego[0, 0]))
        world = onlooker.get_world()
        place = carla.Transform(carla.Location(x, -y, 0.5), carla.Rotation(yaw=yaw))
        other = world.spawn_actor(world.get_blueprint_library().filter("vehicle.*")[0], place)
        after, _, _, _, _ = env.step([0.0, -1.0])
        column, row = ego_to_map_pixels([14.0, 0.0]).astype(int)
        assert before["map_view"][1, row, column] == 0
        assert after["map_view"][1, row, column] == 255
        new = np.count_nonzero(after["map_view"][1]) - np.count_nonzero(before["map_view"][1])
        half = other.bounding_box.extent
        assert new == pytest.approx(4 * half.x * half.y * 25, rel=0.3)
        other.destroy()


def test_parked_cars_of_the_town_are_vehicles_in_the_map_view(seeing: CarlaDriveEnv, onlooker: Any) -> None:
    import carla

    parked = onlooker.get_world().get_level_bbs(carla.CityObjectLabel.Car)
    assert parked
    for seed in range(12):
        observation, info = seeing.reset(seed=seed)
        to_ego = np.linalg.inv(info["ego_pose"])
        places = np.array([[box.location.x, -box.location.y, 0.0, 1.0] for box in parked]) @ to_ego.T
        columns, rows = ego_to_map_pixels(places[:, :2]).astype(int).T
        inside = (columns >= 0) & (columns < MAP_SIZE) & (rows >= 0) & (rows < MAP_SIZE)
        assert (observation["map_view"][1, rows[inside], columns[inside]] == 255).all()
        if inside.any():
            return
    pytest.fail("no parked car was near any of twelve starts")


@pytest.mark.parametrize("action", [[0.0], [0.0, math.nan], [[0.0, 0.0]]])
def test_wrong_actions_are_refused(seeing: CarlaDriveEnv, action: Any) -> None:
    seeing.reset(seed=0)
    with pytest.raises(ConfigurationError, match="expected 2 finite numbers"):
        seeing.step(action)


def test_a_killed_server_is_an_error_and_the_next_reset_starts_another() -> None:
    with make("carla", backend="embedded", town="MiniTown02", observations=("rgb", "labels")) as env:
        with pytest.raises(ConfigurationError, match="call reset"):
            env.step(FULL_THROTTLE)
        observation, _ = env.reset(seed=0)
        assert env.backend_version.startswith("embedded ")
        assert np.count_nonzero(observation["labels"] == CarlaClass.ROADS) > 1000
        backend: EmbeddedBackend = env._session.connection.backend
        os.kill(backend.pid, signal.SIGKILL)
        while not backend.ended():
            time.sleep(0.01)
        with pytest.raises(ConnectionLostError, match="is gone"):
            env.step(FULL_THROTTLE)
        observation, info = env.reset(seed=0)
        assert info["town"] == "MiniTown02" and env._session.connection.backend.pid != backend.pid
        env.step(FULL_THROTTLE)
