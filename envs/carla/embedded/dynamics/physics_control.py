"""What a client may read and change about a vehicle's physics (``carla.VehiclePhysicsControl``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sim2real_bench.envs.carla.embedded.vehicle_models import VehicleModel

Point = tuple[float, float]

FRICTION = 0.95  # of a tyre on a dry road
NOMINAL_TIRE_FRICTION = 3.5  # what vehicles report for it, on the scale client programs set tyre friction in
BRAKE_TORQUE_SHARE = 0.25  # of the brake force, per wheel
HAND_BRAKE_TORQUE = 3000.0  # N m; CARLA's default for a wheel
FRONTAL_SHARE = 0.81  # of the bounding box seen from the front
# km/h -> share of the largest wheel angle; the default of CARLA's vehicles.
STEERING_CURVE: tuple[Point, ...] = ((0.0, 1.0), (20.0, 0.9), (60.0, 0.8), (120.0, 0.7))
GEAR_COUNT = 6
MAX_RPM = 6000.0
_POWER_RPM_SHARE = 0.6  # from here on the torque falls as 1 / rpm: constant power
_UP, _DOWN = 0.85, 0.45
_FIRST_GEAR_SPEED = 13.5  # m/s at the engine's speed limit


@dataclass(frozen=True, slots=True)
class WheelControl:
    """``carla.WheelPhysicsControl``; see CARLA's reference for the units (radius in centimetres)."""

    tire_friction: float
    damping_rate: float
    max_steer_angle: float
    radius: float
    max_brake_torque: float
    max_handbrake_torque: float
    lat_stiff_max_load: float = 3.0
    lat_stiff_value: float = 17.0
    long_stiff_value: float = 1000.0
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def wire(self, position: Sequence[float]) -> list[Any]:
        """The ten fields, with the wheel where it is now (world, centimetres)."""
        return [
            self.tire_friction, self.damping_rate, self.max_steer_angle, self.radius, self.max_brake_torque,
            self.max_handbrake_torque, self.lat_stiff_max_load, self.lat_stiff_value, self.long_stiff_value,
            list(position),
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gear:
    """``carla.GearPhysicsControl``: the box shifts at these shares of the largest engine speed."""

    ratio: float
    down_ratio: float
    up_ratio: float


@dataclass(frozen=True, slots=True)
class PhysicsControl:
    """``carla.VehiclePhysicsControl``.

    In force are: torque curve, largest engine speed, gears, gear box, shifting time, final ratio, mass, drag, centre of
    mass, steering curve, and of the wheels friction, steering angle, radius and torques. The moment of inertia and the
    damping of engine and wheels, clutch strength, tyre stiffness and sweep are kept for the client.
    """

    torque_curve: tuple[Point, ...]
    max_rpm: float
    moi: float
    damping_rate_full_throttle: float
    damping_rate_zero_throttle_clutch_engaged: float
    damping_rate_zero_throttle_clutch_disengaged: float
    use_gear_autobox: bool
    gear_switch_time: float
    clutch_strength: float
    final_ratio: float
    forward_gears: tuple[Gear, ...]
    mass: float
    drag_coefficient: float
    center_of_mass: tuple[float, float, float]
    steering_curve: tuple[Point, ...]
    wheels: tuple[WheelControl, ...]
    use_sweep_wheel_collision: bool = False

    @property
    def first_gear(self) -> float:
        """Turns of the engine per turn of the wheels in first gear."""
        return self.forward_gears[0].ratio * self.final_ratio

    def wire(self, positions: Sequence[Sequence[float]]) -> list[Any]:
        """The seventeen fields; ``positions`` of the wheels in the world, centimetres."""
        return [
            [list(point) for point in self.torque_curve], self.max_rpm, self.moi, self.damping_rate_full_throttle,
            self.damping_rate_zero_throttle_clutch_engaged, self.damping_rate_zero_throttle_clutch_disengaged,
            self.use_gear_autobox, self.gear_switch_time, self.clutch_strength, self.final_ratio,
            [[gear.ratio, gear.down_ratio, gear.up_ratio] for gear in self.forward_gears], self.mass,
            self.drag_coefficient, list(self.center_of_mass), [list(point) for point in self.steering_curve],
            [wheel.wire(place) for wheel, place in zip(self.wheels, positions, strict=True)],
            self.use_sweep_wheel_collision,
        ]  # fmt: skip


def interpolate(curve: Sequence[Point], value: float) -> float:
    """A curve's value between its points, constant beyond its ends."""
    before = curve[0]
    if value <= before[0]:
        return before[1]
    for point in curve:
        if value <= point[0]:
            return before[1] + (point[1] - before[1]) * (value - before[0]) / (point[0] - before[0])
        before = point
    return before[1]


def frontal_area(model: VehicleModel) -> float:
    """Of a vehicle, m²."""
    return FRONTAL_SHARE * 4.0 * model.half_width * model.half_height


def default_control(model: VehicleModel) -> PhysicsControl:
    """The physics of a vehicle as it leaves the factory.

    The engine gives the model's power at the wheels over the upper part of its speed range; the gears are spaced evenly
    (each speed range a constant multiple of the one before) from town speed up to the model's top speed.
    """
    first = min(_FIRST_GEAR_SPEED, 0.3 * model.top_speed)
    spread = (model.top_speed / first) ** (1.0 / (GEAR_COUNT - 1))
    angular = MAX_RPM * math.tau / 60.0
    final = 4.0
    ratios = [angular * model.wheel_radius / (first * spread**number) / final for number in range(GEAR_COUNT)]
    brake_torque = BRAKE_TORQUE_SHARE * model.mass * model.brake_acceleration * model.wheel_radius
    wheels = tuple(
        WheelControl(
            NOMINAL_TIRE_FRICTION,
            0.25,
            model.max_steer_deg if number < 2 else 0.0,
            100.0 * model.wheel_radius,
            brake_torque,
            0.0 if number < 2 else HAND_BRAKE_TORQUE,
        )
        for number in range(4)
    )
    return PhysicsControl(
        torque_curve=_torque_curve(model.power),
        max_rpm=MAX_RPM,
        moi=1.0,
        damping_rate_full_throttle=0.15,
        damping_rate_zero_throttle_clutch_engaged=2.0,
        damping_rate_zero_throttle_clutch_disengaged=0.35,
        use_gear_autobox=True,
        gear_switch_time=0.0,
        clutch_strength=10.0,
        final_ratio=final,
        forward_gears=tuple(Gear(ratio, _DOWN, _UP) for ratio in ratios),
        mass=model.mass,
        drag_coefficient=model.drag_area / frontal_area(model),
        center_of_mass=(0.0, 0.0, 0.0),
        steering_curve=STEERING_CURVE,
        wheels=wheels,
    )


def _torque_curve(power: float) -> tuple[Point, ...]:
    """Constant torque, then constant power, drawn with straight lines close enough to the hyperbola."""
    shares = (_POWER_RPM_SHARE, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
    points = [(share * MAX_RPM, power / (share * MAX_RPM * math.tau / 60.0)) for share in shares]
    return ((0.0, points[0][1]), *points)
