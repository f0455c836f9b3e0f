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
_SIDE_ACCELERATION, _LONG_SIDE_ACCELERATION = 2.0, 1.0  # m/s² in bends
_LONG_HALF_M, _WIDE_HALF_M = 3.4, 1.25
_SLOWEST_MPS = 2.0
_BLUR_M = 3
_BLUR = np.hanning(2 * _BLUR_M + 3)[1:-1] / np.hanning(2 * _BLUR_M + 3).sum()
_LIGHT_BLUR = np.array([0.25, 0.5, 0.25])
_MOST_SHIFT_M, _MOST_SWING_M = 1.0, 1.8
_LANE_HALF_M, _MOST_OFF_KERB_M = 1.65, 0.15


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


@dataclass(frozen=True)
class Body:
    """The measures of a vehicle that matter in bends.

    On a circle of radius r the rear axle follows the path's direction, so the front swings out by (f² - a²) / 2r and
    the rear axle cuts in by a² / 2r, with a the rear axle's distance from the middle and f the front's from the axle.

    Attributes:
        half_length: metres.
        half_width: metres.
        rear_axle: metres behind the middle.
    """

    half_length: float
    half_width: float
    rear_axle: float

    @property
    def swing_m2(self) -> float:
        """Half of the additional width, times the radius."""
        return (self.half_length + self.rear_axle) ** 2 / 4.0

    @property
    def shift_m2(self) -> float:
        """How far inside the lane's centre the middle should drive, times the radius."""
        return self.swing_m2 - self.rear_axle**2 / 2.0

    @property
    def wide(self) -> bool:
        """It needs more room at junctions than a car."""
        return self.half_length > _LONG_HALF_M or self.half_width > _WIDE_HALF_M

    @property
    def side_acceleration(self) -> float:
        """Its driver's limit in bends, m/s²."""
        return _LONG_SIDE_ACCELERATION if self.half_length > _LONG_HALF_M else _SIDE_ACCELERATION

    @property
    def off_kerb_m(self) -> float:
        """A body wider than its lane keeps away from the posts at the kerb."""
        return min(max(self.half_width - _LANE_HALF_M, 0.0), _MOST_OFF_KERB_M)


class Route:
    """The way ahead of one vehicle.

    Args:
        graph: the lanes.
        lines: the stop lines by lane index.
        lane: where it starts.
        arc: metres from the start of that lane.
        turns: draws the way at junctions.
        body: of the vehicle; in bends a long one keeps to the inside, for its front swings out.
        pace: share of the speed limit its driver likes.

    Attributes:
        pace: as given.
        body: as given.
        points: (POINTS, 2) metres, about one metre apart.
        swing: (POINTS,) metres by which the vehicle needs more than its width there, on either side.
        yaw: (POINTS,) direction, radians.
        bend: (POINTS,) curvature, 1/m, positive to the right.
        speed: (POINTS,) m/s, the driver's wish: the limit, less in bends.
        position: metres along the buffer, of the vehicle.
        crossings: the junctions ahead and under the vehicle, in order.
        spans: (lane index, arc length of its start in the buffer), in order.
    """

    _OFFSETS: ClassVar[Float] = np.arange(POINTS, dtype=np.float64)

    def __init__(
        self, graph: LaneGraph, lines: dict[int, StopLine], lane: RoadLane, arc: float, turns: random.Random,
        body: Body, pace: float = 1.0,
    ) -> None:  # fmt: skip
        self._graph, self._lines, self._turns = graph, lines, turns
        self.pace, self.body = pace, body
        self._known = np.empty((0, 2))  # points up to the end of the newest lane
        self._wish = np.empty(0)
        self.crossings: list[Crossing] = []
        self.spans: list[tuple[int, float]] = [(lane.index, -arc)]
        self.position = 0.0
        if lane.junction != NO_JUNCTION:  # it starts in the middle of a junction
            self.crossings.append(
                Crossing(
                    lane.junction, lane.index, lane.index, -arc, -arc, lane.length - arc, Rule.PRIORITY, None, True
                )
            )
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
        self._measure(self._known[:POINTS])

    def _append(self, lane: RoadLane) -> None:
        """Add the points of the newest lane and choose the one after it."""
        end = self._tip + lane.length
        last = int(np.floor(end)) + 1 if lane.successors else POINTS  # behind the end of the map: straight on
        arcs: Float = np.arange(len(self._known), last, dtype=np.float64) - self._tip
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

    def _measure(self, centre: Float) -> None:
        """Path, direction and wished speed at every point of the centre line."""
        yaw = _directions(centre)
        bend = np.gradient(yaw)
        wish = self._wish[:POINTS]
        fastest = np.maximum(np.sqrt(self.body.side_acceleration / np.maximum(np.abs(bend), 1e-4)), _SLOWEST_MPS)
        self.speed = np.minimum(wish, fastest)
        smooth = _lasting(np.convolve(np.pad(bend, _BLUR_M, mode="edge"), _BLUR, mode="valid"), self.body.half_length)
        inwards = np.clip(self.body.shift_m2 * smooth, -_MOST_SHIFT_M, _MOST_SHIFT_M) - self.body.off_kerb_m
        self.swing = np.minimum(self.body.swing_m2 * np.abs(smooth), _MOST_SWING_M)
        self.points = centre + inwards[:, None] * np.stack([-np.sin(yaw), np.cos(yaw)], axis=-1)
        self.yaw = _directions(self.points)
        self.bend = np.convolve(np.pad(np.gradient(self.yaw), 1, mode="edge"), _LIGHT_BLUR, mode="valid")


def _lasting(bend: Float, half_length: float) -> Float:
    """The strongest bend that the vehicle is still in when its front is at each point, 1/m, with its sign."""
    window = int(half_length) + 1
    padded = np.pad(bend, (window - 1, 0), mode="edge")
    left = np.min([padded[k : k + len(bend)] for k in range(window)], axis=0)
    right = np.max([padded[k : k + len(bend)] for k in range(window)], axis=0)
    return np.where(right > -left, np.maximum(right, 0.0), np.minimum(left, 0.0))


def _directions(points: Float) -> Float:
    """Direction of a polyline at each point, without jumps, radians."""
    reach = _SMOOTHING_M
    chord = np.empty_like(points)
    chord[reach:-reach] = points[2 * reach :] - points[: -2 * reach]
    chord[:reach], chord[-reach:] = points[1 : reach + 1] - points[:reach], points[-reach:] - points[-reach - 1 : -1]
    yaw = np.arctan2(chord[:, 1], chord[:, 0])
    yaw[1:] = yaw[0] + np.cumsum((np.diff(yaw) + np.pi) % (2.0 * np.pi) - np.pi)
    return yaw
