"""Engine and gear box: which gear, how fast the engine turns, and how hard it pulls."""

import math

from sim2real_bench.envs.carla.embedded.dynamics.physics_control import PhysicsControl, interpolate

IDLE_RPM = 900.0
REVERSE_SPEED = 10.0  # m/s at which the engine stops pulling backwards
_REVERSE_FADE = 3.0  # m/s over which it does
_STANDING_SPEED = 0.05


class Powertrain:
    """Engine, gear box and pedals of one vehicle.

    The control unit lets the engine give at most ``launch_share`` of the largest torque that first gear could put on
    the wheels: that is how strong a car pulls away. The pedal asks for a share of what is available.

    Attributes:
        control: the physics in force.
        gear: the forward gear the box is in, from 1.
        strongest: the force at the wheels that the control unit allows, N.
    """

    __slots__ = ("_down", "_flat", "_launch_share", "_pause_s", "_radius", "_rpm_per_speed", "_up", "control", "gear",
                 "strongest")  # fmt: skip

    def __init__(self, control: PhysicsControl, launch_share: float) -> None:
        self._launch_share = launch_share
        self.gear = 1
        self._pause_s = 0.0
        self.use(control)

    def use(self, control: PhysicsControl) -> None:
        """Take over changed physics."""
        self.control = control
        gears = control.forward_gears
        self.gear = min(self.gear, len(gears))
        self._radius = sum(wheel.radius for wheel in control.wheels) / len(control.wheels) / 100.0
        self._rpm_per_speed = control.final_ratio / self._radius * 60.0 / math.tau
        strongest = max(torque for _, torque in control.torque_curve) * control.first_gear / self._radius
        self.strongest = self._launch_share * strongest
        # Per gear: where the box shifts up and down, and up to where the engine gives all that it is allowed (m/s).
        speeds = [control.max_rpm / (gear.ratio * self._rpm_per_speed) for gear in gears]
        self._up = [gear.up_ratio * speed for gear, speed in zip(gears, speeds, strict=True)]
        self._down = [gear.down_ratio * speed for gear, speed in zip(gears, speeds, strict=True)]
        self._up[-1], self._down[0] = math.inf, -1.0
        self._flat = [self._flat_speed(number) for number in range(1, len(gears) + 1)]

    def _flat_speed(self, gear: int) -> float:
        """The speed up to which a gear puts the strongest force on the wheels, m/s; -1 = never."""
        reached = -1.0
        for rpm, _ in self.control.torque_curve:
            speed = min(rpm, self.control.max_rpm) / (self.control.forward_gears[gear - 1].ratio * self._rpm_per_speed)
            if self._engine_force(speed, gear) < self.strongest:
                break
            reached = speed
        return reached

    def engine_rpm(self, speed: float, gear: int) -> float:
        """Turns of the engine per minute at a speed in m/s in a forward gear."""
        ratio = self.control.forward_gears[gear - 1].ratio
        return max(IDLE_RPM, abs(speed) * ratio * self._rpm_per_speed)

    def shift(self, speed: float, seconds: float) -> None:
        """Let the automatic box change by one gear where the engine turns too fast or too slowly."""
        if self._pause_s > 0.0:
            self._pause_s = max(0.0, self._pause_s - seconds)
            return
        number, speed = self.gear - 1, abs(speed)
        change = (speed > self._up[number]) - (speed < self._down[number])
        if change and self.control.use_gear_autobox:
            self.gear += change
            self._pause_s = self.control.gear_switch_time

    def force(self, speed: float, gear: int) -> float:
        """Newtons at the wheels at full throttle.

        Args:
            speed: forwards, m/s.
            gear: -1 reverse, 0 neutral, else a forward gear; one beyond the last counts as the last.
        """
        if gear == 0 or self._pause_s > 0.0:
            return 0.0
        if gear < 0:
            fade = (REVERSE_SPEED + speed) / _REVERSE_FADE
            return -self.strongest * max(0.0, min(1.0, fade))
        gear = min(gear, len(self._flat))
        if 0.0 <= speed <= self._flat[gear - 1]:
            return self.strongest
        return min(self.strongest, self._engine_force(speed, gear))

    def _engine_force(self, speed: float, gear: int) -> float:
        """What the engine can give, whatever the control unit allows."""
        rpm = self.engine_rpm(speed, gear)
        if rpm > self.control.max_rpm * (1.0 + 1e-9):
            return 0.0
        ratio = self.control.forward_gears[gear - 1].ratio * self.control.final_ratio
        return interpolate(self.control.torque_curve, rpm) * ratio / self._radius

    def shown_gear(self, speed: float, idle: bool) -> int:
        """What the driver reads: 0 while an automatic stands and is not asked to move."""
        return 0 if idle and abs(speed) < _STANDING_SPEED else self.gear
