"""From a vehicle's model and its physics in force to what the equations of motion read."""

import math
from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.dynamics.motion import Chassis
from sim2real_bench.envs.carla.embedded.dynamics.physics_control import (
    FRICTION,
    NOMINAL_TIRE_FRICTION,
    PhysicsControl,
    frontal_area,
)
from sim2real_bench.envs.carla.embedded.vehicle_models import VehicleModel

ANTI_LOCK_SHARE = 0.92  # of the friction the brakes may use: the wheels keep some side force while braking
AIR_DENSITY = 1.2
FRONT_STIFFNESS = 11.0  # side force per radian of slip and newton of axle load
REAR_STIFFNESS = 13.0  # the stiffer rear axle makes vehicles understeer: 0.8 degrees per g
_LARGEST_GRIP = 3.0


@dataclass(frozen=True, slots=True)
class Brakes:
    """What brakes and steering can do.

    Attributes:
        pedal: m/s² of a full pedal, before the tyres limit it.
        anti_lock: share of the weight that the pedal may use.
        hand: m/s² of the hand brake on the rear axle's share of the weight.
        largest_angle: of the inner front wheel at rest, radians.
    """

    pedal: float
    anti_lock: float
    hand: float
    largest_angle: float

    @classmethod
    def of(cls, control: PhysicsControl, chassis: Chassis[float]) -> "Brakes":
        """Of the physics in force."""
        wheels = control.wheels
        pedal = sum(wheel.max_brake_torque / wheel.radius for wheel in wheels) * 100.0 / control.mass
        hand = sum(wheel.max_handbrake_torque / wheel.radius for wheel in wheels) * 100.0 / control.mass
        return cls(
            pedal,
            ANTI_LOCK_SHARE * chassis.least_grip,
            hand * chassis.wheelbase / chassis.front_arm,
            math.radians(wheels[0].max_steer_angle),
        )


def make_chassis(model: VehicleModel, control: PhysicsControl, yaw_inertia: float) -> Chassis[float]:
    """The constants of the equations of motion.

    Args:
        model: shape and proportions.
        control: the physics in force.
        yaw_inertia: about z, kg m².
    """
    shift_x, _, shift_z = control.center_of_mass
    largest = 0.45 * model.wheelbase
    shift_x = max(-largest, min(largest, shift_x))
    front_arm = min(max(model.front_axle - shift_x, 0.05 * model.wheelbase), 0.95 * model.wheelbase)
    grips = [min(_LARGEST_GRIP, FRICTION * wheel.tire_friction / NOMINAL_TIRE_FRICTION) for wheel in control.wheels]
    front_grip, rear_grip = max(1e-3, (grips[0] + grips[1]) / 2.0), max(1e-3, (grips[2] + grips[3]) / 2.0)
    return Chassis(
        front_arm=front_arm,
        rear_arm=model.wheelbase - front_arm,
        wheelbase=model.wheelbase,
        front_share=1.0 - front_arm / model.wheelbase,
        track_ratio=model.track / (2.0 * model.wheelbase),
        height_ratio=max(0.0, model.centre_height + shift_z) / model.wheelbase,
        front_grip=front_grip,
        rear_grip=rear_grip,
        least_grip=min(front_grip, rear_grip),
        most_grip=max(front_grip, rear_grip),
        front_stiffness=FRONT_STIFFNESS / front_grip,
        rear_stiffness=REAR_STIFFNESS / rear_grip,
        inverse_gyration=control.mass / yaw_inertia,
        twist=2.0 * front_arm * (model.wheelbase - front_arm) / model.wheelbase * control.mass / yaw_inertia,
        air=0.5 * AIR_DENSITY * control.drag_coefficient * frontal_area(model) / control.mass,
    )
