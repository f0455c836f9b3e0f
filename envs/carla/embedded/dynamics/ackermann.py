"""Driving towards a speed and a steering angle: the counterpart of CARLA's Ackermann control.

Two controllers in a row, as the client's settings have it: the error of the speed changes the wanted acceleration, and
the pedals follow it by what they are known to do, corrected by the error of the acceleration.
"""

from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.vehicle_control import VehicleControl

# Limits where the client names none, and default gains: those of FAckermannController in CARLA's published reference.
LARGEST_ACCELERATION = 3.0  # m/s²
LARGEST_DECELERATION = 8.0
_STANDING_SPEED = 0.1
_LARGEST_CORRECTION = 0.5  # of the pedal


@dataclass(frozen=True, slots=True)
class AckermannControl:
    """``carla.VehicleAckermannControl``.

    Attributes:
        steer: wanted angle of the front wheels, radians, positive to the right.
        steer_speed: of the front wheels, rad/s; 0 = as fast as they turn.
        speed: wanted, m/s, negative backwards.
        acceleration: at most, m/s²; 0 = CARLA's limits.
        jerk: at most, m/s³; 0 = no limit.
    """

    steer: float = 0.0
    steer_speed: float = 0.0
    speed: float = 0.0
    acceleration: float = 0.0
    jerk: float = 0.0


@dataclass(frozen=True, slots=True)
class AckermannSettings:
    """``carla.AckermannControllerSettings``: gains of the two controllers, per tick."""

    speed_kp: float = 0.15
    speed_ki: float = 0.0
    speed_kd: float = 0.25
    accel_kp: float = 0.01
    accel_ki: float = 0.0
    accel_kd: float = 0.01


@dataclass(frozen=True, slots=True)
class Pedals:
    """What the pedals of a vehicle do now, all in m/s².

    Attributes:
        pull: of full throttle.
        braking: of a full brake pedal.
        resistance: without any pedal.
    """

    pull: float
    braking: float
    resistance: float

    def position(self, acceleration: float) -> float:
        """Throttle above zero, brake below, for a wanted acceleration."""
        if acceleration >= -self.resistance:
            return (acceleration + self.resistance) / max(self.pull, 0.1)
        return (acceleration + self.resistance) / max(self.braking, 0.1)


class _Controller:
    """Proportional, integral and derivative part; the output stays within ±1."""

    def __init__(self) -> None:
        self._integral = 0.0
        self._before: float | None = None

    def run(self, error: float, measured: float, gains: tuple[float, float, float], seconds: float) -> float:
        proportional, integral, derivative = gains
        self._integral = _within(self._integral + integral * error * seconds, 1.0)
        change = 0.0 if self._before is None else (measured - self._before) / seconds
        self._before = measured
        return _within(proportional * error + self._integral - derivative * change, 1.0)


class AckermannDriver:
    """Turns an Ackermann control into pedals and steering, tick by tick."""

    def __init__(self, settings: AckermannSettings, target: AckermannControl) -> None:
        self.settings = settings
        self.target = target
        self._steer = 0.0
        self.restart()

    def restart(self) -> None:
        """Forget how the pedals came to be where they are."""
        self._speed_loop, self._acceleration_loop = _Controller(), _Controller()
        self._wanted = 0.0
        self._correction = 0.0
        self._last_speed: float | None = None

    def drive(self, speed: float, largest_angle: float, pedals: Pedals, seconds: float) -> VehicleControl:
        """The control for the next tick.

        Args:
            speed: forwards, m/s.
            largest_angle: of the front wheels at this speed, radians.
            pedals: what they do now.
            seconds: length of the tick.
        """
        target = self.target.speed
        steer = self._turn(largest_angle, seconds)
        standing = abs(speed) < _STANDING_SPEED
        turning_back = speed * target < 0.0 and not standing  # stop before changing the direction
        if turning_back or (standing and abs(target) < _STANDING_SPEED):
            self.restart()
            return VehicleControl(steer=steer, brake=1.0)
        pedal = self._pedal(abs(target), abs(speed), pedals, seconds)
        return VehicleControl(max(0.0, pedal), steer, max(0.0, -pedal), reverse=target < 0.0)

    def _turn(self, largest_angle: float, seconds: float) -> float:
        wanted = _within(self.target.steer, largest_angle)
        if self.target.steer_speed:
            wanted = self._steer + _within(wanted - self._steer, abs(self.target.steer_speed) * seconds)
        self._steer = wanted
        return wanted / largest_angle if largest_angle > 0.0 else 0.0

    def _pedal(self, wanted_speed: float, speed: float, pedals: Pedals, seconds: float) -> float:
        settings, target = self.settings, self.target
        measured = 0.0 if self._last_speed is None else (speed - self._last_speed) / seconds
        self._last_speed = speed
        gains = (settings.speed_kp, settings.speed_ki, settings.speed_kd)
        wish = self._wanted + self._speed_loop.run(wanted_speed - speed, speed, gains, seconds)
        limit = abs(target.acceleration)
        wish = max(-(limit or LARGEST_DECELERATION), min(limit or LARGEST_ACCELERATION, wish))
        if target.jerk:
            wish = self._wanted + _within(wish - self._wanted, abs(target.jerk) * seconds)
        self._wanted = wish
        gains = (settings.accel_kp, settings.accel_ki, settings.accel_kd)
        change = self._acceleration_loop.run(wish - measured, measured, gains, seconds)
        self._correction = _within(self._correction + change, _LARGEST_CORRECTION)
        return _within(pedals.position(wish) + self._correction, 1.0)


def _within(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))
