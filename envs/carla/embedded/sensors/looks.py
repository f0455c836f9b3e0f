"""How the actors of a scene are handed to the renderer."""

from __future__ import annotations

from collections.abc import Iterator

from sim2real_bench.envs.carla.embedded.actors import Prop, Vehicle, Walker
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.render.view import ActorLook
from sim2real_bench.envs.carla.embedded.sensors.scene import Scene
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES


def looks(scene: Scene, eye: Transform) -> Iterator[ActorLook]:
    """Everything that moves or was put up, but the vehicle that the camera sits in."""
    for vehicle in scene.vehicles:
        if not vehicle.encloses(eye):
            yield vehicle_look(vehicle)
    for walker in scene.walkers:
        yield walker_look(walker)
    for prop in scene.props:
        if prop.model.body in BODIES:
            yield prop_look(prop)


def vehicle_look(vehicle: Vehicle) -> ActorLook:
    """A vehicle with its lights."""
    pose, model = vehicle.transform, vehicle.dynamics.model
    return ActorLook(
        pose.x, pose.y, pose.z, pose.yaw, model.body, vehicle.paint, model.half_length, model.half_width,
        pitch_deg=pose.pitch, roll_deg=pose.roll, lights=vehicle.lights, actor_id=vehicle.actor_id,
    )  # fmt: skip


def walker_look(walker: Walker) -> ActorLook:
    """A pedestrian in its gait; drawn from the feet, while the actor's origin is the middle of its box."""
    pose, dynamics = walker.transform, walker.dynamics
    return ActorLook(
        pose.x, pose.y, dynamics.z, pose.yaw, dynamics.model.body, walker.paint, dynamics.model.half_length,
        dynamics.model.half_width, pitch_deg=pose.pitch, roll_deg=pose.roll, phase=dynamics.phase,
        actor_id=walker.actor_id,
    )  # fmt: skip


def prop_look(prop: Prop) -> ActorLook:
    """A prop that has a shape."""
    pose, model = prop.transform, prop.model
    half_length, half_width, _ = model.half_size
    return ActorLook(
        pose.x, pose.y, pose.z, pose.yaw, model.body, model.paint, half_length, half_width, pitch_deg=pose.pitch,
        roll_deg=pose.roll, actor_id=prop.actor_id,
    )  # fmt: skip
