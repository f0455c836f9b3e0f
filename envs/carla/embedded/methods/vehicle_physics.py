"""Remote methods about how a vehicle drives: its physics, its wheels, Ackermann control."""

import dataclasses
import math
from typing import Any

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.dynamics.ackermann import AckermannControl, AckermannDriver, AckermannSettings
from sim2real_bench.envs.carla.embedded.dynamics.physics_control import Gear, PhysicsControl, Point, WheelControl
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply, integer
from sim2real_bench.envs.carla.embedded.vehicles import VehicleDynamics
from sim2real_bench.envs.carla.embedded.world import RefusedError, World

MAX_POINTS = 256
MAX_GEARS = 32
MAX_WHEELS = 16
MAX_ANGLE_DEG = 89.0


def vehicle_physics_methods(world: World) -> dict[str, Method]:
    """Reading and changing physics, wheel angles and Ackermann control."""

    def body(actor: int) -> VehicleDynamics:
        return world.find_vehicle(actor).dynamics

    def apply_ackermann(actor: int, target: AckermannControl) -> None:
        dynamics = body(actor)
        if dynamics.ackermann is None:
            dynamics.ackermann = AckermannDriver(dynamics.ackermann_settings, target)
        dynamics.ackermann.target = target

    def apply_settings(actor: int, settings: AckermannSettings) -> None:
        dynamics = body(actor)
        dynamics.ackermann_settings = settings
        if dynamics.ackermann is not None:
            dynamics.ackermann.settings = settings

    actor, void = wire.actor_id, Reply.VOID
    return {
        "get_physics_control": Method(lambda actor: describe(body(actor)), (actor,)),
        "apply_physics_control": Method(lambda actor, new: change(body(actor), new), (actor, physics_control), void),
        "get_wheel_steer_angle": Method(
            lambda actor, wheel: steer_angle(body(actor), wheel), (actor, integer("wheel", 3))
        ),
        "apply_ackermann_control_to_vehicle": Method(apply_ackermann, (actor, ackermann_control), void),
        "get_ackermann_controller_settings": Method(
            lambda actor: list(dataclasses.astuple(body(actor).ackermann_settings)), (actor,)
        ),
        "apply_ackermann_controller_settings": Method(apply_settings, (actor, ackermann_settings), void),
    }


def describe(dynamics: VehicleDynamics) -> list[Any]:
    """``carla.VehiclePhysicsControl``; the wheels' positions are in the world, in centimetres, as CARLA has them."""
    hubs = [
        [100.0 * x, 100.0 * y, 100.0 * z + wheel.radius]
        for wheel, (x, y, z) in zip(dynamics.physics_control.wheels, dynamics.wheel_places(), strict=True)
    ]
    return dynamics.physics_control.wire(hubs)


def change(dynamics: VehicleDynamics, new: PhysicsControl) -> None:
    """Put new physics in force; without gears the present ones stay.

    Raises:
        RefusedError: the number of wheels is another.
    """
    present = dynamics.physics_control
    if len(new.wheels) != len(present.wheels):
        raise RefusedError(
            f"apply_physics_control: the vehicle has {len(present.wheels)} wheels, got {len(new.wheels)}; change the"
            " answer of get_physics_control"
        )
    gears = new.forward_gears or present.forward_gears
    dynamics.use(dataclasses.replace(new, forward_gears=gears))


def steer_angle(dynamics: VehicleDynamics, wheel: int) -> float:
    """Degrees of a wheel: front left, front right, rear left, rear right; two-wheelers have front and rear only."""
    if dynamics.model.two_wheeled:
        return math.degrees(dynamics.wheel_angle) if wheel == 0 else 0.0
    return math.degrees(dynamics.wheel_angles()[wheel]) if wheel < 2 else 0.0


# -- parsers ----------------------------------------------------------------------------------------------------------


def ackermann_control(value: object) -> AckermannControl:
    """Five numbers."""
    steer, steer_speed, speed, acceleration, jerk = wire.array(value, "Ackermann control", 5)
    return AckermannControl(
        wire.number(steer, "steer", -math.pi, math.pi),
        wire.number(steer_speed, "steer_speed", -1e3, 1e3),
        wire.number(speed, "speed", -wire.MAX_SPEED, wire.MAX_SPEED),
        wire.number(acceleration, "acceleration", -1e3, 1e3),
        wire.number(jerk, "jerk", -1e6, 1e6),
    )


