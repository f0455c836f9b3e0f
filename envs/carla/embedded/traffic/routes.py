"""Where a driven vehicle goes: an endless seeded walk on the lane graph, kept as points one metre apart."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.traffic.lane_graph import NO_JUNCTION, LaneGraph, RoadLane
from sim2real_bench.envs.carla.embedded.traffic.stop_lines import Rule, StopLine

Float = npt.NDArray[np.float64]

POINTS = 224
BEHIND = 12
_RENEW_AT = 40  # points passed before the buffer moves on
_SMOOTHING_M = 2
_SIDE_ACCELERATION = 2.0  # m/s² in bends
_SLOWEST_MPS = 2.0


@dataclass(eq=False)
class Crossing:
    """A junction on a route; arc lengths are metres along the route's buffer.

    Attributes:
        junction: its id.
        lane: index of the lane through it.
        approach: index of the lane before it.
        line: arc length of the stop line.
        start: arc length where the lane through it begins.
        end: arc length where it ends.
        rule: of the approach.
        light: index of the approach's light among the town's signals, or None.
        granted: the way is free for this vehicle.
        stopped: the vehicle has stopped at the line.
        asked: seconds of the episode at which it first asked for the way, or None.
        halted: seconds it has stood since it was granted the way.
    """

    junction: int
    lane: int
    approach: int
    line: float
    start: float
    end: float
    rule: Rule
    light: int | None
    granted: bool = False
    stopped: bool = False
    asked: float | None = None
    halted: float = 0.0


class Route:
    """The way ahead of one vehicle.

    Args:
        graph: the lanes.
        lines: the stop lines by lane index.
        lane: where it starts.
        arc: metres from the start of that lane.
        turns: draws the way at junctions.
        pace: share of the speed limit its driver likes.

    Attributes:
        pace: as given.
        points: (POINTS, 2) metres, one metre apart.
        yaw: (POINTS,) direction, radians.
        speed: (POINTS,) m/s, the driver's wish: the limit, less in bends.
        position: metres along the buffer, of the vehicle.
        crossings: the junctions ahead and under the vehicle, in order.
        spans: (lane index, arc length of its start in the buffer), in order.
    """

    _OFFSETS: ClassVar[Float] = np.arange(POINTS, dtype=np.float64)

    def __init__(
        self, graph: LaneGraph, lines: dict[int, StopLine], lane: RoadLane, arc: float, turns: random.Random,
        pace: float = 1.0,
    ) -> None:  # fmt: skip
        self._graph, self._lines, self._turns = graph, lines, turns
        self.pace = pace
        self._known = np.empty((0, 2))  # points up to the end of the newest lane
        self._wish = np.empty(0)
        self.crossings: list[Crossing] = []
        self.spans: list[tuple[int, float]] = [(lane.index, -arc)]
        self.position = 0.0
        self._tip = -arc  # arc length at which the newest lane starts
        self._fill()

    def renew(self) -> bool:
        """Forget what lies far behind and extend what lies ahead; True when the buffer changed."""
        passed = int(self.position) - BEHIND
        if passed < _RENEW_AT - BEHIND:
            return False
        self._known, self._wish = self._known[passed:], self._wish[passed:]
        self.position -= passed
        self._tip -= passed
        self.spans = [(lane, start - passed) for lane, start in self.spans]
        while len(self.spans) > 1 and self.spans[1][1] < 0.0:
            del self.spans[0]
        for crossing in self.crossings:
            crossing.line -= passed
            crossing.start -= passed
            crossing.end -= passed
        self._fill()
        return True

    @property
    def lane(self) -> RoadLane:
        """The lane under the vehicle."""
        found = self.spans[0][0]
        for lane, start in self.spans:
            if start > self.position:
                break
            found = lane
        return self._graph.lanes[found]

    def next_lane(self) -> RoadLane | None:
        """The lane after the one under the vehicle."""
        for lane, start in self.spans:
            if start > self.position:
                return self._graph.lanes[lane]
        return None

    def _fill(self) -> None:
        while len(self._known) < POINTS:
            self._append(self._graph.lanes[self.spans[-1][0]])
        self.points = self._known[:POINTS]
        self._measure()

    def _append(self, lane: RoadLane) -> None:
        """Add the points of the newest lane and choose the one after it."""
        end = self._tip + lane.length
        last = int(np.floor(end)) + 1 if lane.successors else POINTS  # behind the end of the map: straight on
        arcs = np.arange(len(self._known), last) - self._tip
        places = lane.at(arcs)
        beyond = np.maximum(arcs - lane.length, 0.0)
        direction = lane.points[-1] - lane.points[-2]
        places += beyond[:, None] * direction / np.hypot(*direction)
        self._known = np.concatenate([self._known, places])
        wish = self.pace * lane.limit_kmh / 3.6
        self._wish = np.concatenate([self._wish, np.where(beyond > 0.0, 0.0, wish)])
        if lane.successors:
            self._enter(lane, self._graph.lanes[self._turns.choice(lane.successors)], end)

    def _enter(self, before: RoadLane, lane: RoadLane, start: float) -> None:
        if lane.junction not in (NO_JUNCTION, before.junction):
            line = self._lines.get(before.index, StopLine(before.length))
            self.crossings.append(
                Crossing(lane.junction, lane.index, before.index, start - before.length + line.arc, start,
                         start + lane.length, line.rule, line.light)
            )  # fmt: skip
        self.spans.append((lane.index, start))
        self._tip = start

    def _measure(self) -> None:
        """Direction and wished speed at every point."""
        reach = _SMOOTHING_M
        padded = np.concatenate([
            self.points[:1] - (self.points[1:2] - self.points[:1]) * np.arange(reach, 0, -1)[:, None],
            self.points,
            self.points[-1:] + (self.points[-1:] - self.points[-2:-1]) * np.arange(1, reach + 1)[:, None],
        ])  # fmt: skip
        chord = padded[2 * reach :] - padded[: -2 * reach]
        self.yaw = np.unwrap(np.arctan2(chord[:, 1], chord[:, 0]))
        bend = np.abs(np.gradient(self.yaw))
        wish = self._wish[:POINTS]
        self.speed = np.minimum(wish, np.maximum(np.sqrt(_SIDE_ACCELERATION / np.maximum(bend, 1e-4)), _SLOWEST_MPS))
