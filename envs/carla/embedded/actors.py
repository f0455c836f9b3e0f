"""What lives in an episode: vehicles, walkers, sensors, and how each is described to a client."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sim2real_bench.envs.carla.embedded.attachments import Attachment, mounted
from sim2real_bench.envs.carla.embedded.attributes import colour
from sim2real_bench.envs.carla.embedded.blueprints import CAMERAS
from sim2real_bench.envs.carla.embedded.collisions import Box
from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector
from sim2real_bench.envs.carla.embedded.messages import (
    URBAN_SPEED_LIMIT_KMH,
    ActorState,
    vehicle_union,
    walker_union,
)
from sim2real_bench.envs.carla.embedded.prop_models import PropModel
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl, VehicleDynamics
from sim2real_bench.envs.carla.embedded.walker_control import WalkerControl
from sim2real_bench.envs.carla.embedded.walker_dynamics import STRIDE_M, WalkerDynamics
from sim2real_bench.envs.carla.embedded.wire import Description
from sim2real_bench.envs.classes import CarlaClass

if TYPE_CHECKING:
    from sim2real_bench.envs.carla.embedded.traffic_signals import TrafficSignal

NO_ACTOR = 0
GREEN = 2
POSITION_LIGHTS, LOW_BEAM, BRAKE_LIGHTS, REVERSE_LIGHTS = 1, 2, 8, 64
_BRAKE_PEDAL = 0.05
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
        attachment: how it is mounted.
    """

    actor_id: int
    description: Description
    pose: Transform
    parent: Actor | None = None
    mount: Transform = field(default_factory=Transform)
    stream: int = 0
    attachment: Attachment = Attachment.RIGID

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
            self.pose = mounted(self.parent.transform, self.mount, self.attachment)

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

    def record(self) -> ActorState:
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
        acceleration: over the last tick, world axes, m/s².
        client_lights: light flags a client has set, which then hold for good; None before that.
        dark: it is dark outside.
        autopilot: the server drives it.
        traffic_light: the light it is at, or None.
        speed_limit_kmh: in force where it is.
    """

    dynamics: VehicleDynamics
    paint: tuple[int, int, int]
    control: VehicleControl = field(default_factory=VehicleControl)
    physics: bool = True
    solid: bool = True
    acceleration: Vector = ZERO
    client_lights: int | None = None
    dark: bool = False
    autopilot: bool = False
    traffic_light: TrafficSignal | None = None
    speed_limit_kmh: float = URBAN_SPEED_LIMIT_KMH

    @property
    def lights(self) -> int:
        """Light flags (``carla.VehicleLightState``): the client's, or what a driver would have on."""
        if self.client_lights is not None:
            return self.client_lights
        flags = POSITION_LIGHTS | LOW_BEAM if self.dark else 0
        if self.control.brake > _BRAKE_PEDAL:
            flags |= BRAKE_LIGHTS
        return flags | REVERSE_LIGHTS if self.control.reverse else flags

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

    @property
    def span(self) -> tuple[float, float]:
        """Heights of its lowest and highest point, metres."""
        return self.dynamics.z, self.dynamics.z + 2.0 * self.dynamics.model.half_height

    def follow(self) -> None:
        """Vehicles move by themselves."""

    def bounding_box(self) -> list[Any]:
        """Half sizes of the model; the origin lies on the ground."""
        model = self.dynamics.model
        half = [model.half_length, model.half_width, model.half_height]
        return [[0.0, 0.0, model.half_height], half, [0.0, 0.0, 0.0], self.actor_id]

    def semantic_tags(self) -> bytes:
        """The class of the body; a two-wheeler carries a rider."""
        shape = BODIES[self.dynamics.model.body]
        return bytes([shape.tag] if shape.rider is None else [shape.tag, shape.rider])

    def record(self) -> ActorState:
        """The record of the world state."""
        turning = math.degrees(self.dynamics.yaw_rate) if self.physics else 0.0
        return ActorState(
            self.actor_id, self.transform, self.velocity, (0.0, 0.0, turning), self.acceleration, union=self._union()
        )

    def _union(self) -> bytes:
        light = self.traffic_light
        return vehicle_union(
            self.control,
            self.dynamics.gear(self.control),
            self.speed_limit_kmh,
            int(light.state) if light else GREEN,
            light.actor_id if light else NO_ACTOR,
            self.dynamics.failure,
        )

    def encloses(self, point: Transform) -> bool:
        """A point lies inside the vehicle's box."""
        above = point.z - self.dynamics.z
        return 0.0 <= above <= 2.0 * self.dynamics.model.half_height and self.box.contains(point.x, point.y)


