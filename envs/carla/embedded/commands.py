"""Batches: CARLA's numbered commands, each applied on its own."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.world import RefusedError, World
from sim2real_bench.errors import Sim2RealError

MAX_FOLLOW_UPS = 64
_SPAWN, _DESTROY = 0, 1
_NAMES = (
    "SpawnActor", "DestroyActor", "ApplyVehicleControl", "ApplyVehicleAckermannControl", "ApplyWalkerControl",
    "ApplyVehiclePhysicsControl", "ApplyTransform", "ApplyWalkerState", "ApplyTargetVelocity",
    "ApplyTargetAngularVelocity", "ApplyImpulse", "ApplyForce", "ApplyAngularImpulse", "ApplyTorque",
    "SetSimulatePhysics", "SetEnableGravity", "SetAutopilot", "ShowDebugTelemetry", "SetVehicleLightState",
    "ApplyLocation", "ConsoleCommand", "SetTrafficLightState",
)  # fmt: skip

_log = logging.getLogger(__name__)


def _leave_to_traffic_manager(world: World, actor: int, on: bool) -> None:
    """Autopilot is driven by the traffic manager, which lives in the client."""
    world.find_vehicle(actor)


# Index -> (how the second field is read, what is done).
_ACTIONS: dict[int, tuple[Callable[[object], Any], Callable[[World, int, Any], None]]] = {
    2: (wire.vehicle_control, World.set_control),
    6: (wire.transform, World.place),
    8: (wire.velocity, World.set_velocity),
    14: (lambda value: wire.flag(value, "enabled"), World.set_physics),
    16: (lambda value: wire.flag(value, "enabled"), _leave_to_traffic_manager),
    18: (lambda value: wire.integer(value, "light flags"), World.set_lights),
    19: (wire.location, World.place_at),
}


def run_batch(world: World, commands: Sequence[Any]) -> list[Any]:
    """Apply commands in order; one that fails does not stop the others.

    Returns:
        Per command ``[[1, actor id]]`` or ``[[0, [error text]]]``.
    """
    return [_respond(world, command) for command in commands]


def _respond(world: World, command: object) -> list[Any]:
    try:
        return [[1, _apply(world, command)]]
    except Sim2RealError as error:
        return [[0, [str(error)]]]


def _apply(world: World, command: object, spawned: int | None = None) -> int:
    """Apply one command; follow-ups of a spawn act on the actor just made, whatever id they carry."""
    index, body = wire.array(wire.array(command, "command", 1)[0], "command", 2)
    number = wire.integer(index, "command index", 0, len(_NAMES) - 1)
    if number == _SPAWN:
        return _spawn(world, body)
    if number == _DESTROY:
        actor = wire.actor_id(wire.array(body, _NAMES[number], 1)[0])
        world.destroy(actor)
        return actor
    if number not in _ACTIONS:
        raise RefusedError(f"command {_NAMES[number]} is not supported by the embedded server")
    parse, act = _ACTIONS[number]
    actor_field, value = wire.array(body, _NAMES[number], 2)
    actor = wire.actor_id(actor_field) if spawned is None else spawned
    act(world, actor, parse(value))
    return actor


def _spawn(world: World, body: object) -> int:
    # The attachment byte of the client's structure is uninitialised, so it is not read: everything is rigid.
    description, pose, parent, _, socket, follow_ups = wire.array(body, "SpawnActor", 6)
    wire.text(socket, "socket name")
    followers = wire.sequence(follow_ups, "follow-up commands", lambda item: item, MAX_FOLLOW_UPS)
    parent_id = wire.optional(parent, "parent", wire.actor_id) or 0
    actor = world.spawn(wire.description(description), wire.transform(pose), parent_id)
    for follower in followers:
        try:
            _apply(world, follower, actor.actor_id)
        except Sim2RealError as error:
            # The actor exists; an error in place of its id would leave the client unable to destroy it.
            _log.warning("a command after SpawnActor failed: %s", error)
    return actor.actor_id
