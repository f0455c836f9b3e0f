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
    """

    __slots__ = ("_launch_share", "_pause_s", "_radius", "_rpm_per_speed", "_strongest", "control", "gear")

    def __init__(self, control: PhysicsControl, launch_share: float) -> None:
        self._launch_share = launch_share
        self.gear = 1
        self._pause_s = 0.0
        self.use(control)

    def use(self, control: PhysicsControl) -> None:
        """Take over changed physics."""
        self.control = control
        self.gear = min(self.gear, len(control.forward_gears))
        driven = control.wheels
        self._radius = sum(wheel.radius for wheel in driven) / len(driven) / 100.0
        self._rpm_per_speed = control.final_ratio / self._radius * 60.0 / math.tau
        self._strongest = max(torque for _, torque in control.torque_curve) * control.first_gear / self._radius

    @property
    def strongest(self) -> float:
        """The force at the wheels that the control unit allows, N."""
        return self._launch_share * self._strongest

    def engine_rpm(self, speed: float, gear: int) -> float:
        """Turns of the engine per minute at a speed in m/s in a forward gear."""
        ratio = self.control.forward_gears[gear - 1].ratio
        return max(IDLE_RPM, abs(speed) * ratio * self._rpm_per_speed)

    def shift(self, speed: float, seconds: float) -> None:
        """Let the automatic box change by one gear where the engine turns too fast or too slowly."""
        self._pause_s = max(0.0, self._pause_s - seconds)
        control, gear = self.control, self.gear
        if self._pause_s > 0.0 or not control.use_gear_autobox:
            return
        share = self.engine_rpm(speed, gear) / control.max_rpm
        entry = control.forward_gears[gear - 1]
        if share > entry.up_ratio and gear < len(control.forward_gears):
            self.gear = gear + 1
        elif share < entry.down_ratio and gear > 1:
            self.gear = gear - 1
        if self.gear != gear:
            self._pause_s = control.gear_switch_time

    def force(self, speed: float, gear: int) -> float:
        """Newtons at the wheels at full throttle; ``gear`` -1 is reverse, 0 neutral.

        Args:
            speed: forwards, m/s.
            gear: -1 reverse, 0 neutral, else a forward gear; one beyond the last counts as the last.
        """
        if gear == 0 or self._pause_s > 0.0:
            return 0.0
        if gear < 0:
            fade = (REVERSE_SPEED + speed) / _REVERSE_FADE
            return -self.strongest * max(0.0, min(1.0, fade))
        gear = min(gear, len(self.control.forward_gears))
        rpm = self.engine_rpm(speed, gear)
        if rpm > self.control.max_rpm:
            return 0.0
        ratio = self.control.forward_gears[gear - 1].ratio * self.control.final_ratio
        return min(self.strongest, interpolate(self.control.torque_curve, rpm) * ratio / self._radius)

    def shown_gear(self, speed: float, idle: bool) -> int:
        """What the driver reads: 0 while an automatic stands and is not asked to move."""
        return 0 if idle and abs(speed) < _STANDING_SPEED else self.gear
