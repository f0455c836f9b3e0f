"""What all sensors say in a tick: cameras share renderings, the others read the world's state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from sim2real_bench.envs.carla.embedded.actors import Sensor
from sim2real_bench.envs.carla.embedded.sensors import catalogue
from sim2real_bench.envs.carla.embedded.sensors.cameras import Camera, capture_cameras, make_camera
from sim2real_bench.envs.carla.embedded.sensors.events import Collision, Obstacle
from sim2real_bench.envs.carla.embedded.sensors.lidar import Lidar
from sim2real_bench.envs.carla.embedded.sensors.navigation import Gnss, Imu
from sim2real_bench.envs.carla.embedded.sensors.radar import Radar
from sim2real_bench.envs.carla.embedded.sensors.scene import Delivery, Scene

__all__ = ["Delivery", "Scene", "capture"]


class Device(Protocol):
    """What a sensor that needs no picture keeps between captures, and how it captures."""

    def capture(self, sensor: Sensor, scene: Scene) -> Iterator[Delivery]:
        """The messages of one tick, if any."""


DEVICES: dict[str, Callable[[Sensor], Device]] = {
    catalogue.LIDAR: Lidar,
    catalogue.SEMANTIC_LIDAR: Lidar,
    catalogue.RADAR: Radar,
    catalogue.COLLISION: Collision,
    catalogue.OBSTACLE: Obstacle,
    catalogue.GNSS: Gnss,
    catalogue.IMU: Imu,
}
"""How the sensors without a picture capture, by type id; lane invasions are found by the client itself."""


def capture(sensors: Sequence[Sensor], scene: Scene, rendering: bool) -> Iterator[Delivery]:
    """The messages of all given sensors that have something to say in this tick.

    Args:
        sensors: those somebody listens to.
        scene: the world after this tick.
        rendering: make pictures; without, cameras stay silent.
    """
    due = [sensor for sensor in sensors if sensor.due(scene.stamp.elapsed)]
    if rendering:
        cameras = [(sensor, _camera(sensor)) for sensor in due if sensor.type_id in catalogue.CAMERAS]
        yield from capture_cameras(cameras, scene)
    for sensor in due:
        if sensor.type_id in DEVICES:
            yield from _device(sensor).capture(sensor, scene)


def _camera(sensor: Sensor) -> Camera:
    if sensor.device is None:
        sensor.device = make_camera(sensor)
    camera: Camera = sensor.device
    return camera


def _device(sensor: Sensor) -> Device:
    if sensor.device is None:
        sensor.device = DEVICES[sensor.type_id](sensor)
    device: Device = sensor.device
    return device
