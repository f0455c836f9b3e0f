"""The driver of on-policy data: the student itself, and in some episodes the reference in its place.

Source: DAgger, "A Reduction of Imitation Learning and Structured Prediction to No-Regret Online Learning" (Ross,
Gordon and Bagnell, AISTATS 2011), algorithm 3.1. There the expert acts with probability beta at every step; here it
drives an episode in ``reference_share`` of them, so that every other episode shows where the student alone ends up.
"""

from __future__ import annotations

import numpy as np

from sim2real_bench.agents.agent import Action, Agent
from sim2real_bench.agents.pid import CONTROLLERS
from sim2real_bench.agents.reference import ReferenceAgent
from sim2real_bench.agents.waypoint_agent import WaypointAgent, WaypointPolicy
from sim2real_bench.envs.observation import SPEED, WAYPOINTS, Observation
from sim2real_bench.errors import AgentError


class StudentDriver:
    """Drives each episode with a controller drawn for it: the student's waypoints, or the reference's.

    Args:
        policy: the student.
        reference_share: share of the episodes that the reference drives (beta), 0 to 1.
        target_speed_mps: the speed both hold.
    """

    def __init__(self, policy: WaypointPolicy, reference_share: float, target_speed_mps: float) -> None:
        self.observations: tuple[str, ...] = tuple(dict.fromkeys((*policy.observations, WAYPOINTS, SPEED)))
        self._policy, self._share, self._speed_mps = policy, reference_share, target_speed_mps
        self._driver: Agent | None = None

    def reset(self, seed: int) -> None:
        """Draw who drives the next episode, and with which controller, from ``seed``."""
        random = np.random.default_rng([seed, 1])  # the episode's weather and pushes are drawn from [seed]
        controller = int(random.integers(len(CONTROLLERS)))
        if random.random() < self._share:
            self._driver = ReferenceAgent(controller, self._speed_mps)
        else:
            self._driver = WaypointAgent(self._policy, controller, self._speed_mps)
        self._driver.reset(seed)

    def act(self, observation: Observation) -> Action:
        """(2,) float32: steer, throttle or brake.

        Raises:
            AgentError: ``reset`` was not called, or the one who drives cannot answer.
        """
        if self._driver is None:
            raise AgentError("the student driver was not reset; call reset(seed) before the first observation")
        return self._driver.act(observation)
