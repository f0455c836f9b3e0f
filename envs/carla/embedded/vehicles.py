"""Vehicle dynamics: a single-track model with saturating tyres, a friction circle and a simple power train.

All planar quantities live in CARLA's frame (y right, yaw clockwise from above); the equations are those of the usual
right-handed single-track model, with "left" read as "right". Below ``_KINEMATIC_SPEED`` the slip angles are undefined,
so the motion blends into the kinematic model (Kabzan et al., AMZ Driverless, 2020, equations 7-9).
"""

import itertools
import math
from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector, wrap_degrees
from sim2real_bench.envs.carla.embedded.vehicle_models import VehicleModel

GRAVITY = 9.81
FRICTION = 0.95
ANTI_LOCK_SHARE = 0.92  # of the friction the brakes may use: the wheels keep some side force while braking
SUBSTEP_S = 0.01
STEER_RATE = 4.0  # rad/s of the inner wheel
THROTTLE_LAG_S = 0.3
ROLLING_RESISTANCE = 0.015
ENGINE_BRAKING = 0.35  # m/s² with the throttle released
BRAKE_ACCELERATION = 9.0  # m/s² that a full pedal asks for, before the tyres limit it
AIR_DENSITY = 1.2
CORNERING_STIFFNESS = 11.0  # per radian and newton of axle load
# CARLA's default steering curve: km/h -> share of the largest wheel angle.
STEERING_CURVE = ((0.0, 1.0), (20.0, 0.9), (60.0, 0.8), (120.0, 0.7))
GEAR_SPEEDS_MPS = (4.5, 9.0, 14.0, 20.0, 27.0)
_KINEMATIC_SPEED = 1.0
_DYNAMIC_SPEED = 3.0
_MAX_SPEED = 120.0


