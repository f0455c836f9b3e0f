"""What drives: the interface every agent has, whatever is inside."""

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.observation import Observation

Action = npt.NDArray[np.float32]


@runtime_checkable
class Agent(Protocol):
    """Reads observations, answers with driving actions.

    Attributes:
        observations: the observation keys it reads; an environment made for it renders only these.
    """

    observations: tuple[str, ...]

    def reset(self, seed: int) -> None:
        """Forget the last episode; all randomness of the next one comes from ``seed``."""

    def act(self, observation: Observation) -> Action:
        """(2,) float32 in [-1, 1]: steer (positive right), throttle (positive) or brake (negative)."""
