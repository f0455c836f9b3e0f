"""What sensors see in a tick: cameras share one rendering where they can, the others read the world's state."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sim2real_bench.envs.carla.embedded import blueprints
from sim2real_bench.envs.carla.embedded.actors import NO_ACTOR, Actor, Sensor, Vehicle
from sim2real_bench.envs.carla.embedded.geometry import Vector, rotate, rotation_matrix, transpose
from sim2real_bench.envs.carla.embedded.messages import SensorType, Stamp, event, image
from sim2real_bench.envs.carla.embedded.physics import Hit
from sim2real_bench.envs.carla.embedded.render.renderer import Renderer
from sim2real_bench.envs.carla.embedded.render.view import ActorLook, CameraView, Images
from sim2real_bench.envs.carla.embedded.scenery import Scenery
from sim2real_bench.envs.carla.embedded.vehicles import GRAVITY
from sim2real_bench.envs.carla.embedded.wire import Description
from sim2real_bench.envs.classes import CarlaClass

EARTH_RADIUS_M = 6378137.0
MERCATOR_SCALE = 0.9996
_CAMERA_TYPES = {
    blueprints.CAMERA_RGB: SensorType.RGB,
    blueprints.CAMERA_DEPTH: SensorType.DEPTH,
    blueprints.CAMERA_SEMANTIC: SensorType.SEMANTIC,
}
# How CARLA names the things that are no actors when a vehicle hits them: "static." and the singular of their tag.
_STATIC_NAMES = {
    CarlaClass.BUILDINGS: "building",
    CarlaClass.WALLS: "wall",
    CarlaClass.FENCES: "fence",
    CarlaClass.POLES: "pole",
    CarlaClass.TRAFFIC_LIGHT: "trafficlight",
    CarlaClass.TRAFFIC_SIGNS: "trafficsign",
    CarlaClass.VEGETATION: "vegetation",
    CarlaClass.GUARD_RAIL: "guardrail",
}

Delivery = tuple[int, bytes]
"""A stream id and the message for it."""


def static_type_id(tag: int) -> str:
    """The type id of an obstacle with a semantic tag, for example ``static.wall``."""
    label = CarlaClass(tag)
    return f"static.{_STATIC_NAMES.get(label, label.name.lower())}"


@dataclass(frozen=True)
class Scene:
    """What sensors may read in a tick."""

    stamp: Stamp
    scenery: Scenery
    vehicles: Sequence[Vehicle]
    hits: Sequence[Hit]


def capture(sensors: Sequence[Sensor], scene: Scene, rendering: bool) -> Iterator[Delivery]:
    """The messages of all given sensors that have something to say in this tick."""
    due = [sensor for sensor in sensors if sensor.due(scene.stamp.elapsed)]
    if rendering:
        yield from _capture_cameras([sensor for sensor in due if sensor.type_id in _CAMERA_TYPES], scene)
    for sensor in due:
        if sensor.type_id == blueprints.COLLISION:
            yield from _collisions(sensor, scene)
        elif sensor.type_id == blueprints.GNSS:
            position = geodetic(sensor.transform.location, scene.scenery.town.xodr)
            yield sensor.stream, event(SensorType.GNSS, scene.stamp, sensor.transform, position)
        elif sensor.type_id == blueprints.IMU:
            yield sensor.stream, event(SensorType.IMU, scene.stamp, sensor.transform, inertial(sensor))


# -- cameras ----------------------------------------------------------------------------------------------------------


def _capture_cameras(cameras: Sequence[Sensor], scene: Scene) -> Iterator[Delivery]:
    groups: dict[CameraView, list[Sensor]] = {}
    for camera in cameras:
        groups.setdefault(_view(camera), []).append(camera)
    for view, members in groups.items():
        images = _render(scene, view, members)
        for camera in members:
            kind = _CAMERA_TYPES[camera.type_id]
            pixels = {SensorType.RGB: images.rgb, SensorType.DEPTH: images.depth, SensorType.SEMANTIC: images.semantic}
            yield camera.stream, image(kind, scene.stamp, camera.transform, view.fov_deg, pixels[kind])


def _view(camera: Sensor) -> CameraView:
    optics, pose = camera.optics, camera.transform
    if optics is None:
        raise TypeError(f"{camera.type_id} is no camera")
    return CameraView(
        optics.width, optics.height, optics.fov_deg, pose.x, pose.y, pose.z, pose.pitch, pose.yaw, pose.roll
    )


def _render(scene: Scene, view: CameraView, members: Sequence[Sensor]) -> Images:
    """One rendering for all cameras that stand in the same place.

    Noise and rain are seeded by the age of the picture's camera, so that an episode looks the same whatever ran before.
    """
    first = next((camera for camera in members if camera.type_id == blueprints.CAMERA_RGB), members[0])
    looks = [_look(vehicle) for vehicle in scene.vehicles if not vehicle.encloses(first.transform)]
    renderer: Renderer = scene.scenery.renderer
    return renderer.render(view, looks, scene.stamp.frame - first.born)


def _look(vehicle: Vehicle) -> ActorLook:
    pose, model = vehicle.transform, vehicle.dynamics.model
    return ActorLook(pose.x, pose.y, pose.z, pose.yaw, model.body, vehicle.paint, model.half_length, model.half_width)


# -- other sensors ----------------------------------------------------------------------------------------------------


def _collisions(sensor: Sensor, scene: Scene) -> Iterator[Delivery]:
    for hit in scene.hits:
        if hit.vehicle is sensor.parent:
            other = hit.other.wire(b"") if isinstance(hit.other, Actor) else _obstacle_wire(scene, hit.other)
            value = [hit.vehicle.wire(b""), other, [*hit.impulse, 0.0]]
            yield sensor.stream, event(SensorType.COLLISION, scene.stamp, sensor.transform, value)


def _obstacle_wire(scene: Scene, index: int) -> list[Any]:
    """An obstacle as an Actor: it has no id, its type names what it is."""
    field = scene.scenery.field
    _, _, _, half_length, half_width = field.boxes[index].tolist()
    half_height = float(field.heights[index]) / 2.0
    tag = int(field.tags[index])
    box = [[0.0, 0.0, half_height], [half_length, half_width, half_height], [0.0, 0.0, 0.0], NO_ACTOR]
    return [NO_ACTOR, NO_ACTOR, Description(0, static_type_id(tag)).wire(), box, bytes([tag]), b""]


def inertial(sensor: Sensor) -> list[Any]:
    """``[accelerometer m/s², gyroscope rad/s, compass rad]`` in the sensor's axes; compass 0 = north (-y)."""
    parent = sensor.parent if isinstance(sensor.parent, Vehicle) else None
    acceleration: Vector = parent.acceleration if parent else (0.0, 0.0, 0.0)
    turning: Vector = (0.0, 0.0, parent.dynamics.yaw_rate) if parent and parent.physics else (0.0, 0.0, 0.0)
    pose = sensor.transform
    to_sensor = transpose(rotation_matrix(pose.pitch, pose.yaw, pose.roll))
    felt = (acceleration[0], acceleration[1], acceleration[2] + GRAVITY)
    compass = math.radians(pose.yaw + 90.0) % math.tau
    return [list(rotate(to_sensor, felt)), list(rotate(to_sensor, turning)), compass]


def geodetic(place: Vector, xodr: str) -> list[float]:
    """``[latitude, longitude, altitude]`` in degrees and metres, equal to ``carla.Map.transform_to_geolocation``.

    The client's library projects by a spherical transverse Mercator (Snyder, 1987, equations 8-6 and 8-7) of scale
    0.9996 about the map's geo-reference, with y, which points right, counted as northing.
    """
    latitude, longitude = _reference(xodr)
    east = place[0] / (EARTH_RADIUS_M * MERCATOR_SCALE)
    north = place[1] / (EARTH_RADIUS_M * MERCATOR_SCALE) + math.radians(latitude)
    return [
        math.degrees(math.asin(math.sin(north) / math.cosh(east))),
        longitude + math.degrees(math.atan2(math.sinh(east), math.cos(north))),
        place[2],
    ]


def _reference(xodr: str) -> tuple[float, float]:
    """Latitude and longitude of the map's origin, degrees; zero where the map gives none."""
    head = xodr[:4096]
    found = [re.search(rf"\+{name}=([-+0-9.eE]+)", head) for name in ("lat_0", "lon_0")]
    latitude, longitude = (float(match.group(1)) if match else 0.0 for match in found)
    return latitude, longitude
