"""What the PPO driver sees, its network, and the agent around it (no Stable-Baselines3 needed to drive)."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sim2real_bench.agents.agent import Action
from sim2real_bench.agents.checkpoints import PPO_KIND, fill_module, load_tensors
from sim2real_bench.agents.ppo.settings import DEFAULT_SPEED_CAP_MPS
from sim2real_bench.envs.classes import ROAD_MAP_CHANNEL
from sim2real_bench.envs.observation import MAP_VIEW, SPEED, Observation
from sim2real_bench.errors import AgentError, CheckpointError

MAP_PIXELS = 64  # the 192-pixel map view is averaged over 3x3 pixels: 0.6 m per pixel
STATE_SIZE = 2
SPEED_SCALE_MPS = 10.0
MAP_KEY, STATE_KEY = "map", "state"


def small_map(map_view: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(1, 64, 64) uint8 of the track channel of a (C, 192, 192) SuperTuxKart map view."""
    track = map_view[ROAD_MAP_CHANNEL["stk"]]
    small: npt.NDArray[np.uint8] = cv2.resize(track, (MAP_PIXELS, MAP_PIXELS), interpolation=cv2.INTER_AREA)
    return small[None]


def state_vector(speed_mps: float, last_steer: float) -> npt.NDArray[np.float32]:
    """(2,) float32: speed over 10 m/s, and the steering command before this one."""
    return np.array([speed_mps / SPEED_SCALE_MPS, last_steer], np.float32)


def capped_action(action: npt.ArrayLike, speed_mps: float, speed_cap_mps: float) -> Action:
    """(2,) action clipped to [-1, 1] whose throttle fades out over the last metre per second below the speed cap."""
    steer, pedal = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
    return np.array([steer, min(pedal, max(speed_cap_mps - speed_mps, 0.0))], np.float32)


class DriverFeatures(nn.Module):
    """Features of a small map and the state: three convolutions and two linear layers.

    Attributes:
        size: number of features.
    """

    size = 128

    def __init__(self) -> None:
        super().__init__()
        self.map_layers = nn.Sequential(
            nn.Conv2d(1, 16, 8, 4),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, 2),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, self.size),
            nn.ReLU(),
        )
        self.joint = nn.Sequential(nn.Linear(self.size + STATE_SIZE, self.size), nn.Tanh())

    def forward(self, small: Tensor, state: Tensor) -> Tensor:
        """(B, 128) features of (B, 1, 64, 64) float maps in [0, 1] and (B, 2) states."""
        joined: Tensor = self.joint(torch.cat([self.map_layers(small), state], dim=1))
        return joined


class DriverNetwork(nn.Module):
    """The deterministic driver: features and the mean of the action distribution."""

    def __init__(self) -> None:
        super().__init__()
        self.features = DriverFeatures()
        self.action = nn.Linear(DriverFeatures.size, 2)

    def forward(self, small: Tensor, state: Tensor) -> Tensor:
        """(B, 2) steer and throttle, not clipped."""
        mean: Tensor = self.action(self.features(small, state))
        return mean


class PpoAgent:
    """Drives SuperTuxKart from the map view, as trained.

    Args:
        network: its weights.
        speed_cap_mps: no throttle above this speed; the cap it was trained with.
    """

    observations: tuple[str, ...] = (MAP_VIEW, SPEED)

    def __init__(self, network: DriverNetwork, speed_cap_mps: float = DEFAULT_SPEED_CAP_MPS) -> None:
        self._network = network.eval()
        self.speed_cap_mps = speed_cap_mps
        self._last_steer = 0.0

    def reset(self, seed: int) -> None:
        """Forget the last episode; the agent is deterministic, so ``seed`` changes nothing."""
        self._last_steer = 0.0

    def act(self, observation: Observation) -> Action:
        """(2,) float32: steer, throttle or brake.

        Raises:
            AgentError: an observation is missing, or the network's answer is not finite.
        """
        missing = [key for key in self.observations if key not in observation]
        if missing:
            raise AgentError(f"the observation lacks {missing}; it holds {sorted(observation)}")
        speed = float(np.asarray(observation[SPEED]))
        small = torch.from_numpy(small_map(observation[MAP_VIEW]))[None].float() / 255.0
        state = torch.from_numpy(state_vector(speed, self._last_steer))[None]
        with torch.inference_mode():
            mean = self._network(small, state)[0].numpy()
        if not np.isfinite(mean).all():
            raise AgentError(f"the PPO network answered {mean.tolist()} at speed {speed} m/s, which is not finite")
        action = capped_action(mean, speed, self.speed_cap_mps)
        self._last_steer = float(action[0])
        return action


def load_ppo_agent(path: Path) -> PpoAgent:
    """The agent in a checkpoint of kind ``ppo``.

    Raises:
        CheckpointError: a file is missing, corrupt, or does not fit.
    """
    tensors, card = load_tensors(path, PPO_KIND)
    network = DriverNetwork()
    fill_module(network, tensors, path)
    try:
        cap = float(card.architecture["speed_cap_mps"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"the card of {path} holds the architecture {card.architecture}, which lacks a number speed_cap_mps"
        ) from error
    return PpoAgent(network, cap)
