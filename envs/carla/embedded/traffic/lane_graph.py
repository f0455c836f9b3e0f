"""The driving lanes of a map as polylines that lead into each other (CARLA's frame: metres, radians, y right)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

Float = npt.NDArray[np.float64]
LaneKey = tuple[int, int, int]

NO_JUNCTION = -1
DEFAULT_LIMIT_KMH = 30.0
_STEP_M = 0.5
_JOIN_M = 2.0  # the last waypoint of a lane lies less than a step before the first one of the next lane
_KMH = {"km/h": 1.0, "kmh": 1.0, "mph": 1.609344, "m/s": 3.6}
_CANDIDATES = 24
_TURNED_AWAY_M = 50.0  # a lane that leads the other way counts as this much further off


@dataclass(eq=False)
class RoadLane:
    """One driving lane in driving direction.

    Attributes:
        index: its place in the graph.
        key: road, section and lane id.
        points: (N, 2) centre line; the last point is the first one of the next lane.
        arc: (N,) metres from the start.
        junction: the junction it crosses, or -1.
        width: metres.
        limit_kmh: speed limit of its road.
        successors: indices of the lanes it leads into that do not end in nothing; all of them if every one does.
        predecessors: indices of the lanes that lead into it.
        left: index of the neighbour of the same direction, or None (likewise ``right``).
    """

    index: int
    key: LaneKey
    points: Float
    arc: Float
    junction: int
    width: float
    limit_kmh: float
    successors: list[int] = field(default_factory=list)
    predecessors: list[int] = field(default_factory=list)
    left: int | None = None
    right: int | None = None
    ends: bool = False

    @property
    def length(self) -> float:
        """Metres."""
        return float(self.arc[-1])

    def at(self, arcs: Float) -> Float:
        """(M, 2) points at arc lengths."""
        return np.stack([np.interp(arcs, self.arc, self.points[:, axis]) for axis in (0, 1)], axis=-1)

    def project(self, x: float, y: float) -> tuple[float, float]:
        """(arc length, distance) of the nearest point of the centre line, metres."""
        start, along = self.points[:-1], np.diff(self.points, axis=0)
        length = np.maximum(np.diff(self.arc), 1e-9)
        share = np.clip(((x, y) - start)[:, 0] * along[:, 0] + ((x, y) - start)[:, 1] * along[:, 1], 0.0, length**2)
        share /= length**2
        distance = np.hypot(*(start + share[:, None] * along - (x, y)).T)
        best = int(distance.argmin())
        return float(self.arc[best] + share[best] * length[best]), float(distance[best])


class LaneGraph:
    """All driving lanes of a map.

    Args:
        road_map: ``carla.Map``.
        xodr: its OpenDRIVE text, for the speed limits of the roads.
    """

    def __init__(self, road_map: Any, xodr: str) -> None:
        topology = sorted(((_key(start), _key(end), start, end) for start, end in road_map.get_topology()),
                          key=lambda edge: edge[:2])  # fmt: skip
        starts = {key: waypoint for first, second, start, end in topology
                  for key, waypoint in ((first, start), (second, end))}  # fmt: skip
        onward: defaultdict[LaneKey, list[LaneKey]] = defaultdict(list)
        for first, second, _, _ in topology:
            onward[first].append(second)
        limits = speed_limits(xodr)
        self.lanes: list[RoadLane] = []
        for key in sorted(starts):
            following = starts[onward[key][0]] if onward[key] else None
            lane = _read_lane(len(self.lanes), starts[key], following, limits.get(key[0], DEFAULT_LIMIT_KMH))
            if lane is not None:
                self.lanes.append(lane)
        self.by_key = {lane.key: lane for lane in self.lanes}
        self._link(onward)
        self._find_neighbours(starts)
        self._index()

    def _link(self, onward: dict[LaneKey, list[LaneKey]]) -> None:
        for lane in self.lanes:
            found = sorted({self.by_key[key].index for key in onward.get(lane.key, ()) if key in self.by_key})
            lane.successors = found
            for index in found:
                self.lanes[index].predecessors.append(lane.index)
        ending = [lane for lane in self.lanes if not lane.successors]
        while ending:  # what only leads into an ending lane ends, too
            lane = ending.pop()
            lane.ends = True
            for index in lane.predecessors:
                before = self.lanes[index]
                if not before.ends and all(self.lanes[onto].ends for onto in before.successors):
                    ending.append(before)
        for lane in self.lanes:
            lane.successors = [onto for onto in lane.successors if not self.lanes[onto].ends] or lane.successors

    def _find_neighbours(self, starts: dict[LaneKey, Any]) -> None:
        for lane in self.lanes:
            if lane.junction != NO_JUNCTION:
                continue
            onward = starts[lane.key].next(min(1.0, lane.length / 2.0))
            waypoint = onward[0] if onward else starts[lane.key]
            lane.left = self._neighbour(waypoint.get_left_lane(), lane)
            lane.right = self._neighbour(waypoint.get_right_lane(), lane)

    def _neighbour(self, waypoint: Any, lane: RoadLane) -> int | None:
        if waypoint is None or waypoint.lane_id * lane.key[2] < 0:
            return None
        other = self.by_key.get(_key(waypoint))
        return None if other is None else other.index

    def _index(self) -> None:
        places = [lane.points[:-1] for lane in self.lanes]
        yaws = [np.arctan2(*np.diff(lane.points, axis=0).T[::-1]) for lane in self.lanes]
        self._owner = np.repeat(np.arange(len(self.lanes)), [len(part) for part in places])
        self._yaw = np.concatenate(yaws) if yaws else np.zeros(0)
        self._tree = cKDTree(np.concatenate(places)) if places else None
        self._limit = np.array([lane.limit_kmh for lane in self.lanes])

    def nearest(self, x: float, y: float, yaw: float) -> tuple[RoadLane, float, float] | None:
        """The lane under a pose that leads its way.

        Args:
            x: metres, with ``y``.
            y: metres.
            yaw: radians.

        Returns:
            The lane, the arc length on it and the distance from its centre; None in a map without lanes.
        """
        if self._tree is None:
            return None
        distance, index = self._tree.query((x, y), k=min(_CANDIDATES, len(self._yaw)))
        distance, index = np.atleast_1d(distance), np.atleast_1d(index)
        cost = distance + _TURNED_AWAY_M * (1.0 - np.cos(self._yaw[index] - yaw))
        lane = self.lanes[int(self._owner[index[int(cost.argmin())]])]
        arc, offset = lane.project(x, y)
        return lane, arc, offset

    def limits_kmh(self, places: Float) -> Float:
        """(N,) speed limits of the roads nearest to (N, 2) places, km/h."""
        if self._tree is None:
            return np.full(len(places), DEFAULT_LIMIT_KMH)
        _, index = self._tree.query(places)
        return self._limit[self._owner[index]]


def speed_limits(xodr: str) -> dict[int, float]:
    """km/h of every road that states one in its first type record."""
    limits = {}
    for road in ElementTree.fromstring(xodr).iter("road"):
        speed = road.find("type/speed")
        if speed is not None and speed.get("max", "").replace(".", "", 1).isdigit():
            unit = _KMH.get(speed.get("unit", "m/s"), 3.6)
            limits[int(road.get("id", "-1"))] = float(speed.get("max", "0")) * unit
    return {road: limit for road, limit in limits.items() if limit > 0.0}


def _key(waypoint: Any) -> LaneKey:
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


def _read_lane(index: int, start: Any, following: Any, limit_kmh: float) -> RoadLane | None:
    """One lane from its first waypoint; None when LibCarla cannot evaluate two places of it."""
    waypoints = [start, *start.next_until_lane_end(_STEP_M)]
    places = [(w.transform.location.x, w.transform.location.y) for w in waypoints]
    if following is not None:
        end = (following.transform.location.x, following.transform.location.y)
        if np.hypot(end[0] - places[-1][0], end[1] - places[-1][1]) < _JOIN_M:
            places.append(end)
    points = _distinct(places)
    if len(points) < 2:
        return None
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    junction = start.junction_id if start.is_junction else NO_JUNCTION
    return RoadLane(index, _key(start), points, arc, junction, start.lane_width, limit_kmh)


def _distinct(places: Sequence[tuple[float, float]]) -> Float:
    """Finite points with a distance between neighbours: spirals of equal end curvature give NaN in LibCarla."""
    points = np.array(places, np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 2:
        return points
    keep = np.concatenate([[True], np.hypot(*np.diff(points, axis=0).T) > 1e-3])
    return points[keep]
