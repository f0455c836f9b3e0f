"""Traffic lights and signs of a map: where they stand, which lanes they rule, and where one stops for them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely

from sim2real_bench.envs.carla.embedded.town.relief import Relief

TRAFFIC_LIGHT, YIELD, STOP, SPEED_LIMIT = "1000001", "205", "206", "274"
SIGNAL_TYPES = (TRAFFIC_LIGHT, YIELD, STOP, SPEED_LIMIT)
"""The type codes (OpenDRIVE's ``signal type``) that towns draw and servers offer as actors."""

KERB_SETBACK_M = 0.7
LAMP_HEIGHTS_M = (3.46, 3.17, 2.88)
"""Centres of the red, amber and green lamp above the road."""
LAMP_REACH_M = 0.17
"""From the axis of the pole to the face of the lamps."""
_TRIGGER_REACH_M = 10.0  # before the stop line
STOP_BEFORE_CROSSING_M, STOP_BEFORE_JUNCTION_M = 4.9, 1.2
"""From the end of a lane to its stop line, where pedestrians cross and where they do not."""
_CROSSING_NEAR_M = 4.0
_OPPOSITE_DEG = 40.0
_LONGEST_APPROACH_M = 80.0
_MOST_LANES = 12

Pose = tuple[float, float, float, float]


@dataclass(frozen=True)
class RoadSignal:
    """A traffic light or sign, in CARLA's frame (metres, degrees).

    Attributes:
        signal_id: id in the OpenDRIVE text, which is the landmark's id.
        type_code: one of ``SIGNAL_TYPES``.
        value: speed limit in km/h, else 0.
        x: foot of the pole (with ``y`` and ``z``).
        yaw_deg: of the actor, which as in CARLA looks across the road: a quarter turn to the right of the traffic.
        road_id: the road it stands at.
        junction_id: the junction it guards, -1 for none.
        group: lights of one junction with the same group are green together.
        lamps: centres of the red, amber and green lamp; signs have none.
        lamp_yaw_deg: where the lamps shine, towards the traffic.
        stop_poses: x, y, z, yaw on the lane centre at the stop line, one per lane it rules.
        trigger: centre x, y, yaw, half length, half width of the area in which a vehicle is at the signal.
    """

    signal_id: str
    type_code: str
    value: float
    x: float
    y: float
    z: float
    yaw_deg: float
    road_id: int
    junction_id: int
    group: int
    lamps: tuple[tuple[float, float, float], ...]
    lamp_yaw_deg: float
    stop_poses: tuple[Pose, ...]
    trigger: tuple[float, float, float, float, float]

    @property
    def is_light(self) -> bool:
        """A traffic light, not a sign."""
        return self.type_code == TRAFFIC_LIGHT

    def trigger_box(self, half_height: float = 1.5) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Centre and half sizes of the trigger in the actor's own axes, as ``carla.TrafficSign.trigger_volume``."""
        x, y, yaw, half_length, half_width = self.trigger
        cosine, sine = math.cos(math.radians(self.yaw_deg)), math.sin(math.radians(self.yaw_deg))
        dx, dy = x - self.x, y - self.y
        turn = math.radians(yaw - self.yaw_deg)
        along, across = abs(math.cos(turn)), abs(math.sin(turn))
        half = (along * half_length + across * half_width, across * half_length + along * half_width, half_height)
        return (dx * cosine + dy * sine, dy * cosine - dx * sine, half_height), half


@dataclass(frozen=True)
class _Approach:
    """A ruled lane: a waypoint at its end and the junction behind it."""

    end: Any
    junction_id: int


def read_signals(town_map: Any, relief: Relief) -> tuple[RoadSignal, ...]:
    """The signals of a ``carla.Map`` that rule a driving lane, by id."""
    landmarks: dict[str, list[Any]] = {}
    for landmark in town_map.get_all_landmarks():
        if landmark.type in SIGNAL_TYPES:
            landmarks.setdefault(landmark.id, []).append(landmark)
    crossings = _crossings(town_map)
    found = []
    for signal_id in sorted(landmarks, key=lambda text: (len(text), text)):
        approaches = _approaches(town_map, landmarks[signal_id])
        if approaches:
            found.append(_signal(landmarks[signal_id][0], approaches, crossings, relief))
    return _grouped(found)


def _crossings(town_map: Any) -> shapely.Geometry:
    """All pedestrian crossings as one shape, CARLA's frame."""
    corners = np.array([(corner.x, corner.y) for corner in town_map.get_crosswalks()])
    rings = [shapely.Polygon(corners[i : i + 4]) for i in range(0, len(corners) - 4, 5)]
    return shapely.union_all(rings) if rings else shapely.Point()


def _approaches(town_map: Any, landmarks: Sequence[Any]) -> list[_Approach]:
    """The lanes that a signal rules, rightmost first."""
    found: dict[tuple[int, int], _Approach] = {}
    for landmark in landmarks:
        for waypoint in _ruled(town_map, landmark):
            approach = _follow(waypoint, ahead=landmark.type != SPEED_LIMIT)
            found.setdefault((approach.end.road_id, approach.end.lane_id), approach)
    return sorted(found.values(), key=lambda approach: -abs(approach.end.lane_id))


def _ruled(town_map: Any, landmark: Any) -> Iterator[Any]:
    """Where the lanes that a signal rules pass it.

    Map makers disagree on what a signal's orientation means. What its validity leaves open is decided by the side of
    the road on which it stands.
    """
    import carla

    lanes: set[int] = set()
    for first, last in landmark.get_lane_validities():
        lanes.update(range(min(first, last), max(first, last) + 1))
    lanes.discard(0)
    if not lanes or min(lanes) < 0 < max(lanes):
        side = _side(town_map, landmark)
        lanes = {lane for lane in lanes or range(-_MOST_LANES, _MOST_LANES + 1) if lane * side > 0}
    for lane_id in sorted(lanes):
        waypoint = town_map.get_waypoint_xodr(landmark.road_id, lane_id, landmark.s)
        if waypoint is not None and waypoint.lane_type == carla.LaneType.Driving:
            yield waypoint


def _side(town_map: Any, landmark: Any) -> int:
    """1 if a signal stands to the left of its road's reference line, -1 to the right."""
    for lane_id in (-1, 1):
        beside = town_map.get_waypoint_xodr(landmark.road_id, lane_id, landmark.s)
        if beside is not None:
            at, right = beside.transform.location, beside.transform.get_right_vector()
            there = landmark.transform.location
            return lane_id if (there.x - at.x) * right.x + (there.y - at.y) * right.y > 0.0 else -lane_id
    return -1


def _follow(waypoint: Any, ahead: bool) -> _Approach:
    """From a waypoint on to the last one before a junction (back, if it lies in one already)."""
    if waypoint.is_junction:
        before = waypoint
        for _ in range(60):
            previous = before.previous(1.0)
            if not previous or not before.is_junction:
                break
            before = previous[0]
        return _Approach(before, waypoint.junction_id)
    here, step = waypoint, 0.5
    for _ in range(int(_LONGEST_APPROACH_M / step) if ahead else 0):
        following = here.next(step)
        if not following or following[0].is_junction:
            junction = following[0].junction_id if following else -1
            return _Approach(here, junction)
        here = following[0]
    return _Approach(waypoint, -1)


def _back(waypoint: Any, distance: float) -> Any:
    previous = waypoint.previous(distance)
    return previous[0] if previous else waypoint


def _signal(landmark: Any, approaches: Sequence[_Approach], crossings: shapely.Geometry, relief: Relief) -> RoadSignal:
    outer = approaches[0].end
    stops = []
    for approach in approaches:
        place = approach.end.transform.location
        near = crossings.distance(shapely.Point(place.x, place.y)) < _CROSSING_NEAR_M
        stop = _back(approach.end, STOP_BEFORE_CROSSING_M if near else STOP_BEFORE_JUNCTION_M)
        at = stop.transform.location
        stops.append((at.x, at.y, at.z, _wrapped(stop.transform.rotation.yaw)))
    speed = landmark.type == SPEED_LIMIT
    x, y, yaw = _foot(outer)
    shine = math.radians(yaw + 180.0)
    z = relief.height(x, y)
    face = x + LAMP_REACH_M * math.cos(shine), y + LAMP_REACH_M * math.sin(shine)
    light = landmark.type == TRAFFIC_LIGHT
    return RoadSignal(
        signal_id=landmark.id, type_code=landmark.type, value=float(landmark.value) if speed else 0.0,
        x=x, y=y, z=z, yaw_deg=_wrapped(yaw + 90.0), road_id=landmark.road_id,
        junction_id=approaches[0].junction_id, group=0,
        lamps=tuple((*face, z + height) for height in LAMP_HEIGHTS_M) if light else (),
        lamp_yaw_deg=_wrapped(yaw + 180.0), stop_poses=() if speed else tuple(stops),
        trigger=_trigger(approaches, stops),
    )  # fmt: skip


def _foot(outer: Any) -> tuple[float, float, float]:
    """Where the pole of a signal stands: right of the outermost lane it rules, at the kerb."""
    import carla

    offset, side = outer.lane_width / 2, outer.get_right_lane()
    while side is not None and side.lane_type not in (carla.LaneType.Sidewalk, carla.LaneType.NONE):
        offset += side.lane_width
        side = side.get_right_lane()
    at, right = outer.transform.location, outer.transform.get_right_vector()
    reach = offset + KERB_SETBACK_M
    return at.x + right.x * reach, at.y + right.y * reach, _wrapped(outer.transform.rotation.yaw)


def _trigger(approaches: Sequence[_Approach], stops: Sequence[Pose]) -> tuple[float, float, float, float, float]:
    """A box over the ruled lanes, from some way before the stop line to the end of the lanes."""
    yaw = math.radians(stops[0][3])
    cosine, sine = math.cos(yaw), math.sin(yaw)
    ends = [approach.end.transform.location for approach in approaches]
    along = [p[0] * cosine + p[1] * sine for p in stops]
    far = [end.x * cosine + end.y * sine for end in ends]
    across = [p[1] * cosine - p[0] * sine for p in stops]
    low, high = min(along) - _TRIGGER_REACH_M, max(far)
    half = max(approach.end.lane_width for approach in approaches) / 2 * 0.9
    left, right = min(across) - half, max(across) + half
    u, v = (low + high) / 2, (left + right) / 2
    x, y = u * cosine - v * sine, u * sine + v * cosine
    return x, y, math.degrees(yaw), (high - low) / 2, (right - left) / 2


def _wrapped(angle: float) -> float:
    return (angle + 180.0) % 360.0 - 180.0


def _grouped(signals: Sequence[RoadSignal]) -> tuple[RoadSignal, ...]:
    """Give the lights of each junction their groups: those that face each other, or look the same way, share one."""
    axes: dict[int, list[float]] = {}
    result = []
    for signal in signals:
        group = 0
        if signal.is_light:
            known = axes.setdefault(signal.junction_id, [])
            apart = [abs(math.remainder(signal.lamp_yaw_deg - axis, 180.0)) for axis in known]
            near = [index for index, angle in enumerate(apart) if angle < _OPPOSITE_DEG]
            group = near[0] if near else len(known)
            if not near:
                known.append(signal.lamp_yaw_deg)
        result.append(replace(signal, group=group))
    return tuple(result)
