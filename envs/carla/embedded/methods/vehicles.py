"""Remote methods of vehicles."""

import math
from typing import Any

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.actors import Vehicle
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply, flag, integer
from sim2real_bench.envs.carla.embedded.world import World


def vehicle_methods(world: World) -> dict[str, Method]:
    """Driving and asking vehicles."""

    def set_collisions(actor: int, on: bool) -> None:
        world.find_vehicle(actor).solid = on

    def wheel_angle(actor: int, wheel: int) -> float:
        """Degrees of a wheel; the two front wheels come first and are not told apart."""
        return math.degrees(world.find_vehicle(actor).dynamics.wheel_angle) if wheel < 2 else 0.0

    def light_states() -> list[Any]:
        return [[vehicle.actor_id, vehicle.lights] for vehicle in world.vehicles()]

    actor, void = wire.actor_id, Reply.VOID
    return {
        "apply_control_to_vehicle": Method(world.set_control, (actor, wire.vehicle_control), void),
        "set_actor_target_velocity": Method(world.set_velocity, (actor, wire.velocity), void),
        "set_actor_simulate_physics": Method(world.set_physics, (actor, flag("enabled")), void),
        "set_actor_collisions": Method(set_collisions, (actor, flag("enabled")), void),
        "set_actor_autopilot": Method(lambda actor, on: None, (actor, flag("enabled")), void),
        "get_physics_control": Method(lambda actor: physics_control(world.find_vehicle(actor)), (actor,)),
        "get_vehicle_light_state": Method(lambda actor: [world.find_vehicle(actor).lights], (actor,)),
        "set_vehicle_light_state": Method(world.set_lights, (actor, wire.light_flags), void),
        "get_vehicle_light_states": Method(light_states),
        "get_wheel_steer_angle": Method(wheel_angle, (actor, integer("wheel", 3))),
    }


def physics_control(vehicle: Vehicle) -> list[Any]:
    """``carla.VehiclePhysicsControl``; the wheels' positions are in the world, in centimetres, as CARLA has them."""
    dynamics = vehicle.dynamics
    hubs = [
        [100.0 * x, 100.0 * y, 100.0 * z + wheel.radius]
        for wheel, (x, y, z) in zip(dynamics.physics_control.wheels, dynamics.wheel_places(), strict=True)
    ]
    return dynamics.physics_control.wire(hubs)
