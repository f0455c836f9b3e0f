"""Reads the driving lanes of a map, and what is paved beside them, into polylines (right-handed: y = -y of CARLA)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from sim2real_bench.envs.carla.embedded.town.polyline import Polyline

Float = npt.NDArray[np.float64]

STEP_M = 1.0
_OVERLAP_M = 0.6  # strips of neighbouring lanes overlap a little, so that their union has no cracks
_LONGEST_GAP_M = 6.0
_TURN_RAD = math.radians(1.2)
_SIDE_CHANGE_M = 0.03
_MOST_SIDE_LANES = 8


class Line(IntEnum):
    """What is painted on a border of a lane."""

    NONE = 0
    SOLID = 1
    BROKEN = 2
    DOUBLE = 3


@dataclass(frozen=True, eq=False)
class Lane:
    """One driving lane, in driving direction.

    Attributes:
        key: road, section and lane id.
        points: (N, 2) lane centre.
        headings: (N,) radians.
        heights: (N,) of the road, metres.
        width: greatest width, metres.
        widths: (N,) width along the lane.
        in_junction: it connects streets inside a junction.
        parking: (N,) width of the parking lane on the right, 0 where there is none.
        shoulder: (N,) width of what else is paved on the right, as shoulders and cycle lanes.
        outermost: no driving lane of the same direction lies to its right.
        innermost: no driving lane of the same direction lies to its left.
        oncoming: a lane of the other direction lies directly to its left.
        sidewalk: a sidewalk lane lies beyond what is paved on the right.
        lines: what is painted on the left and on the right border.
        yellow: the line on the left is yellow.
    """

    key: tuple[int, int, int]
    points: Float
    headings: Float
    heights: Float
    width: float
    widths: Float
    in_junction: bool
    parking: Float
    shoulder: Float
    outermost: bool
    innermost: bool
    oncoming: bool
    sidewalk: bool
    lines: tuple[Line, Line]
    yellow: bool

    @cached_property
    def forward(self) -> Float:
        """(N, 2) unit vectors along the lane."""
        return np.c_[np.cos(self.headings), np.sin(self.headings)]

    @cached_property
    def right(self) -> Float:
        """(N, 2) unit vectors to the right."""
        return np.c_[np.sin(self.headings), -np.cos(self.headings)]

    @cached_property
    def arc(self) -> Float:
        """(N,) arc length from the start, metres."""
        return np.r_[0.0, np.cumsum(np.hypot(*np.diff(self.points, axis=0).T))]

    @cached_property
    def _line(self) -> Polyline:
        return Polyline(self.arc, np.c_[self.points, np.unwrap(self.headings)])

    @cached_property
    def kerb(self) -> Float:
        """(N,) distance from the centre to the edge of what is paved on the right."""
        edge: Float = self.widths / 2 + self.parking + self.shoulder
        return edge

    def at(self, arc_m: float) -> tuple[Float, Float, Float]:
        """Centre, forward and right unit vectors at an arc length."""
        x, y, heading = self._line.at(arc_m)
        forward = np.array([math.cos(heading), math.sin(heading)])
        return np.array([x, y]), forward, np.array([forward[1], -forward[0]])

    def kerb_at(self, arc_m: float) -> float:
        """Distance from the centre to the kerb at an arc length."""
        return float(np.interp(arc_m, self.arc, self.kerb))

    def strip(self, left_m: npt.ArrayLike, right_m: npt.ArrayLike, extend_m: float = _OVERLAP_M) -> shapely.Polygon:
        """The area between two offsets from the centre, both positive to the right, a little longer than the lane."""
        count = len(self.points)
        left, right = (np.broadcast_to(np.asarray(offset, float), (count,)) for offset in (left_m, right_m))
        points = self.points.copy()
        points[0] -= self.forward[0] * extend_m
        points[-1] += self.forward[-1] * extend_m
        sides = np.vstack([points + self.right * left[:, None], (points + self.right * right[:, None])[::-1]])
        return shapely.make_valid(shapely.Polygon(sides))


def read_lanes(town_map: Any) -> tuple[Lane, ...]:
    """All driving lanes of a ``carla.Map``, in the order of their ids."""
    by_key: dict[tuple[int, int, int], list[Any]] = {}
    for waypoint in town_map.generate_waypoints(STEP_M):
        by_key.setdefault((waypoint.road_id, waypoint.section_id, waypoint.lane_id), []).append(waypoint)
    lanes = []
    for key, waypoints in sorted(by_key.items()):
        waypoints.sort(key=lambda waypoint: waypoint.s, reverse=key[2] > 0)
        _reach_ends(waypoints, key)
        lane = _lane(key, waypoints)
        if lane is not None:
            lanes.append(lane)
    return tuple(lanes)


def surface_points(lanes: Sequence[Lane]) -> tuple[Float, Float]:
    """(N, 3) points on the surface of the roads and (N, 2) its rise there, in CARLA's frame, about a metre apart."""
    places, slopes = [], []
    for lane in lanes:
        arc = np.linspace(0.0, float(lane.arc[-1]), max(2, math.ceil(float(lane.arc[-1]) / STEP_M) + 1))

        def along(values: Float, at: Float = arc, lane: Lane = lane) -> Float:
            return np.interp(at, lane.arc, values)

        rise = along(np.gradient(lane.heights, lane.arc))
        headings = along(np.unwrap(lane.headings))
        forward, right = np.c_[np.cos(headings), np.sin(headings)], np.c_[np.sin(headings), -np.cos(headings)]
        half, kerb = along(lane.widths / 2), along(lane.kerb)
        for offset in (-half, -half / 3, half / 3, half, (half + kerb) / 2, kerb, kerb + 1.3, kerb + 2.6):
            spots = np.c_[along(lane.points[:, 0]), along(lane.points[:, 1])] + right * offset[:, None]
            places.append(np.c_[spots[:, 0], -spots[:, 1], along(lane.heights)])
            slopes.append(forward * (1.0, -1.0) * rise[:, None])
    return np.concatenate(places), np.concatenate(slopes)