@dataclass(eq=False, kw_only=True)
class Walker(Actor):
    """A pedestrian; its origin is the centre of its box.

    Attributes:
        dynamics: its motion.
        paint: RGB of its clothes.
        control: held until the next one arrives.
        physics: it moves by itself.
        solid: it collides.
        acceleration: over the last tick, world axes, m/s².
        guided: a client moves it step by step.
        stepped: it has been moved since the last tick.
        alive: it can walk.
    """

    dynamics: WalkerDynamics
    paint: tuple[int, int, int]
    control: WalkerControl = field(default_factory=WalkerControl)
    physics: bool = True
    solid: bool = True
    acceleration: Vector = ZERO
    guided: bool = False
    stepped: bool = False
    alive: bool = True

    @property
    def transform(self) -> Transform:
        """Pose in the world."""
        return self.dynamics.transform

    @property
    def velocity(self) -> Vector:
        """World axes, m/s."""
        return self.dynamics.velocity

    def step_to(self, feet: Transform, velocity: Vector) -> None:
        """Take a step that a client has worked out."""
        dynamics = self.dynamics
        origin = replace(feet, z=feet.z + dynamics.model.half_height)
        strolled = math.hypot(feet.x - dynamics.x, feet.y - dynamics.y)
        dynamics.place(origin)
        dynamics.set_velocity(velocity)
        dynamics.phase = (dynamics.phase + math.tau * strolled / STRIDE_M) % math.tau
        self.guided = self.stepped = True

    def fall(self) -> None:
        """Lie down for good."""
        self.alive = self.guided = self.physics = False
        self.dynamics.stop()
        self.dynamics.lying = True

    def end_tick(self) -> None:
        """Who was knocked down is not guided any more; who was not moved stands still."""
        if self.dynamics.lying:
            self.guided = False
        if self.guided and not self.stepped:
            self.dynamics.stop()
        self.stepped = False

    @property
    def box(self) -> Box:
        """The footprint."""
        return Box.around(self.dynamics)

    @property
    def span(self) -> tuple[float, float]:
        """Heights of its feet and its head, metres."""
        return self.dynamics.z, self.dynamics.z + self.dynamics.height

    def follow(self) -> None:
        """Walkers move by themselves."""

    def bounding_box(self) -> list[Any]:
        """Half sizes about the origin."""
        model = self.dynamics.model
        half = [model.half_length, model.half_width, model.half_height]
        return [[0.0, 0.0, 0.0], half, [0.0, 0.0, 0.0], self.actor_id]

    def semantic_tags(self) -> bytes:
        """Pedestrian."""
        return bytes([CarlaClass.PEDESTRIANS])

    def record(self) -> ActorState:
        """The record of the world state."""
        control = self.control
        union = walker_union(control.direction, control.speed, control.jump)
        return ActorState(self.actor_id, self.transform, self.velocity, ZERO, self.acceleration, union=union)


@dataclass(eq=False, kw_only=True)
class WalkerController(Actor):
    """``controller.ai.walker``: lets its parent, a walker, walk to a place.

    Attributes:
        running: started and not stopped.
        speed: wanted, m/s.
        target: where to walk to, or None.
    """

    running: bool = False
    speed: float = 1.4
    target: Vector | None = None


@dataclass(eq=False, kw_only=True)
class Prop(Actor):
    """A thing that stands around and can be hit; its origin is the middle of its foot.

    Attributes:
        model: size, class and shape.
        solid: it collides.
    """

    model: PropModel
    solid: bool = True

    @property
    def box(self) -> Box:
        """The footprint."""
        half_length, half_width, _ = self.model.half_size
        pose = self.transform
        return Box(pose.x, pose.y, math.radians(pose.yaw), half_length, half_width)

    @property
    def span(self) -> tuple[float, float]:
        """Heights of its foot and its top, metres."""
        return self.pose.z, self.pose.z + 2.0 * self.model.half_size[2]

    def bounding_box(self) -> list[Any]:
        """The box stands on the origin."""
        half = self.model.half_size
        return [[0.0, 0.0, half[2]], list(half), [0.0, 0.0, 0.0], self.actor_id]

    def semantic_tags(self) -> bytes:
        """Its class."""
        return bytes([self.model.tag])


Solid = Vehicle | Walker | Prop
"""What takes up room on the ground."""


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
        attributes: the resolved blueprint attributes.
        device: what the sensor keeps between captures; made at the first one.
    """

    optics: CameraOptics | None = None
    interval: float = 0.0
    born: int = 0
    next_capture: float = 0.0
    attributes: dict[str, str] = field(default_factory=dict)
    device: Any = None

    @classmethod
    def from_attributes(
        cls, actor_id: int, description: Description, pose: Transform, attributes: dict[str, str], frame: int
    ) -> Sensor:
        """A sensor from resolved blueprint attributes."""
        optics = None
        if description.type_id in CAMERAS:
            width, height = int(attributes["image_size_x"]), int(attributes["image_size_y"])
            optics = CameraOptics(width, height, float(attributes["fov"]))
        interval = float(attributes.get("sensor_tick", "0"))
        return cls(
            actor_id, description, pose, optics=optics, interval=interval, born=frame, attributes=dict(attributes)
        )

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
