"""Remote methods of pedestrians: their controls, and the steps of those that a client's navigation walks."""

import math

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply, flag
from sim2real_bench.envs.carla.embedded.refusal import RefusedError
from sim2real_bench.envs.carla.embedded.walker_control import WalkerControl
from sim2real_bench.envs.carla.embedded.world import World


def _control(value: object) -> WalkerControl:
    direction, speed, jump = wire.array(value, "walker control", 3)
    return WalkerControl(wire.vector(direction, "direction"), _speed(speed), wire.flag(jump, "jump"))


def _speed(value: object) -> float:
    return wire.number(value, "speed", -wire.MAX_SPEED, wire.MAX_SPEED)


def walker_methods(world: World) -> dict[str, Method]:
    """Walking."""

    def set_control(actor: int, control: WalkerControl) -> None:
        world.find_walker(actor).control = control

    def set_state(actor: int, pose: Transform, speed: float) -> None:
        """One step of a walker that a client moves; the pose is that of its feet."""
        walker = world.find_walker(actor)
        dynamics = walker.dynamics
        if dynamics.lying or not walker.alive:
            raise RefusedError(f"walker {actor} lies on the ground, so it takes no steps")
        yaw = math.radians(pose.yaw)
        direction = (math.cos(yaw), math.sin(yaw), 0.0)
        walker.control = WalkerControl(direction, speed)
        walker.step_to(pose, (direction[0] * speed, direction[1] * speed, 0.0))

    def die(actor: int) -> None:
        world.find_walker(actor).fall()

    actor, void = wire.actor_id, Reply.VOID
    return {
        "apply_control_to_walker": Method(set_control, (actor, _control), void),
        "set_walker_state": Method(set_state, (actor, wire.transform, _speed), void),
        "set_actor_dead": Method(die, (actor,), void),
        "set_actor_simulate_physics": Method(world.set_physics, (actor, flag("enabled")), void),
        "set_actor_collisions": Method(world.set_solid, (actor, flag("enabled")), void),
    }
