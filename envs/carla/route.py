"""The reference route: a seeded random walk on the lane graph, followed by projecting the ego vehicle onto it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.frames import pose_2d
from sim2real_bench.envs.carla.road_map import finite
from sim2real_bench.envs.map_view import EgoPose2D
from sim2real_bench.envs.observation import WAYPOINT_DISTANCES_M
from sim2real_bench.errors import SimulatorError

Float = npt.NDArray[np.float64]

_STEP_M = 1.0
_STEPS_M = (_STEP_M, 2.0, 4.0, 8.0, 16.0)  # longer ones jump over stretches LibCarla cannot evaluate
_KEPT_AHEAD_M = 40.0
_KEPT_BEHIND = 10  # points
_SEARCH_AHEAD_M = 15.0  # furthest advance in one tick; a loop that comes back to the same street lies further along
REPLAN_DISTANCE_M = 5.0
_AROUND_M = [(forward, left) for forward in (0.0, 4.0, 8.0) for left in (0.0, -3.5, 3.5, -7.0, 7.0)]


class ReferenceRoute:
    """Where a privileged driver who knows the lane graph would go; turns at junctions are drawn from a seed.

    Args:
        carla_map: ``carla.Map`` of the town.
        ego: the start.
        generator: draws the turns.
    """

    def __init__(self, carla_map: Any, ego: EgoPose2D, generator: np.random.Generator) -> None:
        self._map = carla_map
        self._generator = generator
        self._restart(ego)

    def follow(self, ego: EgoPose2D) -> float:
        """Project the ego vehicle onto the route, and plan anew from the nearest lane when it is far off.

        Returns:
            Metres advanced along the route since the last call (negative backwards; 0 when planned anew).
        """
        before = self._position
        distance = self._project(ego, before - _STEP_M, before + _SEARCH_AHEAD_M)
        if distance > REPLAN_DISTANCE_M:
            self._restart(ego)
            return 0.0
        self._extend()
        return self._position - before

    def waypoints(self, ego: EgoPose2D) -> Float:
        """(5, 2) route points at ``WAYPOINT_DISTANCES_M`` past the projection of the ego vehicle, ego frame, metres."""
        wanted = self._position + np.asarray(WAYPOINT_DISTANCES_M)
        world = [np.interp(wanted, self._arc, self._points[:, axis]) for axis in (0, 1)]
        return ego.to_ego(np.stack(world, axis=-1))

    def _restart(self, ego: EgoPose2D) -> None:
        """Begin anew on the lane under the ego vehicle."""
        self._lane: Any = _lane_under(self._map, ego)  # None once the lane graph has ended
        self._tip = pose_2d(self._lane.transform)
        self._points = np.array([[self._tip.x, self._tip.y]])
        self._arc = np.zeros(1)
        self._position = 0.0
        self._extend()
        self._project(ego, 0.0, _SEARCH_AHEAD_M)

    def _project(self, ego: EgoPose2D, low: float, high: float) -> float:
        """Move the position to the nearest route point between two arc lengths; return the distance to it, metres."""
        first = max(int(np.searchsorted(self._arc, low)) - 1, 0)
        last = min(int(np.searchsorted(self._arc, high)) + 1, len(self._arc))
        start, end = self._points[first : last - 1], self._points[first + 1 : last]
        along = end - start
        length = np.linalg.norm(along, axis=1)
        offset = ((ego.x, ego.y) - start) * along
        share = np.clip(offset.sum(axis=1) / np.maximum(length, 1e-9) ** 2, 0.0, 1.0)
        distance = np.linalg.norm(start + share[:, None] * along - (ego.x, ego.y), axis=1)
        best = int(distance.argmin())
        self._position = float(self._arc[first + best] + share[best] * length[best])
        return float(distance[best])

    def _extend(self) -> None:
        """Append route points until enough lie ahead, and forget those far behind."""
        if len(self._arc) > 1 and self._arc[-1] >= self._position + _KEPT_AHEAD_M:
            return
        points, arc = [], [float(self._arc[-1])]
        while arc[-1] < self._position + 2 * _KEPT_AHEAD_M:
            before = self._tip
            self._tip = self._next_place()
            points.append((self._tip.x, self._tip.y))
            arc.append(arc[-1] + max(math.dist(points[-1], (before.x, before.y)), 1e-6))
        first = max(int(np.searchsorted(self._arc, self._position)) - _KEPT_BEHIND, 0)
        self._points = np.concatenate([self._points[first:], points])
        self._arc = np.concatenate([self._arc[first:], arc[1:]])

    def _next_place(self) -> EgoPose2D:
        """One step along the lane graph; where it ends, straight on."""
        for step in _STEPS_M if self._lane is not None else ():
            onward = [waypoint for waypoint in self._lane.next(step) if finite(waypoint)]
            if onward:
                onward.sort(key=lambda waypoint: (waypoint.road_id, waypoint.lane_id))
                self._lane = onward[int(self._generator.integers(len(onward))) if len(onward) > 1 else 0]
                return pose_2d(self._lane.transform)
        self._lane = None
        forward = self._tip.to_world([_STEP_M, 0.0])
        return EgoPose2D(float(forward[0]), float(forward[1]), self._tip.yaw)


def _lane_under(carla_map: Any, ego: EgoPose2D) -> Any:
    """The nearest driving lane that leads where the ego vehicle points; the nearest at all when none does."""
    import carla

    # Across the centre line, and inside a junction, the nearest lane may lead the other way: look around, too.
    places = ego.to_world(_AROUND_M)
    found = [carla_map.get_waypoint(carla.Location(x, -y, 0.0), lane_type=carla.LaneType.Driving) for x, y in places]
    lanes = [lane for lane in found if lane is not None and finite(lane)]
    if not lanes:
        raise SimulatorError(f"no driving lane near x={ego.x:.1f} m, y={ego.y:.1f} m (right-handed world frame)")
    return min(lanes, key=lambda lane: (_turned_away(lane, ego), _distance(lane, ego)))


def _turned_away(lane: Any, ego: EgoPose2D) -> bool:
    return math.cos(pose_2d(lane.transform).yaw - ego.yaw) < 0.0


def _distance(lane: Any, ego: EgoPose2D) -> float:
    place = pose_2d(lane.transform)
    return math.dist((place.x, place.y), (ego.x, ego.y))
