"""Radar: random rays in a cone, each with distance, direction and relative speed."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import Sensor
from sim2real_bench.envs.carla.embedded.geometry import rotation_matrix
from sim2real_bench.envs.carla.embedded.messages import RADAR_POINT, detections
from sim2real_bench.envs.carla.embedded.sensors.lidar import MAX_POINTS_PER_CAPTURE
from sim2real_bench.envs.carla.embedded.sensors.motion import mount_velocity
from sim2real_bench.envs.carla.embedded.sensors.noise import generator
from sim2real_bench.envs.carla.embedded.sensors.rays import NOTHING, first_hits
from sim2real_bench.envs.carla.embedded.sensors.scene import Delivery, Scene, carrier_id


class Radar:
    """One radar; whoever carries it is transparent to it."""

    def __init__(self, sensor: Sensor) -> None:
        attributes = sensor.attributes
        self._rate = int(attributes["points_per_second"])
        self._reach = float(attributes["range"])
        self._width = math.tan(math.radians(float(attributes["horizontal_fov"]) / 2.0))
        self._height = math.tan(math.radians(float(attributes["vertical_fov"]) / 2.0))

    def capture(self, sensor: Sensor, scene: Scene) -> Iterator[Delivery]:
        """The detections of one tick; the rays gather around the axis, as radius and angle are drawn evenly."""
        random = generator(sensor, scene.stamp.frame)
        count = min(int(self._rate * scene.seconds), MAX_POINTS_PER_CAPTURE)
        radius, angle = random.random(count), random.uniform(0.0, math.tau, count)
        across, up = self._width * radius * np.cos(angle), self._height * radius * np.sin(angle)
        rays = np.stack([np.ones(count), across, up], axis=1)
        rays = (rays / np.linalg.norm(rays, axis=1)[:, None]).astype(np.float32)
        pose = sensor.transform
        world = rays @ np.array(rotation_matrix(pose.pitch, pose.yaw, pose.roll), np.float32).T
        solids = scene.solids
        hits = first_hits(solids, scene.scenery.ground, pose.location, world, self._reach, carrier_id(sensor))
        met = np.flatnonzero(hits.solids != NOTHING)
        targets = np.zeros((len(met), 3))
        boxed = hits.solids[met] >= 0
        targets[boxed] = solids.velocities[hits.solids[met][boxed]]
        points = np.empty(len(met), RADAR_POINT)
        points["velocity"] = ((targets - mount_velocity(sensor)) * world[met]).sum(axis=1)
        points["azimuth"] = np.arctan2(rays[met, 1], rays[met, 0])
        points["altitude"] = np.arcsin(np.clip(rays[met, 2], -1.0, 1.0))
        points["depth"] = hits.distances[met]
        yield sensor.stream, detections(scene.stamp, pose, points)
