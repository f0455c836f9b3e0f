"""One vehicle: its control, its state, and how it moves over a tick."""

import math
from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.dynamics.ackermann import AckermannDriver, Pedals
from sim2real_bench.envs.carla.embedded.dynamics.ground import stance
from sim2real_bench.envs.carla.embedded.dynamics.motion import GRAVITY, ROLLING_RESISTANCE, Chassis, Drive, step
from sim2real_bench.envs.carla.embedded.dynamics.operations import SCALAR
from sim2real_bench.envs.carla.embedded.dynamics.physics_control import (
    FRICTION,
    NOMINAL_TIRE_FRICTION,
    STEERING_CURVE,
    PhysicsControl,
    default_control,
    frontal_area,
    interpolate,
)
from sim2real_bench.envs.carla.embedded.dynamics.powertrain import Powertrain
from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector, wrap_degrees
from sim2real_bench.envs.carla.embedded.town.relief import FLAT, Relief
from sim2real_bench.envs.carla.embedded.vehicle_control import VehicleControl
from sim2real_bench.envs.carla.embedded.vehicle_models import VehicleModel

__all__ = ["FRICTION", "GRAVITY", "STEERING_CURVE", "SUBSTEP_S", "VehicleControl", "VehicleDynamics"]

SUBSTEP_S = 0.0125
ANTI_LOCK_SHARE = 0.92  # of the friction the brakes may use: the wheels keep some side force while braking
ENGINE_BRAKING = 0.35  # m/s² with the throttle released
AIR_DENSITY = 1.2
FRONT_STIFFNESS = 11.0  # side force per radian of slip and newton of axle load
REAR_STIFFNESS = 13.0  # the stiffer rear axle makes vehicles understeer: 0.8 degrees per g
_IDLE_THROTTLE = 0.01
_AIRBORNE_M = 0.05
_LARGEST_GRIP = 3.0


