"""From waypoints to a driving action: a point on the path ahead, its heading error, and two PID loops."""

import math

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.agent import Action
from sim2real_bench.agents.pid import ControllerSettings, PidController
from sim2real_bench.errors import AgentError

Float = npt.NDArray[np.float64]
TARGET_SPEED_MPS = 20.0 / 3.6  # the benchmark forces 20 km/h on every agent
TICK_S = 0.1
BRAKE_MARGIN_MPS = 0.5  # this much above the target speed only coasts
MAX_BRAKE = 0.5
_MIN_GAP_M = 1e-3


def path_point(waypoints: npt.ArrayLike, distance_m: float) -> Float:
    """The point at an arc length on a smooth curve from the ego origin through waypoints.

    The curve is a monotone cubic (PCHIP) over chord length: it passes through every point and a far outlier does not
    bend its near end.

    Args:
        waypoints: (N, 2) metres, ego frame, in driving order.
        distance_m: from the ego origin along the curve; beyond the last waypoint the last waypoint is returned.

    Returns:
        (2,) metres, ego frame.
    """
    from scipy.interpolate import PchipInterpolator  # half a second of every start that does not drive

    points = np.concatenate([np.zeros((1, 2)), np.asarray(waypoints, np.float64)])
    gaps = np.maximum(np.linalg.norm(np.diff(points, axis=0), axis=1), _MIN_GAP_M)
    along = np.concatenate([[0.0], np.cumsum(gaps)])
    point: Float = PchipInterpolator(along, points)(min(distance_m, float(along[-1])))
    return point


def heading_error(point: npt.ArrayLike) -> float:
    """Angle from straight ahead to a point in the ego frame, radians, positive to the right."""
    x, y = np.asarray(point, np.float64)
    return math.atan2(-y, x)


class PathFollower:
    """Steers along waypoints at a constant speed.

    Args:
        settings: gains and look-ahead.
        target_speed_mps: the speed it holds.
        dt_s: time between two actions, seconds.

    Attributes:
        waypoints: (N, 2) metres, ego frame: what it followed last; None before the first action.
    """

    def __init__(
        self, settings: ControllerSettings, target_speed_mps: float = TARGET_SPEED_MPS, dt_s: float = TICK_S
    ) -> None:
        self.settings = settings
        self.target_speed_mps = target_speed_mps
        self._steering = PidController(settings.steering, dt_s)
        self._speed = PidController(settings.speed, dt_s)
        self.waypoints: Float | None = None

    def reset(self) -> None:
        """Forget the last episode."""
        self._steering.reset()
        self._speed.reset()
        self.waypoints = None

    def action(self, waypoints: npt.ArrayLike, speed_mps: float) -> Action:
        """The action towards waypoints.

        Args:
            waypoints: (N, 2) metres, ego frame.
            speed_mps: the vehicle's speed.

        Raises:
            AgentError: a waypoint or the speed is not finite.
        """
        points = np.asarray(waypoints, np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise AgentError(f"waypoints of shape {points.shape}; expected (N, 2) metres in the ego frame")
        if not (np.isfinite(points).all() and math.isfinite(speed_mps)):
            raise AgentError(f"waypoints {points.tolist()} at speed {speed_mps} m/s: every value must be finite")
        self.waypoints = points
        target = path_point(points, self.settings.look_ahead_m)
        steer = self._steering.step(heading_error(target))
        pedal = self._pedal(self._speed.step(self.target_speed_mps - speed_mps), speed_mps)
        return np.array([steer, pedal], np.float32)

    def _pedal(self, output: float, speed_mps: float) -> float:
        """Throttle from the speed loop; brake only when clearly too fast, and in moderation."""
        if output >= 0.0:
            return output
        if speed_mps < self.target_speed_mps + BRAKE_MARGIN_MPS:
            return 0.0
        return max(output, -MAX_BRAKE)
