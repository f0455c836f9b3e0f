"""A ring road on flat ground, drawn with NumPy: about the smallest simulator that a benchmark can run in."""

import math
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import CARLA_MAP_CHANNELS, CarlaClass
from sim2real_bench.envs.map_view import EgoPose2D, map_pixels_to_ego
from sim2real_bench.envs.observation import (
    CAMERA_KEYS,
    LABELS,
    MAP_SIZE,
    MAP_VIEW,
    RGB,
    SPEED,
    WAYPOINT_DISTANCES_M,
    WAYPOINTS,
    Observation,
    driving_action_space,
    observation_space,
)
from sim2real_bench.errors import ConfigurationError

RADIUS_M = {"Ring60": 60.0, "Ring40": 40.0}  # of each town's only road, which is driven anticlockwise
BRIGHTNESS = {"clear": 1.0, "dusk": 0.5}  # of each weather
SPAWN_POINTS = 12
HALF_ROAD_M, BARRIER_M = 3.5, 6.0  # from the middle of the road
TICK_S, WHEEL_BASE_M, MAX_STEER_RAD = 0.1, 2.8, 0.6
PAINT = np.zeros((len(CarlaClass), 3))  # RGB of each class
PAINT[[CarlaClass.ROADS, CarlaClass.TERRAIN, CarlaClass.SKY]] = (105, 105, 110), (90, 140, 70), (150, 190, 230)
OBSERVATIONS = (RGB, LABELS, MAP_VIEW, SPEED, WAYPOINTS)


class RingRoadEnv(gymnasium.Env[Any, Any]):
    """Ring road: flat, drawn with NumPy."""

    backend_version = "ring road 1"

    def __init__(
        self, *, observations: Sequence[str] = (WAYPOINTS, SPEED), backend: str = "flat", town: str = "Ring60"
    ) -> None:
        if unknown := set(observations) - set(OBSERVATIONS):
            raise ConfigurationError(
                f"the ring road has no {', '.join(unknown)}; choose from {', '.join(OBSERVATIONS)}"
            )
        if backend != "flat":
            raise ConfigurationError(f"the ring road has no backend {backend!r}; choose 'flat'")
        self._observations, self._town = tuple(observations), _known(town, RADIUS_M, "town")
        self._camera = PinholeCamera.mounted(384, 160, fov_deg=90.0, x_m=2.0, z_m=1.4)
        self.observation_space = observation_space(
            self._observations, width=384, height=160, classes=len(CarlaClass), map_channels=CARLA_MAP_CHANNELS
        )
        self.action_space = driving_action_space()
        self._seen = self._camera.ground(_pixel_centres(384, 160))  # (160, 384, 2) metres, ego frame
        self._above = map_pixels_to_ego(_pixel_centres(MAP_SIZE, MAP_SIZE))

    def spawn_count(self, town: str) -> int:
        """How many spawn points a town has."""
        return SPAWN_POINTS if town in RADIUS_M else 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Stand at a spawn point, a little off the middle; ``spawn_index``, ``weather`` and ``town`` may be given."""
        super().reset(seed=seed)
        given = options or {}
        self._radius_m = RADIUS_M[_known(given.get("town", self._town), RADIUS_M, "town")]
        self._weather = _known(given.get("weather", "clear"), BRIGHTNESS, "weather")
        spawn = int(given.get("spawn_index", self.np_random.integers(SPAWN_POINTS)))
        if not 0 <= spawn < SPAWN_POINTS:
            raise ConfigurationError(f"the ring road has no spawn point {spawn}; choose 0 to {SPAWN_POINTS - 1}")
        angle, aside = 2.0 * math.pi * spawn / SPAWN_POINTS, self._radius_m + self.np_random.uniform(-0.5, 0.5)
        self._pose = EgoPose2D(aside * math.cos(angle), aside * math.sin(angle), angle + math.pi / 2.0)
        self._speed = self._distance = 0.0
        return self._observation(), self._info()

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Drive one tick of 0.1 s: a car without slip, and a barrier along both sides of the road."""
        steer, pedal = np.clip(np.asarray(action, np.float64), -1.0, 1.0).tolist()
        self._speed = max(0.0, self._speed + (3.0 * pedal if pedal > 0.0 else 6.0 * pedal) * TICK_S)
        way = self._speed * TICK_S
        yaw = self._pose.yaw - way * math.tan(steer * MAX_STEER_RAD) / WHEEL_BASE_M  # steering is positive to the right
        x, y = self._pose.x + way * math.cos(yaw), self._pose.y + way * math.sin(yaw)
        self._pose = EgoPose2D(x, y, yaw)
        self._distance += way
        info = self._info()
        return self._observation(), way, info["collided_with"] != "", False, info

    def _info(self) -> dict[str, Any]:
        pose, yaw = np.eye(4), self._pose.yaw
        pose[:2, :2] = [[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]]
        pose[:2, 3] = self._pose.x, self._pose.y
        aside = abs(math.hypot(self._pose.x, self._pose.y) - self._radius_m)
        hit = aside > BARRIER_M
        info = {
            "ego_pose": pose, "speed_mps": self._speed, "distance_m": self._distance, "off_road": aside > HALF_ROAD_M,
            "collision_impulse_ns": 1500.0 * self._speed if hit else 0.0, "collided_with": "barrier" if hit else "",
        }  # fmt: skip
        return info | ({"camera": self._camera} if set(self._observations) & set(CAMERA_KEYS) else {})

    def _observation(self) -> Observation:
        make = {
            RGB: lambda: (PAINT[self._labels()] * BRIGHTNESS[self._weather]).astype(np.uint8),
            LABELS: self._labels,
            MAP_VIEW: self._map_view,
            SPEED: lambda: np.array(self._speed, np.float32),
            WAYPOINTS: self._waypoints,
        }
        return {key: make[key]() for key in self._observations}

    def _labels(self) -> Any:
        """(160, 384) uint8: road, terrain, and sky above the horizon (the middle row)."""
        labels = np.where(self._is_road(self._seen), CarlaClass.ROADS, CarlaClass.TERRAIN).astype(np.uint8)
        labels[:80] = CarlaClass.SKY
        return labels

    def _map_view(self) -> Any:
        """(2, 192, 192) uint8: the road, and no other vehicles."""
        road = np.where(self._is_road(self._above), 255, 0).astype(np.uint8)
        return np.stack([road, np.zeros_like(road)])

    def _is_road(self, points: Any) -> Any:
        """Whether (..., 2) points in the ego frame lie on the road."""
        world = self._pose.to_world(points)
        return np.abs(np.hypot(world[..., 0], world[..., 1]) - self._radius_m) <= HALF_ROAD_M

    def _waypoints(self) -> Any:
        """(5, 2) float32: the middle of the road ahead, ego frame."""
        angles = math.atan2(self._pose.y, self._pose.x) + np.array(WAYPOINT_DISTANCES_M) / self._radius_m
        middle = self._radius_m * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        return self._pose.to_ego(middle).astype(np.float32)


def _pixel_centres(width: int, height: int) -> Any:
    """(height, width, 2) column and row of the middle of every pixel."""
    return np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)


def _known(name: str, choices: dict[str, float], kind: str) -> str:
    if name not in choices:
        raise ConfigurationError(f"the ring road has no {kind} {name!r}; choose from {', '.join(choices)}")
    return name
