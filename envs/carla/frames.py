"""The one place where CARLA's frame (left-handed, y right, degrees) meets ours (right-handed, y left, radians)."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.map_view import EgoPose2D

Float = npt.NDArray[np.float64]

_MIRROR = np.diag([1.0, -1.0, 1.0, 1.0])


def pose_matrix(transform: Any) -> Float:
    """(4, 4) right-handed world_from_local of a ``carla.Transform``, metres."""
    return _MIRROR @ np.array(transform.get_matrix(), np.float64) @ _MIRROR


def pose_2d(transform: Any) -> EgoPose2D:
    """Where a ``carla.Transform`` stands in our world plane."""
    return EgoPose2D(transform.location.x, -transform.location.y, -math.radians(transform.rotation.yaw))


def box_on_plane(box: Any, pose: EgoPose2D) -> Float:
    """(4, 2) corners, in the world plane, of a ``carla.BoundingBox`` given in the frame of something at ``pose``."""
    corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (box.extent.x, box.extent.y)
    own = EgoPose2D(box.location.x, -box.location.y, -math.radians(box.rotation.yaw))
    return pose.to_world(own.to_world(corners))
