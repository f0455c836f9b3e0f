"""What the sensor streams carry: message headers, world states, images, point clouds and events, byte for byte."""

import struct
from collections.abc import Iterable, Sequence
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
_TRAFFIC_LIGHT = struct.Struct("<32s4fIBB")
_TRAFFIC_SIGN = struct.Struct("<32s")
_WALKER = struct.Struct("<3ffB")
_ACTOR_BYTES = 119
_IMAGE = struct.Struct("<IIf")
_CLOUD = struct.Struct("<fI")

CLOUD_POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("intensity", "<f4")])
"""A point of a lidar: metres in the sensor's axes, and the share of the light that comes back."""

LABELLED_POINT = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("cosine", "<f4"), ("actor", "<u4"), ("tag", "<u4")]
)
"""A point of a semantic lidar: metres in the sensor's axes, cosine of incidence, actor id (0 = none), class."""

RADAR_POINT = np.dtype([("velocity", "<f4"), ("azimuth", "<f4"), ("altitude", "<f4"), ("depth", "<f4")])
"""A detection of a radar: m/s (negative = coming nearer), radians, radians, metres."""

PIXEL_EVENT = np.dtype([("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("brighter", "?")])
"""An event of a DVS camera: pixel column and row, nanoseconds of simulated time, sign of the change."""


class SensorType(IntEnum):
    """Sensor type indices of the 0.9.16 client; a wrong one ends the client's process."""

    COLLISION = 0
    DEPTH = 1
    NORMALS = 2
    DVS = 3
    GNSS = 4
    IMU = 5
    OBSTACLE = 7
    OPTICAL_FLOW = 8
    RADAR = 9
    SEMANTIC_LIDAR = 10
    LIDAR = 11
    RGB = 13
    SEMANTIC = 14
    INSTANCE = 15
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
        union: the bytes that depend on the kind of actor (see ``vehicle_union`` and its neighbours).
    """

    actor_id: int
    transform: Transform
    velocity: Vector = (0.0, 0.0, 0.0)
    angular_velocity: Vector = (0.0, 0.0, 0.0)
    acceleration: Vector = (0.0, 0.0, 0.0)
    union: bytes = b""

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
        return (head + self.union).ljust(_ACTOR_BYTES, b"\0")


def vehicle_union(
    control: VehicleControl,
    gear: int,
    speed_limit_kmh: float = URBAN_SPEED_LIMIT_KMH,
    light_state: int = GREEN,
    light_id: int = 0,
    failure: int = 0,
) -> bytes:
    """What the world state says of a vehicle beside its motion.

    Args:
        control: the held control.
        gear: -1 reverse, 0 neutral.
        speed_limit_kmh: that holds where the vehicle is.
        light_state: of the traffic light it stands at (0 red, 1 yellow, 2 green, 3 off, 4 unknown); green without one.
        light_id: actor id of that light; 0 = not at a light.
        failure: 0 none, 1 rollover, 2 engine, 3 tyre.
    """
    pedals = (control.throttle, control.steer, control.brake)
    switches = (control.hand_brake, control.reverse, control.manual_gear_shift)
    at_light = light_id != 0
    return _VEHICLE.pack(*pedals, *switches, gear, speed_limit_kmh, light_state, at_light, light_id, failure)


def traffic_light_union(
    signal_id: str, durations: tuple[float, float, float], elapsed: float, pole: int, frozen: bool, state: int
) -> bytes:
    """What the world state says of a traffic light.

    Args:
        signal_id: OpenDRIVE id; cut at 31 bytes.
        durations: seconds of green, yellow, red.
        elapsed: seconds in the present state.
        pole: number of the pole in its group.
        frozen: the light does not change by itself.
        state: 0 red, 1 yellow, 2 green, 3 off, 4 unknown.
    """
    return _TRAFFIC_LIGHT.pack(_sign_id(signal_id), *durations, elapsed, pole, frozen, state)


def traffic_sign_union(signal_id: str) -> bytes:
    """What the world state says of a traffic sign: its OpenDRIVE id, cut at 31 bytes."""
    return _TRAFFIC_SIGN.pack(_sign_id(signal_id))


def walker_union(direction: Vector, speed: float, jump: bool) -> bytes:
    """What the world state says of a walker: its held control (unit direction in world axes, m/s)."""
    return _WALKER.pack(*direction, speed, jump)


def _sign_id(signal_id: str) -> bytes:
    return signal_id.encode("utf-8", "replace")[:31]


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


def flow_image(stamp: Stamp, transform: Transform, fov_deg: float, flow: npt.NDArray[np.float32]) -> bytes:
    """An optical flow camera's message from (H, W, 2) float32: motion in half image sizes, right and up."""
    height, width, channels = flow.shape
    if channels != 2 or flow.dtype != np.float32:
        raise ValueError(f"optical flow must be (H, W, 2) float32, got {flow.shape} {flow.dtype}")
    payload = _IMAGE.pack(width, height, fov_deg) + flow.tobytes()
    return frame_message(SensorType.OPTICAL_FLOW, stamp, transform, payload)


def event_image(
    stamp: Stamp, transform: Transform, size: tuple[int, int], fov_deg: float, events: npt.NDArray[np.void]
) -> bytes:
    """A DVS camera's message: image width and height, then ``PIXEL_EVENT`` records in the order of their time."""
    _expect(events, PIXEL_EVENT)
    payload = _IMAGE.pack(*size, fov_deg) + events.tobytes()
    return frame_message(SensorType.DVS, stamp, transform, payload)


def cloud(
    kind: SensorType, stamp: Stamp, transform: Transform, angle: float, counts: Sequence[int],
    points: npt.NDArray[np.void],
) -> bytes:  # fmt: skip
    """A lidar's message.

    Args:
        kind: lidar or semantic lidar.
        stamp: when.
        transform: of the sensor.
        angle: radians the head has turned to by the end of the tick.
        counts: points of each channel.
        points: ``CLOUD_POINT`` or ``LABELLED_POINT`` records, channel after channel.

    Raises:
        ValueError: the counts do not add up to the points; the client would read beyond the message.
    """
    _expect(points, LABELLED_POINT if kind is SensorType.SEMANTIC_LIDAR else CLOUD_POINT)
    if sum(counts) != len(points):
        raise ValueError(f"{len(points)} points in channels of {sum(counts)}")
    numbers = np.asarray(counts, "<u4").tobytes()
    return frame_message(kind, stamp, transform, _CLOUD.pack(angle, len(counts)) + numbers + points.tobytes())


def detections(stamp: Stamp, transform: Transform, points: npt.NDArray[np.void]) -> bytes:
    """A radar's message from ``RADAR_POINT`` records."""
    _expect(points, RADAR_POINT)
    return frame_message(SensorType.RADAR, stamp, transform, points.tobytes())


def _expect(records: npt.NDArray[np.void], kind: np.dtype[np.void]) -> None:
    if records.dtype != kind or records.ndim != 1:
        raise ValueError(f"expected a row of {kind}, got {records.shape} {records.dtype}")


def event(kind: SensorType, stamp: Stamp, transform: Transform, value: Any) -> bytes:
    """A message whose payload is one msgpack value (collision, obstacle, GNSS, IMU)."""
    return frame_message(kind, stamp, transform, msgpack.packb(value, unicode_errors="surrogateescape"))
