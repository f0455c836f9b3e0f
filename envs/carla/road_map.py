"""The roads of one town as polygons, read once from its OpenDRIVE map, and the question whether a place is on them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from sim2real_bench.envs.carla.frames import pose_2d
from sim2real_bench.errors import SimulatorError

Float = npt.NDArray[np.float64]

_STEP_M = 1.0  # between two cross-sections of a lane
_SECTIONS_PER_PIECE = 7  # short pieces keep the search radius small


class RoadMap:
    """Driving lanes, junctions included, cut into short strips with a spatial index.

    Parking lanes are no part of the road: nobody drives there.

    Attributes:
        outlines: (N, 14, 2) closed strips in the right-handed world plane, metres.
    """

    def __init__(self, carla_map: Any) -> None:
        self._map = carla_map
        self.outlines = _lane_strips(carla_map)
        if not len(self.outlines):
            raise SimulatorError(f"map {carla_map.name!r} holds no driving lane; choose another town")
        centres = self.outlines.mean(axis=1)
        self._reach = float(np.linalg.norm(self.outlines - centres[:, None], axis=-1).max())
        self._index = cKDTree(centres)

    def near(self, centre: npt.ArrayLike, radius_m: float) -> Float:
        """(M, 14, 2) all strips that touch a disc of the world plane (and a few just outside it)."""
        found = self._index.query_ball_point(np.asarray(centre, np.float64), radius_m + self._reach)
        return self.outlines[found]

    def off_road(self, location: Any) -> bool:
        """Whether a ``carla.Location`` lies on no lane a car may use (driving, parking or bidirectional)."""
        import carla

        # One type at a time: asked for several at once, the client looks at the nearest lane of any of them only, and
        # beside a parking lane that has no width there it misses the driving lane that the place lies on.
        usable = (carla.LaneType.Driving, carla.LaneType.Parking, carla.LaneType.Bidirectional)
        return all(self._map.get_waypoint(location, project_to_road=False, lane_type=kind) is None for kind in usable)


def finite(waypoint: Any) -> bool:
    """Whether a ``carla.Waypoint`` has a place: spirals of equal end curvature give NaN in LibCarla."""
    transform = waypoint.transform
    return bool(np.isfinite((transform.location.x, transform.location.y, transform.rotation.yaw)).all())


def _lane_strips(carla_map: Any) -> Float:
    """Strips of every driving lane of the map's topology."""
    starts = {(start.road_id, start.section_id, start.lane_id): start for start, _ in carla_map.get_topology()}
    strips = [piece for key in sorted(starts) for piece in _pieces(starts[key])]
    return np.stack(strips) if strips else np.empty((0, 2 * _SECTIONS_PER_PIECE, 2))


def _pieces(start: Any) -> list[Float]:
    """One lane from its first waypoint to its end, cut into strips of equally many cross-sections."""
    lane = [waypoint for waypoint in (start, *start.next_until_lane_end(_STEP_M)) if finite(waypoint)]
    edges = np.array([_cross_section(waypoint) for waypoint in lane]).reshape(-1, 2, 2)
    pieces = []
    for first in range(0, len(edges) - 1, _SECTIONS_PER_PIECE - 1):
        part = edges[first : first + _SECTIONS_PER_PIECE]
        padding = np.repeat(part[-1:], _SECTIONS_PER_PIECE - len(part), axis=0)
        part = np.concatenate([part, padding])
        pieces.append(np.concatenate([part[:, 0], part[::-1, 1]]))
    return pieces


def _cross_section(waypoint: Any) -> tuple[Float, Float]:
    """The left and right edge of the lane at a waypoint."""
    pose, half = pose_2d(waypoint.transform), waypoint.lane_width / 2
    left, right = pose.to_world([[0.0, half], [0.0, -half]])
    return left, right
