import csv
import json

import numpy as np
import pytest
import torch

from sim2real_bench.agents.agent import Agent
from sim2real_bench.agents.checkpoints import CheckpointCard, read_card, save_tensors
from sim2real_bench.agents.kart_drives import KartDrive
from sim2real_bench.agents.ppo import load_ppo_agent
from sim2real_bench.agents.ppo.learning_curve import CurveRow, write_curve
from sim2real_bench.agents.ppo.policy import DriverNetwork, PpoAgent, capped_action, small_map, state_vector
from sim2real_bench.agents.ppo.reward import RewardWeights, Transition, reward_terms
from sim2real_bench.agents.ppo.scores import (
    RandomAgent,
    TrackScore,
    compared_agents,
    score_tracks,
    split_summaries,
    write_scores,
)
from sim2real_bench.agents.ppo.settings import PpoSettings
from sim2real_bench.agents.ppo.track_draw import TrackDraw
from sim2real_bench.agents.ppo.vector_env import KartVectorEnv, Lane, make_vector_env
from sim2real_bench.envs.supertuxkart.tracks import TRAIN_TRACKS, Track
from sim2real_bench.errors import AgentError, CheckpointError, StepTimeoutError

ROW = CurveRow(4096, 10.0, 100.0, 200.0, 400.0, 0.25, 0.1, 0.8, 0.05, 0.4)


def observation(speed=3.0):
    view = np.zeros((3, 192, 192), np.uint8)
    view[0, :, :96] = 255
    view[1] = 77
    return {"map_view": view, "speed": np.array(speed, np.float32)}


def test_small_map_averages_the_track_channel():
    view = np.zeros((3, 192, 192), np.uint8)
    view[0, 0:3, 0:3] = 90
    view[0, 3, 3] = 90
    small = small_map(view)
    assert small.shape == (1, 64, 64)
    assert small[0, 0, 0] == 90
    assert small[0, 1, 1] == 10
    assert small.sum() == 100


def test_speed_cap_fades_the_throttle_out_and_leaves_steering_and_brake():
    assert capped_action([0.4, 1.0], 5.0, 12.0).tolist() == pytest.approx([0.4, 1.0])
    assert capped_action([3.0, 1.0], 11.75, 12.0).tolist() == pytest.approx([1.0, 0.25])
    assert capped_action([-3.0, 0.7], 13.0, 12.0).tolist() == [-1.0, 0.0]
    assert capped_action([0.0, -0.5], 13.0, 12.0).tolist() == [0.0, -0.5]


def test_reward_against_hand_computed_terms():
    weights = RewardWeights(
        progress=1.0, off_centre=0.5, off_centre_scale_m=4.0, steer_change=0.1, off_road=0.5, failed=5.0
    )
    terms = reward_terms(Transition(0.6, -2.0, True, -0.5, False), 12.0, weights)
    assert terms == pytest.approx(
        {"progress": 0.5, "off_centre": -0.125, "steer_change": -0.05, "off_road": -0.5, "failed": 0.0}
    )
    terms = reward_terms(Transition(9.0, 40.0, False, 0.0, True), 12.0, weights)
    assert (terms["progress"], terms["off_centre"], terms["failed"]) == (1.0, -0.5, -5.0)


def test_agent_needs_its_observations_and_a_finite_network():
    agent = PpoAgent(DriverNetwork())
    assert isinstance(agent, Agent)
    with pytest.raises(AgentError, match="map_view"):
        agent.act({"speed": np.float32(1.0)})
    with torch.no_grad():
        agent._network.action.bias.fill_(float("nan"))
    with pytest.raises(AgentError, match="not finite"):
        agent.act(observation())


def test_agent_is_deterministic_and_remembers_its_steering_until_reset():
    torch.manual_seed(0)
    agent = PpoAgent(DriverNetwork())
    first = agent.act(observation())
    assert agent._last_steer == pytest.approx(float(first[0]))
    agent.reset(5)
    assert np.array_equal(agent.act(observation()), first)
    assert state_vector(5.0, -0.25).tolist() == [0.5, -0.25]


def test_random_agent_follows_its_seed():
    agent = RandomAgent()
    agent.reset(1)
    first = [agent.act({}) for _ in range(3)]
    agent.reset(1)
    assert np.array_equal(first, [agent.act({}) for _ in range(3)])
    assert (np.abs(first) <= 1).all()


def test_checkpoint_without_speed_cap_is_refused(tmp_path):
    card = CheckpointCard(kind="ppo", observation="map_view", command="test", seed=0)
    save_tensors(tmp_path / "a", DriverNetwork().state_dict(), card)
    with pytest.raises(CheckpointError, match="speed_cap_mps"):
        load_ppo_agent(tmp_path / "a")


