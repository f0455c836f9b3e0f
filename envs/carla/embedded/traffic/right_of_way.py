"""Who may enter a junction: a vehicle needs the way through it granted, and holds it until its rear has left.

Lights come first; then vehicles on a road with priority, left turns last, then whoever asked first. A grant needs the
conflict areas free of other holders and room behind the junction, so that nobody stops inside and everybody who is
inside can leave: that is what keeps the traffic from locking up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.traffic.junctions import Conflicts, turn_of
from sim2real_bench.envs.carla.embedded.traffic.lane_graph import LaneGraph
from sim2real_bench.envs.carla.embedded.traffic.routes import Crossing, Route
from sim2real_bench.envs.carla.embedded.traffic.stop_lines import Rule
from sim2real_bench.envs.carla.embedded.traffic_signals import LightState

_LOOK_S, _LOOK_M, _LOOK_BRAKING = 4.0, 12.0, 4.0
_INSIDE_M = 1.5  # with the bumper this far behind the line, a vehicle is in the junction, granted or not
_ROOM_M, _NEAR_M = 2.0, 4.0
_SIGHT_M = 40.0
_FLOWING_MPS = 2.5
_STOPPED_MPS = 0.3
_AT_LINE_M = 3.0
_PATIENCE_S = 20.0  # then it is one's turn, whatever the rules of priority
_HALT_S = 1.5
_EMERGENCY_BRAKING = 3.5
_NEVER = 1e9


@dataclass(eq=False)
class Approach:
    """A driver as the rules see it.

    Attributes:
        number: unique and growing; settles ties.
        route: where it goes.
        half_length: metres.
        speed: m/s.
        gap: free metres before the front bumper.
        gap_speed: speed of what ends the gap, along the route, m/s.
        leader: the driver that ends the gap, None for anything else.
    """

    number: int
    route: Route
    half_length: float
    speed: float = 0.0
    gap: float = _NEVER
    gap_speed: float = 0.0
    leader: Approach | None = None

    @property
    def blocked_aside(self) -> bool:
        """What ends the gap stands, is near, and is not somebody who queues on the same way."""
        if self.gap > _NEAR_M or abs(self.gap_speed) > _STOPPED_MPS:
            return False
        if self.leader is None:
            return True
        near = {lane for lane, start in self.route.spans if start < self.front + self.gap + _NEAR_M}
        return self.leader.route.lane.index not in near

    @property
    def yields_aside(self) -> bool:
        """Two stand in each other's way, and the other one shall go first."""
        return self.leader is not None and self.leader.leader is self and self.leader.number < self.number

    @property
    def front(self) -> float:
        """Arc length of the front bumper in the route's buffer, metres."""
        return self.route.position + self.half_length

    @property
    def rear(self) -> float:
        """Arc length of the rear bumper in the route's buffer, metres."""
        return self.route.position - self.half_length

    def room_wanted(self, crossing: Crossing) -> float:
        """Metres before the front bumper with which it can clear a junction."""
        return crossing.end - self.front + 2.0 * self.half_length + _ROOM_M

    @property
    def sight(self) -> float:
        """Metres before the front bumper that it must oversee: the next junction and the room behind it."""
        crossing = self.next_refused()
        if crossing is None or crossing.line - self.front > _SIGHT_M:
            return 0.0
        return self.room_wanted(crossing)

    def next_refused(self) -> Crossing | None:
        """The next junction it may not enter yet."""
        for crossing in self.route.crossings:
            if not crossing.granted:
                return crossing
        return None


@dataclass(frozen=True, slots=True)
class Occupant:
    """A vehicle nobody here drives, on its way through a junction.

    Attributes:
        lane: index of a lane through the junction it may be on.
        rear: arc length of its rear on that lane; negative before the junction.
        rule: that holds for it.
        inside: it is in the junction already.
    """

    lane: int
    rear: float
    rule: Rule
    inside: bool


LightStates = Sequence[LightState]
Occupants = Callable[[int], Iterable[Occupant]]


