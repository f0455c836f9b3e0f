"""What the sensor streams carry: message headers, world states, camera images and events, byte for byte."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl

MAP_CHANGED = 1
ACTIVE = 1
GREEN = 2
URBAN_SPEED_LIMIT_KMH = 30.0

_LENGTH = struct.Struct("<I")
_HEADER = struct.Struct("<QQd6f")
_EPISODE = struct.Struct("<Qdf3iI")
_ACTOR = struct.Struct("<IB6f3f3f3f")
_VEHICLE = struct.Struct("<3f3BifBBIB")
_ACTOR_BYTES = 119
_IMAGE = struct.Struct("<IIf")


class SensorType(IntEnum):
    """Sensor type indices of the 0.9.16 client; a wrong one ends the client's process."""

    COLLISION = 0
    DEPTH = 1
    GNSS = 4
    IMU = 5
    RGB = 13
    SEMANTIC = 14
    WORLD = 17


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a message was made: frame number and simulated seconds of the episode."""

    frame: int
    elapsed: float


@dataclass(frozen=True, slots=True)
class ActorState:
    """One actor's record in a world state.

    Attributes:
        actor_id: its id.
        transform: pose.
        velocity: m/s, world axes.
        angular_velocity: degrees per second.
        acceleration: m/s², world axes.
        control: the held control and the gear, for vehicles.
    """

    actor_id: int
    transform: Transform
    velocity: Vector = (0.0, 0.0, 0.0)
    angular_velocity: Vector = (0.0, 0.0, 0.0)
    acceleration: Vector = (0.0, 0.0, 0.0)
    control: tuple[VehicleControl, int] | None = None

    def pack(self) -> bytes:
        """The 119 bytes of the record."""
        head = _ACTOR.pack(
            self.actor_id,
            ACTIVE,
            *self.transform.values(),
            *self.velocity,
            *self.angular_velocity,
            *self.acceleration,
        )
        return (head + self._control_bytes()).ljust(_ACTOR_BYTES, b"\0")

    def _control_bytes(self) -> bytes:
        if self.control is None:
            return b""
        control, gear = self.control
        pedals = (control.throttle, control.steer, control.brake)
        switches = (control.hand_brake, control.reverse, control.manual_gear_shift)
        return _VEHICLE.pack(*pedals, *switches, gear, URBAN_SPEED_LIMIT_KMH, GREEN, 0, 0, 0)


def frame_message(kind: SensorType, stamp: Stamp, transform: Transform, payload: bytes) -> bytes:
    """A whole message as it goes through the socket: length, header, payload."""
    header = _HEADER.pack(kind, stamp.frame, stamp.elapsed, *transform.values())
    return b"".join((_LENGTH.pack(len(header) + len(payload)), header, payload))


def world_state(
    stamp: Stamp, episode: int, wall_seconds: float, delta: float, flags: int, actors: Iterable[ActorState]
) -> bytes:
    """The message of the world observer (stream 1)."""
    head = _EPISODE.pack(episode, wall_seconds, delta, 0, 0, 0, flags)
    payload = head + b"".join(actor.pack() for actor in actors)
    return frame_message(SensorType.WORLD, stamp, Transform(), payload)


def image(kind: SensorType, stamp: Stamp, transform: Transform, fov_deg: float, pixels: npt.NDArray[np.uint8]) -> bytes:
    """A camera's message from (H, W, 4) BGRA pixels, top row first."""
    height, width, channels = pixels.shape
    if channels != 4 or pixels.dtype != np.uint8:
        raise ValueError(f"camera pixels must be (H, W, 4) uint8, got {pixels.shape} {pixels.dtype}")
    return frame_message(kind, stamp, transform, _IMAGE.pack(width, height, fov_deg) + pixels.tobytes())


def event(kind: SensorType, stamp: Stamp, transform: Transform, value: Any) -> bytes:
    """A message whose payload is one msgpack value (collision, GNSS, IMU)."""
    return frame_message(kind, stamp, transform, msgpack.packb(value, unicode_errors="surrogateescape"))
