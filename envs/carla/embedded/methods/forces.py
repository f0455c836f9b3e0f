"""Remote methods that push vehicles about: impulses, forces, velocities, gravity."""

import math
from collections.abc import Callable

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.carla.embedded.methods.method import Method, Parser, Reply, flag
from sim2real_bench.envs.carla.embedded.vehicles import VehicleDynamics
from sim2real_bench.envs.carla.embedded.world import RefusedError, World

MAX_PUSH = 1e9  # newtons and newton seconds
MAX_TURN = 1e15  # see ANGULAR_UNIT
MAX_TURN_RATE = 3600.0  # degrees per second
MAX_SPEED_CHANGE = 100.0  # m/s by one impulse
ANGULAR_UNIT = math.radians(1.0) * 1e-4
"""N m (s) of one unit of a torque or angular impulse: CARLA's server reads kg cm² degrees / s² (/ s)."""


def force_methods(world: World) -> dict[str, Method]:
    """Everything that acts on a vehicle from outside; other actors refuse."""

    def pushable(actor: int) -> VehicleDynamics:
        vehicle = world.find_vehicle(actor)
        if not vehicle.physics:
            raise RefusedError(f"actor {actor} has its physics switched off, so nothing pushes it; switch it on first")
        return vehicle.dynamics

    def on_vehicle(action: Callable[..., None]) -> Callable[..., None]:
        return lambda actor, *values: action(pushable(actor), *values)

    actor, void = wire.actor_id, Reply.VOID
    push, turn = _vector("push", MAX_PUSH), _vector("turn", MAX_TURN)

    def method(action: Callable[..., None], *parsers: Parser) -> Method:
        return Method(on_vehicle(action), (actor, *parsers), void)

    return {
        "add_actor_impulse": method(_impulse, push),
        "add_actor_impulse_at_location": method(_impulse_at, push, wire.location),
        "add_actor_force": method(_force, push),
        "add_actor_force_at_location": method(_force_at, push, wire.location),
        "add_actor_angular_impulse": method(_angular_impulse, turn),
        "add_actor_torque": method(_torque, turn),
        "set_actor_target_angular_velocity": method(_turn_rate, _vector("angular velocity", MAX_TURN_RATE)),
        "set_actor_enable_gravity": method(_gravity, flag("enabled")),
        "enable_actor_constant_velocity": method(_hold_velocity, wire.velocity),
        "disable_actor_constant_velocity": method(_release_velocity),
    }


def _vector(name: str, limit: float) -> Parser:
    return lambda value: wire.vector(value, name, limit)


def _impulse(body: VehicleDynamics, impulse: Vector) -> None:
    _impulse_at(body, impulse, (body.x, body.y, body.z))


def _impulse_at(body: VehicleDynamics, impulse: Vector, place: Vector) -> None:
    x, y, z = _bounded(impulse, MAX_SPEED_CHANGE * body.mass)
    body.push(place[0], place[1], x, y)
    body.vertical = max(0.0, body.vertical + z / body.mass)


def _bounded(impulse: Vector, limit: float) -> Vector:
    size = math.hypot(*impulse)
    share = min(1.0, limit / size) if size > 0.0 else 1.0
    return impulse[0] * share, impulse[1] * share, impulse[2] * share


def _force(body: VehicleDynamics, force: Vector) -> None:
    _force_at(body, force, (body.x, body.y, body.z))


def _force_at(body: VehicleDynamics, force: Vector, place: Vector) -> None:
    pushes = body.pushes
    pushes.x, pushes.y, pushes.z = pushes.x + force[0], pushes.y + force[1], pushes.z + force[2]
    pushes.torque += (place[0] - body.x) * force[1] - (place[1] - body.y) * force[0]


def _angular_impulse(body: VehicleDynamics, turn: Vector) -> None:
    limit = math.radians(MAX_TURN_RATE)
    rate = body.yaw_rate + turn[2] * ANGULAR_UNIT / body.yaw_inertia
    body.yaw_rate = max(-limit, min(limit, rate))


def _torque(body: VehicleDynamics, turn: Vector) -> None:
    body.pushes.torque += turn[2] * ANGULAR_UNIT


def _turn_rate(body: VehicleDynamics, rate: Vector) -> None:
    body.yaw_rate = math.radians(rate[2])


def _gravity(body: VehicleDynamics, enabled: bool) -> None:
    body.gravity = enabled


def _hold_velocity(body: VehicleDynamics, velocity: Vector) -> None:
    body.constant_velocity = velocity


def _release_velocity(body: VehicleDynamics) -> None:
    body.constant_velocity = None
