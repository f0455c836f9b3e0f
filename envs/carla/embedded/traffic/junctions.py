"""Which ways through a junction cross or meet, and where."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import combinations

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.traffic.lane_graph import NO_JUNCTION, LaneGraph, RoadLane

Float = npt.NDArray[np.float64]

CONFLICT_M = 3.0  # two cars on centre lines closer than this could touch
WIDE_CONFLICT_M = 4.6  # likewise when one of them is long or wide
_TURN_RAD = 0.45


class Conflicts:
    """The conflict areas of all junctions of a lane graph.

    Attributes:
        lanes: per junction, the indices of the lanes through it.
    """

    def __init__(self, graph: LaneGraph) -> None:
        self.lanes: defaultdict[int, list[int]] = defaultdict(list)
        self._zones: dict[tuple[int, int, bool], tuple[float, float]] = {}
        for lane in graph.lanes:
            if lane.junction != NO_JUNCTION:
                self.lanes[lane.junction].append(lane.index)
        for members in self.lanes.values():
            for first, second in combinations(members, 2):
                self._compare(graph.lanes[first], graph.lanes[second])

    def zone(self, lane: int, other: int, wide: bool = False) -> tuple[float, float] | None:
        """Where on ``lane`` (arc lengths, metres) somebody on ``other`` is in the way; None = nowhere.

        Lanes that part from the same approach are not in conflict: there, one vehicle follows the other.

        Args:
            lane: index of a lane.
            other: index of another one.
            wide: one of the two vehicles is long or wide.
        """
        return self._zones.get((lane, other, wide))

    def _compare(self, first: RoadLane, second: RoadLane) -> None:
        if set(first.predecessors) & set(second.predecessors):
            return
        gap = np.hypot(*(first.points[:, None] - second.points[None]).transpose(2, 0, 1))
        for wide, reach in ((False, CONFLICT_M), (True, WIDE_CONFLICT_M)):
            close = gap < reach
            if not close.any():
                continue
            for lane, other, touched in ((first, second, close.any(axis=1)), (second, first, close.any(axis=0))):
                found = np.flatnonzero(touched)
                self._zones[lane.index, other.index, wide] = float(lane.arc[found[0]]), float(lane.arc[found[-1]])


def turn_of(lane: RoadLane) -> int:
    """-1 for a left turn, 0 for straight on, 1 for a right turn."""
    first, last = lane.points[1] - lane.points[0], lane.points[-1] - lane.points[-2]
    turned = math.atan2(first[0] * last[1] - first[1] * last[0], first[0] * last[0] + first[1] * last[1])
    return 0 if abs(turned) < _TURN_RAD else int(math.copysign(1, turned))
