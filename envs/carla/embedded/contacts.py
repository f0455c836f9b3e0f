"""Who touches whom in a tick: a search over all bodies and obstacles, done on arrays."""

import math
from collections.abc import Sequence

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import Prop, Vehicle, Walker
from sim2real_bench.envs.carla.embedded.collisions import Body, Box, Float, Index, StaticField

Pair = tuple[int, int]
_DEPTH_M = 1e-6  # what overlaps by less has just been separated
_NOTHING: Index = np.zeros(0, np.intp)


class Party:
    """A solid actor in the search.

    Attributes:
        actor: whom it stands for.
        body: what can be pushed, or None for something that does not move.
        still: it has not moved yet in this tick and will not do so by itself.
    """

    __slots__ = ("_box", "actor", "body", "still")

    def __init__(self, actor: Vehicle | Walker | Prop, still: bool) -> None:
        self.actor = actor
        self.body: Body | None = None if isinstance(actor, Prop) or not actor.physics else actor.dynamics
        self.still = still or self.body is None
        self._box = None if self.body else actor.box

    def box(self) -> Box:
        """The footprint."""
        return self._box or self.actor.box

    def row(self) -> tuple[float, float, float, float, float]:
        """x, y, yaw (radians), half length and half width."""
        actor = self.actor
        if isinstance(actor, Prop):
            length, width, _ = actor.model.half_size
            return actor.pose.x, actor.pose.y, math.radians(actor.pose.yaw), length, width
        body = actor.dynamics
        return body.x, body.y, body.yaw, body.model.half_length, body.model.half_width

    def passes(self) -> bool:
        """It lies on the ground already, so it is not hit again and again."""
        return isinstance(self.actor, Walker) and self.actor.dynamics.lying


class Crowd:
    """The parties of a tick and the pairs among them, and with obstacles, that are close enough to touch."""

    def __init__(self, parties: Sequence[Party], field: StaticField, travel: float) -> None:
        """Find the pairs.

        Args:
            parties: in the order contacts are resolved in.
            field: obstacles.
            travel: metres that a party may move during the tick.
        """
        self.parties = parties
        columns = np.array([party.row() for party in parties]).reshape(-1, 5).T.copy()
        self.x, self.y, yaw, self._length, self._width = columns
        self.cosine, self.sine, radius = np.cos(yaw), np.sin(yaw), np.hypot(self._length, self._width)
        self.still = np.array([party.still for party in parties], bool)
        self.first, self.second = self._pairs(radius + travel)
        self._field = field
        self.hitter, self.obstacle = self._near_obstacles(radius + travel)

    def _pairs(self, reach: Float) -> tuple[Index, Index]:
        limit = reach[:, None] + reach[None, :]
        close = np.abs(self.x[:, None] - self.x[None, :]) < limit
        close &= np.abs(self.y[:, None] - self.y[None, :]) < limit
        first, second = np.nonzero(np.triu(close, 1))
        return first, second

    def _near_obstacles(self, reach: Float) -> tuple[Index, Index]:
        """(party, obstacle) of every party that moves and every obstacle within its reach."""
        movers = [number for number, party in enumerate(self.parties) if party.body is not None and not party.still]
        found = [self._field.around(self.x.item(n), self.y.item(n), reach.item(n)) for n in movers]
        if not found:
            return _NOTHING, _NOTHING
        party = np.repeat(movers, [len(indices) for indices in found]).astype(np.intp)
        obstacle = np.concatenate(found)
        boxes, cosine, sine = self._field.boxes[obstacle], self._field.cosines[obstacle], self._field.sines[obstacle]
        dx, dy = self.x[party] - boxes[:, 0], self.y[party] - boxes[:, 1]
        limit = reach[party]
        near = np.abs(dx * cosine + dy * sine) - boxes[:, 3] < limit
        near &= np.abs(dy * cosine - dx * sine) - boxes[:, 4] < limit
        return party[near], obstacle[near]

    def move(self, numbers: Index, x: Float, y: Float, yaw: Float) -> None:
        """Take new places of some parties."""
        self.x[numbers], self.y[numbers] = x, y
        self.cosine[numbers], self.sine[numbers] = np.cos(yaw), np.sin(yaw)

    def refresh(self, number: int) -> None:
        """Read the place of one party."""
        box = self.parties[number].box()
        self.x[number], self.y[number], self.cosine[number], self.sine[number] = box.x, box.y, box.cosine, box.sine

    def touching_pairs(self) -> list[Pair]:
        """Numbers of the parties that may overlap; those that do not are told apart by ``contact_between``."""
        if not len(self.first):
            return []
        first, second = self.first, self.second
        gap = self._gap(
            first, self.x[second], self.y[second], self.cosine[second], self.sine[second], self._length[second],
            self._width[second],
        )  # fmt: skip
        hit = np.flatnonzero((gap < -_DEPTH_M) & ~(self.still[first] & self.still[second]))
        return list(zip(first[hit].tolist(), second[hit].tolist(), strict=True))

    def touching_obstacles(self) -> list[Pair]:
        """(party, obstacle) that may overlap."""
        if not len(self.hitter):
            return []
        field, obstacle = self._field, self.obstacle
        boxes = field.boxes[obstacle].T
        gap = self._gap(
            self.hitter, boxes[0], boxes[1], field.cosines[obstacle], field.sines[obstacle], boxes[3], boxes[4]
        )
        hit = np.flatnonzero(gap < -_DEPTH_M)
        return list(zip(self.hitter[hit].tolist(), obstacle[hit].tolist(), strict=True))

    def _gap(self, first: Index, x: Float, y: Float, cosine: Float, sine: Float, length: Float, width: Float) -> Float:
        """The widest gap along the axes of the second box; below zero, the boxes may overlap."""
        dx, dy = self.x[first] - x, self.y[first] - y
        own_cosine, own_sine = self.cosine[first], self.sine[first]
        own_length, own_width = self._length[first], self._width[first]
        parallel = np.abs(own_cosine * cosine + own_sine * sine)
        crossed = np.abs(own_sine * cosine - own_cosine * sine)
        along = np.abs(dx * cosine + dy * sine) - length - own_length * parallel - own_width * crossed
        across = np.abs(dy * cosine - dx * sine) - width - own_length * crossed - own_width * parallel
        return np.maximum(along, across)