@dataclass(frozen=True, slots=True)
class VehicleControl:
    """``carla.VehicleControl``: pedals in [0, 1], steer in [-1, 1] (positive to the right)."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0


def steering_share(speed: float) -> float:
    """The share of the largest wheel angle that full steering reaches at a speed in m/s."""
    kmh = abs(speed) * 3.6
    for (low, high_share), (high, low_share) in itertools.pairwise(STEERING_CURVE):
        if kmh <= high:
            return high_share + (low_share - high_share) * (kmh - low) / (high - low)
    return STEERING_CURVE[-1][1]


class VehicleDynamics:
    """The moving state of one vehicle.

    Attributes:
        x: position of the centre, metres (likewise ``y``, and ``z`` above the ground).
        yaw: radians.
        forward: speed along the vehicle's x axis, m/s; ``side`` along its y axis (right).
        yaw_rate: radians per second.
        wheel_angle: angle of the inner front wheel, radians.
    """

    __slots__ = (
        "_throttle", "forward", "model", "side", "vertical", "wheel_angle", "x", "y", "yaw", "yaw_rate", "z",
    )  # fmt: skip

    def __init__(self, model: VehicleModel, pose: Transform) -> None:
        self.model = model
        self.place(pose)
        self.stop()

    # -- state from outside -------------------------------------------------------------------------------------------

    def place(self, pose: Transform) -> None:
        """Move to a pose and keep the speed; pitch and roll are dropped, the ground holds vehicles level."""
        self.x, self.y, self.z = pose.x, pose.y, max(pose.z, 0.0)
        self.yaw = math.radians(wrap_degrees(pose.yaw))

    def stop(self) -> None:
        """Come to rest at once."""
        self.forward = self.side = self.vertical = self.yaw_rate = 0.0
        self.wheel_angle = self._throttle = 0.0

    def set_velocity(self, velocity: Vector) -> None:
        """Take a velocity given in world axes, m/s."""
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        self.forward = velocity[0] * cosine + velocity[1] * sine
        self.side = velocity[1] * cosine - velocity[0] * sine
        self.vertical = velocity[2]

    def push(self, point_x: float, point_y: float, impulse_x: float, impulse_y: float) -> None:
        """Apply an impulse (N s, world axes) at a world point."""
        vx, vy, _ = self.velocity
        mass = self.model.mass
        arm_x, arm_y = point_x - self.x, point_y - self.y
        self.set_velocity((vx + impulse_x / mass, vy + impulse_y / mass, self.vertical))
        self.yaw_rate += (arm_x * impulse_y - arm_y * impulse_x) / self.model.yaw_inertia

    # -- state to outside ---------------------------------------------------------------------------------------------

    @property
    def mass(self) -> float:
        """Kilograms."""
        return self.model.mass

    @property
    def yaw_inertia(self) -> float:
        """Moment of inertia about z, kg m²."""
        return self.model.yaw_inertia

    @property
    def transform(self) -> Transform:
        """The pose of the vehicle's origin: its centre on the ground."""
        return Transform(self.x, self.y, self.z, 0.0, wrap_degrees(math.degrees(self.yaw)), 0.0)

    @property
    def velocity(self) -> Vector:
        """World axes, m/s."""
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        return self.forward * cosine - self.side * sine, self.forward * sine + self.side * cosine, self.vertical

    @property
    def at_rest(self) -> bool:
        """Nothing moves."""
        return self.forward == 0.0 and self.side == 0.0 and self.yaw_rate == 0.0 and self.z == 0.0

    def gear(self, control: VehicleControl) -> int:
        """The gear an automatic gear box would be in (-1 reverse, 0 neutral)."""
        if control.manual_gear_shift:
            return control.gear
        if control.reverse:
            return -1
        if abs(self.forward) < 0.05 and control.throttle == 0.0:
            return 0
        return 1 + sum(self.forward > speed for speed in GEAR_SPEEDS_MPS)

    # -- motion -------------------------------------------------------------------------------------------------------

    def advance(self, control: VehicleControl, seconds: float) -> None:
        """Integrate over ``seconds`` with a held control."""
        count = max(1, math.ceil(seconds / SUBSTEP_S - 1e-9))
        step = seconds / count
        wheel_target = control.steer * math.radians(self.model.max_steer_deg) * steering_share(self.forward)
        for _ in range(count):
            self._steer(wheel_target, step)
            self._throttle += (control.throttle - self._throttle) * min(1.0, step / THROTTLE_LAG_S)
            if self.z > 0.0:
                self._fall(step)
            elif not (self.at_rest and control.throttle == 0.0 and self._throttle < 0.01):
                self._roll(control, step)

    def _steer(self, target: float, step: float) -> None:
        change = STEER_RATE * step
        self.wheel_angle += max(-change, min(change, target - self.wheel_angle))

    def _fall(self, step: float) -> None:
        self.vertical -= GRAVITY * step
        vx, vy, _ = self.velocity
        self.x, self.y, self.z = self.x + vx * step, self.y + vy * step, self.z + self.vertical * step
        if self.z <= 0.0:
            self.z = self.vertical = 0.0

    def _roll(self, control: VehicleControl, step: float) -> None:
        drive = self._drive_force(control)
        drag = self._passive_force(control)
        speed = math.hypot(self.forward, self.side)
        blend = min(1.0, max(0.0, (speed - _KINEMATIC_SPEED) / (_DYNAMIC_SPEED - _KINEMATIC_SPEED)))
        angle = self.model.single_track_angle(self.wheel_angle)
        if blend >= 1.0:
            motion = self._dynamic(drive, drag, control.hand_brake, angle, step)
        else:
            motion = self._kinematic(drive, drag, control.hand_brake, angle, step)
            if blend > 0.0:
                motion = _mix(self._dynamic(drive, drag, control.hand_brake, angle, step), motion, blend)
        self.forward, self.side, self.yaw_rate = motion
        self.vertical = 0.0
        vx, vy, _ = self.velocity
        self.x += vx * step
        self.y += vy * step
        self.yaw = math.remainder(self.yaw + self.yaw_rate * step, math.tau)

    def _drive_force(self, control: VehicleControl) -> float:
        """Newtons along the driving direction, negative in reverse."""
        model = self.model
        strongest = min(model.mass * model.peak_acceleration, model.power / max(abs(self.forward), 1.0))
        if control.reverse:
            # First gear backwards: the engine's speed limit bites at walking-to-cycling pace.
            return -self._throttle * strongest * max(0.0, min(1.0, (10.0 + self.forward) / 3.0))
        if control.manual_gear_shift and control.gear == 0:
            return 0.0
        return self._throttle * strongest if self.forward < _MAX_SPEED else 0.0

    def _passive_force(self, control: VehicleControl) -> float:
        """Newtons that oppose the motion, whatever its direction (the hand brake apart)."""
        model = self.model
        limit = ANTI_LOCK_SHARE * FRICTION * model.mass * GRAVITY
        braking = min(control.brake * model.mass * BRAKE_ACCELERATION, limit)
        engine = model.mass * ENGINE_BRAKING * max(0.0, 1.0 - 10.0 * self._throttle)
        air = 0.5 * AIR_DENSITY * model.drag_area * self.forward**2
        return braking + engine + air + ROLLING_RESISTANCE * model.mass * GRAVITY

    def _kinematic(self, drive: float, drag: float, hand_brake: bool, angle: float, step: float) -> Vector:
        """(forward, side, yaw rate) after a step without slip; friction stops the vehicle but never reverses it."""
        model = self.model
        if hand_brake:
            drag += FRICTION * model.mass * GRAVITY * model.front_share
        pushed = self.forward + drive / model.mass * step
        forward = math.copysign(max(0.0, abs(pushed) - drag / model.mass * step), pushed)
        yaw_rate = forward * math.tan(angle) / model.wheelbase
        return (forward, yaw_rate * model.rear_axle, yaw_rate) if forward else (0.0, 0.0, 0.0)

    def _dynamic(self, drive: float, drag: float, hand_brake: bool, angle: float, step: float) -> Vector:
        """(forward, side, yaw rate) after a step with tyre forces."""
        model = self.model
        mass, front_arm, rear_arm = model.mass, model.front_axle, model.rear_axle
        front_load = mass * GRAVITY * rear_arm / model.wheelbase
        rear_load = mass * GRAVITY - front_load
        along = drive - math.copysign(drag, self.forward)
        front_share = front_load / (mass * GRAVITY)
        cosine, sine = math.cos(angle), math.sin(angle)
        front_side = self.side + front_arm * self.yaw_rate
        front_x, front_y = _tyre_force(
            self.forward * cosine + front_side * sine,
            front_side * cosine - self.forward * sine,
            along * front_share,
            front_load,
        )
        rear_side = self.side - rear_arm * self.yaw_rate
        if hand_brake:
            rear_x, rear_y = _locked_wheel_force(self.forward, rear_side, rear_load)
        else:
            rear_x, rear_y = _tyre_force(self.forward, rear_side, along * (1.0 - front_share), rear_load)
        body_x = front_x * cosine - front_y * sine
        body_y = front_x * sine + front_y * cosine
        pushed_x = self.forward + (body_x + rear_x) / mass * step
        pushed_y = self.side + (body_y + rear_y) / mass * step
        # The body turns below its velocity; an exact rotation, unlike the usual Euler step, adds no energy in a spin.
        cosine, sine = math.cos(self.yaw_rate * step), math.sin(self.yaw_rate * step)
        yaw_rate = self.yaw_rate + (front_arm * body_y - rear_arm * rear_y) / model.yaw_inertia * step
        return pushed_x * cosine + pushed_y * sine, pushed_y * cosine - pushed_x * sine, yaw_rate


