"""Reads the driving and parking lanes of a map into polylines (right-handed frame: y = -y of CARLA)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

Float = npt.NDArray[np.float64]

STEP_M = 1.0
_FINE = 4
_OVERLAP_M = 0.6  # strips of neighbouring lanes overlap a little, so that their union has no cracks


@dataclass(frozen=True, eq=False)
class Lane:
    """One driving lane, in driving direction.

    Attributes:
        key: road, section and lane id.
        points: (N, 2) lane centre.
        headings: (N,) radians.
        width: metres.
        in_junction: it connects streets inside a junction.
        parking: (N,) width of the parking lane on the right, 0 where there is none.
    """

    key: tuple[int, int, int]
    points: Float
    headings: Float
    width: float
    in_junction: bool
    parking: Float

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

    def at(self, arc_m: float) -> tuple[Float, Float, Float]:
        """Centre, forward and right unit vectors at an arc length."""
        x, y = (float(np.interp(arc_m, self.arc, self.points[:, k])) for k in (0, 1))
        heading = float(np.interp(arc_m, self.arc, np.unwrap(self.headings)))
        forward = np.array([math.cos(heading), math.sin(heading)])
        return np.array([x, y]), forward, np.array([forward[1], -forward[0]])

    def strip(self, left_m: float, right_m: npt.ArrayLike, extend_m: float = _OVERLAP_M) -> shapely.Polygon:
        """The area between two offsets from the centre, both positive to the right, a little longer than the lane."""
        right = np.broadcast_to(np.asarray(right_m, float), (len(self.points),))
        points = self.points.copy()
        points[0] -= self.forward[0] * extend_m
        points[-1] += self.forward[-1] * extend_m
        edge = points + self.right * right[:, None]
        return shapely.make_valid(shapely.Polygon(np.vstack([points + self.right * left_m, edge[::-1]])))


def _parking_width(waypoint: Any, parking_type: Any) -> float:
    side = waypoint.get_right_lane()
    return float(side.lane_width) if side is not None and side.lane_type == parking_type else 0.0


def read_lanes(town_map: Any) -> tuple[Lane, ...]:
    """All driving lanes of a ``carla.Map``, in the order of their ids."""
    import carla

    by_key: dict[tuple[int, int, int], list[Any]] = {}
    for waypoint in town_map.generate_waypoints(STEP_M / _FINE):
        by_key.setdefault((waypoint.road_id, waypoint.section_id, waypoint.lane_id), []).append(waypoint)
    lanes = []
    for key, fine in sorted(by_key.items()):
        fine.sort(key=lambda waypoint: waypoint.s, reverse=key[2] > 0)
        # The last of the fine waypoints is near the end of the lane; the coarse ones could miss almost a metre.
        waypoints = [*fine[:-1:_FINE], fine[-1]]
        poses = np.array(
            [(w.transform.location.x, -w.transform.location.y, -w.transform.rotation.yaw) for w in waypoints]
        )
        parking = np.array([_parking_width(w, carla.LaneType.Parking) for w in waypoints])
        keep = np.isfinite(poses).all(1) & np.r_[True, np.hypot(*np.diff(poses[:, :2], axis=0).T) > 1e-3]
        poses, parking = poses[keep], parking[keep]
        headings = np.unwrap(np.radians(poses[:, 2]))
        lane = Lane(key, poses[:, :2], headings, waypoints[0].lane_width, waypoints[0].is_junction, parking)
        lanes.append(lane)
    return tuple(lanes)
