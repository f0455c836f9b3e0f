"""What is painted where a lane meets a junction: stop and give-way lines, and arrows on streets of several lanes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from sim2real_bench.envs.carla.embedded.town.lanes import Lane
from sim2real_bench.envs.carla.embedded.town.painter import WHITE, Painter
from sim2real_bench.envs.carla.embedded.town.signals import STOP_BEFORE_CROSSING_M, YIELD, RoadSignal

Float = npt.NDArray[np.float64]

_CROSSING_NEAR_M = 4.0
_ARROW_FROM_END_M = (13.0, 34.0)
_SHORTEST_FOR_SECOND_M = 60.0
_STRAIGHT = math.radians(40.0)
_TOOTH_M, _TOOTH_GAP_M = 0.45, 0.3


def paint_approach(
    painter: Painter, lane: Lane, crossings: shapely.Geometry, town_map: Any, signals: Sequence[RoadSignal]
) -> None:
    """Paint the end of a lane that runs into a junction."""
    ruling = _ruling(lane, signals)
    before = _line_before_end(lane, ruling, crossings)
    if before is not None:
        centre, _, right = lane.at(float(lane.arc[-1]) - before)
        if ruling is not None and ruling.type_code == YIELD:
            _teeth(painter, centre, right, lane.width / 2 - 0.25)
        else:
            painter.bar(centre, right, lane.width / 2 - 0.25, 0.2, WHITE)
    if not (lane.outermost and lane.innermost) and before is not None:
        turns = _turns(town_map, lane)
        for distance in _ARROW_FROM_END_M[: 2 if lane.arc[-1] > _SHORTEST_FOR_SECOND_M else 1]:
            if turns and float(lane.arc[-1]) > distance + 6.0:
                _arrow(painter, lane, float(lane.arc[-1]) - distance, turns)


def _ruling(lane: Lane, signals: Sequence[RoadSignal]) -> RoadSignal | None:
    """The signal one stops for at the end of a lane."""
    end = lane.points[-1]
    for signal in signals:
        for x, y, _, yaw in signal.stop_poses:
            near = math.hypot(x - end[0], -y - end[1]) < STOP_BEFORE_CROSSING_M + 1.0
            turn = math.remainder(math.radians(-yaw) - lane.headings[-1], math.tau)
            offset = abs((x - end[0]) * lane.right[-1, 0] + (-y - end[1]) * lane.right[-1, 1])
            if near and abs(turn) < _STRAIGHT and offset < lane.width / 2:
                return signal
    return None


def _line_before_end(lane: Lane, ruling: RoadSignal | None, crossings: shapely.Geometry) -> float | None:
    """How far before the end of the lane one stops; None where nothing is painted."""
    if not crossings.is_empty and crossings.distance(shapely.Point(lane.points[-1])) < _CROSSING_NEAR_M:
        return STOP_BEFORE_CROSSING_M
    if ruling is None:
        return None
    end = lane.points[-1]
    return min(math.hypot(x - end[0], -y - end[1]) for x, y, _, _ in ruling.stop_poses)


def _teeth(painter: Painter, centre: Float, right: Float, half: float) -> None:
    """A broken give-way line."""
    count = max(1, int((2 * half + _TOOTH_GAP_M) / (_TOOTH_M + _TOOTH_GAP_M)))
    for place in (np.arange(count) - (count - 1) / 2) * (_TOOTH_M + _TOOTH_GAP_M):
        painter.bar(centre + right * place, right, _TOOTH_M / 2, 0.2, WHITE)


def _turns(town_map: Any, lane: Lane) -> frozenset[str]:
    """Where one may go from a lane: any of "left", "straight" and "right"."""
    import carla

    spot, _, _ = lane.at(float(lane.arc[-1]) - 1.5)  # at the very end one may already be in the junction
    here = town_map.get_waypoint(carla.Location(float(spot[0]), -float(spot[1]), float(lane.heights[-1])))
    found = set()
    for onward in here.next(3.0):
        rest = onward.next_until_lane_end(2.0)
        if onward.is_junction and rest:
            turn = math.radians(here.transform.rotation.yaw - rest[-1].transform.rotation.yaw)
            turn = math.remainder(turn, math.tau)
            found.add("straight" if abs(turn) < _STRAIGHT else "left" if turn > 0 else "right")
    return frozenset(found)


def _arrow(painter: Painter, lane: Lane, arc: float, turns: frozenset[str]) -> None:
    """An arrow of 4 m with a head for each turn."""
    centre, forward, right = lane.at(arc)
    painter.bar(centre - forward * 0.6, forward, 1.4, 0.09, WHITE)
    if "straight" in turns:
        painter.bar(centre + forward * 1.2, forward, 0.4, 0.09, WHITE)
        painter.triangle(centre + forward * 1.5, forward, 1.2, 0.4, WHITE)
    for name, side in (("left", -right), ("right", right)):
        if name in turns:
            along = (forward + side) / math.sqrt(2.0)
            start = centre + forward * (0.7 if "straight" not in turns else -0.4)
            painter.bar(start + along * 0.35, along, 0.4, 0.09, WHITE)
            painter.triangle(start + along * 0.6, (0.35 * forward + side) / math.hypot(0.35, 1.0), 0.8, 0.4, WHITE)
