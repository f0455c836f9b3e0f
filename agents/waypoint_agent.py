"""A driving agent around a waypoint network: observation, network, waypoints in metres, controller, action."""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sim2real_bench.agents.agent import Action
from sim2real_bench.agents.checkpoints import load_checkpoint
from sim2real_bench.agents.controllers import Controller, follower
from sim2real_bench.agents.inputs import DRIVING_CAMERA, network_input
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.path_following import TARGET_SPEED_MPS
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.observation import SPEED, Observation
from sim2real_bench.errors import AgentError, ConfigurationError


class WaypointPolicy(Protocol):
    """Anything that answers an observation with waypoints.

    Attributes:
        observations: the observation keys it reads.
    """

    observations: tuple[str, ...]

    def waypoints(self, observation: Observation) -> npt.NDArray[np.float64]:
        """(5, 2) metres, ego frame, in driving order."""


class NetworkPolicy:
    """A waypoint network and the observation it looks at.

    Args:
        network: its input must fit ``key``.
        key: ``rgb``, ``labels`` (read as a road mask) or ``map_view`` (road channel).
        simulator: whose classes and channels the observations have, "carla" or "stk".
        camera: where the camera sits on the vehicle; matters for ``rgb`` and ``labels``.

    Raises:
        ConfigurationError: the network does not fit the observation.
    """

    def __init__(
        self,
        network: WaypointNetwork,
        key: str,
        simulator: str = "carla",
        camera: PinholeCamera = DRIVING_CAMERA,
    ) -> None:
        self._input = network_input(key)
        expected = (self._input.channels, self._input.height_px, self._input.width_px)
        found = (network.channels, network.height_px, network.width_px)
        if found != expected:
            raise ConfigurationError(
                f"a network for {found} images (channels, height, width) cannot read {key!r}, which is {expected}"
            )
        self.observations: tuple[str, ...] = (key,)
        self._network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._simulator = simulator
        self._geometry = self._input.geometry(camera)

    def waypoints(self, observation: Observation) -> npt.NDArray[np.float64]:
        """(5, 2) metres, ego frame.

        Raises:
            AgentError: the observation is missing, or the network's answer is not finite.
        """
        key = self._input.key
        if key not in observation:
            raise AgentError(f"the policy reads {key!r}, but the observation holds {sorted(observation)}")
        return self.waypoints_in(torch.from_numpy(self._input.image(observation[key], self._simulator)))

    def waypoints_in(self, image: Tensor) -> npt.NDArray[np.float64]:
        """(5, 2) metres, ego frame, of the network's image (channels, height, width) in [0, 1].

        Raises:
            AgentError: the network's answer is not finite.
        """
        with torch.inference_mode():
            normalised = self._network(image[None])[0].numpy()
        if not np.isfinite(normalised).all():
            raise AgentError(f"the waypoint network answered {normalised.tolist()}, which is not finite")
        return self._geometry.to_ego(normalised)


def load_policy(path: Path, simulator: str = "carla", camera: PinholeCamera = DRIVING_CAMERA) -> NetworkPolicy:
    """The policy in a checkpoint; its card says which observation it reads.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    network, card = load_checkpoint(path)
    return NetworkPolicy(network, card.observation, simulator, camera)


class WaypointAgent:
    """A waypoint policy driven by one of the benchmark's controllers.

    Args:
        policy: where the waypoints come from.
        controller: id of one of the benchmark's controllers, PID settings, or a controller of your own.
        target_speed_mps: the speed it holds.
    """

    def __init__(
        self,
        policy: WaypointPolicy,
        controller: Controller = 0,
        target_speed_mps: float = TARGET_SPEED_MPS,
    ) -> None:
        self.policy = policy
        self.observations: tuple[str, ...] = (*policy.observations, SPEED)
        self._follower = follower(controller, target_speed_mps)

    @property
    def waypoints(self) -> npt.NDArray[np.float64] | None:
        """(N, 2) metres, ego frame: what it followed last, for pictures; None before the first action."""
        return self._follower.waypoints

    def reset(self, seed: int) -> None:
        """Forget the last episode; the agent has no randomness, so ``seed`` changes nothing."""
        self._follower.reset()

    def act(self, observation: Observation) -> Action:
        """(2,) float32: steer, throttle or brake.

        Raises:
            AgentError: an observation is missing, or the policy's waypoints are not finite.
        """
        if SPEED not in observation:
            raise AgentError(f"the agent reads {SPEED!r}, but the observation holds {sorted(observation)}")
        return self._follower.action(self.policy.waypoints(observation), float(np.asarray(observation[SPEED])))
