"""Batches: CARLA's numbered commands, each applied on its own, each by the remote method it stands for."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.world import World
from sim2real_bench.errors import Sim2RealError

MAX_FOLLOW_UPS = 64
_SPAWN, _DESTROY = 0, 1

# Index -> (the command's name in ``carla.command``, the remote method that takes the same fields).
COMMANDS: dict[int, tuple[str, str]] = {
    0: ("SpawnActor", "spawn_actor"),
    1: ("DestroyActor", "destroy_actor"),
    2: ("ApplyVehicleControl", "apply_control_to_vehicle"),
    3: ("ApplyVehicleAckermannControl", "apply_ackermann_control_to_vehicle"),
    4: ("ApplyWalkerControl", "apply_control_to_walker"),
    5: ("ApplyVehiclePhysicsControl", "apply_physics_control"),
    6: ("ApplyTransform", "set_actor_transform"),
    7: ("ApplyWalkerState", "set_walker_state"),
    8: ("ApplyTargetVelocity", "set_actor_target_velocity"),
    9: ("ApplyTargetAngularVelocity", "set_actor_target_angular_velocity"),
    10: ("ApplyImpulse", "add_actor_impulse"),
    11: ("ApplyForce", "add_actor_force"),
    12: ("ApplyAngularImpulse", "add_actor_angular_impulse"),
    13: ("ApplyTorque", "add_actor_torque"),
    14: ("SetSimulatePhysics", "set_actor_simulate_physics"),
    15: ("SetEnableGravity", "set_actor_enable_gravity"),
    16: ("SetAutopilot", "set_actor_autopilot"),
    17: ("ShowDebugTelemetry", "show_vehicle_debug_telemetry"),
    18: ("SetVehicleLightState", "set_vehicle_light_state"),
    19: ("ApplyLocation", "set_actor_location"),
    20: ("ConsoleCommand", "console_command"),
    21: ("SetTrafficLightState", "set_traffic_light_state"),
}

_log = logging.getLogger(__name__)


class _Invocable(Protocol):
    def invoke(self, arguments: list[Any]) -> Any: ...


Methods = Mapping[str, _Invocable]


def run_batch(world: World, methods: Methods, commands: Sequence[Any]) -> list[Any]:
    """Apply commands in order; one that fails does not stop the others.

    Returns:
        Per command ``[[1, actor id]]`` or ``[[0, [error text]]]``.
    """
    return [_respond(world, methods, command) for command in commands]


def _respond(world: World, methods: Methods, command: object) -> list[Any]:
    try:
        return [[1, _apply(world, methods, command)]]
    except Sim2RealError as error:
        return [[0, [str(error)]]]
    except Exception as error:
        # A fault of ours in one command must not cost the client the answers to the others.
        _log.exception("internal error in a batch")
        return [[0, [f"internal error: {type(error).__name__}: {error}"]]]


def _apply(world: World, methods: Methods, command: object, spawned: int | None = None) -> int:
    """Apply one command; follow-ups of a spawn act on the actor just made, whatever id they carry."""
    index, body = wire.array(wire.array(command, "command", 1)[0], "command", 2)
    number = wire.integer(index, "command index", 0, len(COMMANDS) - 1)
    if number == _SPAWN:
        return _spawn(world, methods, body)
    name, method = COMMANDS[number]
    if not isinstance(body, list) or not body:
        raise wire.WireError(f"{name}: expected a list of fields")
    fields = _FIELDS.get(number, list)(body)
    if name == "ConsoleCommand":
        methods[method].invoke(fields)
        return 0
    actor = wire.actor_id(fields[0]) if spawned is None else spawned
    methods[method].invoke([actor, *fields[1:]])
    return actor


def _boxed_flags(body: list[Any]) -> list[Any]:
    """The command carries its light flags bare, the remote method in a structure."""
    return [*body[:1], [body[1]] if len(body) > 1 else []]


_FIELDS: dict[int, Callable[[list[Any]], list[Any]]] = {18: _boxed_flags}


def _spawn(world: World, methods: Methods, body: object) -> int:
    # The attachment byte of the client's structure is uninitialised, so it is not read: everything is rigid.
    description, pose, parent, _, socket, follow_ups = wire.array(body, "SpawnActor", 6)
    wire.text(socket, "socket name")
    followers = wire.sequence(follow_ups, "follow-up commands", lambda item: item, MAX_FOLLOW_UPS)
    parent_id = wire.optional(parent, "parent", wire.actor_id) or 0
    actor = world.spawn(wire.description(description), wire.transform(pose), parent_id)
    for follower in followers:
        try:
            _apply(world, methods, follower, actor.actor_id)
        except Sim2RealError as error:
            # The actor exists; an error in place of its id would leave the client unable to destroy it.
            _log.warning("a command after SpawnActor failed: %s", error)
    return actor.actor_id
