"""Collisions and obstacles ahead: who was hit, and what lies within reach in front."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import NO_ACTOR, Actor, Sensor
from sim2real_bench.envs.carla.embedded.collisions import StaticField
from sim2real_bench.envs.carla.embedded.geometry import rotate, rotation_matrix
from sim2real_bench.envs.carla.embedded.messages import SensorType, event
from sim2real_bench.envs.carla.embedded.sensors.scene import Delivery, Scene, carrier_id
from sim2real_bench.envs.carla.embedded.sensors.sweep import swept_boxes
from sim2real_bench.envs.carla.embedded.wire import Description
from sim2real_bench.envs.classes import CarlaClass

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


def static_type_id(tag: int) -> str:
    """The type id of an obstacle with a semantic tag, for example ``static.wall``."""
    label = CarlaClass(tag)
    return f"static.{_STATIC_NAMES.get(label, label.name.lower())}"


class Collision:
    """Tells every hit that its carrier takes; without a carrier it stays silent."""

    def __init__(self, sensor: Sensor) -> None:
        """Nothing to set up."""

    def capture(self, sensor: Sensor, scene: Scene) -> Iterator[Delivery]:
        """One message per opponent."""
        for hit in scene.hits:
            if hit.actor is sensor.parent:
                value = [hit.actor.wire(b""), _opponent(hit.other, scene.scenery.field), [*hit.impulse, 0.0]]
                yield sensor.stream, event(SensorType.COLLISION, scene.stamp, sensor.transform, value)


class Obstacle:
    """Sweeps a ball along its axis and tells the first box it touches; the ground is no obstacle."""

    def __init__(self, sensor: Sensor) -> None:
        attributes = sensor.attributes
        self._reach = float(attributes["distance"])
        self._radius = float(attributes["hit_radius"])
        self._only_dynamics = attributes["only_dynamics"].lower() == "true"

    def capture(self, sensor: Sensor, scene: Scene) -> Iterator[Delivery]:
        """One message when something is ahead."""
        solids, pose = scene.solids, sensor.transform
        forward = rotate(rotation_matrix(pose.pitch, pose.yaw, pose.roll), (1.0, 0.0, 0.0))
        distances = swept_boxes(solids, pose.location, forward, self._radius)
        carrier = carrier_id(sensor)
        seen = (solids.actors != carrier) if carrier else np.ones(len(solids.actors), bool)
        if self._only_dynamics:
            seen &= solids.actors != NO_ACTOR
        distances = np.where(seen, distances, np.inf)
        nearest = int(distances.argmin()) if len(distances) else 0
        if len(distances) and distances[nearest] <= self._reach:
            owner = sensor.parent or sensor
            other = _opponent(solids.body(nearest), scene.scenery.field)
            value = [owner.wire(b""), other, float(distances[nearest])]
            yield sensor.stream, event(SensorType.OBSTACLE, scene.stamp, pose, value)


def _opponent(other: Actor | int, field: StaticField) -> list[Any]:
    """An actor, or an obstacle as an Actor: it has no id, its type names what it is."""
    if isinstance(other, Actor):
        return other.wire(b"")
    _, _, _, half_length, half_width = field.boxes[other].tolist()
    half_height = float(field.heights[other]) / 2.0
    tag = int(field.tags[other])
    box = [[0.0, 0.0, half_height], [half_length, half_width, half_height], [0.0, 0.0, 0.0], NO_ACTOR]
    return [NO_ACTOR, NO_ACTOR, Description(0, static_type_id(tag)).wire(), box, bytes([tag]), b""]
