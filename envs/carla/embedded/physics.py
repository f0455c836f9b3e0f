"""One tick of physics: everything moves in short slices, and every slice ends with its contacts resolved."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import Prop, Vehicle, Walker
from sim2real_bench.envs.carla.embedded.collisions import StaticField, bounce, contact_between
from sim2real_bench.envs.carla.embedded.contacts import Crowd, Party
from sim2real_bench.envs.carla.embedded.dynamics.fleet import SMALLEST_FLEET, Fleet
from sim2real_bench.envs.carla.embedded.dynamics.motion import Drive
from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.carla.embedded.town.relief import Relief
from sim2real_bench.envs.carla.embedded.vehicles import VehicleDynamics

LONGEST_STEP_S = 0.1  # drivers, engines and gear boxes act anew at least this often
SLICE_S = 0.025
_LARGEST_STRIDE = 0.8  # of half a body's length per slice, so that nothing is jumped over
_MOST_SLICES = 100
_PASSES = 3
_REACH_MARGIN = 0.5
_TIPPING_ACCELERATION = 5.0  # m/s² below which nothing on four wheels tips over
_AT_REST: Vector = (0.0, 0.0, 0.0)

Mover = Vehicle | Walker


@dataclass(frozen=True, slots=True)
class Hit:
    """A vehicle or walker was hit during a tick.

    Attributes:
        actor: who.
        other: the other actor, or the index of an obstacle.
        impulse: on ``actor``, N s, world x and y.
    """

    actor: Mover
    other: Mover | Prop | int
    impulse: tuple[float, float]


class _Impulses:
    """Impulses of a tick, summed per pair."""

    def __init__(self) -> None:
        self._sums: defaultdict[tuple[int, int, bool], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        self._parties: dict[tuple[int, int, bool], tuple[Mover, Mover | Prop | int]] = {}

    def add(self, actor: Mover | Prop, other: Mover | Prop | int, x: float, y: float) -> None:
        if isinstance(actor, Prop):
            return
        number = other if isinstance(other, int) else other.actor_id
        key = (actor.actor_id, number, isinstance(other, int))
        before = self._sums[key]
        self._sums[key] = (before[0] + x, before[1] + y)
        self._parties[key] = (actor, other)

    def hits(self) -> list[Hit]:
        return [Hit(*self._parties[key], impulse) for key, impulse in self._sums.items()]


def advance(
    vehicles: Sequence[Vehicle],
    walkers: Sequence[Walker],
    field: StaticField,
    relief: Relief,
    seconds: float,
    props: Sequence[Prop] = (),
) -> list[Hit]:
    """Move all vehicles and walkers by one tick.

    Args:
        vehicles: in a fixed order, which is the order contacts are resolved in.
        walkers: likewise.
        field: the town's obstacles.
        relief: the ground.
        seconds: duration of the tick.
        props: actors that stand still and can be hit.

    Returns:
        Who was hit by what, one entry per pair and side.
    """
    actors: list[Mover] = [*vehicles, *walkers]
    before = [_AT_REST if actor.dynamics.at_rest else actor.velocity for actor in actors]
    impulses = _Impulses()
    steps = max(1, math.ceil(seconds / LONGEST_STEP_S - 1e-9))
    for _ in range(steps):
        _step(vehicles, walkers, props, field, relief, seconds / steps, impulses)
    for actor, old in zip(actors, before, strict=True):
        resting = old is _AT_REST and actor.dynamics.at_rest
        actor.acceleration = _AT_REST if resting else _rate(old, actor.velocity, seconds)
    for vehicle in vehicles:
        x, y, _ = vehicle.acceleration
        if x * x + y * y > _TIPPING_ACCELERATION**2:
            yaw = vehicle.dynamics.yaw
            vehicle.dynamics.feel(y * math.cos(yaw) - x * math.sin(yaw), seconds)
    return impulses.hits()


def _step(
    vehicles: Sequence[Vehicle],
    walkers: Sequence[Walker],
    props: Sequence[Prop],
    field: StaticField,
    relief: Relief,
    seconds: float,
    impulses: _Impulses,
) -> None:
    """Move everything while drivers and engines do the same."""
    actors: list[Mover] = [*vehicles, *walkers]
    for walker in walkers:
        if walker.physics and not walker.guided:
            walker.dynamics.advance(walker.control, seconds, relief)
    traffic = _Traffic(vehicles, relief, seconds)
    parties = [Party(actor, actor.actor_id in traffic.asleep) for actor in actors if actor.solid]
    parties += [Party(prop, still=True) for prop in props if prop.solid and prop.parent is None]
    # Any vehicle may be hit by the fastest one and then be as fast.
    fastest, count = _slices(actors, seconds)
    crowd = Crowd(parties, field, (fastest + 10.0 * seconds) * seconds + _REACH_MARGIN)
    contacts = _Contacts(crowd, traffic, field, impulses)
    for _ in range(count):
        traffic.move(seconds / count)
        contacts.resolve()
    traffic.settle(seconds)


def _slices(actors: Sequence[Mover], seconds: float) -> tuple[float, int]:
    """The largest speed, m/s, and how many slices keep every stride short."""
    fastest, strides = 0.0, seconds / SLICE_S - 1e-9
    for actor in actors:
        body = actor.dynamics
        speed = math.hypot(body.forward, body.side) if isinstance(body, VehicleDynamics) else math.hypot(*body.velocity)
        fastest = max(fastest, speed)
        strides = max(strides, speed * seconds / (_LARGEST_STRIDE * body.model.half_length))
    return fastest, min(_MOST_SLICES, max(1, math.ceil(strides)))


def _rate(old: Vector, new: Vector, seconds: float) -> Vector:
    return (new[0] - old[0]) / seconds, (new[1] - old[1]) / seconds, (new[2] - old[2]) / seconds


class _Traffic:
    """The vehicles of a tick, sorted by how they move: as a fleet, one by one, or not at all.

    Attributes:
        asleep: ids of the vehicles that stand and will stand.
        fleet: of those on the ground, when they are many.
        rows: ids of the fleet's members, in order.
    """

    def __init__(self, vehicles: Sequence[Vehicle], relief: Relief, seconds: float) -> None:
        self._relief = relief
        self.asleep: dict[int, tuple[VehicleDynamics, Drive[float]]] = {}
        self.alone: dict[int, tuple[VehicleDynamics, Drive[float], bool]] = {}
        self.rows: list[int] = []
        self.fleet: Fleet | None = None
        rolling: list[tuple[int, VehicleDynamics, Drive[float]]] = []
        for vehicle in vehicles:
            if not vehicle.physics:
                continue
            dynamics = vehicle.dynamics
            if dynamics.ackermann is not None:
                vehicle.control = dynamics.ackermann_control(seconds)
            airborne = dynamics.lift_off(relief)
            drive = dynamics.prepare(vehicle.control, seconds)
            if not airborne and dynamics.asleep(drive):
                self.asleep[vehicle.actor_id] = (dynamics, drive)
            elif airborne or dynamics.constant_velocity is not None:
                self.alone[vehicle.actor_id] = (dynamics, drive, airborne)
            else:
                rolling.append((vehicle.actor_id, dynamics, drive))
        if len(rolling) >= SMALLEST_FLEET:
            self.rows = [number for number, _, _ in rolling]
            self.fleet = Fleet([dynamics for _, dynamics, _ in rolling], [drive for _, _, drive in rolling])
        else:
            self.alone |= {number: (dynamics, drive, False) for number, dynamics, drive in rolling}

    def move(self, seconds: float) -> None:
        """Move everything that moves."""
        for dynamics, drive, airborne in self.alone.values():
            dynamics.move(drive, seconds, self._relief, airborne and dynamics.airborne)
        if self.fleet is not None:
            self.fleet.move(seconds)

    def wake(self, number: int) -> None:
        """Let a vehicle that was pushed move from now on."""
        if number in self.asleep:
            dynamics, drive = self.asleep.pop(number)
            self.alone[number] = (dynamics, drive, False)

    def settle(self, seconds: float) -> None:
        """Put everything that moved for ``seconds`` on the ground."""
        for dynamics, _, _ in self.alone.values():
            dynamics.settle(self._relief)
            dynamics.travelled += dynamics.forward * seconds
        if self.fleet is not None:
            self.fleet.settle(self._relief)
            for dynamics in self.fleet.members:
                dynamics.travelled += dynamics.forward * seconds


class _Contacts:
    """Finds and resolves the contacts of a tick, slice by slice."""

    def __init__(self, crowd: Crowd, traffic: _Traffic, field: StaticField, impulses: _Impulses) -> None:
        self.impulses = impulses
        self._crowd, self._traffic, self._field = crowd, traffic, field
        rows = {number: row for row, number in enumerate(traffic.rows)}
        members = [(n, rows[p.actor.actor_id]) for n, p in enumerate(crowd.parties) if p.actor.actor_id in rows]
        self._parties = np.array([number for number, _ in members], np.intp)
        self._rows = np.array([row for _, row in members], np.intp)
        self._others = [n for n, p in enumerate(crowd.parties) if p.actor.actor_id in traffic.alone]
        self._followed = {*self._parties.tolist(), *self._others}

    def resolve(self) -> None:
        """Separate what overlaps, and exchange impulses."""
        for _ in range(_PASSES):
            self._locate()
            pairs, obstacles = self._crowd.touching_pairs(), self._crowd.touching_obstacles()
            if not pairs and not obstacles:
                return
            fleet = self._traffic.fleet
            if fleet is not None:
                fleet.store()
            touched = [self._meet(first, second) for first, second in pairs]
            touched += [self._crash(party, index) for party, index in obstacles]
            if fleet is not None:
                fleet.load()
            if not any(touched):
                return

    def _locate(self) -> None:
        fleet = self._traffic.fleet
        if fleet is not None:
            rows = self._rows
            self._crowd.move(self._parties, fleet.x[rows], fleet.y[rows], fleet.yaw[rows])
        for number in self._others:
            self._crowd.refresh(number)

    def _meet(self, first: int, second: int) -> bool:
        one, other = self._crowd.parties[first], self._crowd.parties[second]
        if one.body is None:
            one, other = other, one
        if one.body is None or one.passes() or other.passes() or not _overlap(one.actor.span, other.actor.span):
            return False
        contact = contact_between(one.box(), other.box())
        if contact is None:
            return False
        x, y = bounce(one.body, other.body, contact)
        if x or y:
            self.impulses.add(one.actor, other.actor, x, y)
            self.impulses.add(other.actor, one.actor, -x, -y)
        for number in (first, second):
            self._wake(number)
        return True

    def _wake(self, number: int) -> None:
        party = self._crowd.parties[number]
        if party.still and party.body is not None:
            party.still = self._crowd.still[number] = False
            self._traffic.wake(party.actor.actor_id)
        if party.body is not None and number not in self._followed:
            self._others.append(number)
            self._followed.add(number)

    def _crash(self, number: int, index: int) -> bool:
        party, field = self._crowd.parties[number], self._field
        if party.body is None or not _overlap(party.actor.span, (field.bases[index], field.tops[index])):
            return False
        contact = contact_between(party.box(), field.box(index))
        if contact is None:
            return False
        x, y = bounce(party.body, None, contact)
        if x or y:
            self.impulses.add(party.actor, index, x, y)
        self._wake(number)
        return True


def _overlap(first: tuple[float, float], second: tuple[float, float]) -> bool:
    """Two spans of height share more than a touch."""
    return first[0] < second[1] and second[0] < first[1]
