"""The ego vehicle of one episode: the actor, its sensors, and what a tick tells about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.frames import pose_2d, pose_matrix
from sim2real_bench.envs.carla.sensors import Camera, CameraMount, Collision, CollisionSensor
from sim2real_bench.envs.carla.session import Session
from sim2real_bench.envs.map_view import EgoPose2D
from sim2real_bench.envs.observation import CAMERA_KEYS, Array
from sim2real_bench.errors import SimulatorError

WARM_UP_TICKS = 9  # a car is spawned above the ground and swings for about half a second
CAMERA_TICKS = 3  # while a camera's stream still connects, a real server may lose its pictures


@dataclass(frozen=True)
class EgoState:
    """The ego vehicle after a tick.

    Attributes:
        frame: the tick's frame number.
        pose: (4, 4) world_from_ego, right-handed, metres.
        plane: the same on the ground plane.
        location: ``carla.Location``, for questions to the town's map.
        speed_mps: over ground.
        snapshot: the ``carla.WorldSnapshot`` it was read from.
    """

    frame: int
    pose: npt.NDArray[np.float64]
    plane: EgoPose2D
    location: Any
    speed_mps: float
    snapshot: Any


class EgoVehicle:
    """One vehicle with the cameras that were asked for and a collision sensor.

    Args:
        session: a connected session with a town.
        blueprint: the vehicle's blueprint id.
        spawn: where (``carla.Transform``).
        cameras: observation keys of the cameras.
        mount: where and what the cameras are.

    Raises:
        SpawnBlockedError: something stands there.
        ConfigurationError: no such blueprint.
    """

    def __init__(
        self, session: Session, blueprint: str, spawn: Any, cameras: Sequence[str], mount: CameraMount
    ) -> None:
        self._session = session
        self._wanted, self._mount = [key for key in cameras if key in CAMERA_KEYS], mount
        self._actor = session.spawn(blueprint, {"role_name": "hero"}, spawn)
        self._collisions = CollisionSensor(session, self._actor)
        self._cameras: dict[str, Camera] = {}
        self._judged_from = 0

    @property
    def identifier(self) -> int:
        """The actor's id."""
        return int(self._actor.id)

    def settle(self) -> EgoState:
        """Stand on the brake until the car rests, then start the cameras; collisions up to then do not count."""
        for _ in range(WARM_UP_TICKS):
            self.drive(0.0, -1.0)
        self._cameras = {key: Camera(self._session, self._actor, key, self._mount) for key in self._wanted}
        for _ in range(CAMERA_TICKS):
            state = self.drive(0.0, -1.0)
        self._judged_from = state.frame
        return state

    def drive(self, steer: float, throttle: float) -> EgoState:
        """Apply a control for one tick.

        Args:
            steer: -1 (full left) to 1 (full right).
            throttle: 0 to 1; negative values brake.
        """
        import carla

        self._actor.apply_control(
            carla.VehicleControl(throttle=max(throttle, 0.0), steer=steer, brake=max(-throttle, 0.0))
        )
        snapshot = self._session.tick()
        own = snapshot.find(self._actor.id)
        if own is None:
            raise SimulatorError(
                f"the ego vehicle (actor {self._actor.id}) is gone from the world at frame {snapshot.frame}: another "
                f"client destroyed it or loaded a map. Give each environment a server of its own"
            )
        transform, velocity = own.get_transform(), own.get_velocity()
        return EgoState(
            frame=int(snapshot.frame),
            pose=pose_matrix(transform),
            plane=pose_2d(transform),
            location=transform.location,
            speed_mps=math.hypot(velocity.x, velocity.y),
            snapshot=snapshot,
        )

    def images(self, frame: int) -> dict[str, Array]:
        """The cameras' decoded images of a frame, by observation key.

        Raises:
            StepTimeoutError: one did not come in time.
        """
        return {key: camera.read(frame, self._session.connection.timeout_s) for key, camera in self._cameras.items()}

    def collision(self) -> Collision | None:
        """The strongest collision since the last call, leaving out those while the car settled."""
        self._session.await_events()
        return self._collisions.strongest(self._judged_from)
