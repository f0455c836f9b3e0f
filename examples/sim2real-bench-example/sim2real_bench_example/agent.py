"""An agent alone: it steers to where the road is in the labelled camera image."""

import numpy as np

from sim2real_bench.agents.agent import Action
from sim2real_bench.distill.method import Supervision
from sim2real_bench.envs.classes import road_mask
from sim2real_bench.envs.observation import LABELS, SPEED, Observation


class LaneSeeker:
    """Steers to the middle of the road in the labelled camera image, at 5 m/s."""

    observations: tuple[str, ...] = (LABELS, SPEED)
    supervision = Supervision(privileged=("camera labels",))

    def reset(self, seed: int) -> None:
        """Nothing is remembered between episodes."""

    def act(self, observation: Observation) -> Action:
        """(2,) float32: steer (positive to the right), throttle or brake."""
        road = road_mask(observation[LABELS], "carla")[95:105]  # rows that see the ground some 10 m ahead
        columns = np.nonzero(road)[1]
        middle = columns.mean() if len(columns) else 191.5
        steer = 2.0 * (middle - 191.5) / 192.0
        return np.array([np.clip(steer, -1.0, 1.0), np.clip(5.0 - observation[SPEED], -1.0, 1.0)], np.float32)