class RightOfWay:
    """The rules at every junction of a lane graph."""

    def __init__(self, graph: LaneGraph, conflicts: Conflicts) -> None:
        self._graph, self._conflicts = graph, conflicts
        self._left = {index: turn_of(graph.lanes[index]) < 0 for lanes in conflicts.lanes.values() for index in lanes}

    def decide(
        self, approaches: Sequence[Approach], lights: LightStates, occupants: Occupants, now: float, delta: float
    ) -> None:
        """Grant and withdraw ways.

        Args:
            approaches: every driver.
            lights: state of each of the town's signals.
            occupants: of a junction, vehicles nobody here drives.
            now: seconds of the episode.
            delta: seconds since the last call.
        """
        holders: defaultdict[int, list[tuple[Approach, Crossing]]] = defaultdict(list)
        requests: list[tuple[Approach, Crossing]] = []
        for approach in approaches:
            self._review(approach, lights, delta)
            for crossing in approach.route.crossings:
                if crossing.granted:
                    holders[crossing.junction].append((approach, crossing))
                    continue
                if self._asks(approach, crossing, now):
                    requests.append((approach, crossing))
                break
        requests.sort(key=lambda request: self._order(request[0], request[1], now))
        waiting: defaultdict[int, list[tuple[Approach, Crossing]]] = defaultdict(list)
        for approach, crossing in requests:
            if not self._ready(approach, crossing, lights):
                continue
            if self._clear(approach, crossing, holders[crossing.junction], waiting[crossing.junction], occupants):
                crossing.granted, crossing.halted = True, 0.0
                holders[crossing.junction].append((approach, crossing))
            else:
                waiting[crossing.junction].append((approach, crossing))

    def _review(self, approach: Approach, lights: LightStates, delta: float) -> None:
        """Forget what lies behind; withdraw grants that cannot or need not be used."""
        crossings = approach.route.crossings
        while crossings and crossings[0].end < approach.rear:
            del crossings[0]
        for crossing in crossings:
            distance = crossing.line - approach.front
            if distance < -_INSIDE_M:
                crossing.granted = True
                continue
            if not crossing.granted:
                break
            crossing.halted = crossing.halted + delta if approach.speed < _STOPPED_MPS else 0.0
            stopping = approach.speed**2 / (2.0 * _EMERGENCY_BRAKING)
            red = crossing.light is not None and lights[crossing.light] in (LightState.RED, LightState.YELLOW)
            if distance > stopping and (red or (crossing.halted > _HALT_S and approach.gap < distance + 2.0)):
                crossing.granted = False

    def _asks(self, approach: Approach, crossing: Crossing, now: float) -> bool:
        distance = crossing.line - approach.front
        speed = approach.speed
        if distance > max(_LOOK_S * speed, speed**2 / _LOOK_BRAKING + _LOOK_M):
            return False
        if crossing.asked is None:
            crossing.asked = now
        if speed < _STOPPED_MPS and distance < _AT_LINE_M:
            crossing.stopped = True
        return True

    def _order(self, approach: Approach, crossing: Crossing, now: float) -> tuple[int, bool, float, int]:
        asked = now if crossing.asked is None else crossing.asked
        if now - asked > _PATIENCE_S and crossing.stopped:
            return -1, False, asked, approach.number
        return crossing.rule, self._left[crossing.lane], asked, approach.number

    def _ready(self, approach: Approach, crossing: Crossing, lights: LightStates) -> bool:
        """The light, the sign, the vehicle ahead and the room behind the junction allow it to go."""
        if crossing.light is not None and lights[crossing.light] in (LightState.RED, LightState.YELLOW):
            return False
        if crossing.light is None and crossing.rule is Rule.STOP and not crossing.stopped:
            return False
        if approach.gap < crossing.line - approach.front:  # somebody stands before the line
            ahead = approach.leader
            if ahead is None or approach.gap_speed < _STOPPED_MPS:
                return False
            if not any(other.granted and other.junction == crossing.junction for other in ahead.route.crossings):
                return False
        if approach.gap >= approach.room_wanted(crossing):
            return True
        ahead = approach.leader
        flowing = approach.gap_speed > _FLOWING_MPS
        return flowing and (ahead is None or ahead.gap > 2.0 * approach.half_length + _ROOM_M)

    def _clear(
        self,
        approach: Approach,
        crossing: Crossing,
        holders: Iterable[tuple[Approach, Crossing]],
        waiting: Iterable[tuple[Approach, Crossing]],
        occupants: Occupants,
    ) -> bool:
        lane, wide = crossing.lane, approach.route.body.wide
        for holder, held in holders:
            if self._blocks(lane, held.lane, holder.rear - held.start, wide or holder.route.body.wide):
                return False
        for other, wanted in waiting:
            if self._conflicts.zone(wanted.lane, lane, wide or other.route.body.wide):
                return False
        return not any(
            (other.inside or other.rule <= crossing.rule) and self._blocks(lane, other.lane, other.rear, wide)
            for other in occupants(crossing.junction)
        )

    def _blocks(self, lane: int, other: int, rear: float, wide: bool) -> bool:
        """Somebody on ``other`` with its rear at an arc length has not left the area it shares with ``lane``."""
        zone = self._conflicts.zone(other, lane, wide)
        return zone is not None and rear < zone[1]
