"""The reference planner: the same controller on the privileged waypoints, an upper bound for every learnt policy."""

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.agent import Action
from sim2real_bench.agents.controllers import Controller, follower
from sim2real_bench.agents.path_following import TARGET_SPEED_MPS
from sim2real_bench.envs.observation import SPEED, WAYPOINTS, Observation
from sim2real_bench.errors import AgentError


class ReferenceAgent:
    """Follows the environment's own waypoints.

    Args:
        controller: id of one of the benchmark's controllers, PID settings, or a controller of your own.
        target_speed_mps: the speed it holds.
    """

    observations: tuple[str, ...] = (WAYPOINTS, SPEED)

    def __init__(self, controller: Controller = 0, target_speed_mps: float = TARGET_SPEED_MPS) -> None:
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
            AgentError: an observation is missing or not finite.
        """
        missing = [key for key in self.observations if key not in observation]
        if missing:
            raise AgentError(f"the observation lacks {missing}; it holds {sorted(observation)}")
        return self._follower.action(observation[WAYPOINTS], float(np.asarray(observation[SPEED])))
