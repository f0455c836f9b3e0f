"""Makes actors out of what a client describes: one maker per kind of blueprint."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sim2real_bench.envs.carla.embedded.actors import (
    Actor,
    Prop,
    Sensor,
    Solid,
    Vehicle,
    Walker,
    WalkerController,
    paint_of,
)
from sim2real_bench.envs.carla.embedded.blueprints import CAMERAS, LANE_INVASION, WALKER_CONTROLLER, resolve
from sim2real_bench.envs.carla.embedded.collisions import contact_between
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.prop_models import PROP_MODELS
from sim2real_bench.envs.carla.embedded.refusal import RefusedError
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS
from sim2real_bench.envs.carla.embedded.vehicles import VehicleDynamics
from sim2real_bench.envs.carla.embedded.walker_dynamics import WalkerDynamics
from sim2real_bench.envs.carla.embedded.walker_models import PEDESTRIANS
from sim2real_bench.envs.carla.embedded.wire import Description

if TYPE_CHECKING:
    from sim2real_bench.envs.carla.embedded.world import World

BLOCKED = "Spawn failed because of collision at spawn position"
MAX_CAMERA_PIXELS = 32_000_000
"""Of all cameras of an episode together: one tick must not keep the other clients waiting for minutes."""

S = TypeVar("S", bound=Solid)
Attributes = dict[str, str]
Maker = Callable[["World", Description, Transform, "Actor | None", Attributes], Actor]


def make_actor(world: World, description: Description, pose: Transform, parent: Actor | None) -> Actor:
    """An actor of the kind its blueprint says, not yet part of the world.

    Args:
        world: where it will live; it hands out the id.
        description: blueprint and attributes.
        pose: in the world, or relative to the parent.
        parent: what to mount it on.

    Raises:
        ConfigurationError: the description cannot be used.
        RefusedError: the kind cannot be mounted, or the place is taken.
    """
    attributes = resolve(description)
    for prefix, maker in _MAKERS.items():
        if description.type_id.startswith(prefix):
            return maker(world, description, pose, parent, attributes)
    raise RefusedError(f"Actor not spawned: {description.type_id} cannot be spawned")


def _make_vehicle(
    world: World, description: Description, pose: Transform, parent: Actor | None, attributes: Attributes
) -> Vehicle:
    _refuse_mounting(description, parent)
    dynamics = VehicleDynamics(VEHICLE_MODELS[description.type_id], pose)
    vehicle = Vehicle(0, description, pose, dynamics=dynamics, paint=paint_of(attributes))
    return _placed(world, vehicle)


def _make_walker(
    world: World, description: Description, pose: Transform, parent: Actor | None, attributes: Attributes
) -> Walker:
    del attributes
    _refuse_mounting(description, parent)
    pedestrian = PEDESTRIANS[description.type_id]
    dynamics = WalkerDynamics(pedestrian.model, pose)
    return _placed(world, Walker(0, description, pose, dynamics=dynamics, paint=pedestrian.clothes))


def _make_prop(
    world: World, description: Description, pose: Transform, parent: Actor | None, attributes: Attributes
) -> Prop:
    del attributes
    prop = Prop(0, description, pose, model=PROP_MODELS[description.type_id])
    if parent is None:
        return _placed(world, prop)
    prop.solid = False  # it would push its bearer away
    prop.actor_id = world.next_id()
    return prop


def _placed(world: World, newcomer: S) -> S:
    """Give a newcomer its id if its place is free."""
    low, high = newcomer.span
    for other in world.solids():
        other_low, other_high = other.span
        if other.solid and low < other_high and other_low < high and contact_between(newcomer.box, other.box):
            raise RefusedError(BLOCKED)
    if world.scenery.field.blocked(newcomer.box, low):
        raise RefusedError(BLOCKED)
    newcomer.actor_id = world.next_id()
    return newcomer


def _make_controller(
    world: World, description: Description, pose: Transform, parent: Actor | None, attributes: Attributes
) -> WalkerController:
    del attributes
    if parent is None or not parent.type_id.startswith("walker."):
        raise RefusedError(f"Actor not spawned: {description.type_id} must be attached to a walker")
    return WalkerController(world.next_id(), description, pose)


def _make_sensor(
    world: World, description: Description, pose: Transform, parent: Actor | None, attributes: Attributes
) -> Sensor:
    del parent
    if description.type_id in CAMERAS:
        world.prepare_renderer()
    sensor = Sensor.from_attributes(world.next_id(), description, pose, attributes, world.frame)
    if pixels_of(sensor) + sum(map(pixels_of, world.actors.values())) > MAX_CAMERA_PIXELS:
        raise RefusedError(
            f"Actor not spawned: the cameras of an episode may have {MAX_CAMERA_PIXELS} pixels together; "
            "destroy some, or make them smaller"
        )
    if description.type_id != LANE_INVASION:  # the client works lane invasions out by itself
        sensor.stream = world.hub.new_stream()
    return sensor


def pixels_of(actor: Actor) -> int:
    """Of a camera's image; 0 for anything else."""
    return actor.optics.width * actor.optics.height if isinstance(actor, Sensor) and actor.optics else 0


def _refuse_mounting(description: Description, parent: Actor | None) -> None:
    if parent is not None:
        raise RefusedError(f"Actor not spawned: {description.type_id} cannot be attached to another actor")


_MAKERS: dict[str, Maker] = {
    "vehicle.": _make_vehicle,
    "walker.": _make_walker,
    "static.prop.": _make_prop,
    WALKER_CONTROLLER: _make_controller,
    "sensor.": _make_sensor,
}
