"""What the tests of the embedded server share: sensors with queues, pictures as arrays, places on the road."""

import math
import queue
import socket
import time
from contextlib import contextmanager

import numpy as np

TICK = 0.1
WIDTH, HEIGHT = 384, 160
WAIT_S = 30.0
STRAIGHT_ROAD = """<?xml version="1.0"?>
<OpenDRIVE>
  <header revMajor="1" revMinor="4" name="straight" version="1" north="0" south="0" east="0" west="0">
    <geoReference><![CDATA[+proj=tmerc +lat_0=0 +lon_0=0]]></geoReference>
  </header>
  <road name="r" length="200.0" id="1" junction="-1">
    <planView><geometry s="0" x="0" y="0" hdg="0" length="200.0"><line/></geometry></planView>
    <lanes><laneSection s="0">
      <left><lane id="1" type="driving" level="false"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left>
      <center><lane id="0" type="none" level="false"/></center>
      <right><lane id="-1" type="driving" level="false"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right>
    </laneSection></lanes>
  </road>
</OpenDRIVE>
"""


def connect(server, port=None):
    """A client; with few threads its callbacks and calls can block each other."""
    import carla

    connection = carla.Client(server.host, port or server.port, 8)
    connection.set_timeout(WAIT_S)
    return connection


def free_port():
    """A port nobody listens on, for a traffic manager."""
    with socket.create_server(("", 0)) as listener:
        return listener.getsockname()[1]


def make_synchronous(world, delta=TICK):
    """Switch a world to ticks on demand."""
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, delta
    world.apply_settings(settings)
    return world


def leave(world):
    """Stop and remove all sensors and let the world run by itself again."""
    for actor in world.get_actors().filter("sensor.*"):
        if actor.is_listening():
            actor.stop()
        actor.destroy()
    settings = world.get_settings()
    settings.synchronous_mode = False
    world.apply_settings(settings)


class Rig:
    """A sensor with its queue."""

    def __init__(self, world, name, parent=None, transform=None, attachment=None, **attributes):
        import carla

        blueprint = world.get_blueprint_library().find(name)
        for key, value in attributes.items():
            blueprint.set_attribute(key, str(value))
        kind = carla.AttachmentType.Rigid if attachment is None else attachment
        self.sensor = world.spawn_actor(
            blueprint, transform or carla.Transform(), attach_to=parent, attachment_type=kind
        )
        self.queue = queue.Queue()
        self.sensor.listen(self.queue.put)

    def at(self, frame):
        while True:
            data = self.queue.get(timeout=WAIT_S)
            if data.frame >= frame:
                assert data.frame == frame
                return data

    def drain(self):
        data = []
        while not self.queue.empty():
            data.append(self.queue.get())
        return data

    def close(self):
        self.sensor.stop()
        self.sensor.destroy()


@contextmanager
def rigged(*rigs):
    try:
        yield
    finally:
        for rig in rigs:
            rig.close()
        # The client's threads still have to drop the callbacks, and need the interpreter for it: a call that holds
        # it meanwhile, such as load_world, can abort the process.
        time.sleep(0.3)


def camera(world, kind="rgb", **options):
    options = {"image_size_x": WIDTH, "image_size_y": HEIGHT, "fov": 90} | options
    return Rig(world, f"sensor.camera.{kind}", **options)


def pixels(image):
    """(H, W, 4) BGRA, a copy: the client's memory is reused as soon as the image is dropped."""
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4).copy()


def metres(image):
    blue, green, red = (pixels(image)[..., channel].astype(np.float64) for channel in range(3))
    return 1000.0 * (red + 256.0 * green + 65536.0 * blue) / (2**24 - 1)


def spawn(world, where, name="vehicle.lincoln.mkz_2020"):
    return world.spawn_actor(world.get_blueprint_library().find(name), where)


def free_road(world, length=40.0):
    """A spawn transform with ``length`` metres of straight road ahead."""
    road_map = world.get_map()
    for point in road_map.get_spawn_points():
        waypoint = road_map.get_waypoint(point.location)
        ahead = [waypoint.next(step) for step in (length / 3, length / 1.5, length)]
        turns = [abs(math.sin(math.radians(w[0].transform.rotation.yaw - point.rotation.yaw))) for w in ahead if w]
        if len(turns) == 3 and max(turns) < 1e-3 and not any(w[0].is_junction for w in ahead):
            return point
    raise AssertionError("the town has no straight road")


def nearest_wall(world, point, tags=("Buildings", "Walls", "Fences")):
    """(distance, box) of the closest static box of a kind."""
    import carla

    boxes = [box for tag in tags for box in world.get_level_bbs(getattr(carla.CityObjectLabel, tag))]
    return min(((box.location.distance(point.location), box) for box in boxes), key=lambda pair: pair[0])
