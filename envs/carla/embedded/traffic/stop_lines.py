"""Where a lane ends at a junction: the line to stop at, the light or sign that rules it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from sim2real_bench.envs.carla.embedded.traffic.lane_graph import NO_JUNCTION, LaneGraph

LIGHT, YIELD_SIGN, STOP_SIGN = "1000001", "205", "206"
_LINE_BEFORE_END_M = 1.0  # at the least, wherever the line is drawn
_UNMARKED_BEFORE_END_M = 4.0  # where no line is drawn: long vehicles swing out when they turn in
_FURTHEST_BEFORE_END_M = 30.0
_OFF_LANE_M = 2.5


class Rule(IntEnum):
    """Who goes first where lanes meet; a smaller number goes before a larger one."""

    PRIORITY = 0
    YIELD = 1
    STOP = 2


class RoadSignal(Protocol):
    """What is read of a signal of the town."""

    @property
    def type_code(self) -> str:
        """OpenDRIVE's country code of the kind."""
        ...

    @property
    def stop_poses(self) -> Sequence[tuple[float, float, float, float]]:
        """x, y, z, yaw in degrees at the stop line of each lane it rules."""
        ...


@dataclass(frozen=True)
class StopLine:
    """The end of a lane before a junction.

    Attributes:
        arc: metres from the start of the lane to the line.
        rule: of the signs; ``PRIORITY`` at lights and where there is nothing.
        light: index of the traffic light among the town's signals, or None.
    """

    arc: float
    rule: Rule = Rule.PRIORITY
    light: int | None = None


def stop_lines(graph: LaneGraph, signals: Sequence[RoadSignal]) -> dict[int, StopLine]:
    """The stop line of every lane that leads into a junction, by the lane's index."""
    lines = {
        lane.index: StopLine(max(0.5 * lane.length, lane.length - _UNMARKED_BEFORE_END_M))
        for lane in graph.lanes
        if lane.junction == NO_JUNCTION and any(graph.lanes[onto].junction != NO_JUNCTION for onto in lane.successors)
    }
    for number, signal in enumerate(signals):
        for x, y, _, yaw_deg in signal.stop_poses:
            _rule(graph, lines, number, signal.type_code, (x, y, math.radians(yaw_deg)))
    return lines


def _rule(
    graph: LaneGraph, lines: dict[int, StopLine], number: int, code: str, pose: tuple[float, float, float]
) -> None:
    """Enter one stop pose of a signal."""
    found = graph.nearest(*pose)
    if found is None or code not in (LIGHT, YIELD_SIGN, STOP_SIGN):
        return
    lane, arc, offset = found
    if lane.junction != NO_JUNCTION and len(lane.predecessors) == 1:  # a line drawn at the very mouth
        lane = graph.lanes[lane.predecessors[0]]
        arc = lane.length
    if lane.index not in lines or offset > _OFF_LANE_M or arc < lane.length - _FURTHEST_BEFORE_END_M:
        return
    before = lines[lane.index]
    arc = min(arc, lane.length - _LINE_BEFORE_END_M)
    if code == LIGHT:
        lines[lane.index] = StopLine(arc, before.rule, number)
    else:
        rule = Rule.STOP if code == STOP_SIGN else Rule.YIELD
        lines[lane.index] = StopLine(arc, max(rule, before.rule), before.light)
