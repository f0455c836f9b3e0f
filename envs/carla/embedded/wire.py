"""Values from the wire, checked one by one: nothing that arrives here is trusted, nothing untyped leaves."""

import math
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl
from sim2real_bench.envs.carla.weather import Weather
from sim2real_bench.errors import ConfigurationError

T = TypeVar("T")

MAX_COORDINATE_M = 1e6
MAX_ANGLE_DEG = 1e6
MAX_SPEED = 200.0
MAX_U32 = 2**32 - 1
MAX_LIST = 4096
MAX_TEXT = 4096
MAX_REQUEST_BYTES = 8 * 2**20
MAX_SHOWN = 120
DEFAULT_DELTA_S = 0.05
MAX_DELTA_S = 10.0


class WireError(ConfigurationError):
    """A message holds a value of the wrong type, size or range."""


def _wrong(name: str, expected: str, value: object) -> WireError:
    return WireError(f"{name}: expected {expected}, got {reprlib.repr(value):.{MAX_SHOWN}}")


# -- scalars ----------------------------------------------------------------------------------------------------------


def number(value: object, name: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name, "a number", value)
    if not (math.isfinite(value) and low <= value <= high):
        raise _wrong(name, f"a finite number between {low:g} and {high:g}", value)
    return float(value)


def integer(value: object, name: str, low: int = 0, high: int = MAX_U32) -> int:
    """A whole number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _wrong(name, f"an integer between {low} and {high}", value)
    return value


def flag(value: object, name: str) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        raise _wrong(name, "a boolean", value)
    return value


def text(value: object, name: str, limit: int = MAX_TEXT) -> str:
    """A string of at most ``limit`` characters."""
    if not isinstance(value, str) or len(value) > limit:
        raise _wrong(name, f"a string of at most {limit} characters", value)
    return value


def array(value: object, name: str, count: int) -> list[Any]:
    """A list of exactly ``count`` elements."""
    if not isinstance(value, list) or len(value) != count:
        raise _wrong(name, f"{count} fields", value)
    return value


def sequence(value: object, name: str, item: Callable[[object], T], limit: int = MAX_LIST) -> list[T]:
    """A list of at most ``limit`` elements, each read by ``item``."""
    if not isinstance(value, list) or len(value) > limit:
        raise _wrong(name, f"a list of at most {limit} elements", value)
    return [item(element) for element in value]


def optional(value: object, name: str, item: Callable[[object], T]) -> T | None:
    """``[false]`` or ``[true, value]``."""
    if not isinstance(value, list) or not value or not isinstance(value[0], bool) or len(value) != 1 + value[0]:
        raise _wrong(name, "[false] or [true, value]", value)
    return item(value[1]) if value[0] else None


# -- structures -------------------------------------------------------------------------------------------------------


def actor_id(value: object) -> int:
    """An actor id."""
    return integer(value, "actor id")


def vector(value: object, name: str = "vector", limit: float = MAX_COORDINATE_M) -> Vector:
    """Three finite numbers within ±limit."""
    x, y, z = (number(element, name, -limit, limit) for element in array(value, name, 3))
    return x, y, z


def location(value: object) -> Vector:
    """A location in metres."""
    return vector(value, "location")


def velocity(value: object) -> Vector:
    """A velocity in m/s."""
    return vector(value, "velocity", MAX_SPEED)


def transform(value: object) -> Transform:
    """``[[x, y, z], [pitch, yaw, roll]]``."""
    place, angles = array(value, "transform", 2)
    return Transform(*vector(place, "location"), *vector(angles, "rotation", MAX_ANGLE_DEG))


def vehicle_control(value: object) -> VehicleControl:
    """A vehicle control; pedals and steering outside their range are clamped, as CARLA does."""
    throttle, steer, brake, hand_brake, reverse, manual, gear = array(value, "vehicle control", 7)
    return VehicleControl(
        throttle=min(1.0, max(0.0, number(throttle, "throttle"))),
        steer=min(1.0, max(-1.0, number(steer, "steer"))),
        brake=min(1.0, max(0.0, number(brake, "brake"))),
        hand_brake=flag(hand_brake, "hand_brake"),
        reverse=flag(reverse, "reverse"),
        manual_gear_shift=flag(manual, "manual_gear_shift"),
        gear=integer(gear, "gear", -1, 10),
    )


def light_flags(value: object) -> int:
    """``[flags]``."""
    return integer(array(value, "light state", 1)[0], "light flags")


def weather(value: object) -> Weather:
    """Fourteen weather parameters."""
    names = [entry.name for entry in fields(Weather)]
    numbers = array(value, "weather", len(names))
    return Weather(*(number(item, name, -1e6, 1e6) for item, name in zip(numbers, names, strict=True)))


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """One attribute of an actor description: name, type code and text."""

    name: str
    type_code: int
    value: str

    def wire(self) -> list[Any]:
        """``[id, type, value]``."""
        return [self.name, self.type_code, self.value]


@dataclass(frozen=True, slots=True)
class Description:
    """What a client wants to spawn."""

    uid: int
    type_id: str
    attributes: tuple[AttributeValue, ...] = ()

    def wire(self) -> list[Any]:
        """``[uid, id, [[attribute id, type, value], ...]]``."""
        return [self.uid, self.type_id, [attribute.wire() for attribute in self.attributes]]


def _attribute(value: object) -> AttributeValue:
    name, type_code, content = array(value, "attribute", 3)
    return AttributeValue(
        text(name, "attribute id"), integer(type_code, "attribute type", 0, 5), text(content, "value")
    )


def description(value: object) -> Description:
    """An actor description."""
    uid, type_id, attributes = array(value, "actor description", 3)
    return Description(
        integer(uid, "blueprint uid"),
        text(type_id, "type id"),
        tuple(sequence(attributes, "attributes", _attribute, 64)),
    )


@dataclass(frozen=True, slots=True)
class EpisodeSettings:
    """``carla.WorldSettings``; ``fixed_delta`` is in seconds, None = the server's own step."""

    synchronous: bool = False
    no_rendering: bool = False
    fixed_delta: float | None = None
    substepping: bool = True
    max_substep_delta: float = 0.01
    max_substeps: int = 10
    max_culling_distance: float = 0.0
    deterministic_ragdolls: bool = True
    tile_stream_distance: float = 3000.0
    actor_active_distance: float = 2000.0
    spectator_as_ego: bool = True

    @property
    def delta(self) -> float:
        """Simulated seconds of one tick."""
        return DEFAULT_DELTA_S if self.fixed_delta is None else self.fixed_delta

    def wire(self) -> list[Any]:
        """The eleven fields in wire order."""
        fixed = [False] if self.fixed_delta is None else [True, self.fixed_delta]
        return [
            self.synchronous, self.no_rendering, fixed, self.substepping, self.max_substep_delta, self.max_substeps,
            self.max_culling_distance, self.deterministic_ragdolls, self.tile_stream_distance,
            self.actor_active_distance, self.spectator_as_ego,
        ]  # fmt: skip


