"""The blueprint library: what can be spawned, with which attributes, and the check of a client's choice."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS, VehicleModel
from sim2real_bench.envs.carla.embedded.wire import Description
from sim2real_bench.errors import ConfigurationError

MAX_IMAGE_SIDE = 4096
MAX_IMAGE_PIXELS = 4096 * 2160

CAMERA_RGB = "sensor.camera.rgb"
CAMERA_DEPTH = "sensor.camera.depth"
CAMERA_SEMANTIC = "sensor.camera.semantic_segmentation"
COLLISION = "sensor.other.collision"
LANE_INVASION = "sensor.other.lane_invasion"
GNSS = "sensor.other.gnss"
IMU = "sensor.other.imu"
CAMERAS = (CAMERA_RGB, CAMERA_DEPTH, CAMERA_SEMANTIC)


class AttributeType(IntEnum):
    """Type codes of blueprint attributes in 0.9.16."""

    BOOL = 1
    INT = 2
    FLOAT = 3
    STRING = 4
    COLOUR = 5


@dataclass(frozen=True)
class Attribute:
    """One attribute of a blueprint; the first recommended value is the default.

    Attributes:
        name: its id.
        type: how its text reads.
        recommended: values, as text.
        modifiable: a client may set it.
        low: smallest number allowed.
        high: largest number allowed.
    """

    name: str
    type: AttributeType
    recommended: tuple[str, ...]
    modifiable: bool = True
    low: float = -math.inf
    high: float = math.inf

    def wire(self) -> list[Any]:
        """``[id, type, value, recommended, modifiable, restrict to recommended]``."""
        choices = list(self.recommended) if self.modifiable else []
        return [self.name, int(self.type), self.recommended[0], choices, self.modifiable, False]

    def check(self, value: str) -> None:
        """Accept a value's text.

        Raises:
            ConfigurationError: it does not read as the type, or is out of range.
        """
        try:
            numbers = self._numbers(value)
        except ValueError as error:
            raise ConfigurationError(f"attribute {self.name}={value!r} is not a {self.type.name.lower()}") from error
        if any(not self.low <= entry <= self.high for entry in numbers):
            raise ConfigurationError(f"attribute {self.name}={value!r} is outside {self.low:g} to {self.high:g}")
        if not self.modifiable and value != self.recommended[0]:
            raise ConfigurationError(f"attribute {self.name} is fixed to {self.recommended[0]!r}, got {value!r}")

    def _numbers(self, value: str) -> list[float]:
        if self.type is AttributeType.BOOL and value.lower() not in ("true", "false"):
            raise ValueError(value)
        if self.type is AttributeType.INT:
            return [int(value)]
        if self.type is AttributeType.FLOAT:
            return [float(value)]
        if self.type is AttributeType.COLOUR:
            return [float(channel) for channel in colour(value)]
        return []


def colour(value: str) -> tuple[int, int, int]:
    """Red, green and blue of ``"r,g,b"``.

    Raises:
        ValueError: the text holds something else than three numbers from 0 to 255.
    """
    red, green, blue = (int(channel) for channel in value.split(","))
    if not all(0 <= channel <= 255 for channel in (red, green, blue)):
        raise ValueError(value)
    return red, green, blue


@dataclass(frozen=True)
class Blueprint:
    """An entry of the library."""

    uid: int
    type_id: str
    attributes: tuple[Attribute, ...]

    def wire(self) -> list[Any]:
        """``[uid, id, tags, attributes]``."""
        tags = ",".join(self.type_id.split("."))
        return [self.uid, self.type_id, tags, [attribute.wire() for attribute in self.attributes]]


def _text(name: str, *values: str) -> Attribute:
    return Attribute(name, AttributeType.STRING, values)


def _fixed(name: str, kind: AttributeType, value: str) -> Attribute:
    return Attribute(name, kind, (value,), modifiable=False)


def _sensor_tick() -> Attribute:
    return Attribute("sensor_tick", AttributeType.FLOAT, ("0.0",), low=0.0, high=3600.0)


def _camera() -> tuple[Attribute, ...]:
    return (
        Attribute("image_size_x", AttributeType.INT, ("800",), low=1, high=MAX_IMAGE_SIDE),
        Attribute("image_size_y", AttributeType.INT, ("600",), low=1, high=MAX_IMAGE_SIDE),
        Attribute("fov", AttributeType.FLOAT, ("90.0",), low=1.0, high=170.0),
        _sensor_tick(),
        _text("role_name", "front", "back", "left", "right"),
    )


def _vehicle(model: VehicleModel) -> tuple[Attribute, ...]:
    paints = tuple(",".join(map(str, paint)) for paint in model.colours)
    return (
        Attribute("color", AttributeType.COLOUR, paints),
        _text("role_name", "autopilot", "scenario", "ego_vehicle"),
        _fixed("number_of_wheels", AttributeType.INT, "4"),
        _fixed("base_type", AttributeType.STRING, model.base_type),
        _fixed("generation", AttributeType.INT, "1"),
        _fixed("special_type", AttributeType.STRING, ""),
        _fixed("object_type", AttributeType.STRING, ""),
        _fixed("has_lights", AttributeType.BOOL, "false"),
    )


def _library() -> dict[str, Blueprint]:
    entries: dict[str, Sequence[Attribute]] = {name: _vehicle(model) for name, model in VEHICLE_MODELS.items()}
    entries |= {name: _camera() for name in CAMERAS}
    entries |= {name: (_text("role_name", "sensor"),) for name in (COLLISION, LANE_INVASION)}
    entries |= {name: (_sensor_tick(), _text("role_name", "sensor")) for name in (GNSS, IMU)}
    return {
        name: Blueprint(uid, name, tuple(attributes)) for uid, (name, attributes) in enumerate(entries.items(), start=1)
    }


BLUEPRINTS = _library()
"""The whole library by type id."""


def resolve(wanted: Description) -> dict[str, str]:
    """All attribute values of a description: checked, completed with the defaults.

    Raises:
        ConfigurationError: unknown blueprint, unknown attribute, or a value that cannot be used.
    """
    if wanted.type_id not in BLUEPRINTS:
        raise ConfigurationError(
            f"unknown blueprint {wanted.type_id!r}; get_blueprint_library() lists what can be spawned"
        )
    known = {attribute.name: attribute for attribute in BLUEPRINTS[wanted.type_id].attributes}
    values = {name: attribute.recommended[0] for name, attribute in known.items()}
    for given in wanted.attributes:
        if given.name not in known:
            raise ConfigurationError(f"blueprint {wanted.type_id} has no attribute {given.name!r}")
        known[given.name].check(given.value)
        values[given.name] = given.value
    if wanted.type_id in CAMERAS:
        pixels = int(values["image_size_x"]) * int(values["image_size_y"])
        if pixels > MAX_IMAGE_PIXELS:
            raise ConfigurationError(f"camera images are limited to {MAX_IMAGE_PIXELS} pixels, got {pixels}")
    return values
