"""One tick of physics: vehicles move in short slices, and every slice ends with its contacts resolved."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.actors import Vehicle
from sim2real_bench.envs.carla.embedded.collisions import Box, StaticField, bounce, contact_between

SLICE_S = 0.02  # at 40 m/s a slice is 0.8 m: less than half of any vehicle, so nothing is jumped over
_PASSES = 3
_REACH_MARGIN = 0.5


@dataclass(frozen=True, slots=True)
class Hit:
    """A vehicle was hit during a tick.

    Attributes:
        vehicle: who.
        other: the other vehicle, or the index of an obstacle.
        impulse: on ``vehicle``, N s, world x and y.
    """

    vehicle: Vehicle
    other: "Vehicle | int"
    impulse: tuple[float, float]


class _Impulses:
    """Impulses of a tick, summed per pair."""

    def __init__(self) -> None:
        self._sums: defaultdict[tuple[int, int, bool], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        self._parties: dict[tuple[int, int, bool], tuple[Vehicle, Vehicle | int]] = {}

    def add(self, vehicle: Vehicle, other: "Vehicle | int", x: float, y: float) -> None:
        number = other if isinstance(other, int) else other.actor_id
        key = (vehicle.actor_id, number, isinstance(other, int))
        before = self._sums[key]
        self._sums[key] = (before[0] + x, before[1] + y)
        self._parties[key] = (vehicle, other)

    def hits(self) -> list[Hit]:
        return [Hit(*self._parties[key], impulse) for key, impulse in self._sums.items()]


def advance(vehicles: Sequence[Vehicle], field: StaticField, seconds: float) -> list[Hit]:
    """Move all vehicles by one tick.

    Args:
        vehicles: in a fixed order, which is the order contacts are resolved in.
        field: the town's obstacles.
        seconds: duration of the tick.

    Returns:
        Who was hit by what, one entry per pair and side.
    """
    count = max(1, math.ceil(seconds / SLICE_S - 1e-9))
    before = {vehicle.actor_id: vehicle.velocity for vehicle in vehicles}
    movers = [vehicle for vehicle in vehicles if vehicle.physics]
    # Any vehicle may be hit by the fastest one and then be as fast.
    fastest = max((math.hypot(mover.dynamics.forward, mover.dynamics.side) for mover in movers), default=0.0)
    travel = (fastest + 10.0 * seconds) * seconds + _REACH_MARGIN
    near_static = {vehicle.actor_id: _static_candidates(vehicle, field, travel) for vehicle in movers}
    pairs = list(_pair_candidates(vehicles, travel))
    impulses = _Impulses()
    for _ in range(count):
        for vehicle in movers:
            vehicle.dynamics.advance(vehicle.control, seconds / count)
        for _ in range(_PASSES):
            touched = _resolve_pairs(pairs, impulses)
            touched = _resolve_static(movers, near_static, field, impulses) or touched
            if not touched:
                break
    for vehicle in vehicles:
        old, new = before[vehicle.actor_id], vehicle.velocity
        x, y, z = ((b - a) / seconds for a, b in zip(old, new, strict=True))
        vehicle.acceleration = (x, y, z)
    return impulses.hits()


def _static_candidates(vehicle: Vehicle, field: StaticField, travel: float) -> list[int]:
    if not vehicle.solid:
        return []
    return field.near(vehicle.dynamics.x, vehicle.dynamics.y, vehicle.box.radius + travel)


def _pair_candidates(vehicles: Sequence[Vehicle], travel: float) -> Iterator[tuple[Vehicle, Vehicle]]:
    solid = [(vehicle, vehicle.dynamics, vehicle.box.radius + travel) for vehicle in vehicles if vehicle.solid]
    for number, (first, here, first_reach) in enumerate(solid):
        for second, there, second_reach in solid[number + 1 :]:
            distance = first_reach + second_reach
            if abs(here.x - there.x) < distance and abs(here.y - there.y) < distance:
                if first.physics:
                    yield first, second
                elif second.physics:
                    yield second, first


def _resolve_pairs(pairs: Sequence[tuple[Vehicle, Vehicle]], impulses: _Impulses) -> bool:
    touched = False
    for first, second in pairs:
        if _vertical_gap(first, second) or (first.dynamics.at_rest and second.dynamics.at_rest):
            continue
        contact = contact_between(first.box, second.box)
        if contact is None:
            continue
        touched = True
        x, y = bounce(first.dynamics, second.dynamics if second.physics else None, contact)
        if x or y:
            impulses.add(first, second, x, y)
            impulses.add(second, first, -x, -y)
    return touched


def _vertical_gap(first: Vehicle, second: Vehicle) -> bool:
    low, high = sorted((first.dynamics, second.dynamics), key=lambda dynamics: dynamics.z)
    return high.z > low.z + 2.0 * low.model.half_height


def _resolve_static(
    movers: Sequence[Vehicle], near: dict[int, list[int]], field: StaticField, impulses: _Impulses
) -> bool:
    touched = False
    for vehicle in movers:
        dynamics = vehicle.dynamics
        box = Box.around(dynamics)
        for index in near[vehicle.actor_id]:
            if dynamics.z >= field.heights[index]:
                continue
            contact = contact_between(box, field.box(index))
            if contact is None:
                continue
            touched = True
            x, y = bounce(dynamics, None, contact)
            box = Box.around(dynamics)
            if x or y:
                impulses.add(vehicle, index, x, y)
    return touched
