"""Vehicles that clients drive, as the drivers here expect them to behave at junctions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence

from sim2real_bench.envs.carla.embedded.actors import Vehicle
from sim2real_bench.envs.carla.embedded.traffic.junctions import Conflicts
from sim2real_bench.envs.carla.embedded.traffic.lane_graph import NO_JUNCTION, LaneGraph, RoadLane
from sim2real_bench.envs.carla.embedded.traffic.right_of_way import LightStates, Occupant
from sim2real_bench.envs.carla.embedded.traffic.stop_lines import Rule, StopLine
from sim2real_bench.envs.carla.embedded.traffic_signals import LightState

_EVERY_TICKS = 4
_COMING_S, _COMING_M = 4.0, 6.0
_MOVING_MPS = 0.7
_SAME_WAY_M = 2.0
_OFF_ROAD_M = 3.0


class ForeignTraffic:
    """Where vehicles that nobody here drives are in the lane graph; looked up every few ticks."""

    def __init__(self, graph: LaneGraph, conflicts: Conflicts, lines: dict[int, StopLine]) -> None:
        self._graph, self._conflicts, self._lines = graph, conflicts, lines
        self._known: dict[int, list[Occupant]] = {}
        self._tick = 0

    def occupants(
        self, vehicles: Sequence[Vehicle], driven: Container[int], lights: LightStates
    ) -> Callable[[int], Iterable[Occupant]]:
        """Who else is in, or about to enter, a junction.

        Args:
            vehicles: all.
            driven: ids of those driven here.
            lights: state of each of the town's signals.
        """
        if self._tick % _EVERY_TICKS == 0:
            found: defaultdict[int, list[Occupant]] = defaultdict(list)
            for vehicle in vehicles:
                if vehicle.actor_id not in driven:
                    self._place(vehicle, lights, found)
            self._known = dict(found)
        self._tick += 1
        return lambda junction: self._known.get(junction, ())

    def _place(self, vehicle: Vehicle, lights: LightStates, found: dict[int, list[Occupant]]) -> None:
        dynamics = vehicle.dynamics
        place = self._graph.nearest(dynamics.x, dynamics.y, dynamics.yaw)
        if place is None or place[2] > _OFF_ROAD_M:
            return
        lane, arc, _ = place
        rear = arc - dynamics.model.half_length
        if lane.junction != NO_JUNCTION:
            for other in self._alike(lane, dynamics.x, dynamics.y):
                found[lane.junction].append(Occupant(other.index, rear, Rule.PRIORITY, True))
        elif lane.index in self._lines and self._coming(vehicle, lane, arc, lights):
            rule = self._lines[lane.index].rule
            for index in lane.successors:
                onto = self._graph.lanes[index]
                if onto.junction != NO_JUNCTION:
                    found[onto.junction].append(Occupant(index, rear - lane.length, rule, False))

    def _alike(self, lane: RoadLane, x: float, y: float) -> Iterable[RoadLane]:
        """The ways through the junction that somebody at a place may be on: they part from the same approach."""
        approaches = set(lane.predecessors)
        for index in self._conflicts.lanes[lane.junction]:
            other = self._graph.lanes[index]
            if other is lane or (approaches & set(other.predecessors) and other.project(x, y)[1] < _SAME_WAY_M):
                yield other

    def _coming(self, vehicle: Vehicle, lane: RoadLane, arc: float, lights: LightStates) -> bool:
        """It moves towards the junction, is near it, and no light holds it back."""
        speed = math.hypot(*vehicle.velocity[:2])
        light = self._lines[lane.index].light
        if light is not None and lights[light] in (LightState.RED, LightState.YELLOW):
            return False
        return speed > _MOVING_MPS and lane.length - arc < _COMING_S * speed + _COMING_M
