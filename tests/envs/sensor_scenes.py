"""Small scenes for the tests of the sensors: a few boxes on plain ground, and vehicles and sensors among them."""

from types import SimpleNamespace

import msgpack
import numpy as np

from sim2real_bench.envs.carla.embedded.actors import Sensor, Vehicle
from sim2real_bench.envs.carla.embedded.blueprints import resolve
from sim2real_bench.envs.carla.embedded.collisions import StaticField
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.messages import Stamp
from sim2real_bench.envs.carla.embedded.sensors.capture import capture
from sim2real_bench.envs.carla.embedded.sensors.ground import plain_ground
from sim2real_bench.envs.carla.embedded.sensors.scene import Scene
from sim2real_bench.envs.carla.embedded.sensors.solids import Solids
from sim2real_bench.envs.carla.embedded.town.relief import FLAT
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS
from sim2real_bench.envs.carla.embedded.vehicles import VehicleDynamics
from sim2real_bench.envs.carla.embedded.wire import AttributeValue, Description
from sim2real_bench.envs.classes import CarlaClass

MKZ = VEHICLE_MODELS["vehicle.lincoln.mkz_2020"]
HEADER_BYTES = 52
"""Length of a message before its payload: the length itself and the header."""


def boxes(*rows):
    """A field from (x, y, yaw, half length, half width, height, tag) rows."""
    table = np.array(rows, float).reshape(-1, 7)
    return StaticField(table[:, :5], table[:, 5], table[:, 6].astype(np.uint8))


def enclosure(half=10.0, height=6.0, tag=CarlaClass.WALLS):
    """Four walls whose inner faces stand ``half`` metres from the origin."""
    far, thick = half + 0.5, 0.5
    return boxes(
        (far, 0, 0, thick, far + 1, height, tag),
        (-far, 0, 0, thick, far + 1, height, tag),
        (0, far, 0, far + 1, thick, height, tag),
        (0, -far, 0, far + 1, thick, height, tag),
    )


def make_scene(field=None, vehicles=(), hits=(), frame=10, seconds=0.1, relief=FLAT, xodr="", walkers=()):
    field = boxes() if field is None else field
    scenery = SimpleNamespace(
        town=SimpleNamespace(xodr=xodr), field=field, solids=Solids.of_field(field), ground=plain_ground(relief)
    )
    return Scene(Stamp(frame, frame * seconds), scenery, vehicles, hits, walkers, seconds=seconds)


def make_vehicle(x=0.0, y=0.0, yaw=0.0, speed=0.0, number=1, model=MKZ, z=0.0):
    dynamics = VehicleDynamics(model, Transform(x=x, y=y, z=z, yaw=yaw))
    radians = np.radians(yaw)
    dynamics.set_velocity((speed * float(np.cos(radians)), speed * float(np.sin(radians)), 0.0))
    description = Description(1, model.type_id)
    return Vehicle(number, description, Transform(), dynamics=dynamics, paint=(0, 0, 0))


def make_sensor(type_id, pose=None, parent=None, **attributes):
    """A sensor at a world pose, or mounted on a parent."""
    given = tuple(AttributeValue(name, 4, str(value)) for name, value in attributes.items())
    description = Description(1, type_id, given)
    sensor = Sensor.from_attributes(99, description, pose or Transform(), resolve(description), 0)
    sensor.stream = 7
    if parent is not None:
        sensor.parent, sensor.mount = parent, pose or Transform()
        sensor.follow()
    return sensor


def payloads(sensor, scene):
    """The payloads of what a sensor says in a scene."""
    found = list(capture([sensor], scene, rendering=False))
    assert all(stream == sensor.stream for stream, _ in found)
    for _, message in found:
        assert int.from_bytes(message[:4], "little") == len(message) - 4
    return [message[HEADER_BYTES:] for _, message in found]


def values(sensor, scene):
    """The msgpack values of what a sensor says in a scene."""
    return [msgpack.unpackb(payload, raw=False) for payload in payloads(sensor, scene)]


def cloud_of(payload, dtype):
    """(angle, counts, points) of a lidar's payload."""
    angle = float(np.frombuffer(payload, "<f4", 1)[0])
    channels = int(np.frombuffer(payload, "<u4", 1, 4)[0])
    counts = np.frombuffer(payload, "<u4", channels, 8)
    points = np.frombuffer(payload, dtype, offset=8 + 4 * channels)
    assert counts.sum() == len(points)
    return angle, counts, points
