"""Remote methods of vehicles."""

from typing import Any

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.methods.forces import force_methods
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply
from sim2real_bench.envs.carla.embedded.methods.vehicle_physics import vehicle_physics_methods
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl
from sim2real_bench.envs.carla.embedded.world import World


def vehicle_methods(world: World) -> dict[str, Method]:
    """Driving and asking vehicles."""

    def drive(actor: int, control: VehicleControl) -> None:
        world.find_vehicle(actor).dynamics.ackermann = None
        world.set_control(actor, control)

    def light_states() -> list[Any]:
        return [[vehicle.actor_id, vehicle.lights] for vehicle in world.vehicles()]

    actor, void = wire.actor_id, Reply.VOID
    methods = {
        "apply_control_to_vehicle": Method(drive, (actor, wire.vehicle_control), void),
        "set_actor_target_velocity": Method(world.set_velocity, (actor, wire.velocity), void),
        "get_vehicle_light_state": Method(lambda actor: [world.find_vehicle(actor).lights], (actor,)),
        "set_vehicle_light_state": Method(world.set_lights, (actor, wire.light_flags), void),
        "get_vehicle_light_states": Method(light_states),
    }
    return methods | force_methods(world) | vehicle_physics_methods(world)
