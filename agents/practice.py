"""A practice road: a bicycle model on a random line of straights and bends, for tuning and testing controllers."""

import math
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.map_view import EgoPose2D
from sim2real_bench.envs.observation import (
    SPEED,
    WAYPOINT_DISTANCES_M,
    WAYPOINTS,
    Observation,
    driving_action_space,
    observation_space,
)

Float = npt.NDArray[np.float64]
_SPACING_M = 0.25


def bend(radius_m: float, angle_rad: float, spacing_m: float = _SPACING_M) -> Float:
    """(N,) heading changes, one per ``spacing_m``, of a bend; positive angles turn left."""
    count = max(1, round(radius_m * abs(angle_rad) / spacing_m))
    return np.full(count, angle_rad / count)


def line_from_headings(changes: Float, spacing_m: float = _SPACING_M) -> Float:
    """(N + 1, 2) points of a line that starts at the origin along x and turns by ``changes`` at each step."""
    heading = np.cumsum(changes)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=-1) * spacing_m
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])


def random_line(rng: np.random.Generator, length_m: float = 500.0) -> Float:
    """(N, 2) points of a line of straights (5-40 m) and bends (radius 7-40 m, 20-100 degrees), like a small town's."""
    parts: list[Float] = []
    while sum(len(part) for part in parts) * _SPACING_M < length_m:
        parts.append(np.zeros(round(rng.uniform(5.0, 40.0) / _SPACING_M)))
        angle = math.radians(rng.uniform(20.0, 100.0)) * rng.choice([-1.0, 1.0])
        parts.append(bend(rng.uniform(7.0, 40.0), angle))
    return line_from_headings(np.concatenate(parts))


class PracticeEnv(gymnasium.Env[Any, Any]):
    """A car as a kinematic bicycle with steering lag, on a line; observations ``waypoints`` and ``speed`` only.

    Args:
        line: (N, 2) metres, points ``0.25`` m apart; None draws a random one from each reset's seed.
        half_width_m: the episode ends this far from the line.
    """

    wheelbase_m = 2.8
    largest_wheel_angle_rad = 0.7
    steering_lag_s = 0.15
    throttle_mps2 = 3.5
    brake_mps2 = 6.0
    drag_per_s = 0.12
    tick_s = 0.1
    substeps = 10

    def __init__(self, line: Float | None = None, half_width_m: float = 3.0) -> None:
        self.observation_space = observation_space(
            (WAYPOINTS, SPEED), width=1, height=1, classes=1, map_channels=("road",)
        )
        self.action_space = driving_action_space()
        self.half_width_m = half_width_m
        self._given = line
        self._line = np.zeros((2, 2)) if line is None else line
        self._pose = EgoPose2D(0.0, 0.0, 0.0)
        self._speed = self._wheel = self._distance = 0.0
        self._index = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start at the line's beginning, up to half a metre beside it; ``options`` are not used."""
        super().reset(seed=seed)
        self._line = random_line(self.np_random) if self._given is None else self._given
        self._pose = EgoPose2D(0.0, float(self.np_random.uniform(-0.5, 0.5)), float(self.np_random.uniform(-0.1, 0.1)))
        self._speed = self._wheel = self._distance = 0.0
        self._index = 0
        return self._observation(), self._info()

    def step(self, action: npt.NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Advance 0.1 s; terminated off the road, truncated at the line's end; the reward is the distance driven."""
        steer, pedal = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        before = self._distance
        for _ in range(self.substeps):
            self._advance(float(steer), float(pedal), self.tick_s / self.substeps)
        self._locate()
        at_end = (len(self._line) - self._index) * _SPACING_M < 2.0 * WAYPOINT_DISTANCES_M[-1]
        off_road = self.lateral_m() > self.half_width_m
        return self._observation(), self._distance - before, off_road, at_end, self._info()

    def lateral_m(self) -> float:
        """Distance from the line, metres."""
        return float(np.hypot(*(self._line[self._index] - (self._pose.x, self._pose.y))))

    def _advance(self, steer: float, pedal: float, dt: float) -> None:
        self._wheel += (-steer * self.largest_wheel_angle_rad - self._wheel) * dt / self.steering_lag_s
        push = self.throttle_mps2 * pedal if pedal > 0.0 else self.brake_mps2 * pedal
        self._speed = max(0.0, self._speed + (push - self.drag_per_s * self._speed) * dt)
        yaw = self._pose.yaw + self._speed * math.tan(self._wheel) / self.wheelbase_m * dt
        step = self._speed * dt
        self._pose = EgoPose2D(self._pose.x + step * math.cos(yaw), self._pose.y + step * math.sin(yaw), yaw)
        self._distance += step

    def _locate(self) -> None:
        """Move the index of the nearest point on the line; looking only a little ahead keeps crossings apart."""
        ahead = self._line[self._index : self._index + 40]
        gaps = np.hypot(ahead[:, 0] - self._pose.x, ahead[:, 1] - self._pose.y)
        self._index += int(gaps.argmin())

    def _observation(self) -> Observation:
        ahead = self._index + np.round(np.array(WAYPOINT_DISTANCES_M) / _SPACING_M).astype(int)
        points = self._line[np.minimum(ahead, len(self._line) - 1)]
        return {
            WAYPOINTS: self._pose.to_ego(points).astype(np.float32),
            SPEED: np.array(self._speed, np.float32),
        }

    def _info(self) -> dict[str, Any]:
        pose = np.eye(4)
        cosine, sine = math.cos(self._pose.yaw), math.sin(self._pose.yaw)
        pose[:2, :2] = [[cosine, -sine], [sine, cosine]]
        pose[:2, 3] = self._pose.x, self._pose.y
        return {
            "ego_pose": pose,
            "speed_mps": self._speed,
            "off_road": self.lateral_m() > self.half_width_m,
            "distance_m": self._distance,
        }
