"""Contacts between oriented boxes seen from above, and the impulses they cause."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.geometry import Vector

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

RESTITUTION = 0.1
RESTING_SPEED = 0.5  # m/s of approach below which nothing bounces back
_CELL_M = 8.0
_RADIUS_STEP_M = 2.0
_LARGEST_RADIUS_M = 32.0  # only searches for ordinary speeds are remembered
_MOST_CELLS = 50_000
SCRAPE_FRICTION = 0.35


class Footprint(Protocol):
    """The half sizes of a body, metres."""

    @property
    def half_length(self) -> float:
        """Along x."""

    @property
    def half_width(self) -> float:
        """Along y."""


class Body(Protocol):
    """What can be pushed about: vehicles and walkers."""

    x: float
    y: float
    yaw: float
    yaw_rate: float

    @property
    def model(self) -> Footprint:
        """Its size."""

    @property
    def velocity(self) -> Vector:
        """World axes, m/s."""

    @property
    def mass(self) -> float:
        """Kilograms."""

    @property
    def yaw_inertia(self) -> float:
        """About z, kg m²."""

    def push(self, point_x: float, point_y: float, impulse_x: float, impulse_y: float) -> None:
        """Take an impulse (N s, world axes) at a world point."""


class Box:
    """An oriented rectangle: centre, half sizes and outer radius in metres, yaw in radians."""

    __slots__ = ("cosine", "half_length", "half_width", "radius", "sine", "x", "y")

    def __init__(self, x: float, y: float, yaw: float, half_length: float, half_width: float) -> None:
        self.x, self.y = x, y
        self.cosine, self.sine = math.cos(yaw), math.sin(yaw)
        self.half_length, self.half_width = half_length, half_width
        self.radius = math.hypot(half_length, half_width)

    @classmethod
    def around(cls, body: Body) -> "Box":
        """The footprint of a vehicle or walker."""
        return cls(body.x, body.y, body.yaw, body.model.half_length, body.model.half_width)

    def reach(self, axis_x: float, axis_y: float) -> float:
        """Half of the box's extent along a unit axis."""
        along = abs(self.cosine * axis_x + self.sine * axis_y)
        across = abs(self.cosine * axis_y - self.sine * axis_x)
        return self.half_length * along + self.half_width * across

    def corners(self) -> list[tuple[float, float]]:
        """The four corners."""
        along_x, along_y = self.cosine * self.half_length, self.sine * self.half_length
        across_x, across_y = -self.sine * self.half_width, self.cosine * self.half_width
        return [
            (self.x + a * along_x + b * across_x, self.y + a * along_y + b * across_y)
            for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))
        ]

    def contains(self, x: float, y: float, margin: float = 1e-6) -> bool:
        """A point lies inside."""
        dx, dy = x - self.x, y - self.y
        return (
            abs(dx * self.cosine + dy * self.sine) <= self.half_length + margin
            and abs(dy * self.cosine - dx * self.sine) <= self.half_width + margin
        )


@dataclass(frozen=True, slots=True)
class Contact:
    """How far the first box reaches into the second.

    Attributes:
        normal_x: unit normal, from the second box towards the first (with ``normal_y``).
        depth: metres to move the first box along the normal until they only touch.
        x: the point where they press on each other (with ``y``).
    """

    normal_x: float
    normal_y: float
    depth: float
    x: float
    y: float


def contact_between(first: Box, second: Box) -> Contact | None:
    """The contact of two boxes by the separating axis theorem, or None when a gap lies between them."""
    dx, dy = first.x - second.x, first.y - second.y
    if dx * dx + dy * dy >= (first.radius + second.radius) ** 2:
        return None
    best_depth, best_x, best_y = math.inf, 0.0, 0.0
    for box in (first, second):
        for axis_x, axis_y in ((box.cosine, box.sine), (-box.sine, box.cosine)):
            distance = dx * axis_x + dy * axis_y
            depth = first.reach(axis_x, axis_y) + second.reach(axis_x, axis_y) - abs(distance)
            if depth <= 0.0:
                return None
            if depth < best_depth:
                sign = 1.0 if distance >= 0.0 else -1.0
                best_depth, best_x, best_y = depth, sign * axis_x, sign * axis_y
    x, y = _pressure_point(first, second)
    return Contact(best_x, best_y, best_depth, x, y)


def _pressure_point(first: Box, second: Box) -> tuple[float, float]:
    """The mean of the corners of each box that lie in the other; crossing boxes meet between their centres."""
    points = [corner for corner in first.corners() if second.contains(*corner)]
    points += [corner for corner in second.corners() if first.contains(*corner)]
    if not points:
        return (first.x + second.x) / 2.0, (first.y + second.y) / 2.0
    return sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points)


