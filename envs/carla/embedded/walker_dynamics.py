"""How pedestrians move: they walk, turn and jump as told, follow the ground, and fall when something hits them."""

import math
from dataclasses import dataclass
from functools import cached_property

from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector, wrap_degrees
from sim2real_bench.envs.carla.embedded.town.relief import FLAT, Relief
from sim2real_bench.envs.carla.embedded.walker_control import WalkerControl

GRAVITY = 9.81
ACCELERATION = 8.0  # m/s²: people reach their pace within two steps
TURN_RATE = math.tau  # rad/s
JUMP_SPEED = 4.2  # m/s upwards; Unreal's default for characters
STRIDE_M = 1.45  # covered by two steps
KNOCK_DOWN_SPEED = 1.0  # m/s that a shove has to give before one falls
SLIDING_FRICTION = 0.6  # of clothes on asphalt
DOWN_TIME_S = 10.0  # lying still before getting up again
MAX_SPEED = 12.0  # m/s that a walker can be told to run


@dataclass(frozen=True)
class WalkerModel:
    """What a walker's type id stands for.

    Attributes:
        type_id: blueprint id.
        body: the renderer's body shape.
        half_length: half of the bounding box along x, metres.
        half_width: half of the bounding box along y, metres.
        half_height: half of the bounding box along z, metres.
        mass: kilograms.
    """

    type_id: str
    body: str
    half_length: float = 0.19
    half_width: float = 0.19
    half_height: float = 0.93
    mass: float = 75.0

    @cached_property
    def yaw_inertia(self) -> float:
        """Moment of inertia about z of a uniform box, kg m²."""
        return self.mass / 3.0 * (self.half_length**2 + self.half_width**2)


class WalkerDynamics:
    """The moving state of one walker.

    Attributes:
        x: position of the centre, metres (likewise ``y``).
        z: height of the feet, metres.
        yaw: radians.
        velocity: world axes, m/s.
        yaw_rate: radians per second.
        phase: of the gait, radians; a full turn is two steps.
        lying: knocked down.
    """

    __slots__ = ("_down_s", "lying", "model", "phase", "velocity", "x", "y", "yaw", "yaw_rate", "z")

    def __init__(self, model: WalkerModel, pose: Transform) -> None:
        self.model = model
        self.lying = False
        self._down_s = 0.0
        self.phase = 0.0
        self.place(pose)
        self.stop()

    @property
    def mass(self) -> float:
        """Kilograms."""
        return self.model.mass

    @property
    def yaw_inertia(self) -> float:
        """Moment of inertia about z, kg m²."""
        return self.model.yaw_inertia

    @property
    def height(self) -> float:
        """Of the body above its feet as it stands or lies, metres."""
        return 2.0 * (self.model.half_width if self.lying else self.model.half_height)

    @property
    def transform(self) -> Transform:
        """The pose of the walker's origin: the centre of its box, as in CARLA."""
        pitch = 90.0 if self.lying else 0.0
        yaw = wrap_degrees(math.degrees(self.yaw))
        return Transform(self.x, self.y, self.z + self.height / 2.0, pitch, yaw, 0.0)

    @property
    def at_rest(self) -> bool:
        """Nothing moves."""
        return self.velocity == (0.0, 0.0, 0.0) and self.yaw_rate == 0.0

    def place(self, pose: Transform) -> None:
        """Put the origin at a pose; a walker that lies there gets up."""
        self.lying = False
        self.x, self.y, self.z = pose.x, pose.y, pose.z - self.model.half_height
        self.yaw = math.radians(wrap_degrees(pose.yaw))

    def stop(self) -> None:
        """Come to rest at once."""
        self.velocity: Vector = (0.0, 0.0, 0.0)
        self.yaw_rate = 0.0

    def set_velocity(self, velocity: Vector) -> None:
        """Take a velocity given in world axes, m/s."""
        self.velocity = velocity

    def push(self, point_x: float, point_y: float, impulse_x: float, impulse_y: float) -> None:
        """Apply an impulse (N s, world axes) at a world point; a strong one knocks the walker down."""
        mass = self.model.mass
        vx, vy, vz = self.velocity
        self.velocity = (vx + impulse_x / mass, vy + impulse_y / mass, vz)
        turn = (point_x - self.x) * impulse_y - (point_y - self.y) * impulse_x
        self.yaw_rate += turn / self.model.yaw_inertia
        if math.hypot(impulse_x, impulse_y) > KNOCK_DOWN_SPEED * mass:
            self.lying, self._down_s = True, 0.0

    def advance(self, control: WalkerControl, seconds: float, relief: Relief = FLAT) -> None:
        """Move on with a held control over ``seconds``."""
        ground = relief.height(self.x, self.y)
        airborne = self.z > ground + 1e-3
        if not airborne:
            self._touch_down(ground)
            if self.lying:
                self._slide(seconds)
            else:
                self._walk(control, seconds)
        vx, vy, vz = self.velocity
        self.x, self.y = self.x + vx * seconds, self.y + vy * seconds
        self.yaw = math.remainder(self.yaw + self.yaw_rate * seconds, math.tau)
        below = relief.height(self.x, self.y)
        if airborne or vz > 0.0:
            self._fly(below, seconds)
        else:
            self.z = below

    def _touch_down(self, ground: float) -> None:
        self.z = ground
        vx, vy, _ = self.velocity
        self.velocity = (vx, vy, 0.0)

    def _walk(self, control: WalkerControl, seconds: float) -> None:
        along_x, along_y, _ = control.direction
        length = math.hypot(along_x, along_y)
        speed = max(-MAX_SPEED, min(MAX_SPEED, control.speed)) if length > 0.0 else 0.0
        wanted_x, wanted_y = (along_x * speed / length, along_y * speed / length) if speed else (0.0, 0.0)
        vx, vy, _ = self.velocity
        change = math.hypot(wanted_x - vx, wanted_y - vy)
        share = min(1.0, ACCELERATION * seconds / change) if change > 0.0 else 1.0
        vx, vy = vx + (wanted_x - vx) * share, vy + (wanted_y - vy) * share
        self.velocity = (vx, vy, JUMP_SPEED if control.jump else 0.0)
        self.yaw_rate = 0.0
        if speed:
            turn = math.remainder(math.atan2(wanted_y, wanted_x) - self.yaw, math.tau)
            self.yaw_rate = max(-TURN_RATE, min(TURN_RATE, turn / seconds))
        self.phase = (self.phase + math.tau * math.hypot(vx, vy) * seconds / STRIDE_M) % math.tau

    def _slide(self, seconds: float) -> None:
        vx, vy, _ = self.velocity
        speed = math.hypot(vx, vy)
        share = max(0.0, 1.0 - SLIDING_FRICTION * GRAVITY * seconds / speed) if speed > 0.0 else 0.0
        self.velocity = (vx * share, vy * share, 0.0)
        self.yaw_rate *= share
        self._down_s = self._down_s + seconds if share == 0.0 else 0.0
        if self._down_s >= DOWN_TIME_S:
            self.lying = False

    def _fly(self, ground: float, seconds: float) -> None:
        vx, vy, vz = self.velocity
        vz -= GRAVITY * seconds
        self.z += vz * seconds
        if self.z <= ground:
            self.z, vz = ground, 0.0
        self.velocity = (vx, vy, vz)
