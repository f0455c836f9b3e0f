"""Sensors on the ego vehicle: each measurement is matched to the tick it belongs to, and decoded."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.session import Session
from sim2real_bench.envs.observation import DEPTH, LABELS, MAX_DEPTH_M, RGB, Array
from sim2real_bench.errors import StepTimeoutError

Bgra = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class CameraMount:
    """What all cameras of a vehicle share.

    Attributes:
        width: pixels.
        height: pixels.
        fov_deg: horizontal field of view.
        x_m: ahead of the vehicle's origin.
        z_m: above the vehicle's origin.
    """

    width: int
    height: int
    fov_deg: float
    x_m: float
    z_m: float

    def attributes(self) -> dict[str, str]:
        """The blueprint attributes of a camera."""
        return {"image_size_x": str(self.width), "image_size_y": str(self.height), "fov": str(self.fov_deg)}


def decode_rgb(image: Bgra) -> Array:
    """(H, W, 3) uint8 of a BGRA image."""
    return np.ascontiguousarray(image[..., 2::-1])


def decode_labels(image: Bgra) -> Array:
    """(H, W) uint8 ``CarlaClass`` of a semantic segmentation image: the tag is the red byte."""
    return image[..., 2].copy()


def decode_depth(image: Bgra) -> Array:
    """(H, W) float32 metres along the optical axis: 24 bits over red (low), green, blue; all ones is 1000 m."""
    blue, green, red = (image[..., channel].astype(np.uint32) for channel in range(3))
    code = red | (green << 8) | (blue << 16)
    return (code * (MAX_DEPTH_M / (2**24 - 1))).astype(np.float32)


_CAMERAS: dict[str, tuple[str, Callable[[Bgra], Array]]] = {
    RGB: ("sensor.camera.rgb", decode_rgb),
    LABELS: ("sensor.camera.semantic_segmentation", decode_labels),
    DEPTH: ("sensor.camera.depth", decode_depth),
}


class FrameQueue:
    """Measurements of one sensor on their way from the client's thread to the tick.

    Args:
        sensor: its name in messages.
    """

    def __init__(self, sensor: str) -> None:
        self._sensor = sensor
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.put: Callable[[Any], None] = self._queue.put

    def wait(self, frame: int, timeout_s: float) -> Any:
        """The measurement of a frame; older ones are dropped.

        Raises:
            StepTimeoutError: it did not come in time, or a later one came instead.
        """
        deadline = time.monotonic() + timeout_s
        newest = "none"
        while True:
            try:
                measurement = self._queue.get(timeout=max(deadline - time.monotonic(), 0.0))
            except queue.Empty:
                raise self._missing(frame, f"within {timeout_s:g} s; newest frame that came: {newest}") from None
            if measurement.frame == frame:
                return measurement
            if measurement.frame > frame:
                raise self._missing(frame, f"but already frame {measurement.frame}")
            newest = str(measurement.frame)

    def drain(self) -> list[Any]:
        """Everything that has come so far."""
        found = []
        while True:
            try:
                found.append(self._queue.get_nowait())
            except queue.Empty:
                return found

    def _missing(self, frame: int, what: str) -> StepTimeoutError:
        return StepTimeoutError(
            f"sensor {self._sensor!r} sent no image for frame {frame} {what}; "
            "is the server overloaded? Fewer observations or a larger timeout_s help"
        )


class Camera:
    """One camera fixed to a vehicle; it begins to send when constructed."""

    def __init__(self, session: Session, vehicle: Any, key: str, mount: CameraMount) -> None:
        import carla

        blueprint, self._decode = _CAMERAS[key]
        self._mount = mount
        self._queue = FrameQueue(key)
        place = carla.Transform(carla.Location(x=mount.x_m, z=mount.z_m))
        sensor = session.spawn(blueprint, mount.attributes(), place, vehicle)
        session.listen(sensor, self._queue.put)

    def read(self, frame: int, timeout_s: float) -> Array:
        """The decoded image of a frame.

        Raises:
            StepTimeoutError: it did not come in time.
        """
        image = self._queue.wait(frame, timeout_s)
        pixels = np.frombuffer(image.raw_data, np.uint8).reshape(self._mount.height, self._mount.width, 4)
        return self._decode(pixels)


@dataclass(frozen=True)
class Collision:
    """What the vehicle hit.

    Attributes:
        frame: when.
        impulse_ns: norm of the normal impulse, newton seconds.
        other: type id of the other actor, for example ``"static.building"``.
    """

    frame: int
    impulse_ns: float
    other: str


class CollisionSensor:
    """The collisions of a vehicle since they were last asked for."""

    def __init__(self, session: Session, vehicle: Any) -> None:
        import carla

        self._queue = FrameQueue("collision")
        sensor = session.spawn("sensor.other.collision", {}, carla.Transform(), vehicle)
        session.listen(sensor, self._queue.put)

    def strongest(self, after_frame: int) -> Collision | None:
        """The strongest collision that has come since the last call, of those after a frame."""
        events = [event for event in self._queue.drain() if event.frame > after_frame]
        return max((_collision(event) for event in events), key=lambda hit: hit.impulse_ns, default=None)


def _collision(event: Any) -> Collision:
    impulse, other = event.normal_impulse, event.other_actor
    norm = float(np.linalg.norm((impulse.x, impulse.y, impulse.z)))
    return Collision(event.frame, norm, "unknown" if other is None else str(other.type_id))
