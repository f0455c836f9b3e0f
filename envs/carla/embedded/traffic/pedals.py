"""From places, speeds and gaps to accelerations, and from those to pedals and steering: pure functions on arrays.

Following uses the intelligent driver model (Treiber, Hennecke and Helbing, Physical Review E 62, 2000, equations 2-3),
steering adds the path's curvature to the feedback law of Stanley (Hoffmann et al., American Control Conference 2007).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

COMFORT_ACCELERATION = 1.8  # m/s²
COMFORT_BRAKING = 2.4  # m/s²
HARDEST_BRAKING = 8.0  # m/s²
STANDSTILL_GAP_M = 2.0
TIME_GAP_S = 1.2
LINE_GAP_M = 0.4
_SOFTENING_S = 0.6
_OFFSET_GAIN, _SOFT_SPEED = 1.5, 2.5
_YAW_GAIN = 0.9
_MOST_FEEDBACK = 0.6  # radians
_STEEPEST = 1.0  # radians
_SLOW_MPS, _FAST_MPS = 5.0, 11.0
_COAST = 0.25  # m/s²: weaker braking is left to the engine


def free_acceleration(speed: Float, wish: Float) -> Float:
    """m/s² towards a wished speed."""
    return np.clip((wish - speed) / _SOFTENING_S, -COMFORT_BRAKING, COMFORT_ACCELERATION)


def wished_speed(limits: Float, ahead: Float) -> Float:
    """The speed now that lets a driver brake in comfort for every bend ahead.

    Args:
        limits: (V, C) m/s wished at each place ahead.
        ahead: (C,) metres to these places.
    """
    return np.sqrt(np.min(limits**2 + 2.0 * 0.7 * COMFORT_BRAKING * ahead, axis=1))


def following_acceleration(
    speed: Float, gap: Float, other_speed: Float, standstill_gap: Float | float, time_gap: Float | float = TIME_GAP_S
) -> Float:
    """m/s² that the intelligent driver model asks for because of somebody ahead; the free term is left out.

    Args:
        speed: own, m/s.
        gap: free metres to the other.
        other_speed: of the other along the own path, m/s.
        standstill_gap: metres to keep at rest.
        time_gap: seconds to keep.
    """
    closing = speed - other_speed
    dynamic = speed * time_gap + speed * closing / (2.0 * np.sqrt(COMFORT_ACCELERATION * COMFORT_BRAKING))
    wanted = standstill_gap + np.maximum(dynamic, 0.0)
    wish = COMFORT_ACCELERATION * (1.0 - (wanted / np.maximum(gap, 0.1)) ** 2)
    return np.where(gap <= 0.5 * standstill_gap, np.minimum(wish, -COMFORT_BRAKING), wish)


def braking_distance(speed: Float, braking: float) -> Float:
    """Metres to stand still."""
    return speed**2 / (2.0 * braking)


def wheel_angle(
    bend: Float, yaw_error: Float, offset: Float, speed: Float, wheelbase: Float, rear_axle: Float
) -> Float:
    """Single-track wheel angle (radians, positive right) with which a vehicle's middle follows a path.

    Slowly, the middle moves where the wheels make it move: tan(course - yaw) = rear axle / wheelbase * tan(angle), and
    the course wanted is the path's direction, turned a little towards it. That is exact without slip, also where a long
    vehicle leaves a bend. It would be nervous at speed, where curvature and a gentle feedback do.

    Args:
        bend: curvature of the path where the vehicle soon is, 1/m, positive to the right.
        yaw_error: how far the path points more to the right than the vehicle, radians.
        offset: how far the path lies to the right, metres.
        speed: m/s.
        wheelbase: metres.
        rear_axle: metres from the middle back to the rear axle.
    """
    back = np.arctan2(_OFFSET_GAIN * offset, np.abs(speed) + _SOFT_SPEED)
    course = np.clip(yaw_error + back, -_STEEPEST, _STEEPEST)
    exact = np.arctan(wheelbase / rear_axle * np.tan(course))
    body = np.arcsin(np.clip(rear_axle * bend, -0.9, 0.9))  # how far a body points out of a bend
    feedback = np.clip(_YAW_GAIN * (yaw_error - body) + back, -_MOST_FEEDBACK, _MOST_FEEDBACK)
    gentle = np.arctan(wheelbase * bend) + feedback
    share = np.clip((_FAST_MPS - speed) / (_FAST_MPS - _SLOW_MPS), 0.0, 1.0)
    return share * exact + (1.0 - share) * gentle


def inner_wheel_angle(single_track: Float, wheelbase: Float, track: Float) -> Float:
    """Angle of the inner front wheel for a single-track angle (Ackermann geometry), radians."""
    angle = np.maximum(np.abs(single_track), 1e-6)
    cotangent = np.maximum(1.0 / np.tan(angle) - track / (2.0 * wheelbase), 0.05)
    return np.copysign(np.arctan2(1.0, cotangent), single_track)


def pedals(wanted: Float, correction: Float, full_throttle: Float) -> tuple[Float, Float]:
    """(throttle, brake) in [0, 1] for an acceleration.

    Args:
        wanted: m/s².
        correction: m/s² to add, learnt from what the vehicle made of the last wishes.
        full_throttle: acceleration at full throttle at the present speed, m/s².
    """
    asked = wanted + correction
    throttle = np.clip(asked / full_throttle, 0.0, 1.0)
    brake = np.where(wanted < -_COAST, np.clip(-asked / 9.0, 0.0, 1.0), 0.0)
    return np.where(brake > 0.0, 0.0, throttle), brake
