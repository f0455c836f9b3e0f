"""Rotating lidars: rays against boxes and ground, with the losses and the noise of the blueprint.

The boxes are those that vehicles collide with, so a crown of leaves is not seen but a trunk is. The vehicle that
carries the lidar is transparent to it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.actors import Sensor
from sim2real_bench.envs.carla.embedded.geometry import Transform, rotation_matrix
from sim2real_bench.envs.carla.embedded.messages import CLOUD_POINT, LABELLED_POINT, SensorType, cloud
from sim2real_bench.envs.carla.embedded.sensors import catalogue
from sim2real_bench.envs.carla.embedded.sensors.noise import generator
from sim2real_bench.envs.carla.embedded.sensors.rays import GROUND, NOTHING, RayHits, first_hits
from sim2real_bench.envs.carla.embedded.sensors.scene import Delivery, Scene, carrier_id

_log = logging.getLogger(__name__)

Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]

MAX_POINTS_PER_CAPTURE = 1_000_000


@dataclass(frozen=True)
class Losses:
    """What a lidar does not get back.

    Attributes:
        attenuation: share of the light lost, per metre (exponential).
        general: share of the rays that are dropped whatever they meet.
        intensity_limit: points that come back brighter are never dropped.
        at_zero: share of the points dropped at intensity zero; linear up to the limit.
        stddev: metres of noise along the ray.
    """

    attenuation: float
    general: float
    intensity_limit: float
    at_zero: float
    stddev: float

    @classmethod
    def from_attributes(cls, attributes: dict[str, str]) -> Losses:
        """From resolved blueprint attributes."""
        names = (
            "atmosphere_attenuation_rate", "dropoff_general_rate", "dropoff_intensity_limit", "dropoff_zero_intensity",
            "noise_stddev",
        )  # fmt: skip
        return cls(*(float(attributes[name]) for name in names))

    def kept(self, intensity: Float32, luck: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """(N,) which points come back, given (N,) uniform random numbers."""
        share = 1.0 - self.at_zero + self.at_zero / max(self.intensity_limit, 1e-9) * intensity
        return (intensity > self.intensity_limit) | (luck < share)


class Lidar:
    """One lidar: where its head has turned to, and the rays of a tick.

    Attributes:
        angle: degrees the head has turned by, from 0 to the horizontal field of view.
    """

    def __init__(self, sensor: Sensor) -> None:
        attributes = sensor.attributes
        self._labelled = sensor.type_id == catalogue.SEMANTIC_LIDAR
        self._losses = None if self._labelled else Losses.from_attributes(attributes)
        self._channels = int(attributes["channels"])
        self._rate = int(attributes["points_per_second"])
        self._reach = float(attributes["range"])
        self._frequency = float(attributes["rotation_frequency"])
        self._width = float(attributes["horizontal_fov"])
        upper, lower = float(attributes["upper_fov"]), float(attributes["lower_fov"])
        self._elevations = np.radians(np.linspace(upper, lower, self._channels))
        self._warned = False
        self.angle = 0.0

    def capture(self, sensor: Sensor, scene: Scene) -> Iterator[Delivery]:
        """The points of one tick."""
        random = generator(sensor, scene.stamp.frame)
        rays, channels = self._rays(scene.seconds)
        if self._losses is not None and self._losses.general > 0.0:
            kept = random.random(len(rays)) >= self._losses.general
            rays, channels = rays[kept], channels[kept]
        pose = sensor.transform
        hits = first_hits(
            scene.solids, scene.scenery.ground, pose.location, _to_world(rays, pose), self._reach, carrier_id(sensor)
        )
        met = np.flatnonzero(hits.solids != NOTHING)
        if self._losses is None:
            points = _labelled(rays, hits, met, scene, pose)
        else:
            points, met = _measured(rays, hits, met, self._losses, random)
        counts = np.bincount(channels[met], minlength=self._channels).tolist()
        kind = SensorType.SEMANTIC_LIDAR if self._labelled else SensorType.LIDAR
        yield sensor.stream, cloud(kind, scene.stamp, pose, math.radians(self.angle), counts, points)

    def _rays(self, seconds: float) -> tuple[Float32, Int]:
        """((N, 3) unit rays in the sensor's axes, (N,) their channels), and turn the head on."""
        columns = math.floor(self._rate * seconds / self._channels + 0.5)
        columns = self._limited(columns)
        swept = self._frequency * self._width * seconds
        step = swept / columns if columns else 0.0
        turned = np.mod(self.angle + step * np.arange(columns), self._width) if self._width else np.zeros(columns)
        bearings = np.radians(turned - self._width / 2.0)
        level, height = np.cos(self._elevations)[:, None], np.sin(self._elevations)[:, None]
        rays = np.empty((self._channels, columns, 3), np.float32)
        rays[..., 0], rays[..., 1], rays[..., 2] = level * np.cos(bearings), level * np.sin(bearings), height
        if self._width:
            self.angle = (self.angle + swept) % self._width
        return rays.reshape(-1, 3), np.repeat(np.arange(self._channels), columns)

    def _limited(self, columns: int) -> int:
        most = MAX_POINTS_PER_CAPTURE // self._channels
        if columns > most and not self._warned:
            _log.warning("a lidar asks for %d points a tick per channel; it gets %d", columns, most)
            self._warned = True
        return min(columns, most)


def _to_world(rays: Float32, pose: Transform) -> Float32:
    matrix = np.array(rotation_matrix(pose.pitch, pose.yaw, pose.roll), np.float32)
    return np.asarray(rays @ matrix.T, np.float32)


def _measured(
    rays: Float32, hits: RayHits, met: Int, losses: Losses, random: np.random.Generator
) -> tuple[npt.NDArray[np.void], Int]:
    """(points, which rays they belong to) with attenuation, drop-off and noise."""
    distances = hits.distances[met]
    intensity = np.exp(-losses.attenuation * distances).astype(np.float32)
    kept = losses.kept(intensity, random.random(len(met)))
    met, distances, intensity = met[kept], distances[kept], intensity[kept]
    if losses.stddev > 0.0:
        distances = distances + random.normal(0.0, losses.stddev, len(met)).astype(np.float32)
    points = np.empty(len(met), CLOUD_POINT)
    points["intensity"] = intensity
    _place(points, rays[met] * distances[:, None])
    return points, met


def _labelled(rays: Float32, hits: RayHits, met: Int, scene: Scene, pose: Transform) -> npt.NDArray[np.void]:
    """Points with incidence, actor and class."""
    points = np.empty(len(met), LABELLED_POINT)
    local = rays[met] * hits.distances[met][:, None]
    _place(points, local)
    points["cosine"] = hits.cosines[met]
    solids = hits.solids[met]
    on_ground = solids == GROUND
    index = np.where(on_ground, 0, solids)
    points["actor"] = np.where(on_ground, 0, scene.solids.actors[index]) if len(scene.solids.actors) else 0
    points["tag"] = scene.solids.tags[index] if len(scene.solids.tags) else 0
    world = _to_world(local[on_ground], pose)
    x, y = world[:, 0] + np.float32(pose.x), world[:, 1] + np.float32(pose.y)
    points["tag"][on_ground] = scene.scenery.ground.tags(x, y)
    return points


def _place(points: npt.NDArray[np.void], local: Float32) -> None:
    points["x"], points["y"], points["z"] = local.T