def _reach_ends(waypoints: list[Any], key: tuple[int, int, int]) -> None:
    """Add a waypoint within centimetres of each end: the regular ones may miss it by a whole step."""
    for index, leap in ((-1, lambda w, d: w.next(d)), (0, lambda w, d: w.previous(d))):
        end = _furthest(waypoints[index], key, leap)
        if end is not waypoints[index]:
            waypoints.insert(len(waypoints) if index else 0, end)


def _furthest(waypoint: Any, key: tuple[int, int, int], leap: Callable[[Any, float], Sequence[Any]]) -> Any:
    for distance in (0.64, 0.32, 0.16, 0.08, 0.04, 0.02):
        reached = [w for w in leap(waypoint, distance) if (w.road_id, w.section_id, w.lane_id) == key]
        # A short ring may come round to its own beginning.
        if reached and abs(reached[0].s - waypoint.s) < 2.0 * distance:
            waypoint = reached[0]
    return waypoint


def _lane(key: tuple[int, int, int], waypoints: Sequence[Any]) -> Lane | None:
    poses = np.array(
        [
            (at.location.x, -at.location.y, -at.rotation.yaw, at.location.z)
            for at in (waypoint.transform for waypoint in waypoints)
        ]
    )
    widths = np.array([waypoint.lane_width for waypoint in waypoints])
    far = np.r_[True, np.hypot(*np.diff(poses[:, :2], axis=0).T) > 1e-3]
    keep = np.flatnonzero(np.isfinite(poses).all(1) & np.isfinite(widths) & far)
    if len(keep) < 2:
        return None
    sides = _sides([waypoints[index] for index in keep.tolist()])
    poses, widths = poses[keep], widths[keep]
    headings = np.unwrap(np.radians(poses[:, 2]))
    few = _enough(poses[:, :2], headings, np.c_[widths, sides, poses[:, 3]])
    middle = waypoints[len(waypoints) // 2]
    left, right = middle.get_left_lane(), middle.get_right_lane()
    import carla

    driving = carla.LaneType.Driving
    same = [side is not None and side.lane_type == driving and side.lane_id * key[2] > 0 for side in (left, right)]
    oncoming = left is not None and left.lane_type == driving and left.lane_id * key[2] < 0
    return Lane(
        key, poses[few, :2], headings[few], poses[few, 3], float(widths.max()), widths[few], middle.is_junction,
        sides[few, 0], sides[few, 1], not same[1], not same[0], oncoming, bool(sides[:, 2].any()),
        (_line(middle.left_lane_marking), _line(middle.right_lane_marking)), _yellow(middle.left_lane_marking),
    )  # fmt: skip


def _sides(waypoints: Sequence[Any]) -> Float:
    """(N, 3) widths on the right of a lane: parking lane, everything else that is paved, sidewalk."""
    import carla

    bare = (carla.LaneType.Sidewalk, carla.LaneType.NONE, carla.LaneType.Driving, carla.LaneType.Median)
    result = np.zeros((len(waypoints), 3))
    for row, waypoint in zip(result, waypoints, strict=True):
        side = waypoint.get_right_lane()
        for _ in range(_MOST_SIDE_LANES):
            if side is None or side.lane_type in bare:
                break
            row[0 if side.lane_type == carla.LaneType.Parking else 1] += side.lane_width
            side = side.get_right_lane()
        if side is not None and side.lane_type == carla.LaneType.Sidewalk:
            row[2] = side.lane_width
    return result


def _enough(points: Float, headings: Float, profile: Float) -> npt.NDArray[np.intp]:
    """Indices of the points that are needed to follow bends, slopes and changes of width."""
    kept = [0]
    arc = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    for index in range(1, len(points) - 1):
        last = kept[-1]
        changed = np.abs(profile[index + 1] - profile[last]).max() > _SIDE_CHANGE_M
        turned = abs(headings[index + 1] - headings[last]) > _TURN_RAD
        if changed or turned or arc[index + 1] - arc[last] > _LONGEST_GAP_M:
            kept.append(index)
    return np.array([*kept, len(points) - 1])


def _yellow(marking: Any) -> bool:
    import carla

    return marking is not None and bool(marking.color == carla.LaneMarkingColor.Yellow)


def _line(marking: Any) -> Line:
    import carla

    kinds = carla.LaneMarkingType
    if marking is None:  # the map says nothing of this border
        return Line.NONE
    if marking.type in (kinds.Broken, kinds.BottsDots, kinds.BrokenBroken):
        return Line.BROKEN
    if marking.type in (kinds.SolidSolid, kinds.SolidBroken, kinds.BrokenSolid):
        return Line.DOUBLE
    return Line.SOLID if marking.type == kinds.Solid else Line.NONE
