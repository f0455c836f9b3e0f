"""The equations of motion: a single-track model with saturating tyres, a friction circle and moving axle loads.

All planar quantities live in CARLA's frame (y right, yaw clockwise from above); the equations are those of the usual
right-handed single-track model, with "left" read as "right". Forces and loads are per kilogram of vehicle, that is, in
m/s². Below walking pace the slip angles are undefined, so the motion blends into the kinematic model (Kabzan et al.,
AMZ Driverless, 2020, equations 7-9), in which friction stops a vehicle but never reverses it, and side slip is shed no
faster than friction allows.
"""

from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol

from sim2real_bench.envs.carla.embedded.dynamics.operations import Operations, T

GRAVITY = 9.81
STEER_RATE = 4.0  # rad/s of the inner wheel
THROTTLE_LAG_S = 0.3
LOAD_LAG_S = 0.1  # of the springs, until the axle loads follow the acceleration
ROLLING_RESISTANCE = 0.015
ENGINE_FADE_SPEED = 0.5  # m/s below which the engine's drag fades: a torque converter holds nothing at rest
_KINEMATIC_SPEED = 1.0
_DYNAMIC_SPEED = 3.0
_ALIGNED_SPEED = 0.2  # m/s along the wheels below which rolling forces fade instead of changing their sign
_LEAST_SHARE = 0.05  # of the weight that an axle keeps


@dataclass(frozen=True, slots=True, eq=False)
class Chassis(Generic[T]):
    """What does not change while a vehicle drives.

    Attributes:
        front_arm: distance of the front axle before the centre of mass, metres; ``rear_arm`` behind it.
        wheelbase: metres.
        front_share: of the weight on the front axle at rest.
        track_ratio: half of the track over the wheelbase.
        height_ratio: height of the centre of mass over the wheelbase.
        front_grip: coefficient of friction of the front axle; ``rear_grip`` of the rear axle.
        least_grip: of both; ``most_grip`` likewise.
        front_stiffness: slope of the side force over the slip angle, in units of grip; ``rear_stiffness`` likewise.
        inverse_gyration: mass over moment of inertia about z, 1/m².
        twist: yaw acceleration per weight and grip when both axles push against each other, 1/m.
        air: half the density of air times the drag area over the mass, 1/m.
    """

    front_arm: T
    rear_arm: T
    wheelbase: T
    front_share: T
    track_ratio: T
    height_ratio: T
    front_grip: T
    rear_grip: T
    least_grip: T
    most_grip: T
    front_stiffness: T
    rear_stiffness: T
    inverse_gyration: T
    twist: T
    air: T


class Drive(NamedTuple, Generic[T]):
    """What driver, engine and ground do during a step.

    Attributes:
        wheel_target: wanted angle of the inner front wheel, radians.
        throttle: pedal.
        pull: the engine's acceleration at full throttle in the present gear, m/s², negative in reverse.
        resistance: of the brake pedal and of rolling, m/s².
        coasting: drag of the engine with the throttle released, m/s².
        hand_brake: coefficient of friction of the locked rear wheels, 0 = released.
        hand_drag: what they hold the vehicle back with while it hardly moves, m/s².
        slope_x: gravity along the vehicle, m/s²; ``slope_y`` across it.
        weight: gravity into the ground, m/s².
    """

    wheel_target: T
    throttle: T
    pull: T
    resistance: T
    coasting: T
    hand_brake: T
    hand_drag: T
    slope_x: T
    slope_y: T
    weight: T


class Moving(Protocol[T]):
    """The moving state of one vehicle or of many; the names are those of ``VehicleDynamics``."""

    x: T
    y: T
    yaw: T
    forward: T
    side: T
    yaw_rate: T
    wheel_angle: T
    throttle: T
    transfer: T


def step(ops: Operations[T], body: Moving[T], drive: Drive[T], car: Chassis[T], seconds: float) -> None:
    """Advance the state by a step short against every time constant (0.01 s)."""
    turn = STEER_RATE * seconds
    body.wheel_angle = body.wheel_angle + ops.most(ops.least(drive.wheel_target - body.wheel_angle, turn), -turn)
    body.throttle = body.throttle + (drive.throttle - body.throttle) * min(1.0, seconds / THROTTLE_LAG_S)
    tangent = ops.tan(body.wheel_angle)
    tangent = tangent / (1.0 + car.track_ratio * abs(tangent))  # Ackermann: from the inner wheel to the single track
    speed = ops.hypot(body.forward, body.side)
    blend = ops.most(ops.least((speed - _KINEMATIC_SPEED) / (_DYNAMIC_SPEED - _KINEMATIC_SPEED), 1.0), 0.0)
    fade = ops.least(abs(body.forward) / ENGINE_FADE_SPEED, 1.0)
    engine = drive.coasting * ops.most(1.0 - 10.0 * body.throttle, 0.0) * fade
    drag = drive.resistance + engine
    pull = body.throttle * drive.pull
    air = car.air * speed
    push = drive.slope_x - air * body.forward / (1.0 + air * seconds)  # implicit: no drag area makes it overshoot
    rest = 1.0 - blend
    if ops.some(rest):
        slow = _kinematic(ops, body, drive, car, pull + push, drag, tangent, seconds)
        if ops.some(blend):
            fast = _dynamic(ops, body, drive, car, pull, push, drag, tangent, seconds)
            motion = tuple(new * blend + old * rest for new, old in zip(fast, slow, strict=True))
        else:
            motion = slow
    else:
        motion = _dynamic(ops, body, drive, car, pull, push, drag, tangent, seconds)
    body.forward, body.side, body.yaw_rate, body.transfer = motion
    cosine, sine = ops.cos(body.yaw), ops.sin(body.yaw)
    body.x = body.x + (body.forward * cosine - body.side * sine) * seconds
    body.y = body.y + (body.forward * sine + body.side * cosine) * seconds
    body.yaw = body.yaw + body.yaw_rate * seconds


