import math

import numpy as np
import pytest
import torch

from sim2real_bench.agents.agent import Agent
from sim2real_bench.agents.checkpoints import CheckpointCard, save_checkpoint
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.path_following import PathFollower, heading_error, path_point
from sim2real_bench.agents.pid import CONTROLLERS
from sim2real_bench.agents.practice import PracticeEnv, bend, line_from_headings
from sim2real_bench.agents.reference import ReferenceAgent
from sim2real_bench.agents.waypoint_agent import NetworkPolicy, WaypointAgent, load_policy
from sim2real_bench.errors import AgentError, ConfigurationError

STRAIGHT = np.array([[6.0, 0.0], [9.0, 0.0], [12.0, 0.0], [15.0, 0.0], [18.0, 0.0]])


def drive(line, controller, ticks=400, offset=0.0):
    """Lateral distances and speeds of the reference agent, one per tick."""
    env = PracticeEnv(line)
    agent = ReferenceAgent(controller)
    observation, _ = env.reset(seed=1)
    env._pose = type(env._pose)(0.0, offset, 0.0)
    agent.reset(0)
    lateral, speed = [], []
    for _ in range(ticks):
        observation, _, terminated, truncated, info = env.step(agent.act(observation))
        lateral.append(env.lateral_m())
        speed.append(info["speed_mps"])
        assert not terminated, f"left the road after {info['distance_m']:.0f} m"
        if truncated:
            break
    return np.array(lateral), np.array(speed)


@pytest.mark.parametrize("controller", range(5))
def test_reference_converges_to_a_line(controller):
    line = line_from_headings(np.zeros(1200))
    lateral, speed = drive(line, controller, offset=2.0)
    assert lateral[0] > 1.5
    assert lateral[-50:].max() < 0.15
    assert abs(speed[-50:] - 20 / 3.6).max() < 0.4
    assert speed.max() < 20 / 3.6 + 1.0


@pytest.mark.parametrize("controller", range(5))
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_reference_follows_a_circle(controller, side):
    line = np.concatenate([np.zeros(80), bend(15.0, side * 4 * math.pi)])
    lateral, _ = drive(line_from_headings(line), controller)
    assert lateral[-100:].max() < 1.0


@pytest.mark.parametrize("controller", range(5))
def test_reference_drives_random_roads(controller):
    for seed in range(3):
        env, agent = PracticeEnv(), ReferenceAgent(controller)
        observation, _ = env.reset(seed=seed)
        agent.reset(seed)
        done = False
        while not done:
            observation, _, terminated, done, info = env.step(agent.act(observation))
            assert not terminated, f"road {seed}: left after {info['distance_m']:.0f} m"
        assert info["distance_m"] > 400.0


def test_path_point():
    assert np.allclose(path_point(STRAIGHT, 7.5), [7.5, 0.0])
    assert np.allclose(path_point(STRAIGHT, 99.0), [18.0, 0.0])
    quarter = 10.0 * np.stack([np.sin(np.arange(1, 6) / 5), 1 - np.cos(np.arange(1, 6) / 5)], axis=-1)
    point = path_point(quarter, 7.0)  # on a circle of radius 10 around (0, 10)
    assert np.hypot(point[0], point[1] - 10.0) == pytest.approx(10.0, abs=0.05)
    outlier = np.concatenate([STRAIGHT[:4], [[60.0, 80.0]]])
    assert np.allclose(path_point(outlier, 8.0), [8.0, 0.0], atol=1e-6)
    assert np.isfinite(path_point(np.zeros((5, 2)), 7.0)).all()


def test_heading_error_is_positive_to_the_right():
    assert heading_error([5.0, -5.0]) == pytest.approx(math.pi / 4)
    assert heading_error([5.0, 5.0]) == pytest.approx(-math.pi / 4)


def test_steering_side_and_pedals():
    follower = PathFollower(CONTROLLERS[0])
    right = STRAIGHT - (0.0, 2.0)
    steer, throttle = follower.action(right, 0.0)
    assert steer > 0.1
    assert throttle > 0.5
    follower.reset()
    assert follower.action(STRAIGHT, 5.8)[1] == 0.0  # a little too fast: coasts
    follower.reset()
    assert -0.5 <= follower.action(STRAIGHT, 12.0)[1] < 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(bad):
    agent = ReferenceAgent(0)
    spoilt = STRAIGHT.copy()
    spoilt[2, 1] = bad
    with pytest.raises(AgentError, match="finite"):
        agent.act({"waypoints": spoilt, "speed": np.float32(1.0)})
    with pytest.raises(AgentError, match="finite"):
        agent.act({"waypoints": STRAIGHT, "speed": np.float32(bad)})


def test_missing_observations_are_named():
    with pytest.raises(AgentError, match=r"\['waypoints'\]"):
        ReferenceAgent(0).act({"speed": np.float32(1.0)})
    policy = NetworkPolicy(WaypointNetwork(1, 0.125, 192, 192), "map_view")
    with pytest.raises(AgentError, match="map_view"):
        WaypointAgent(policy).act({"speed": np.float32(1.0)})
    with pytest.raises(AgentError, match="speed"):
        WaypointAgent(policy).act({"map_view": np.zeros((2, 192, 192), np.uint8)})


@pytest.mark.parametrize("key", ["rgb", "labels", "map_view"])
def test_network_agent_acts(tmp_path, key):
    torch.manual_seed(0)
    channels = 3 if key == "rgb" else 1
    height, width = (192, 192) if key == "map_view" else (160, 384)
    network = WaypointNetwork(channels, 0.125, height, width)
    save_checkpoint(tmp_path / "a", network, CheckpointCard(observation=key, command="test", seed=0))
    agent = WaypointAgent(load_policy(tmp_path / "a"), controller=2)
    assert isinstance(agent, Agent)
    assert agent.observations == (key, "speed")
    shape = {"rgb": (160, 384, 3), "labels": (160, 384), "map_view": (2, 192, 192)}[key]
    observation = {key: np.zeros(shape, np.uint8), "speed": np.array(2.0, np.float32)}
    agent.reset(0)
    action = agent.act(observation)
    assert action.shape == (2,)
    assert action.dtype == np.float32
    assert (np.abs(action) <= 1.0).all()
    agent.reset(0)
    assert np.array_equal(agent.act(observation), action)


def test_a_network_that_answers_nan_is_an_agent_error():
    network = WaypointNetwork(1, 0.125, 192, 192)
    with torch.no_grad():
        network.decoder[-1].weight.fill_(math.nan)
    agent = WaypointAgent(NetworkPolicy(network, "map_view"))
    with pytest.raises(AgentError, match="not finite"):
        agent.act({"map_view": np.zeros((2, 192, 192), np.uint8), "speed": np.float32(0.0)})


def test_a_network_for_another_image_is_refused():
    with pytest.raises(ConfigurationError, match="cannot read 'rgb'"):
        NetworkPolicy(WaypointNetwork(1, 0.125, 192, 192), "rgb")


def test_waypoints_of_a_sharp_heatmap_are_the_metres_below_it():
    class Fixed(WaypointNetwork):
        def forward(self, image):
            return torch.tensor([[[0.0, 144 / 96 - 1]] * 5])

    policy = NetworkPolicy(Fixed(1, 0.125, 192, 192), "map_view")
    found = policy.waypoints({"map_view": np.zeros((2, 192, 192), np.uint8)})
    assert np.allclose(found, [[12.0, 0.0]] * 5, atol=1e-5)
