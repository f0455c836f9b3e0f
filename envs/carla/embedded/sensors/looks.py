"""How the actors of a scene are handed to the renderer."""

from __future__ import annotations

import math
from dataclasses import replace

from sim2real_bench.envs.carla.embedded.actors import Prop, Vehicle, Walker
from sim2real_bench.envs.carla.embedded.geometry import Transform, compose
from sim2real_bench.envs.carla.embedded.render.view import ActorLook
from sim2real_bench.envs.carla.embedded.sensors.scene import Scene
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES

_PEDAL_TURN_M = 5.0  # a turn of a bicycle's pedals takes it this far
_LONGEST_HALF_M = 10.0


class Cast:
    """Everything that moves or was put up in a scene, described once for all its cameras."""

    def __init__(self, scene: Scene) -> None:
        self._vehicles = [(vehicle, vehicle_look(vehicle)) for vehicle in scene.vehicles]
        self._others = [walker_look(walker) for walker in scene.walkers]
        self._others += [prop_look(prop) for prop in scene.props if prop.model.body in BODIES]

    def seen_from(self, eye: Transform) -> list[ActorLook]:
        """All of them; of the vehicle that a camera sits in only its shadow and its lights are seen."""
        shown = [
            replace(look, visible=False) if _beside(look, eye) and vehicle.encloses(eye) else look
            for vehicle, look in self._vehicles
        ]
        return shown + self._others


def _beside(look: ActorLook, eye: Transform) -> bool:
    """Near enough that the vehicle could hold the eye."""
    return abs(look.x - eye.x) < _LONGEST_HALF_M and abs(look.y - eye.y) < _LONGEST_HALF_M


def vehicle_look(vehicle: Vehicle) -> ActorLook:
    """A vehicle with its lights."""
    pose, model = vehicle.transform, vehicle.dynamics.model
    return ActorLook(
        pose.x, pose.y, pose.z, pose.yaw, model.body, vehicle.paint, model.half_length, model.half_width,
        pitch_deg=pose.pitch, roll_deg=pose.roll, lights=vehicle.lights,
        phase=vehicle.dynamics.travelled * math.tau / _PEDAL_TURN_M, actor_id=vehicle.actor_id,
        half_height=model.half_height,
    )  # fmt: skip


def walker_look(walker: Walker) -> ActorLook:
    """A pedestrian in its gait; drawn from the feet, while the actor's origin is the middle of its box."""
    pose, dynamics = walker.transform, walker.dynamics
    model = dynamics.model
    feet = compose(pose, Transform(z=-model.half_height))  # of one who lies they are where it faced
    return ActorLook(
        feet.x, feet.y, feet.z, pose.yaw, model.body, walker.paint, model.half_length, model.half_width,
        pitch_deg=pose.pitch, roll_deg=pose.roll, phase=dynamics.phase, actor_id=walker.actor_id,
        half_height=model.half_height,
    )  # fmt: skip


def prop_look(prop: Prop) -> ActorLook:
    """A prop that has a shape."""
    pose, model = prop.transform, prop.model
    half_length, half_width, half_height = model.half_size
    return ActorLook(
        pose.x, pose.y, pose.z, pose.yaw, model.body, model.paint, half_length, half_width, pitch_deg=pose.pitch,
        roll_deg=pose.roll, actor_id=prop.actor_id, half_height=half_height,
    )  # fmt: skip
