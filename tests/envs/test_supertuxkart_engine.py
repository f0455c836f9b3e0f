"""The real SuperTuxKart engine: driving, pictures against geometry, and what happens when the worker fails."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from sim2real_bench.envs.classes import StkClass
from sim2real_bench.envs.supertuxkart.environment import STUCK_LIMIT_S, SuperTuxKartEnv
from sim2real_bench.envs.supertuxkart.protocol import WorkerSettings
from sim2real_bench.envs.supertuxkart.tracks import TRACK_NAMES
from sim2real_bench.errors import ConfigurationError, ConnectionLostError, StepTimeoutError

pytestmark = [pytest.mark.simulator, pytest.mark.usefixtures("stk")]

CRUISE_MPS = 10.0


def follow(observation) -> tuple[float, float]:
    """Steer at the second waypoint, keep a moderate speed."""
    forward, left = observation["waypoints"][1]
    steer = np.clip(2.2 * np.arctan2(-left, forward), -1.0, 1.0)
    return float(steer), 1.0 if observation["speed"] < CRUISE_MPS else 0.0


def worker_pid(env: SuperTuxKartEnv) -> int:
    return env._worker.pid


@pytest.fixture(scope="module")
def driving():
    env = SuperTuxKartEnv("hacienda", observations=("map_view", "speed", "waypoints"), max_steps=200, step_timeout_s=20)
    yield env
    env.close()


@pytest.fixture(scope="module")
def onboard():
    keys = ("rgb", "labels", "depth", "map_view", "speed", "waypoints")
    env = SuperTuxKartEnv("hacienda", observations=keys, width=192, height=80)
    yield env
    env.close()


@pytest.mark.parametrize("track", TRACK_NAMES)
def test_waypoints_lead_around_every_track(driving, track: str) -> None:
    for reverse in (False, True):
        observation, info = driving.reset(seed=7, options={"track": track, "reverse": reverse})
        assert abs(info["lateral_m"]) < 10.0
        total, off_road, distance = 0.0, 0, 0.0
        for _ in range(60):
            observation, reward, terminated, _, info = driving.step(follow(observation))
            assert reward == pytest.approx(sum(info["reward_terms"].values()))
            assert not terminated
            total += info["progress_m"]
            off_road += info["off_road"]
            distance = info["distance_m"]
        assert distance > 35.0
        assert total == pytest.approx(distance, rel=0.15)  # the way driven is progress, in the driving direction
        assert off_road <= 3
        assert observation["map_view"][0, -1, 90:102].all()  # the kart stands on the road it sees


def test_an_episode_truncates_and_a_standing_kart_terminates(driving) -> None:
    driving.reset(seed=1, options={"track": "hacienda", "reverse": False})
    standing, terminated = 0, False
    while not terminated:
        _, _, terminated, truncated, info = driving.step((0.0, 0.0))
        standing += 1
        assert not truncated
    assert info["termination"] == "stuck"
    assert standing == pytest.approx(STUCK_LIMIT_S * 10, abs=15)
    observation, _ = driving.reset(seed=1)
    for step in range(1, 201):
        observation, _, terminated, truncated, _ = driving.step(follow(observation))
        assert not terminated
        assert truncated == (step == 200)


def test_braking_stops_the_kart_and_does_not_reverse_it(driving) -> None:
    observation, _ = driving.reset(seed=1, options={"track": "hacienda", "reverse": False})
    for _ in range(30):
        observation, *_ = driving.step(follow(observation))
    speeds = []
    for _ in range(25):
        observation, _, _, _, info = driving.step((0.0, -1.0))
        speeds.append(info["speed_mps"])
    assert speeds[0] > 5.0
    assert min(speeds) < 1.0
    assert max(speeds[-5:]) < 1.5


def test_positive_steering_turns_right(driving) -> None:
    headings = []
    for steer in (0.5, -0.5):
        _, info = driving.reset(seed=1, options={"track": "hacienda", "reverse": False})
        start = info["ego_pose"]
        for _ in range(15):
            *_, info = driving.step((steer, 1.0))
        ahead = start[:3, :3].T @ info["ego_pose"][:3, 0]
        headings.append(np.arctan2(ahead[1], ahead[0]))
    assert headings[0] < -0.1 and headings[1] > 0.1


def test_options_and_actions_are_checked(driving) -> None:
    with pytest.raises(ConfigurationError, match="trak"):
        driving.reset(options={"trak": "hacienda"})
    with pytest.raises(ConfigurationError, match="moonbase"):
        driving.reset(options={"track": "moonbase"})
    driving.reset(seed=0, options={"track": "hacienda"})
    with pytest.raises(ConfigurationError, match="finite"):
        driving.step((float("nan"), 0.0))
    with pytest.raises(ConfigurationError, match="reset"):
        SuperTuxKartEnv(observations=("speed",)).step((0.0, 0.0))


def test_without_camera_keys_no_graphics_are_loaded(driving, onboard) -> None:
    driving.reset(seed=0)
    onboard.reset(seed=0)

    def graphics(env: SuperTuxKartEnv) -> bool:
        maps = Path(f"/proc/{worker_pid(env)}/maps").read_text()
        return "gallium" in maps or "swrast" in maps or "libEGL_" in maps

    assert graphics(onboard)
    assert not graphics(driving)


def test_onboard_pictures_agree_with_geometry(onboard) -> None:
    for track in ("hacienda", "lighthouse", "scotland"):
        observation, info = onboard.reset(seed=5, options={"track": track})
        on_track, shares, ground_errors = 0, [], []
        for _ in range(25):
            observation, _, _, _, info = onboard.step(follow(observation))
            camera = info["camera"]
            np.testing.assert_allclose(camera.position, [-0.01, 0.0, 0.99], atol=0.01)
            np.testing.assert_allclose(camera.rotation[2], [1.0, 0.0, 0.0], atol=0.01)  # it follows the smoothed pose
            assert camera.focal_x == pytest.approx(96.0, rel=0.01)  # 90 degrees wide
            labels, depth = observation["labels"], observation["depth"]
            shares.append((labels == StkClass.TRACK).mean())
            # Points on the road: their pixel is road, and the depth image says how far they are.
            pixels, distances = camera.project(observation["waypoints"])
            for (column, row), distance in zip(pixels, distances, strict=True):
                if distance > 1 and 0 <= column < 192 and 0 <= row < 80:
                    pixel = int(row), int(column)
                    on_track += labels[pixel] in (StkClass.TRACK, StkClass.PICKUP)
            below = labels[70, 96] == StkClass.TRACK
            if below:
                expected = camera.position[2] / ((70.5 - 40) / camera.focal_y)
                ground_errors.append(depth[70, 96] / expected - 1)
        assert on_track > 0.9 * 25 * 3, track
        assert 0.1 < np.mean(shares) < 0.6, track
        assert len(ground_errors) > 15 and abs(np.median(ground_errors)) < 0.1, track
        assert observation["rgb"].std() > 10


def test_the_chase_camera_finds_the_own_kart_and_renders_as_often_as_asked() -> None:
    keys = ("labels", "speed", "waypoints")
    with SuperTuxKartEnv("hacienda", observations=keys, width=160, height=96, camera="chase", camera_every=3) as env:
        observation, info = env.reset(seed=5)
        assert info["camera_fresh"]
        hits, rendered = [], []
        for step in range(1, 31):
            before = observation["labels"]
            observation, _, _, _, info = env.step(follow(observation))
            assert info["camera_fresh"] == (step % 3 == 0)
            if not info["camera_fresh"]:
                np.testing.assert_array_equal(observation["labels"], before)
                continue
            rendered.append(not np.array_equal(observation["labels"], before))
            (column, row), distance = info["camera"].project([0.0, 0.0, 0.5])
            assert 1.0 < distance < 6.0
            hits.append(observation["labels"][int(row), int(column)] == StkClass.KART)
            assert (observation["labels"] == StkClass.KART).sum() > 30
    assert np.mean(hits) >= 0.9
    assert np.mean(rendered) >= 0.8


def test_opponents_are_karts_on_the_map() -> None:
    with SuperTuxKartEnv(observations=("map_view",), opponents=3, random_start=False) as env:
        observation, _ = env.reset(seed=0)  # the own kart starts last, the others are ahead
        assert observation["map_view"][1].sum() // 255 > 20


def test_a_killed_worker_is_a_simulator_error_and_reset_recovers(driving) -> None:
    driving.reset(seed=0)
    os.kill(worker_pid(driving), signal.SIGKILL)
    with pytest.raises(ConnectionLostError, match="-9"):
        for _ in range(3):
            driving.step((0.0, 1.0))
    with pytest.raises(ConfigurationError, match="reset"):
        driving.step((0.0, 1.0))
    driving.reset(seed=0)
    driving.step((0.0, 1.0))


def test_the_last_words_of_a_worker_are_in_the_error(monkeypatch) -> None:
    monkeypatch.setattr(WorkerSettings, "to_json", lambda settings: '{"nonsense": 1, "observations": []}')
    with SuperTuxKartEnv(observations=("speed",)) as env, pytest.raises(ConnectionLostError, match="nonsense"):
        env.reset(seed=0)


def test_a_hanging_worker_is_a_step_timeout_and_is_ended() -> None:
    with SuperTuxKartEnv(observations=("speed",), step_timeout_s=1.0) as env:
        env.reset(seed=0)
        pid = worker_pid(env)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(StepTimeoutError, match=r"1\.0 s"):
            env.step((0.0, 1.0))
        assert not psutil.pid_exists(pid)
        env.reset(seed=0)


@pytest.mark.parametrize("end", ["parent only", "process group"])
def test_the_worker_ends_with_its_parent_and_leaves_nothing(tmp_path, end: str) -> None:
    program = (
        "import signal, sys\n"
        "from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv\n"
        "env = SuperTuxKartEnv(observations=('speed',))\n"
        "env.reset(seed=0)\n"
        "print(env._worker.pid, 'pystk2' in sys.modules, flush=True)\n"
        "signal.pause()\n"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as parent:
        pid, imported = parent.stdout.readline().split()
        if end == "parent only":
            parent.kill()
        else:
            os.killpg(parent.pid, signal.SIGTERM)
        parent.wait()
    assert imported == "False"  # the engine's licence stays in the worker program
    deadline = time.monotonic() + 30
    while psutil.pid_exists(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(pid))
    assert list(tmp_path.iterdir()) == []
