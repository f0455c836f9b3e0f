"""CARLA as a Gymnasium environment: one car, one camera pose, 0.1 s per step, on an embedded or a real server."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.carla.backends import backend_factory
from sim2real_bench.envs.carla.connection import Connection, SpawnBlockedError
from sim2real_bench.envs.carla.ego import EgoVehicle
from sim2real_bench.envs.carla.map_view import draw_map_view
from sim2real_bench.envs.carla.other_vehicles import OtherVehicles, parked_vehicles
from sim2real_bench.envs.carla.road_map import RoadMap
from sim2real_bench.envs.carla.route import ReferenceRoute
from sim2real_bench.envs.carla.sensors import CameraMount, Collision
from sim2real_bench.envs.carla.session import Session, short_name
from sim2real_bench.envs.carla.start import Draw, StartOptions, spawn_order
from sim2real_bench.envs.carla.weather import weather_named
from sim2real_bench.envs.classes import CARLA_MAP_CHANNELS, CarlaClass
from sim2real_bench.envs.observation import (
    CAMERA_KEYS,
    MAP_VIEW,
    SPEED,
    WAYPOINTS,
    Observation,
    driving_action_space,
    observation_space,
)
from sim2real_bench.errors import ConfigurationError, SimulatorError

COLLISION_IMPULSE_NS = 10.0  # a larger normal impulse ends the episode (methods of the task-distillation paper)
COLLISION_PENALTY = 10.0
DEFAULT_VEHICLE = "vehicle.lincoln.mkz_2020"


@dataclass(frozen=True)
class _Town:
    """What is derived from a town's map once."""

    road: RoadMap
    parked: list[npt.NDArray[np.float64]]


