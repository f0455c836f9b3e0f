"""One vehicle: its control, its state, and how it moves over a tick."""

import math
from dataclasses import dataclass
from enum import IntEnum

from sim2real_bench.envs.carla.embedded.dynamics.ackermann import AckermannDriver, AckermannSettings, Pedals
from sim2real_bench.envs.carla.embedded.dynamics.chassis import Brakes, make_chassis
from sim2real_bench.envs.carla.embedded.dynamics.ground import stance
from sim2real_bench.envs.carla.embedded.dynamics.motion import GRAVITY, ROLLING_RESISTANCE, Drive, step
from sim2real_bench.envs.carla.embedded.dynamics.operations import SCALAR
from sim2real_bench.envs.carla.embedded.dynamics.physics_control import (
    FRICTION,
    STEERING_CURVE,
    PhysicsControl,
    default_control,
    interpolate,
)
from sim2real_bench.envs.carla.embedded.dynamics.powertrain import Powertrain
from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector, wrap_degrees
from sim2real_bench.envs.carla.embedded.town.relief import FLAT, Relief
from sim2real_bench.envs.carla.embedded.vehicle_control import VehicleControl
from sim2real_bench.envs.carla.embedded.vehicle_models import VehicleModel

__all__ = ["FRICTION", "GRAVITY", "STEERING_CURVE", "SUBSTEP_S", "VehicleControl", "VehicleDynamics"]

SUBSTEP_S = 0.0125
ENGINE_BRAKING = 0.35  # m/s² with the throttle released
_IDLE_THROTTLE = 0.01
_AIRBORNE_M = 0.05
TIPPING_S = 0.4  # that it takes to tip over
SLIDING_FRICTION = 0.5  # of a body on the road
MAX_SPEED = 200.0  # m/s
MAX_YAW_RATE = 60.0  # rad/s


class Failure(IntEnum):
    """``carla.VehicleFailureState``; engines and tyres do not fail here."""

    NONE = 0
    ROLLOVER = 1


