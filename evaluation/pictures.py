"""The README's pictures: moments of both simulators with what a policy predicts and what the reference would drive."""

from pathlib import Path
from typing import Any

import cv2
import gymnasium
import numpy as np

from sim2real_bench.agents.checkpoints import shipped_checkpoint
from sim2real_bench.agents.path_following import TARGET_SPEED_MPS
from sim2real_bench.agents.reference import ReferenceAgent
from sim2real_bench.agents.waypoint_agent import NetworkPolicy, load_policy
from sim2real_bench.envs.carla.environment import CarlaDriveEnv
from sim2real_bench.envs.classes import CARLA_PALETTE, STK_PALETTE
from sim2real_bench.envs.observation import LABELS, MAP_VIEW, RGB, SPEED, WAYPOINTS
from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv
from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.drawing import PREDICTED, REFERENCE, Image, panel, sheet

_OBSERVATIONS = (RGB, LABELS, MAP_VIEW, SPEED, WAYPOINTS)
_STK_TRACKS = ("lighthouse", "hacienda", "snowtuxpeak")
_TOWN_WEATHERS = ("noon", "sunset", "rain", "night")
_STK_SPEED_MPS = 12.0


def supertuxkart_sheet(seed: int) -> Image:
    """Three tracks with the waypoints of the proxy policy that reads the map view."""
    policy = load_policy(shipped_checkpoint("stk-proxy-map"), "stk")
    rows = []
    with SuperTuxKartEnv(_STK_TRACKS[0], observations=_OBSERVATIONS) as environment:
        for index, track in enumerate(_STK_TRACKS):
            agent = ReferenceAgent(target_speed_mps=_STK_SPEED_MPS)
            options = {"track": track, "reverse": False}
            rows.append(_moment(environment, agent, policy, STK_PALETTE, seed + index, options))
    return sheet(rows)


def town_sheet(seed: int) -> Image:
    """Four weathers of the test town with the waypoints of the camera policy distilled through the map view."""
    policy = load_policy(shipped_checkpoint("stk-carla-task-distillation-map"))
    rows = []
    with CarlaDriveEnv(backend="embedded", town="MiniTown02", observations=_OBSERVATIONS) as environment:
        for index, weather in enumerate(_TOWN_WEATHERS):
            agent = ReferenceAgent(target_speed_mps=TARGET_SPEED_MPS)
            rows.append(_moment(environment, agent, policy, CARLA_PALETTE, seed + index, {"weather": weather}))
    return sheet(rows)


def _moment(
    environment: gymnasium.Env[Any, Any],
    agent: ReferenceAgent,
    policy: NetworkPolicy,
    palette: Image,
    seed: int,
    options: dict[str, Any],
    ticks: int = 60,
) -> Image:
    """Drive for some ticks and draw the last observation."""
    observation, info = environment.reset(seed=seed, options=options)
    agent.reset(seed)
    for _ in range(ticks):
        observation, _, terminated, truncated, info = environment.step(agent.act(observation))
        if terminated or truncated:
            break
    waypoints = {
        REFERENCE: np.asarray(observation[WAYPOINTS], np.float64),
        PREDICTED: policy.waypoints(observation),
    }
    return panel(observation, palette, info["camera"], waypoints)


def write_png(path: Path, image: Image) -> Path:
    """Write an RGB image; the folder is made where it is missing.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise ConfigurationError(f"cannot write the picture {path}; choose another folder with --out")
    return path