def ackermann_settings(value: object) -> AckermannSettings:
    """Six gains."""
    gains = wire.array(value, "Ackermann settings", 6)
    return AckermannSettings(*(wire.number(gain, "gain", -1e3, 1e3) for gain in gains))


def physics_control(value: object) -> PhysicsControl:
    """``carla.VehiclePhysicsControl``, seventeen fields."""
    (
        torque, max_rpm, inertia, full, engaged, disengaged, autobox, switch_time, clutch, final, gears, mass, drag,
        centre, steering, wheels, sweep,
    ) = wire.array(value, "physics control", 17)  # fmt: skip
    return PhysicsControl(
        torque_curve=_curve(torque, "torque_curve", 1e6),
        max_rpm=wire.number(max_rpm, "max_rpm", 1.0, 1e6),
        moi=wire.number(inertia, "moi", 0.0, 1e6),
        damping_rate_full_throttle=wire.number(full, "damping_rate_full_throttle", 0.0, 1e6),
        damping_rate_zero_throttle_clutch_engaged=wire.number(engaged, "damping_rate", 0.0, 1e6),
        damping_rate_zero_throttle_clutch_disengaged=wire.number(disengaged, "damping_rate", 0.0, 1e6),
        use_gear_autobox=wire.flag(autobox, "use_gear_autobox"),
        gear_switch_time=wire.number(switch_time, "gear_switch_time", 0.0, 60.0),
        clutch_strength=wire.number(clutch, "clutch_strength", 0.0, 1e6),
        final_ratio=wire.number(final, "final_ratio", 1e-3, 1e3),
        forward_gears=tuple(wire.sequence(gears, "forward_gears", _gear, MAX_GEARS)),
        mass=wire.number(mass, "mass", 1.0, 1e6),
        drag_coefficient=wire.number(drag, "drag_coefficient", 0.0, 1e3),
        center_of_mass=wire.vector(centre, "center_of_mass", 1e4),
        steering_curve=_curve(steering, "steering_curve", 1.0),
        wheels=tuple(wire.sequence(wheels, "wheels", _wheel, MAX_WHEELS)),
        use_sweep_wheel_collision=bool(sweep),
    )


def _curve(value: object, name: str, highest: float) -> tuple[Point, ...]:
    """At least one point; sorted by the first coordinate."""

    def point(item: object) -> Point:
        x, y = wire.array(item, name, 2)
        return wire.number(x, name, -1e6, 1e6), wire.number(y, name, 0.0, highest)

    points = wire.sequence(value, name, point, MAX_POINTS)
    if not points:
        raise wire.WireError(f"{name}: expected at least one point, got none")
    return tuple(sorted(points))


def _gear(value: object) -> Gear:
    ratio, down, up = wire.array(value, "gear", 3)
    return Gear(
        wire.number(ratio, "ratio", 1e-3, 1e3), wire.number(down, "down_ratio", 0.0, 1e3),
        wire.number(up, "up_ratio", 0.0, 1e3),
    )  # fmt: skip


def _wheel(value: object) -> WheelControl:
    friction, damping, angle, radius, brake, hand_brake, load, lateral, longitudinal, place = wire.array(
        value, "wheel", 10
    )
    return WheelControl(
        tire_friction=wire.number(friction, "tire_friction", 0.0, 1e6),
        damping_rate=wire.number(damping, "damping_rate", 0.0, 1e6),
        max_steer_angle=wire.number(angle, "max_steer_angle", 0.0, MAX_ANGLE_DEG),
        radius=wire.number(radius, "radius", 1.0, 500.0),
        max_brake_torque=wire.number(brake, "max_brake_torque", 0.0, 1e7),
        max_handbrake_torque=wire.number(hand_brake, "max_handbrake_torque", 0.0, 1e7),
        lat_stiff_max_load=wire.number(load, "lat_stiff_max_load", 0.0, 1e6),
        lat_stiff_value=wire.number(lateral, "lat_stiff_value", 0.0, 1e6),
        long_stiff_value=wire.number(longitudinal, "long_stiff_value", 0.0, 1e9),
        position=wire.vector(place, "position", 1e9),
    )
