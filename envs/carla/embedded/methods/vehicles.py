"""Remote methods of vehicles."""

import math
from typing import Any

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.actors import Vehicle
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply, flag, integer
from sim2real_bench.envs.carla.embedded.vehicles import FRICTION, STEERING_CURVE
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
    """``carla.VehiclePhysicsControl`` with the values of the embedded model, where it has a counterpart."""
    model = vehicle.dynamics.model
    wheels = []
    for number in range(4):
        x = model.front_axle if number < 2 else -model.rear_axle
        y = (model.track / 2.0) * (-1.0 if number % 2 == 0 else 1.0)
        steer = model.max_steer_deg if number < 2 else 0.0
        hand_brake = 0.0 if number < 2 else 3000.0
        wheels.append([FRICTION, 0.25, steer, 35.0, 1500.0, hand_brake, 3.0, 17.0, 1000.0, [x, y, 0.35]])
    torque = [[0.0, 400.0], [1890.0, 500.0], [5730.0, 400.0]]
    steering = [list(point) for point in STEERING_CURVE]
    gears = [[ratio, 0.5, 0.65] for ratio in (3.2, 2.1, 1.4, 1.0, 0.8, 0.65)]
    return [
        torque, 5800.0, 1.0, 0.15, 2.0, 0.35, True, 0.0, 10.0, 4.0, gears, model.mass, model.drag_area,
        [0.0, 0.0, 0.0], steering, wheels, False,
    ]  # fmt: skip
