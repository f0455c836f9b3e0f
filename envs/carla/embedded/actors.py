"""What lives in an episode: vehicles, sensors and the spectator, and how each is described to a client."""

import math
from dataclasses import dataclass, field
from typing import Any

from sim2real_bench.envs.carla.embedded.blueprints import CAMERAS, colour
from sim2real_bench.envs.carla.embedded.collisions import Box
from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector, compose
from sim2real_bench.envs.carla.embedded.messages import ActorState
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl, VehicleDynamics
from sim2real_bench.envs.carla.embedded.wire import Description
from sim2real_bench.envs.classes import CarlaClass

NO_ACTOR = 0
ZERO: Vector = (0.0, 0.0, 0.0)


@dataclass(eq=False)
class Actor:
    """Anything with an id and a pose: by itself the spectator, otherwise the base of vehicles and sensors.

    Attributes:
        actor_id: unique for the life of the process.
        description: as the client spawned it.
        pose: the world transform.
        parent: what it is mounted on, or None.
        mount: the transform relative to the parent.
        stream: id of its sensor stream, or 0.
    """

    actor_id: int
    description: Description
    pose: Transform
    parent: "Actor | None" = None
    mount: Transform = field(default_factory=Transform)
    stream: int = 0

    @property
    def type_id(self) -> str:
        """Blueprint id."""
        return self.description.type_id

    @property
    def transform(self) -> Transform:
        """Pose in the world."""
        return self.pose

    @property
    def velocity(self) -> Vector:
        """World axes, m/s; of the parent when mounted."""
        return self.parent.velocity if self.parent else ZERO

    def follow(self) -> None:
        """Move along with the parent."""
        if self.parent is not None:
            self.pose = compose(self.parent.transform, self.mount)

    def bounding_box(self) -> list[Any]:
        """``[location, half sizes, rotation, actor id]`` in the actor's frame."""
        return [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], self.actor_id]

    def semantic_tags(self) -> bytes:
        """One byte per class."""
        return b""

    def wire(self, token: bytes) -> list[Any]:
        """The Actor structure; ``token`` is empty without a stream."""
        parent = self.parent.actor_id if self.parent else NO_ACTOR
        return [self.actor_id, parent, self.description.wire(), self.bounding_box(), self.semantic_tags(), token]

    def state(self) -> ActorState:
        """The record of the world state."""
        return ActorState(self.actor_id, self.transform, self.velocity)


@dataclass(eq=False, kw_only=True)
class Vehicle(Actor):
    """A vehicle.

    Attributes:
        dynamics: its motion.
        paint: RGB.
        control: held until the next one arrives.
        physics: it moves by itself.
        solid: it collides.
        lights: light flags, kept for the client.
        acceleration: over the last tick, world axes, m/s².
    """

    dynamics: VehicleDynamics
    paint: tuple[int, int, int]
    control: VehicleControl = field(default_factory=VehicleControl)
    physics: bool = True
    solid: bool = True
    lights: int = 0
    acceleration: Vector = ZERO

    @property
    def transform(self) -> Transform:
        """Pose in the world."""
        return self.dynamics.transform

    @property
    def velocity(self) -> Vector:
        """World axes, m/s."""
        return self.dynamics.velocity if self.physics else ZERO

    @property
    def box(self) -> Box:
        """The footprint."""
        return Box.around(self.dynamics)

    def follow(self) -> None:
        """Vehicles move by themselves."""

    def bounding_box(self) -> list[Any]:
        """Half sizes of the model; the origin lies on the ground."""
        model = self.dynamics.model
        half = [model.half_length, model.half_width, model.half_height]
        return [[0.0, 0.0, model.half_height], half, [0.0, 0.0, 0.0], self.actor_id]

    def semantic_tags(self) -> bytes:
        """Car."""
        return bytes([CarlaClass.CAR])

    def state(self) -> ActorState:
        """The record of the world state."""
        turning = math.degrees(self.dynamics.yaw_rate) if self.physics else 0.0
        return ActorState(
            self.actor_id,
            self.transform,
            self.velocity,
            (0.0, 0.0, turning),
            self.acceleration,
            (self.control, self.dynamics.gear(self.control)),
        )

    def encloses(self, point: Transform) -> bool:
        """A point lies inside the vehicle's box."""
        above = point.z - self.dynamics.z
        return 0.0 <= above <= 2.0 * self.dynamics.model.half_height and self.box.contains(point.x, point.y)


@dataclass(frozen=True, slots=True)
class CameraOptics:
    """Image size in pixels and horizontal field of view in degrees."""

    width: int
    height: int
    fov_deg: float


@dataclass(eq=False, kw_only=True)
class Sensor(Actor):
    """A sensor.

    Attributes:
        optics: for cameras.
        interval: seconds between two captures; 0 = every tick.
        born: frame of its spawn.
        next_capture: elapsed seconds from which on the next capture is due.
    """

    optics: CameraOptics | None = None
    interval: float = 0.0
    born: int = 0
    next_capture: float = 0.0

    @classmethod
    def from_attributes(
        cls, actor_id: int, description: Description, pose: Transform, attributes: dict[str, str], frame: int
    ) -> "Sensor":
        """A sensor from resolved blueprint attributes."""
        optics = None
        if description.type_id in CAMERAS:
            width, height = int(attributes["image_size_x"]), int(attributes["image_size_y"])
            optics = CameraOptics(width, height, float(attributes["fov"]))
        interval = float(attributes.get("sensor_tick", "0"))
        return cls(actor_id, description, pose, optics=optics, interval=interval, born=frame)

    def due(self, elapsed: float) -> bool:
        """A capture is due now; the next one is scheduled."""
        if self.interval <= 0.0:
            return True
        if elapsed + 1e-6 < self.next_capture:
            return False
        self.next_capture += self.interval
        if self.next_capture <= elapsed:  # the first capture, or ticks longer than the interval
            self.next_capture = elapsed + self.interval
        return True


def paint_of(attributes: dict[str, str]) -> tuple[int, int, int]:
    """The colour of resolved vehicle attributes."""
    return colour(attributes["color"])
