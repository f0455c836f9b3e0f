"""SuperTuxKart's frame (left-handed: X right, Y up, Z forward) and ours (right-handed: x forward, y left, z up).

The same matrix serves the world and the kart's own axes. One unit of the engine is one metre.
"""

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

WORLD_FROM_ENGINE: Float = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
KART_ORIGIN_HEIGHT_M = 0.24  # of the engine's kart origin above the ground it stands on (measured on flat road)


def to_world(points: npt.ArrayLike) -> Float:
    """(..., 3) engine coordinates to (..., 3) right-handed coordinates."""
    return np.asarray(points, np.float64) @ WORLD_FROM_ENGINE.T


def to_engine(points: npt.ArrayLike) -> Float:
    """(..., 3) right-handed coordinates to (..., 3) engine coordinates."""
    return np.asarray(points, np.float64) @ WORLD_FROM_ENGINE


def quaternion_matrix(w: float, x: float, y: float, z: float) -> Float:
    """(3, 3) rotation matrix of a unit quaternion."""
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def ego_pose(location: npt.ArrayLike, inverse_rotation: npt.ArrayLike) -> Float:
    """(4, 4) world_from_ego of a kart, both right-handed; the ego origin is on the ground below the kart's centre.

    Args:
        location: (3,) of the kart in engine coordinates.
        inverse_rotation: (4,) quaternion w, x, y, z as the engine reports it: of the inverse of the kart's rotation.
    """
    w, x, y, z = np.asarray(inverse_rotation, np.float64).tolist()
    # The vector part changes frame like an axis (times the determinant, -1), and inverting the rotation negates it
    # again: what remains is WORLD_FROM_ENGINE applied to it.
    rotation = quaternion_matrix(w, z, -x, y)
    right, up, forward = np.asarray(location, np.float64).tolist()
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = (forward, -right, up) - KART_ORIGIN_HEIGHT_M * rotation[:, 2]
    return pose


def engine_yaw_quaternion(direction: npt.ArrayLike) -> tuple[float, float, float, float]:
    """The engine's quaternion (x, y, z, w) of a level kart that looks along a right-handed direction (..., 3)."""
    right, _, forward = to_engine(direction)
    half = np.arctan2(right, forward) / 2
    return 0.0, float(np.sin(half)), 0.0, float(np.cos(half))