def test_learning_curve_files(tmp_path):
    write_curve(tmp_path / "curve.csv", [ROW, ROW])
    rows = list(csv.DictReader((tmp_path / "curve.csv").open()))
    assert len(rows) == 2
    assert float(rows[1]["failed"]) == 0.25
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def score(agent, split, ended, driven_s=60.0, track="hacienda"):
    drive = KartDrive(track, False, ended, 700.0, 0.7, driven_s, 0.1, 0.5, 0.02, 0)
    return TrackScore(agent, split, drive)


def test_split_summaries_and_score_files(tmp_path):
    scores = [
        score("ppo", "train", "lap", 80.0),
        score("ppo", "train", "lap", 100.0, "scotland"),
        score("ppo", "held-out", "off_track", 30.0, "xr591"),
    ]
    summaries = split_summaries(scores)
    assert (summaries["train"]["ppo"]["finished"], summaries["train"]["ppo"]["lap_time_s"]) == (2, 90.0)
    assert (summaries["held-out"]["ppo"]["finished"], summaries["held-out"]["ppo"]["lap_time_s"]) == (0, None)
    assert summaries["held-out"]["ppo"]["track_share"] == 0.7
    write_scores(tmp_path / "scores.csv", scores, {"seed": 3})
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert [(row["track"], row["finished"], row["lap_time_s"]) for row in rows] == [
        ("hacienda", "True", "80.0"),
        ("scotland", "True", "100.0"),
        ("xr591", "False", ""),
    ]
    document = json.loads((tmp_path / "scores.json").read_text())
    assert (document["seed"], document["splits"]) == (3, summaries)
    assert "| held-out | xr591 | 70% off_track |" in (tmp_path / "scores.md").read_text()
    assert "| **train** | **finished** | **2 of 2 laps** |" in (tmp_path / "scores.md").read_text()
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")


class _FakeKart:
    """Drives 1 m a step; ``broken`` steps fail; backwards when ``wrong_way``."""

    render_mode = None

    def __init__(self, broken=(), wrong_way=False):
        self.broken, self.wrong_way = set(broken), wrong_way
        self.steps = self.resets = 0

    def reset(self, *, seed, options):
        self.resets += 1
        assert Track(name=options["track"], reverse=options["reverse"]) in TRAIN_TRACKS
        return observation(), {}

    def begin_step(self, action):
        self.steps += 1

    def finish_step(self):
        if self.steps in self.broken:
            raise StepTimeoutError("the engine hangs")
        info = {"progress_m": -1.0 if self.wrong_way else 1.0, "lateral_m": 0.0, "off_road": False, "distance_m": 7.0}
        return observation(), 0.0, False, False, info

    def close(self):
        pass


def fake_vector(*karts):
    lanes = [Lane(kart, TrackDraw(TRAIN_TRACKS), np.random.default_rng(0), 12.0, RewardWeights()) for kart in karts]
    env = KartVectorEnv(lanes)
    env.reset()
    return env


def test_a_failed_engine_ends_its_episode_as_cut_off_and_the_others_go_on():
    env = fake_vector(_FakeKart(broken={2}), _FakeKart())
    actions = np.zeros((2, 2), np.float32)
    assert env.step(actions)[2].tolist() == [False, False]
    seen, rewards, dones, infos = env.step(actions)
    assert dones.tolist() == [True, False]
    assert infos[0]["TimeLimit.truncated"]
    assert "terminal_observation" in infos[0]
    assert rewards.tolist() == pytest.approx([0.0, 1.0 / 1.2])
    assert seen["map"].shape == (2, 1, 64, 64)
    assert env.step(actions)[2].tolist() == [False, False]


def test_an_engine_that_fails_again_and_again_is_an_error():
    env = fake_vector(_FakeKart(broken=range(100)))
    with pytest.raises(StepTimeoutError):
        for _ in range(30):
            env.step(np.zeros((1, 2), np.float32))


def test_driving_the_wrong_way_ends_the_episode_as_failed():
    env = fake_vector(_FakeKart(wrong_way=True))
    outcomes = [env.step(np.zeros((1, 2), np.float32)) for _ in range(11)]
    assert [bool(done[0]) for _, _, done, _ in outcomes] == [False] * 10 + [True]
    assert outcomes[-1][3][0]["episode"]["failed"] == 1.0
    assert outcomes[-1][3][0]["reward_terms"]["failed"] == -5.0