@dataclass(slots=True)
class Pushes:
    """Forces that act from outside over the next tick, world axes: newtons, and newton metres about z."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    torque: float = 0.0


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
        failure: what has broken.
        travelled: metres driven forwards less those driven backwards; turns wheels and pedals.
        gravity: it has weight; without, it floats.
        constant_velocity: held in the vehicle's axes, m/s, or None.
        ackermann: drives towards a speed and a steering angle in place of the pedals, or None.
        ackermann_settings: for it.
        physics_control: the physics in force.
    """

    __slots__ = (
        "_brakes", "_ground", "_rise", "_tipped_s", "ackermann", "ackermann_settings", "chassis",
        "constant_velocity", "failure", "forward", "gravity", "mass", "model", "physics_control", "pitch",
        "powertrain", "pushes", "roll", "side", "throttle", "transfer", "travelled", "vertical", "wheel_angle", "x",
        "y", "yaw", "yaw_inertia", "yaw_rate", "z",
    )  # fmt: skip

    def __init__(self, model: VehicleModel, pose: Transform) -> None:
        self.model = model
        self.gravity = True
        self.travelled = 0.0
        self.constant_velocity: Vector | None = None
        self.ackermann: AckermannDriver | None = None
        self.ackermann_settings = AckermannSettings()
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
        self.chassis = make_chassis(self.model, control, self.yaw_inertia)
        self._brakes = Brakes.of(control, self.chassis)

    def place(self, pose: Transform) -> None:
        """Move to a pose, upright and whole, and keep the speed; on the ground, that sets pitch and roll anew."""
        self.x, self.y, self.z = pose.x, pose.y, pose.z
        self.pitch, self.yaw, self.roll = (math.radians(angle) for angle in (pose.pitch, pose.yaw, pose.roll))
        self._rise = (0.0, 0.0)
        self._ground: float | None = None
        self.failure = Failure.NONE
        self._tipped_s = 0.0

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
        lift = self.model.half_width if self.failure is Failure.ROLLOVER else 0.0
        return Transform(self.x, self.y, self.z + lift, pitch, yaw, roll)

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
            self.travelled += self.forward * seconds

    def lift_off(self, relief: Relief) -> bool:
        """The vehicle is above the ground, or floats."""
        self._bound()
        if self._ground is None:
            self._ground, *rise = self._stance(relief)
            if self.gravity and self.z <= self._ground + _AIRBORNE_M and self.vertical <= 0.0:
                self.stand(self._ground, rise[0], rise[1])
        if not self.gravity or self.z > self._ground + _AIRBORNE_M or self.vertical > 0.0:
            self._ground = None
            self._rise = (0.0, 0.0)
            return True
        self.z, self.vertical = self._ground, 0.0
        return False

    def _bound(self) -> None:
        """Keep what clients may have added up within what one tick can follow."""
        speed = math.hypot(self.forward, self.side, self.vertical)
        if speed > MAX_SPEED:
            share = MAX_SPEED / speed
            self.forward, self.side, self.vertical = self.forward * share, self.side * share, self.vertical * share
        self.yaw_rate = max(-MAX_YAW_RATE, min(MAX_YAW_RATE, self.yaw_rate))

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
        if self.failure is Failure.ROLLOVER:
            self.roll += math.copysign(math.pi / 2.0, self._tipped_s)

    def feel(self, across: float, seconds: float) -> None:
        """Roll over when the tyres have pushed to the right by ``across`` m/s² for longer than a body takes to tip.

        A vehicle tips when the push, at the height of its centre of mass, outweighs gravity over half of its track.
        """
        model = self.model
        if model.two_wheeled or self.failure is Failure.ROLLOVER:
            return
        if abs(across) * model.centre_height <= GRAVITY * model.track / 2.0:
            self._tipped_s = 0.0
            return
        self._tipped_s -= math.copysign(seconds, across)  # pushed to the right at the wheels, it falls to the left
        if abs(self._tipped_s) > TIPPING_S:
            self.failure = Failure.ROLLOVER
            self.roll += math.copysign(math.pi / 2.0, self._tipped_s)

    def _stance(self, relief: Relief) -> tuple[float, float, float]:
        model = self.model
        return stance(relief, self.x, self.y, self.yaw, model.wheelbase / 2.0, model.track / 2.0)

    def prepare(self, control: VehicleControl, seconds: float) -> Drive[float]:
        """What driver, engine and slope do over the next ``seconds``; forces that wait from outside are used up."""
        self._take_pushes(seconds)
        along, across = self._rise
        tilt = 1.0 + along * along + across * across
        weight = GRAVITY / math.sqrt(tilt)
        level = 1.0 / math.sqrt(1.0 + along * along)  # of what acts along the slope, the part in the horizontal plane
        if self.failure is Failure.ROLLOVER:
            return self._sliding(weight)
        brakes, speed = self._brakes, self.forward
        self.powertrain.shift(speed, seconds)
        gear = self._engaged(control)
        traction = self.chassis.most_grip * weight
        pull = max(-traction, min(traction, self.powertrain.force(speed, gear) / self.mass))
        locked = min(self.chassis.rear_grip, brakes.hand / weight) if control.hand_brake else 0.0
        return Drive(
            control.steer * self.largest_angle(),
            control.throttle,
            pull * level,
            (min(control.brake * brakes.pedal, brakes.anti_lock * weight) + ROLLING_RESISTANCE * weight) * level,
            ENGINE_BRAKING if gear else 0.0,
            locked,
            locked * weight * (1.0 - self.chassis.front_share),
            -GRAVITY * along / tilt,
            -GRAVITY * across / tilt,
            weight,
        )

    def _sliding(self, weight: float) -> Drive[float]:
        """On its side, a vehicle slides to rest."""
        drag = SLIDING_FRICTION * weight
        return Drive(self.wheel_angle, 0.0, 0.0, drag, 0.0, SLIDING_FRICTION, drag, 0.0, 0.0, weight)

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
            self._bound()

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
