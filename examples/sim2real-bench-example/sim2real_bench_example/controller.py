"""Controllers of another kind than PID: pure pursuit with three look-aheads."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.agent import Action
from sim2real_bench.agents.controllers import Controllers
from sim2real_bench.agents.path_following import path_point
from sim2real_bench.errors import AgentError

LOOK_AHEAD_M = (5.0, 7.0, 9.0)
WHEEL_BASE_M, MAX_STEER_RAD = 2.8, 0.6


class PurePursuit:
    """Steers along the circle through the point ``look_ahead_m`` along the path (Coulter, CMU-RI-TR-92-01)."""

    def __init__(self, look_ahead_m: float, target_speed_mps: float) -> None:
        self.look_ahead_m, self.target_speed_mps = look_ahead_m, target_speed_mps
        self.waypoints: npt.NDArray[np.float64] | None = None

    def reset(self) -> None:
        """Forget the last episode."""
        self.waypoints = None

    def action(self, waypoints: Any, speed_mps: float) -> Action:
        """(2,) float32: steer (positive to the right), throttle or brake."""
        points = np.asarray(waypoints, np.float64)
        if not (np.isfinite(points).all() and math.isfinite(speed_mps)):
            raise AgentError(f"waypoints {points.tolist()} at speed {speed_mps} m/s: every value must be finite")
        self.waypoints = points
        x, y = path_point(points, self.look_ahead_m)
        curvature = 2.0 * y / (x * x + y * y)  # positive to the left
        steer = -math.atan(curvature * WHEEL_BASE_M) / MAX_STEER_RAD
        pedal = 0.5 * (self.target_speed_mps - speed_mps)
        return np.array([np.clip(steer, -1.0, 1.0), np.clip(pedal, -0.5, 1.0)], np.float32)


def make(controller: int, target_speed_mps: float, tick_s: float) -> PurePursuit:
    """The controller of an id; pure pursuit needs no time step."""
    return PurePursuit(LOOK_AHEAD_M[controller], target_speed_mps)


PURE_PURSUIT = Controllers(
    count=len(LOOK_AHEAD_M),
    make=make,
    settings=f"look ahead {LOOK_AHEAD_M} m, wheel base {WHEEL_BASE_M} m, steering {MAX_STEER_RAD} rad",
    summary="pure pursuit with look-aheads of 5, 7 and 9 m",
)
