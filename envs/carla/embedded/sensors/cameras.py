"""Cameras: those in the same place share one rendering, and each makes its message from the images it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import Sensor
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.messages import SensorType, event_image, flow_image, image
from sim2real_bench.envs.carla.embedded.render.view import CameraView, Images
from sim2real_bench.envs.carla.embedded.sensors import catalogue, pixels
from sim2real_bench.envs.carla.embedded.sensors.dvs import EventPixels
from sim2real_bench.envs.carla.embedded.sensors.looks import Cast
from sim2real_bench.envs.carla.embedded.sensors.noise import generator
from sim2real_bench.envs.carla.embedded.sensors.scene import Delivery, Scene


class Camera(Protocol):
    """What turns the renderer's images into a sensor's message.

    Attributes:
        wants: names of the images it reads.
    """

    wants: frozenset[str]

    def message(self, sensor: Sensor, images: Images, scene: Scene, fov_deg: float) -> bytes | None:
        """The message of one capture; None when there is nothing to say."""


class Plain:
    """A camera that hands on one of the renderer's images."""

    def __init__(self, kind: SensorType, name: str) -> None:
        self._kind, self._name = kind, name
        self.wants = frozenset({name})

    def message(self, sensor: Sensor, images: Images, scene: Scene, fov_deg: float) -> bytes | None:
        """The image."""
        return image(self._kind, scene.stamp, sensor.transform, fov_deg, images.made[self._name])


class Normals:
    """Surface normals from the depth image."""

    wants = frozenset({"depth"})

    def message(self, sensor: Sensor, images: Images, scene: Scene, fov_deg: float) -> bytes | None:
        """The normals in world axes."""
        shown = pixels.normals(pixels.metres(images.depth), fov_deg, sensor.transform)
        return image(SensorType.NORMALS, scene.stamp, sensor.transform, fov_deg, shown)


class OpticalFlow:
    """Motion in the picture since the last capture, from depth, instances and the poses then and now."""

    wants = frozenset({"depth", "instance"})

    def __init__(self) -> None:
        self._before: Transform | None = None
        self._poses: dict[int, Transform] = {}

    def message(self, sensor: Sensor, images: Images, scene: Scene, fov_deg: float) -> bytes | None:
        """The flow; nothing has moved at the first capture."""
        actors = (*scene.vehicles, *scene.walkers, *scene.props)
        poses = {actor.actor_id & 0xFFFF: actor.transform for actor in actors}
        motions = {
            number: (pose, self._poses[number])
            for number, pose in poses.items()
            if self._poses.get(number, pose) != pose
        }
        owners = images.instance[..., 1] + images.instance[..., 0] * np.uint16(256)
        before = self._before or sensor.transform
        moved = pixels.flow(pixels.metres(images.depth), fov_deg, sensor.transform, before, owners, motions)
        self._before, self._poses = sensor.transform, poses
        return flow_image(scene.stamp, sensor.transform, fov_deg, moved)


class Events:
    """A DVS camera."""

    wants = frozenset({"rgb"})

    def __init__(self, attributes: dict[str, str]) -> None:
        self._pixels = EventPixels(attributes)

    def message(self, sensor: Sensor, images: Images, scene: Scene, fov_deg: float) -> bytes | None:
        """The events since the last capture, if there are any."""
        height, width = images.rgb.shape[:2]
        found = self._pixels.events(images.rgb, scene.stamp.elapsed, generator(sensor, scene.stamp.frame))
        return event_image(scene.stamp, sensor.transform, (width, height), fov_deg, found) if len(found) else None


def make_camera(sensor: Sensor) -> Camera:
    """The camera of a blueprint."""
    match sensor.type_id:
        case catalogue.RGB:
            return Plain(SensorType.RGB, "rgb")
        case catalogue.DEPTH:
            return Plain(SensorType.DEPTH, "depth")
        case catalogue.SEMANTIC:
            return Plain(SensorType.SEMANTIC, "semantic")
        case catalogue.INSTANCE:
            return Plain(SensorType.INSTANCE, "instance")
        case catalogue.NORMALS:
            return Normals()
        case catalogue.OPTICAL_FLOW:
            return OpticalFlow()
        case catalogue.DVS:
            return Events(sensor.attributes)
    raise TypeError(f"{sensor.type_id} is no camera")


def capture_cameras(cameras: Sequence[tuple[Sensor, Camera]], scene: Scene) -> Iterator[Delivery]:
    """The messages of all cameras; one rendering for those that stand in the same place."""
    groups: dict[CameraView, list[tuple[Sensor, Camera]]] = {}
    for sensor, camera in cameras:
        groups.setdefault(_view(sensor), []).append((sensor, camera))
    if not groups:
        return
    cast = Cast(scene)
    for view, members in groups.items():
        images = _render(scene, cast, view, members)
        for sensor, camera in members:
            message = camera.message(sensor, images, scene, view.fov_deg)
            if message is not None:
                yield sensor.stream, message


def _view(sensor: Sensor) -> CameraView:
    optics, pose = sensor.optics, sensor.transform
    if optics is None:
        raise TypeError(f"{sensor.type_id} is no camera")
    return CameraView(
        optics.width, optics.height, optics.fov_deg, pose.x, pose.y, pose.z, pose.pitch, pose.yaw, pose.roll
    )


def _render(scene: Scene, cast: Cast, view: CameraView, members: Sequence[tuple[Sensor, Camera]]) -> Images:
    """One rendering for all cameras that stand in the same place.

    Noise and rain are seeded by the age of the picture's camera, so that an episode looks the same whatever ran before.
    """
    first = next((sensor for sensor, camera in members if "rgb" in camera.wants), members[0][0])
    want = frozenset[str]().union(*(camera.wants for _, camera in members))
    actors = cast.seen_from(first.transform)
    return scene.scenery.renderer.render(view, actors, scene.stamp.frame - first.born, scene.signals, want)
