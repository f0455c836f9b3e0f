"""The blueprint library: what can be spawned, with which attributes, and the check of a client's choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sim2real_bench.envs.carla.embedded.attributes import Attribute, AttributeType
from sim2real_bench.envs.carla.embedded.prop_models import PROP_MODELS, PropModel
from sim2real_bench.envs.carla.embedded.sensors import catalogue
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS, VehicleModel
from sim2real_bench.envs.carla.embedded.walker_dynamics import MAX_SPEED as MAX_WALKER_SPEED
from sim2real_bench.envs.carla.embedded.walker_models import PEDESTRIANS, Pedestrian
from sim2real_bench.envs.carla.embedded.wire import Description
from sim2real_bench.errors import ConfigurationError

WALKER_CONTROLLER = "controller.ai.walker"
CAMERA_RGB = catalogue.RGB
CAMERA_DEPTH = catalogue.DEPTH
CAMERA_SEMANTIC = catalogue.SEMANTIC
COLLISION = catalogue.COLLISION
LANE_INVASION = catalogue.LANE_INVASION
GNSS = catalogue.GNSS
IMU = catalogue.IMU
CAMERAS = catalogue.CAMERAS
MAX_IMAGE_SIDE = catalogue.MAX_IMAGE_SIDE
MAX_IMAGE_PIXELS = catalogue.MAX_IMAGE_PIXELS


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


def _vehicle(model: VehicleModel) -> tuple[Attribute, ...]:
    paints = tuple(",".join(map(str, paint)) for paint in model.colours)
    return (
        Attribute("color", AttributeType.COLOUR, paints),
        _text("role_name", "autopilot", "scenario", "ego_vehicle"),
        _fixed("number_of_wheels", AttributeType.INT, str(model.wheels)),
        _fixed("base_type", AttributeType.STRING, model.base_type),
        _fixed("generation", AttributeType.INT, str(model.generation)),
        _fixed("special_type", AttributeType.STRING, model.special_type),
        _fixed("object_type", AttributeType.STRING, ""),
        _fixed("has_lights", AttributeType.BOOL, str(model.has_lights).lower()),
    )


def _walker(pedestrian: Pedestrian) -> tuple[Attribute, ...]:
    speeds = tuple(f"{speed:g}" for speed in pedestrian.speeds)
    return (
        Attribute("is_invincible", AttributeType.BOOL, ("true",)),
        Attribute("speed", AttributeType.FLOAT, speeds, low=0.0, high=MAX_WALKER_SPEED),
        _text("role_name", "pedestrian"),
        _fixed("gender", AttributeType.STRING, pedestrian.gender),
        _fixed("age", AttributeType.STRING, pedestrian.age),
        _fixed("generation", AttributeType.INT, "2"),
    )


def _prop(model: PropModel) -> tuple[Attribute, ...]:
    return _text("role_name", "prop"), _fixed("size", AttributeType.STRING, model.size)


def _library() -> dict[str, Blueprint]:
    entries: dict[str, Sequence[Attribute]] = {name: _vehicle(model) for name, model in VEHICLE_MODELS.items()}
    entries |= {name: _walker(pedestrian) for name, pedestrian in PEDESTRIANS.items()}
    entries |= {name: _prop(model) for name, model in PROP_MODELS.items()}
    entries |= {WALKER_CONTROLLER: (_text("role_name", "default"),)}
    entries |= catalogue.SENSOR_BLUEPRINTS | catalogue.REFUSED_BLUEPRINTS
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
    if wanted.type_id in catalogue.UNSUPPORTED_SENSORS:
        reason = catalogue.UNSUPPORTED_SENSORS[wanted.type_id]
        raise ConfigurationError(f"{wanted.type_id} is not supported by the embedded server: {reason}")
    if wanted.type_id not in BLUEPRINTS:
        raise ConfigurationError(
            f"unknown blueprint {wanted.type_id!r}; get_blueprint_library() lists what can be spawned"
        )
    known = {attribute.name: attribute for attribute in BLUEPRINTS[wanted.type_id].attributes}
    values = {name: attribute.recommended[0] for name, attribute in known.items()}
    for given in wanted.attributes:
        if given.name not in known:
            raise ConfigurationError(f"blueprint {wanted.type_id} has no attribute {given.name!r}")
        values[given.name] = known[given.name].normal(given.value)
    if wanted.type_id in CAMERAS:
        pixels = int(values["image_size_x"]) * int(values["image_size_y"])
        if pixels > MAX_IMAGE_PIXELS:
            raise ConfigurationError(f"camera images are limited to {MAX_IMAGE_PIXELS} pixels, got {pixels}")
    return values