class StaticField:
    """Everything in a town that a vehicle can hit and that never moves."""

    def __init__(self, boxes: Float, heights: Float, tags: npt.NDArray[np.uint8], bases: Float | None = None) -> None:
        """Take the obstacles.

        Args:
            boxes: (N, 5) [x, y, yaw, half length, half width].
            heights: (N,) metres above the foot.
            tags: (N,) semantic tags.
            bases: (N,) heights of the feet, metres; None = all 0.
        """
        self.boxes = np.asarray(boxes, np.float64).reshape(-1, 5)
        self.heights = np.asarray(heights, np.float64)
        self.tags = np.asarray(tags, np.uint8)
        self.bases = np.zeros(len(self.boxes)) if bases is None else np.asarray(bases, np.float64)
        self.tops = self.bases + self.heights
        self.cosines, self.sines = np.cos(self.boxes[:, 2]), np.sin(self.boxes[:, 2])
        self._cache: dict[int, Box] = {}
        self._cells: dict[tuple[int, int, int], Index] = {}

    def near(self, x: float, y: float, radius: float) -> list[int]:
        """Indices of the boxes that meet the circle around (x, y)."""
        indices: list[int] = self._within(x, y, radius).tolist()
        return indices

    def around(self, x: float, y: float, radius: float) -> Index:
        """At least the boxes that meet the circle around (x, y); remembered per square of ground."""
        if radius > _LARGEST_RADIUS_M:
            return self._within(x, y, radius)
        key = (math.floor(x / _CELL_M), math.floor(y / _CELL_M), math.ceil(radius / _RADIUS_STEP_M))
        if key not in self._cells:
            middle_x, middle_y = (key[0] + 0.5) * _CELL_M, (key[1] + 0.5) * _CELL_M
            if len(self._cells) >= _MOST_CELLS:
                self._cells.clear()
            reach = key[2] * _RADIUS_STEP_M + _CELL_M * math.sqrt(0.5)
            self._cells[key] = self._within(middle_x, middle_y, reach)
        return self._cells[key]

    def _within(self, x: float, y: float, radius: float) -> Index:
        dx, dy = x - self.boxes[:, 0], y - self.boxes[:, 1]
        along = np.maximum(np.abs(dx * self.cosines + dy * self.sines) - self.boxes[:, 3], 0.0)
        across = np.maximum(np.abs(dy * self.cosines - dx * self.sines) - self.boxes[:, 4], 0.0)
        return np.flatnonzero(along * along + across * across <= radius * radius)

    def box(self, index: int) -> Box:
        """The box of an index."""
        if index not in self._cache:
            self._cache[index] = Box(*self.boxes[index].tolist())
        return self._cache[index]

    def blocked(self, box: Box, z: float) -> bool:
        """A box whose bottom is at height z overlaps something."""
        return any(
            z < self.tops[index] and contact_between(box, self.box(index)) is not None
            for index in self.near(box.x, box.y, box.radius)
        )


def bounce(first: Body, second: Body | None, contact: Contact) -> tuple[float, float]:
    """Separate a vehicle from another one, or from something immovable, and exchange the impulse of the impact.

    Args:
        first: the vehicle the contact's normal points to.
        second: the other vehicle, or None for something immovable.
        contact: from ``contact_between``.

    Returns:
        The impulse on the first vehicle in N s (world x, y); zero when the two were parting already.
    """
    _separate(first, second, contact)
    normal_x, normal_y = contact.normal_x, contact.normal_y
    closing = _relative_speed(first, second, contact, normal_x, normal_y)
    if closing >= 0.0:
        return 0.0, 0.0
    bounced = RESTITUTION if closing < -RESTING_SPEED else 0.0
    strength = -(1.0 + bounced) * closing / _inverse_mass(first, second, contact, normal_x, normal_y)
    _exchange(first, second, contact, strength * normal_x, strength * normal_y)
    # Friction comes second and at most stops the sliding, so that neither impulse can add energy.
    tangent_x, tangent_y = -normal_y, normal_x
    sliding = _relative_speed(first, second, contact, tangent_x, tangent_y)
    scrape = -sliding / _inverse_mass(first, second, contact, tangent_x, tangent_y)
    scrape = max(-SCRAPE_FRICTION * strength, min(SCRAPE_FRICTION * strength, scrape))
    _exchange(first, second, contact, scrape * tangent_x, scrape * tangent_y)
    return strength * normal_x + scrape * tangent_x, strength * normal_y + scrape * tangent_y


def _exchange(first: Body, second: Body | None, contact: Contact, x: float, y: float) -> None:
    first.push(contact.x, contact.y, x, y)
    if second is not None:
        second.push(contact.x, contact.y, -x, -y)


def _separate(first: Body, second: Body | None, contact: Contact) -> None:
    share = 1.0 if second is None else second.mass / (first.mass + second.mass)
    first.x += contact.normal_x * contact.depth * share
    first.y += contact.normal_y * contact.depth * share
    if second is not None:
        second.x -= contact.normal_x * contact.depth * (1.0 - share)
        second.y -= contact.normal_y * contact.depth * (1.0 - share)


def _relative_speed(first: Body, second: Body | None, contact: Contact, axis_x: float, axis_y: float) -> float:
    """Speed of the first body's contact point against the second's along an axis, m/s."""
    total = 0.0
    for body, sign in ((first, 1.0), (second, -1.0)):
        if body is not None:
            vx, vy, _ = body.velocity
            arm_x, arm_y = contact.x - body.x, contact.y - body.y
            total += sign * ((vx - body.yaw_rate * arm_y) * axis_x + (vy + body.yaw_rate * arm_x) * axis_y)
    return total


def _inverse_mass(first: Body, second: Body | None, contact: Contact, axis_x: float, axis_y: float) -> float:
    """Change of the relative speed at the contact point per N s along an axis."""
    total = 0.0
    for body in (first,) if second is None else (first, second):
        lever = (contact.x - body.x) * axis_y - (contact.y - body.y) * axis_x
        total += 1.0 / body.mass + lever * lever / body.yaw_inertia
    return total
