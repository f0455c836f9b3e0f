"""One tick of physics: vehicles move in short slices, and every slice ends with its contacts resolved."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.actors import Vehicle, Walker
from sim2real_bench.envs.carla.embedded.collisions import Body, Box, StaticField, bounce, contact_between
from sim2real_bench.envs.carla.embedded.town.relief import Relief

SLICE_S = 0.02  # at 40 m/s a slice is 0.8 m: less than half of any vehicle, so nothing is jumped over
_PASSES = 3
_REACH_MARGIN = 0.5

Mover = Vehicle | Walker


@dataclass(frozen=True, slots=True)
class Hit:
    """A vehicle or walker was hit during a tick.

    Attributes:
        actor: who.
        other: the other vehicle or walker, or the index of an obstacle.
        impulse: on ``actor``, N s, world x and y.
    """

    actor: Mover
    other: Mover | int
    impulse: tuple[float, float]


class _Impulses:
    """Impulses of a tick, summed per pair."""

    def __init__(self) -> None:
        self._sums: defaultdict[tuple[int, int, bool], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        self._parties: dict[tuple[int, int, bool], tuple[Mover, Mover | int]] = {}

    def add(self, actor: Mover, other: Mover | int, x: float, y: float) -> None:
        number = other if isinstance(other, int) else other.actor_id
        key = (actor.actor_id, number, isinstance(other, int))
        before = self._sums[key]
        self._sums[key] = (before[0] + x, before[1] + y)
        self._parties[key] = (actor, other)

    def hits(self) -> list[Hit]:
        return [Hit(*self._parties[key], impulse) for key, impulse in self._sums.items()]


def advance(
    vehicles: Sequence[Vehicle], walkers: Sequence[Walker], field: StaticField, relief: Relief, seconds: float
) -> list[Hit]:
    """Move all vehicles and walkers by one tick.

    Args:
        vehicles: in a fixed order, which is the order contacts are resolved in.
        walkers: likewise.
        field: the town's obstacles.
        relief: the ground.
        seconds: duration of the tick.

    Returns:
        Who was hit by what, one entry per pair and side.
    """
    count = max(1, math.ceil(seconds / SLICE_S - 1e-9))
    actors: list[Mover] = [*vehicles, *walkers]
    before = {actor.actor_id: actor.velocity for actor in actors}
    movers = [actor for actor in actors if actor.physics]
    # Any vehicle may be hit by the fastest one and then be as fast.
    fastest = max((math.hypot(*mover.velocity[:2]) for mover in movers), default=0.0)
    travel = (fastest + 10.0 * seconds) * seconds + _REACH_MARGIN
    near_static = {actor.actor_id: _static_candidates(actor, field, travel) for actor in movers}
    pairs = list(_pair_candidates(actors, travel))
    impulses = _Impulses()
    for walker in walkers:
        if walker.physics:
            walker.dynamics.advance(walker.control, seconds, relief)
    for _ in range(count):
        for vehicle in vehicles:
            if vehicle.physics:
                vehicle.dynamics.advance(vehicle.control, seconds / count)
        for _ in range(_PASSES):
            touched = _resolve_pairs(pairs, impulses)
            touched = _resolve_static(movers, near_static, field, impulses) or touched
            if not touched:
                break
    for actor in actors:
        old, new = before[actor.actor_id], actor.velocity
        x, y, z = ((b - a) / seconds for a, b in zip(old, new, strict=True))
        actor.acceleration = (x, y, z)
    return impulses.hits()


def _static_candidates(actor: Mover, field: StaticField, travel: float) -> list[int]:
    if not actor.solid:
        return []
    return field.near(actor.dynamics.x, actor.dynamics.y, Box.around(actor.dynamics).radius + travel)


def _pair_candidates(actors: Sequence[Mover], travel: float) -> Iterator[tuple[Mover, Mover]]:
    solid = [(actor, actor.dynamics, Box.around(actor.dynamics).radius + travel) for actor in actors if actor.solid]
    for number, (first, here, first_reach) in enumerate(solid):
        for second, there, second_reach in solid[number + 1 :]:
            distance = first_reach + second_reach
            if abs(here.x - there.x) < distance and abs(here.y - there.y) < distance:
                if first.physics:
                    yield first, second
                elif second.physics:
                    yield second, first


def _resolve_pairs(pairs: Sequence[tuple[Mover, Mover]], impulses: _Impulses) -> bool:
    touched = False
    for first, second in pairs:
        if _passes_over(first, second) or (first.dynamics.at_rest and second.dynamics.at_rest):
            continue
        contact = contact_between(Box.around(first.dynamics), Box.around(second.dynamics))
        if contact is None:
            continue
        touched = True
        x, y = bounce(first.dynamics, second.dynamics if second.physics else None, contact)
        if x or y:
            impulses.add(first, second, x, y)
            impulses.add(second, first, -x, -y)
    return touched


def _passes_over(first: Mover, second: Mover) -> bool:
    """One is above the other, or a walker lies on the ground already: it is not hit again and again."""
    for actor in (first, second):
        if isinstance(actor, Walker) and actor.dynamics.lying:
            return True
    low, high = sorted((first.dynamics, second.dynamics), key=lambda dynamics: dynamics.z)
    return high.z > low.z + 2.0 * low.model.half_height


def _resolve_static(
    movers: Sequence[Mover], near: dict[int, list[int]], field: StaticField, impulses: _Impulses
) -> bool:
    touched = False
    for actor in movers:
        dynamics: Body = actor.dynamics
        box = Box.around(dynamics)
        for index in near[actor.actor_id]:
            low, high = field.bases[index], field.tops[index]
            if not low - 2.0 * actor.dynamics.model.half_height < actor.dynamics.z < high:
                continue
            contact = contact_between(box, field.box(index))
            if contact is None:
                continue
            touched = True
            x, y = bounce(dynamics, None, contact)
            box = Box.around(dynamics)
            if x or y:
                impulses.add(actor, index, x, y)
    return touched