class CarlaDriveEnv(gym.Env[Any, Any]):
    """Drive a car through a CARLA town.

    The server is connected (or started) by the first call that needs it. After a ``SimulatorError``, ``reset`` connects
    or starts anew.

    Args:
        backend: ``"embedded"`` starts a server of its own; ``"server"`` uses the one at ``host:port``.
        host: of the server backend.
        port: of the server backend; 2000 when absent.
        town: short or long map name.
        observations: keys to observe (``envs.observation``); only these are rendered.
        width: camera image, pixels.
        height: camera image, pixels.
        fov_deg: horizontal field of view.
        camera_x_m: camera ahead of the vehicle's origin.
        camera_z_m: camera above the ground.
        weather: name from ``WEATHERS``, or None: each episode draws one.
        vehicle: blueprint id.
        timeout_s: longest wait for the connection, an answer or an image.

    ``step`` returns as ``info``: ego_pose (4, 4), camera (if one is observed), speed_mps, off_road, distance_m, frame
    (ticks since reset), collision_impulse_ns (the largest in this tick), collided_with (type id or ""), spawn_index,
    weather, town, reward_terms (progress_m: metres along the reference route; collision). An episode terminates at a
    collision of more than 10 N s; it is never truncated here.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (Gymnasium declares it so)

    def __init__(
        self,
        *,
        backend: str = "embedded",
        host: str = "127.0.0.1",
        port: int | None = None,
        town: str = "MiniTown01",
        observations: Sequence[str] = ("rgb",),
        width: int = 384,
        height: int = 160,
        fov_deg: float = 90.0,
        camera_x_m: float = 2.0,
        camera_z_m: float = 1.4,
        weather: str | None = None,
        vehicle: str = DEFAULT_VEHICLE,
        timeout_s: float = 20.0,
    ) -> None:
        if weather is not None:
            weather_named(weather)
        self._open_backend = backend_factory(backend, host, port)
        self._default_town, self._weather, self._blueprint = short_name(town), weather, vehicle
        self._keys = tuple(observations)
        self._mount = CameraMount(width, height, fov_deg, camera_x_m, camera_z_m)
        self._timeout_s = timeout_s
        self._camera = PinholeCamera.mounted(width, height, fov_deg, camera_x_m, camera_z_m)
        self.observation_space = observation_space(
            self._keys, width=width, height=height, classes=len(CarlaClass), map_channels=CARLA_MAP_CHANNELS
        )
        self.action_space = driving_action_space()
        self._session: Session | None = None
        self._finalizer: Any = None
        self._towns: dict[str, _Town] = {}
        self._spawn_counts: dict[str, int] = {}
        self._ego: EgoVehicle | None = None

    # -- Gymnasium -----------------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode: the car rests at a spawn point.

        Args:
            seed: draws weather, spawn point and the turns of the reference route.
            options: any of ``spawn_index``, ``weather``, ``town``; these are then not drawn.

        Raises:
            ConfigurationError: an option that cannot be used.
            SpawnBlockedError: the given spawn point is taken (a drawn one is replaced by the next one drawn).
            SimulatorError: anything the server does wrong; the next reset starts anew.
        """
        super().reset(seed=seed)
        given, draw = StartOptions.parse(options), Draw.sample(self.np_random)
        with self._guarded():
            session = self._connected()
            self._drop_actors()
            self._load(session, given.town or self._default_town)
            session.assert_settings()
            session.restart_traffic_lights()
            weather = given.weather or self._weather or draw.weather
            session.set_weather(weather_named(weather))
            count = self._spawn_counts[session.town]
            order = spawn_order(session.town, count, given.spawn_index, draw.spawn_seed)
            self._ego, spawn_index = self._spawn(session, order)
            self._others = OtherVehicles(session, self._ego.identifier, self._town(session).parked)
            self._state = self._ego.settle()
            turns = np.random.default_rng(draw.route_seed)
            self._route = ReferenceRoute(session.map, self._state.plane, turns)
            self._first_frame = self._state.frame
            self._distance_m = 0.0
            self._episode: dict[str, Any] = {"spawn_index": spawn_index, "weather": weather, "town": session.town}
            return self._observe(), self._info(None, {})

    def step(self, action: npt.ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Drive for one tick of 0.1 s.

        Args:
            action: (2,) steer (positive right), throttle (positive) or brake (negative); clipped to [-1, 1].

        Raises:
            ConfigurationError: not two finite numbers, or no episode was begun.
            SimulatorError: anything the server does wrong; the next reset starts anew.
        """
        steer, throttle = _checked(action)
        if self._ego is None:
            raise ConfigurationError("no episode is running; call reset() before step()")
        with self._guarded():
            before = self._state.plane
            self._state = self._ego.drive(steer, throttle)
            self._distance_m += math.dist((before.x, before.y), (self._state.plane.x, self._state.plane.y))
            progress = self._route.follow(self._state.plane)
            observation = self._observe()  # before the collisions: waiting for images lets their events arrive
            collision = self._ego.collision()
            terminated = collision is not None and collision.impulse_ns > COLLISION_IMPULSE_NS
            terms = {"progress_m": progress, "collision": -COLLISION_PENALTY if terminated else 0.0}
            return observation, sum(terms.values()), terminated, False, self._info(collision, terms)

    def close(self) -> None:
        """Remove every actor made here and leave the server (end it if it is ours); safe to call twice."""
        self._ego = None
        if self._finalizer is not None:
            self._finalizer()
        self._session = self._finalizer = None

    # -- facts about the server ----------------------------------------------------------------------------------

    @property
    def backend_version(self) -> str:
        """What drives the world, for the records: backend and version. Connects if need be."""
        with self._guarded():
            session = self._connected()
            return session.connection.backend.version(session.connection.version)

    def spawn_count(self, town: str) -> int:
        """How many spawn points a town has; a town not seen before is loaded, which ends a running episode.

        Raises:
            ConfigurationError: the server does not have the town.
        """
        name = short_name(town)
        if name not in self._spawn_counts:
            with self._guarded():
                self._load(self._connected(), name)
        return self._spawn_counts[name]

    # -- the session ---------------------------------------------------------------------------------------------

    def _connected(self) -> Session:
        if self._session is None:
            self._session = Session(Connection(self._open_backend(self._default_town), self._timeout_s))
            # The client aborts the process when sensors still listen at its exit: close then, whatever happens.
            self._finalizer = weakref.finalize(self, self._session.close)
        return self._session

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Leave nothing behind after an error: no actors, and no session that has failed."""
        try:
            yield
        except SpawnBlockedError:
            self._drop_actors()
            raise
        except SimulatorError:
            self.close()
            raise
        except BaseException:
            self._drop_actors()
            raise

    def _drop_actors(self) -> None:
        self._ego = None
        if self._session is not None:
            self._session.destroy_actors()

    def _load(self, session: Session, town: str) -> None:
        if session.town != short_name(town):
            self._drop_actors()
            session.load_town(town)
        self._spawn_counts.setdefault(session.town, len(session.spawn_points()))

    def _town(self, session: Session) -> _Town:
        if session.town not in self._towns:
            parked = parked_vehicles(session) if MAP_VIEW in self._keys else []
            self._towns[session.town] = _Town(RoadMap(session.map), parked)
        return self._towns[session.town]

    # -- beginning an episode ------------------------------------------------------------------------------------

    def _spawn(self, session: Session, order: tuple[int, ...]) -> tuple[EgoVehicle, int]:
        """Make the ego vehicle at the first free spawn point of the order."""
        points = session.spawn_points()
        for index in order:
            try:
                return EgoVehicle(session, self._blueprint, points[index], self._keys, self._mount), index
            except SpawnBlockedError:
                continue
        tried = f"spawn point {order[0]}" if len(order) == 1 else "every spawn point"
        raise SpawnBlockedError(f"{tried} of {session.town} is taken; remove what stands there, or give another one")

    # -- what is seen --------------------------------------------------------------------------------------------

    def _observe(self) -> Observation:
        assert self._ego is not None
        state = self._state
        found: Observation = self._ego.images(state.frame)
        if MAP_VIEW in self._keys:
            road = self._towns[self._episode["town"]].road
            found[MAP_VIEW] = draw_map_view(road, state.plane, self._others.corners(state.snapshot))
        if SPEED in self._keys:
            found[SPEED] = np.array(state.speed_mps, np.float32)
        if WAYPOINTS in self._keys:
            found[WAYPOINTS] = self._route.waypoints(state.plane).astype(np.float32)
        return {key: found[key] for key in self._keys}

    def _info(self, collision: Collision | None, reward_terms: dict[str, float]) -> dict[str, Any]:
        info: dict[str, Any] = {
            "ego_pose": self._state.pose,
            "speed_mps": self._state.speed_mps,
            "off_road": self._towns[self._episode["town"]].road.off_road(self._state.location),
            "distance_m": self._distance_m,
            "frame": self._state.frame - self._first_frame,
            "collision_impulse_ns": collision.impulse_ns if collision else 0.0,
            "collided_with": collision.other if collision else "",
            "reward_terms": reward_terms,
            **self._episode,
        }
        if set(self._keys) & set(CAMERA_KEYS):
            info["camera"] = self._camera
        return info


def _checked(action: npt.ArrayLike) -> tuple[float, float]:
    """Steer and throttle of an action, clipped."""
    values = np.asarray(action, np.float64)
    if values.shape != (2,) or not np.isfinite(values).all():
        raise ConfigurationError(f"action {action!r}: expected 2 finite numbers, steer and throttle (or brake)")
    steer, throttle = np.clip(values, -1.0, 1.0)
    return float(steer), float(throttle)
