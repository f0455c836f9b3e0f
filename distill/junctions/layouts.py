"""Which roads meet at a made junction, how they lie, and which of them the rule of the road takes.

The rule: straight on where a road leads straight on, else right, else left. Any fixed rule would do; what matters is
that the answer is the same at every junction, for a network that answers with one path cannot answer with two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sim2real_bench.distill.augment import uniform
from sim2real_bench.distill.junctions.bends import Bend

LEFT, STRAIGHT, RIGHT = 0, 1, 2
SIGN = {LEFT: 1.0, RIGHT: -1.0}
"""Side roads are handled as roads to the left: what is on the right is mirrored first."""
_OVERLAP_M = 2.0  # by which side roads begin before the centre: no gap where they meet at an angle
_RULE = (STRAIGHT, RIGHT, LEFT)  # first choice first


@dataclass(frozen=True)
class JunctionRanges:
    """Random ranges of the junctions that are made.

    Attributes:
        layouts: (roads to the left, straight on and to the right; weight) of every kind of junction.
        centre_m: where the roads meet, metres ahead of the vehicle along the road it comes on; negative = behind it.
        radius_m: of the line that a vehicle drives when it turns.
        angle_rad: between the road it comes on and the road to the right.
        skew_rad: by which the road to the left misses the line of the road to the right, to either side.
        road_width_m: of the roads (a kart track is twice as wide as a street).
        rotation_rad: heading error of the vehicle, to either side.
        shift_m: lateral error of the vehicle, to either side.
    """

    layouts: tuple[tuple[tuple[bool, bool, bool], float], ...] = (
        ((True, True, True), 0.20),
        ((True, False, True), 0.28),
        ((True, True, False), 0.15),
        ((False, True, True), 0.15),
        ((True, False, False), 0.07),
        ((False, False, True), 0.07),
        ((False, True, False), 0.08),
    )
    centre_m: tuple[float, float] = (-8.0, 38.0)
    radius_m: tuple[float, float] = (5.5, 11.0)
    angle_rad: tuple[float, float] = (math.radians(70.0), math.radians(110.0))
    skew_rad: float = math.radians(8.0)
    road_width_m: tuple[float, float] = (5.5, 10.0)
    rotation_rad: float = math.radians(12.0)
    shift_m: float = 1.2


DEFAULT_RANGES = JunctionRanges()


@dataclass(frozen=True)
class Junctions:
    """One junction per example, in the frame of the road that leads to it: x along the road, y to its left.

    Attributes:
        present: (B, 3) bool: the roads to the left, straight on and to the right.
        taken: (B,) the road that the rule takes.
        centre: (B,) where the centre lines meet, metres along x.
        turns: the roads to the left and to the right; the right one mirrored, so that both turn left.
    """

    present: Tensor
    taken: Tensor
    centre: Tensor
    turns: dict[int, Bend]

    def leaving(self, side: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """Coordinates along and beside the line of a side road from the centre on, as ``Bend.locate`` gives them.

        What lies well behind the centre is infinitely far beside the line.
        """
        angle = self.turns[side].angle[:, None]
        sine, cosine = angle.sin(), angle.cos()

        def locate(points: Tensor) -> tuple[Tensor, Tensor]:
            x, y = points[..., 0] - self.centre[:, None], points[..., 1]
            along, beside = x * cosine + y * sine, y * cosine - x * sine
            return along, torch.where(along >= -_OVERLAP_M, beside, torch.full_like(beside, torch.inf))

        return locate

    def opposite(self, side: int) -> Bend:
        """How one who comes from straight ahead turns into a side road, in x mirrored at the centre."""
        bend = self.turns[side]
        angle = math.pi - bend.angle
        return Bend(self.centre - bend.radius * (angle / 2).tan(), bend.radius, angle)


def rule(present: Tensor) -> Tensor:
    """(B,) the road taken at junctions with the roads ``present`` (B, 3): straight on, else right, else left."""
    taken = torch.full((len(present),), LEFT)
    for road in reversed(_RULE):
        taken = torch.where(present[:, road], torch.tensor(road), taken)
    return taken


def draw_junctions(ranges: JunctionRanges, count: int, generator: torch.Generator) -> Junctions:
    """``count`` junctions within the ranges."""
    kinds = torch.tensor([roads for roads, _ in ranges.layouts])
    weights = torch.tensor([weight for _, weight in ranges.layouts])
    present = kinds[torch.multinomial(weights, count, replacement=True, generator=generator)]
    taken = rule(present)
    right_angle = uniform(generator, *ranges.angle_rad, count)
    skew = uniform(generator, -ranges.skew_rad, ranges.skew_rad, count)
    angles = {RIGHT: right_angle, LEFT: math.pi - right_angle + skew}
    radii = {side: uniform(generator, *ranges.radius_m, count) for side in (LEFT, RIGHT)}
    corners = {side: radii[side] * (angles[side] / 2).tan() for side in angles}  # from the arc's start to the centre
    centre = uniform(generator, *ranges.centre_m, count)
    turns = {side: Bend(centre - corners[side], radii[side], angles[side]) for side in angles}
    return Junctions(present, taken, centre, turns)