@dataclass(slots=True)
class Pushes:
    """Forces that act from outside over the next tick, world axes: newtons, and newton metres about z."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    torque: float = 0.0


@dataclass(frozen=True, slots=True)
class _Brakes:
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
    def of(cls, control: PhysicsControl, chassis: Chassis[float]) -> "_Brakes":
        wheels = control.wheels
        pedal = sum(wheel.max_brake_torque / wheel.radius for wheel in wheels) * 100.0 / control.mass
        hand = sum(wheel.max_handbrake_torque / wheel.radius for wheel in wheels) * 100.0 / control.mass
        return cls(
            pedal,
            ANTI_LOCK_SHARE * chassis.least_grip,
            hand * chassis.wheelbase / chassis.front_arm,
            math.radians(wheels[0].max_steer_angle),
        )


class VehicleDynamics:
    """The moving state of one vehicle.

    Attributes:
        x: position of the centre, metres (likewise ``y``); ``z`` of the wheels' contact with the ground.
        yaw: radians, any number of turns; ``pitch`` (nose up) and ``roll`` (right side down) likewise.
        forward: speed along the vehicle's x axis, m/s; ``side`` along its y axis (right); both in the horizontal plane.
        vertical: speed upwards while in the air.
        yaw_rate: radians per second.
        wheel_angle: angle of the inner front wheel, radians.
        throttle: the engine's response to the pedal.
        transfer: the acceleration that the axle loads have followed, m/s².
        gravity: it has weight; without, it floats.
        constant_velocity: held in the vehicle's axes, m/s, or None.
        ackermann: drives towards a speed and a steering angle in place of the pedals, or None.
        control: the physics in force.
    """

    __slots__ = (
        "_brakes", "_ground", "_rise", "ackermann", "chassis", "constant_velocity", "forward", "gravity", "mass",
        "model", "physics_control", "pitch", "powertrain", "pushes", "roll", "side", "throttle", "transfer",
        "vertical", "wheel_angle", "x", "y", "yaw", "yaw_inertia", "yaw_rate", "z",
    )  # fmt: skip

    def __init__(self, model: VehicleModel, pose: Transform) -> None:
        self.model = model
        self.gravity = True
        self.constant_velocity: Vector | None = None
        self.ackermann: AckermannDriver | None = None
        self.pushes = Pushes()
        control = default_control(model)
        strongest = max(torque for _, torque in control.torque_curve) * control.first_gear / model.wheel_radius
        self.powertrain = Powertrain(control, min(1.0, model.mass * model.peak_acceleration / strongest))
        self.use(control)
        self.place(pose)
        self.stop()

    # -- state from outside -------------------------------------------------------------------------------------------

    def use(self, control: PhysicsControl) -> None:
        """Take over changed physics (``apply_physics_control``)."""
        self.physics_control = control
        self.powertrain.use(control)
        self.mass = control.mass
        self.yaw_inertia = self.model.yaw_inertia * control.mass / self.model.mass
        self.chassis = _chassis(self.model, control, self.yaw_inertia)
        self._brakes = _Brakes.of(control, self.chassis)

    def place(self, pose: Transform) -> None:
        """Move to a pose and keep the speed; the ground sets pitch and roll again once the vehicle stands on it."""
        self.x, self.y, self.z = pose.x, pose.y, pose.z
        self.pitch, self.yaw, self.roll = (math.radians(angle) for angle in (pose.pitch, pose.yaw, pose.roll))
        self._rise = (0.0, 0.0)
        self._ground: float | None = None

    def stop(self) -> None:
        """Come to rest at once."""
        self.forward = self.side = self.vertical = self.yaw_rate = 0.0
        self.wheel_angle = self.throttle = self.transfer = 0.0

    def set_velocity(self, velocity: Vector) -> None:
        """Take a velocity given in world axes, m/s; upwards means a leap."""
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        self.forward = velocity[0] * cosine + velocity[1] * sine
        self.side = velocity[1] * cosine - velocity[0] * sine
        self.vertical = velocity[2]

    def push(self, point_x: float, point_y: float, impulse_x: float, impulse_y: float) -> None:
        """Apply an impulse (N s, world axes) at a world point."""
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        self.forward += (impulse_x * cosine + impulse_y * sine) / self.mass
        self.side += (impulse_y * cosine - impulse_x * sine) / self.mass
        arm_x, arm_y = point_x - self.x, point_y - self.y
        self.yaw_rate += (arm_x * impulse_y - arm_y * impulse_x) / self.yaw_inertia

    # -- state to outside ---------------------------------------------------------------------------------------------

    @property
    def transform(self) -> Transform:
        """The pose of the vehicle's origin: its centre on the ground."""
        pitch, yaw, roll = (wrap_degrees(math.degrees(angle)) for angle in (self.pitch, self.yaw, self.roll))
        return Transform(self.x, self.y, self.z, pitch, yaw, roll)

    @property
    def velocity(self) -> Vector:
        """World axes, m/s."""
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        climb = self.forward * self._rise[0] + self.side * self._rise[1]
        return (
            self.forward * cosine - self.side * sine,
            self.forward * sine + self.side * cosine,
            self.vertical if self.vertical else climb,
        )

    @property
    def height(self) -> float:
        """Of the body, metres."""
        return 2.0 * self.model.half_height

    @property
    def airborne(self) -> bool:
        """Not known to stand on the ground."""
        return self._ground is None

    @property
    def at_rest(self) -> bool:
        """Nothing moves."""
        return self.forward == 0.0 and self.side == 0.0 and self.yaw_rate == 0.0 and self.vertical == 0.0

    def gear(self, control: VehicleControl) -> int:
        """The gear the box is in (-1 reverse, 0 neutral)."""
        if control.manual_gear_shift:
            return control.gear
        if control.reverse:
            return -1
        return self.powertrain.shown_gear(self.forward, idle=control.throttle == 0.0)

    def wheel_places(self) -> list[Vector]:
        """Where the four wheels touch the ground (front left, front right, rear left, rear right): world, metres."""
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        half_track = self.model.track / 2.0
        places = []
        for along in (self.model.front_axle, -self.model.rear_axle):
            for across in (-half_track, half_track):
                rise = along * self._rise[0] + across * self._rise[1]
                x, y = along * cosine - across * sine, along * sine + across * cosine
                places.append((self.x + x, self.y + y, self.z + rise))
        return places

    def wheel_angles(self) -> tuple[float, float]:
        """Angles of the left and the right front wheel, radians, positive to the right (Ackermann)."""
        inner = self.wheel_angle
        if abs(inner) < 1e-9:
            return inner, inner
        cotangent = 1.0 / math.tan(abs(inner)) + self.model.track / self.model.wheelbase
        outer = math.copysign(math.atan2(1.0, cotangent), inner)
        return (outer, inner) if inner > 0.0 else (inner, outer)

    # -- motion -------------------------------------------------------------------------------------------------------

    def advance(self, control: VehicleControl, seconds: float, relief: Relief = FLAT) -> None:
        """Integrate over ``seconds`` with a held control."""
        airborne = self.lift_off(relief)
        drive = self.prepare(control, seconds)
        if airborne or not self.asleep(drive):
            self.move(drive, seconds, relief, airborne)
            self.settle(relief)

    def lift_off(self, relief: Relief) -> bool:
        """The vehicle is above the ground, or floats."""
        if self._ground is None:
            self._ground, *_ = self._stance(relief)
        if not self.gravity or self.z > self._ground + _AIRBORNE_M or self.vertical > 0.0:
            self._ground = None
            self._rise = (0.0, 0.0)
            return True
        self.z, self.vertical = max(self.z, self._ground), 0.0
        return False

    def settle(self, relief: Relief) -> None:
        """Stand on the ground at the present place, unless in the air; count the yaw anew from 0."""
        self.yaw = math.remainder(self.yaw, math.tau)
        if self.gravity and self.vertical <= 0.0:
            height, along, across = self._stance(relief)
            if self.z <= height + _AIRBORNE_M:
                self.stand(height, along, across)

    def stand(self, height: float, along: float, across: float) -> None:
        """Rest on ground of a height (metres) and its rise along and across the vehicle."""
        self.z, self.vertical, self._ground = height, 0.0, height
        self._rise = (along, across)
        self.pitch, self.roll = math.atan(along), -math.atan(across)

    def _stance(self, relief: Relief) -> tuple[float, float, float]:
        model = self.model
        return stance(relief, self.x, self.y, self.yaw, model.wheelbase / 2.0, model.track / 2.0)

    def prepare(self, control: VehicleControl, seconds: float) -> Drive[float]:
        """What driver, engine and slope do over the next ``seconds``; forces that wait from outside are used up."""
        self._take_pushes(seconds)
        along, across = self._rise
        tilt = 1.0 + along * along + across * across
        weight = GRAVITY / math.sqrt(tilt)
        brakes, speed = self._brakes, self.forward
        self.powertrain.shift(speed, seconds)
        gear = self._engaged(control)
        locked = min(self.chassis.rear_grip, brakes.hand / weight) if control.hand_brake else 0.0
        return Drive(
            wheel_target=control.steer * self.largest_angle(),
            throttle=control.throttle,
            pull=self.powertrain.force(speed, gear) / self.mass,
            resistance=min(control.brake * brakes.pedal, brakes.anti_lock * weight) + ROLLING_RESISTANCE * weight,
            coasting=ENGINE_BRAKING if gear else 0.0,
            hand_brake=locked,
            hand_drag=locked * weight * (1.0 - self.chassis.front_share),
            slope_x=-GRAVITY * along / tilt,
            slope_y=-GRAVITY * across / tilt,
            weight=weight,
        )

    def ackermann_control(self, seconds: float) -> VehicleControl:
        """The pedals and steering with which the Ackermann driver goes on.

        Raises:
            TypeError: nobody drives in that way.
        """
        if self.ackermann is None:
            raise TypeError("this vehicle has no Ackermann control")
        air = self.chassis.air * self.forward * abs(self.forward)
        weight = GRAVITY * ROLLING_RESISTANCE
        gear = -1 if self.ackermann.target.speed < 0.0 else self.powertrain.gear
        pull = abs(self.powertrain.force(self.forward, gear)) / self.mass
        pedals = Pedals(pull, min(self._brakes.pedal, self._brakes.anti_lock * GRAVITY), weight + air)
        return self.ackermann.drive(self.forward, self.largest_angle(), pedals, seconds)

    def largest_angle(self) -> float:
        """Of the inner front wheel at the present speed, radians."""
        share = interpolate(self.physics_control.steering_curve, abs(self.forward) * 3.6)
        return self._brakes.largest_angle * share

    def _engaged(self, control: VehicleControl) -> int:
        if control.manual_gear_shift:
            return control.gear
        return -1 if control.reverse else self.powertrain.gear

    def asleep(self, drive: Drive[float]) -> bool:
        """Nothing will change: the vehicle stands, and brakes or friction hold it on its slope."""
        return (
            self.at_rest
            and drive.throttle == 0.0
            and self.throttle < _IDLE_THROTTLE
            and self.wheel_angle == drive.wheel_target
            and abs(drive.slope_x) <= drive.resistance + drive.hand_drag
            and self.constant_velocity is None
        )

    def _take_pushes(self, seconds: float) -> None:
        """Let outer forces act for ``seconds`` at once and at the centre."""
        pushes = self.pushes
        if pushes.x or pushes.y or pushes.torque or pushes.z:
            self.push(self.x, self.y, pushes.x * seconds, pushes.y * seconds)
            self.yaw_rate += pushes.torque * seconds / self.yaw_inertia
            lift = pushes.z / self.mass - (GRAVITY if self.gravity else 0.0)
            self.vertical += max(0.0, lift) * seconds
            self.pushes = Pushes()

    def move(self, drive: Drive[float], seconds: float, relief: Relief, airborne: bool) -> None:
        """Integrate over ``seconds`` in short steps, on the ground or through the air."""
        count = max(1, math.ceil(seconds / SUBSTEP_S - 1e-9))
        for _ in range(count):
            if airborne:
                airborne = self._fly(seconds / count, relief)
            else:
                step(SCALAR, self, drive, self.chassis, seconds / count)
            if self.constant_velocity is not None:
                self.forward, self.side, _ = self.constant_velocity

    def _fly(self, seconds: float, relief: Relief) -> bool:
        """Free flight; returns whether it goes on."""
        vx, vy, _ = self.velocity
        if self.gravity:
            self.vertical -= GRAVITY * seconds
        self.x, self.y, self.z = self.x + vx * seconds, self.y + vy * seconds, self.z + self.vertical * seconds
        turn = self.yaw_rate * seconds
        self.yaw += turn
        cosine, sine = math.cos(turn), math.sin(turn)
        self.forward, self.side = (
            self.forward * cosine + self.side * sine,
            self.side * cosine - self.forward * sine,
        )
        ground = relief.height(self.x, self.y)
        if not self.gravity or self.z > ground:
            return True
        self.z, self.vertical, self._ground = ground, 0.0, ground
        return False


def _chassis(model: VehicleModel, control: PhysicsControl, yaw_inertia: float) -> Chassis[float]:
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
        front_stiffness=FRONT_STIFFNESS / front_grip,
        rear_stiffness=REAR_STIFFNESS / rear_grip,
        inverse_gyration=control.mass / yaw_inertia,
        twist=2.0 * front_arm * (model.wheelbase - front_arm) / model.wheelbase * control.mass / yaw_inertia,
        air=0.5 * AIR_DENSITY * control.drag_coefficient * frontal_area(model) / control.mass,
    )