def _kinematic(
    ops: Operations[T],
    body: Moving[T],
    drive: Drive[T],
    car: Chassis[T],
    push: T,
    drag: T,
    tangent: T,
    seconds: float,
) -> tuple[T, T, T, T]:
    """(forward, side, yaw rate, load transfer) after a step without slip."""
    drag = drag + drive.hand_drag
    pushed = body.forward + push * seconds
    forward = ops.copysign(ops.most(abs(pushed) - drag * seconds, 0.0), pushed)
    yaw_rate = forward * tangent / car.wheelbase
    side = yaw_rate * car.rear_arm
    hold = car.least_grip * drive.weight * seconds
    twist = hold * car.twist
    side = body.side + ops.most(ops.least(side - body.side, hold), -hold)
    yaw_rate = body.yaw_rate + ops.most(ops.least(yaw_rate - body.yaw_rate, twist), -twist)
    transfer = body.transfer * (1.0 - min(1.0, seconds / LOAD_LAG_S))
    return forward, side, yaw_rate, transfer


def _dynamic(
    ops: Operations[T],
    body: Moving[T],
    drive: Drive[T],
    car: Chassis[T],
    pull: T,
    push: T,
    drag: T,
    tangent: T,
    seconds: float,
) -> tuple[T, T, T, T]:
    """(forward, side, yaw rate, load transfer) after a step with tyre forces."""
    weight = drive.weight
    front_load = weight * car.front_share - body.transfer * car.height_ratio
    front_load = ops.most(ops.least(front_load, weight * (1.0 - _LEAST_SHARE)), weight * _LEAST_SHARE)
    rear_load = weight - front_load
    # All wheels drive, as in CARLA's default differential; pedals and engine act on each axle as its load allows.
    aligned = ops.most(ops.least(body.forward / _ALIGNED_SPEED, 1.0), -1.0)
    share = (pull - drag * aligned) / weight
    cosine = 1.0 / ops.sqrt(1.0 + tangent * tangent)
    sine = tangent * cosine
    front_side = body.side + car.front_arm * body.yaw_rate
    rolling = body.forward * cosine + front_side * sine
    sliding = front_side * cosine - body.forward * sine
    front_x, front_y = _tyre(ops, rolling, sliding, share, front_load, car.front_grip, car.front_stiffness)
    rear_side = body.side - car.rear_arm * body.yaw_rate
    rear_x, rear_y = _tyre(ops, body.forward, rear_side, share, rear_load, car.rear_grip, car.rear_stiffness)
    if ops.some(drive.hand_brake):
        locked_x, locked_y = _locked(ops, body.forward, rear_side, rear_load * drive.hand_brake)
        rear_x = rear_x + ops.zero_unless(drive.hand_brake, locked_x - rear_x)
        rear_y = rear_y + ops.zero_unless(drive.hand_brake, locked_y - rear_y)
    body_x = front_x * cosine - front_y * sine
    body_y = front_x * sine + front_y * cosine
    pushed_x = body.forward + (body_x + rear_x + push) * seconds
    pushed_y = body.side + (body_y + rear_y + drive.slope_y) * seconds
    # The body turns below its velocity; an exact rotation, unlike the usual Euler step, adds no energy in a spin.
    angle = body.yaw_rate * seconds
    cosine, sine = ops.cos(angle), ops.sin(angle)
    twist = (car.front_arm * body_y - car.rear_arm * rear_y) * car.inverse_gyration
    transfer = body.transfer + (body_x + rear_x - body.transfer) * min(1.0, seconds / LOAD_LAG_S)
    return (
        pushed_x * cosine + pushed_y * sine,
        pushed_y * cosine - pushed_x * sine,
        body.yaw_rate + twist * seconds,
        transfer,
    )


def _tyre(ops: Operations[T], rolling: T, sliding: T, share: T, load: T, grip: T, stiffness: T) -> tuple[T, T]:
    """(longitudinal, lateral) force of an axle in its own axes: a saturating side force inside the friction circle.

    Args:
        ops: for floats or arrays.
        rolling: speed of the contact patch along the wheel, m/s.
        sliding: speed of the contact patch across the wheel, m/s.
        share: longitudinal force asked for, over the load.
        load: vertical force.
        grip: coefficient of friction.
        stiffness: slope of the side force over the slip angle, in units of grip.
    """
    along = ops.most(ops.least(share, grip), -grip)
    side = ops.sqrt(ops.most(grip * grip - along * along, 0.0))
    slip = ops.arctan2(sliding, abs(rolling))
    return along * load, -side * load * ops.tanh(stiffness * slip)


def _locked(ops: Operations[T], rolling: T, sliding: T, friction: T) -> tuple[T, T]:
    """(longitudinal, lateral) force of a locked axle: full friction against the direction it slides in."""
    speed = ops.most(ops.hypot(rolling, sliding), 1e-6)
    return -friction * rolling / speed, -friction * sliding / speed