def _mix(first: Vector, second: Vector, share: float) -> Vector:
    """``share`` of the first and the rest of the second."""
    a, b, c = (share * new + (1.0 - share) * old for new, old in zip(first, second, strict=True))
    return a, b, c


def _tyre_force(rolling: float, sliding: float, wanted: float, load: float) -> tuple[float, float]:
    """(longitudinal, lateral) newtons of an axle in its own axes: saturating side force inside the friction circle.

    Args:
        rolling: speed of the contact patch along the wheel, m/s.
        sliding: speed of the contact patch across the wheel, m/s.
        wanted: longitudinal force asked for, N.
        load: vertical force, N.
    """
    limit = FRICTION * load
    longitudinal = max(-limit, min(limit, wanted))
    side_limit = math.sqrt(max(0.0, limit * limit - longitudinal * longitudinal))
    slip = math.atan2(sliding, abs(rolling))
    return longitudinal, -side_limit * math.tanh(CORNERING_STIFFNESS * load * slip / max(limit, 1e-6))


def _locked_wheel_force(rolling: float, sliding: float, load: float) -> tuple[float, float]:
    """(longitudinal, lateral) newtons of a locked axle: full friction against the direction it slides in."""
    speed = max(math.hypot(rolling, sliding), 1e-6)
    return -FRICTION * load * rolling / speed, -FRICTION * load * sliding / speed