@pytest.mark.simulator
def test_vector_env_on_the_engine(stk):
    env = make_vector_env(
        2, TrackDraw(TRAIN_TRACKS[:2]), 3, episode_steps=5, speed_cap_mps=12.0, weights=RewardWeights()
    )
    try:
        seen = env.reset()
        assert seen["map"].shape == (2, 1, 64, 64)
        assert seen["map"].max() > 200  # there is track ahead
        assert seen["state"].shape == (2, 2)
        for _ in range(5):
            seen, rewards, dones, infos = env.step(np.tile(np.array([0.0, 1.0], np.float32), (2, 1)))
            assert np.isfinite(rewards).all()
        assert dones.all()
        assert all(info["TimeLimit.truncated"] and info["episode"]["l"] == 5 for info in infos)
        assert all(info["episode"]["distance_m"] > 0.1 for info in infos)
        assert env.observation_space["map"].contains(seen["map"][0])
    finally:
        env.close()


@pytest.mark.simulator
def test_tiny_training_resumes_and_its_driver_drives(stk, tmp_path):
    from sim2real_bench.agents.ppo.training import build_model, driver_of, steps_done, train_ppo

    settings = PpoSettings(
        total_steps=256, workers=2, seed=4, episode_steps=40, rollout_steps=128, batch_size=64, epochs=2
    )
    rows = []
    path = train_ppo(settings, tmp_path, command="a test", tracks=TRAIN_TRACKS[2:4], report=rows.append)
    assert [row.steps for row in rows] == [128, 256]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "learning_curve.csv",
        "learning_curve.png",
        "stk-ppo.json",
        "stk-ppo.safetensors",
        "training_state.safetensors",
    ]
    card = read_card(path)
    assert (card.kind, card.observation, card.command, card.seed) == ("ppo", "map_view", "a test", 4)
    assert card.architecture["speed_cap_mps"] == 12.0
    assert card.metrics["steps"] == 256
    assert steps_done(settings, tmp_path) == 256

    # The driver in the checkpoint is the mean of the trained policy.
    env = make_vector_env(1, TrackDraw(TRAIN_TRACKS), 0, episode_steps=5, speed_cap_mps=12.0, weights=RewardWeights())
    model = build_model(settings, env)
    from sim2real_bench.agents.ppo.training import STATE_NAME
    from sim2real_bench.agents.ppo.training_state import read_state

    read_state(tmp_path / STATE_NAME, {}).restore(model)
    inputs = {"map": np.full((1, 1, 64, 64), 128, np.uint8), "state": np.array([[0.3, 0.1]], np.float32)}
    expected, _ = model.predict(inputs, deterministic=True)
    with torch.no_grad():
        found = driver_of(model)(torch.full((1, 1, 64, 64), 128 / 255), torch.tensor([[0.3, 0.1]])).numpy()
    assert np.allclose(found, expected, atol=1e-5)
    with torch.no_grad():
        stored = load_ppo_agent(path)._network(torch.full((1, 1, 64, 64), 128 / 255), torch.tensor([[0.3, 0.1]]))
    assert np.allclose(stored.numpy(), expected, atol=1e-2)

    # Going on: the curve keeps its rows; other settings are refused.
    longer = PpoSettings(**{**settings.__dict__, "total_steps": 384})
    train_ppo(longer, tmp_path, command="a test", resume=True, tracks=TRAIN_TRACKS[2:4], report=rows.append)
    assert [row.steps for row in rows] == [128, 256, 384]
    assert len((tmp_path / "learning_curve.csv").read_text().splitlines()) == 4
    other = PpoSettings(**{**settings.__dict__, "seed": 5})
    with pytest.raises(CheckpointError, match="seed 4 -> 5"):
        train_ppo(other, tmp_path, command="a test", resume=True)

    agents = compared_agents(load_ppo_agent(path))
    scores = score_tracks(agents, duration_s=6.0, splits=(("train", TRAIN_TRACKS[2:3]),))
    by_name = {one.agent: one.drive for one in scores}
    assert list(by_name) == ["ppo", "track-follower", "random"]
    assert by_name["track-follower"].progress_m > 30.0
    assert by_name["track-follower"].progress_m > by_name["random"].progress_m + 10.0
    assert by_name["track-follower"].track_share < 0.2
    assert by_name["track-follower"].ended == "time"


def test_a_damaged_training_state_is_refused(tmp_path):
    from sim2real_bench.agents.ppo.training_state import read_state

    path = tmp_path / "training_state.safetensors"
    path.write_bytes(b"\x10" * 40)
    with pytest.raises(CheckpointError, match="start without --resume"):
        read_state(path, {})
