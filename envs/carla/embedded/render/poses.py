"""Poses of many bodies at once, as the shaders take them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]


def rotations(pitch_deg: Float, yaw_deg: Float, roll_deg: Float) -> Float:
    """(N, 3, 3) rotations of bodies (x forward, y left, z up) from CARLA's angles to the right-handed frame."""
    cp, cy, cr = (np.cos(np.radians(angle)) for angle in (pitch_deg, yaw_deg, roll_deg))
    sp, sy, sr = (np.sin(np.radians(angle)) for angle in (pitch_deg, yaw_deg, roll_deg))
    matrix = np.empty((len(cp), 3, 3))
    matrix[:, :, 0] = np.stack([cp * cy, -cp * sy, sp], -1)
    matrix[:, :, 1] = np.stack([sy * cr - cy * sp * sr, cy * cr + sy * sp * sr, cp * sr], -1)
    matrix[:, :, 2] = np.stack([-cy * sp * cr - sy * sr, sy * sp * cr - cy * sr, cp * cr], -1)
    return matrix


def affine_rows(places: Float, turns: Float, factors: Float | float = 1.0) -> npt.NDArray[np.float32]:
    """(N, 12) rows of the 3 x 4 matrices that stretch, turn and move bodies.

    Args:
        places: (N, 3) right-handed.
        turns: (N, 3, 3).
        factors: (N, 3) along the axes of the body, or one number.
    """
    rows = np.empty((len(places), 3, 4), np.float32)
    rows[:, :, :3] = turns * np.asarray(factors)[..., None, :] if np.ndim(factors) else turns * factors
    rows[:, :, 3] = places
    return rows.reshape(-1, 12)


def linear_light(colours: Sequence[tuple[int, int, int]]) -> Float:
    """(N, 3) from RGB 0 to 255."""
    return np.asarray((np.array(colours, np.float64).reshape(-1, 3) / 255.0) ** 2)