def _delta(value: object) -> float:
    return number(value, "fixed_delta_seconds", 0.001, MAX_DELTA_S)


def episode_settings(value: object) -> EpisodeSettings:
    """World settings; a tick may last 1 ms to 10 s."""
    items = array(value, "episode settings", 11)
    return EpisodeSettings(
        synchronous=flag(items[0], "synchronous_mode"),
        no_rendering=flag(items[1], "no_rendering_mode"),
        fixed_delta=optional(items[2], "fixed_delta_seconds", _delta),
        substepping=flag(items[3], "substepping"),
        max_substep_delta=number(items[4], "max_substep_delta_time", 0.0, 1.0),
        max_substeps=integer(items[5], "max_substeps", 0, 1000),
        max_culling_distance=number(items[6], "max_culling_distance", 0.0, MAX_COORDINATE_M),
        deterministic_ragdolls=flag(items[7], "deterministic_ragdolls"),
        tile_stream_distance=number(items[8], "tile_stream_distance", 0.0, MAX_COORDINATE_M),
        actor_active_distance=number(items[9], "actor_active_distance", 0.0, MAX_COORDINATE_M),
        spectator_as_ego=flag(items[10], "spectator_as_ego"),
    )


@dataclass(frozen=True, slots=True)
class Request:
    """One remote call.

    Attributes:
        message_id: echoed in the answer.
        name: of the method.
        wait: the caller waits for the answer.
        arguments: unchecked; each method reads its own.
    """

    message_id: int
    name: str
    wait: bool
    arguments: list[Any]


def request(value: object) -> Request:
    """``[0, id, name, [[async], argument...]]``."""
    kind, message_id, name, parameters = array(value, "request", 4)
    integer(kind, "message type", 0, 0)
    integer(message_id, "message id")
    text(name, "method name", 200)
    if not isinstance(parameters, list) or not parameters:
        raise _wrong("parameters", "a list that starts with the call's metadata", parameters)
    asynchronous = flag(array(parameters[0], "metadata", 1)[0], "asynchronous")
    return Request(message_id, name, not asynchronous, parameters[1:])
