"""Waypoints from driven paths: where the vehicle itself was a few metres later."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.observation import WAYPOINT_DISTANCES_M

Float = npt.NDArray[np.float64]

MAX_STEP_M = 5.0  # between two ticks of 0.1 s: faster than any vehicle here, so a longer step is a teleport
_BACKWARDS_M = 0.05  # a tick that moves further back than this belongs to a reversing manoeuvre


def unbroken_steps(poses: Float) -> npt.NDArray[np.bool_]:
    """(T-1,) whether the vehicle drove forwards between consecutive ``poses`` (T, 4, 4) world_from_ego.

    A rescue (the simulator puts a kart back on the track) and reversing break a path: what follows is not where a
    driver at the earlier pose meant to go.
    """
    step = np.diff(poses[:, :3, 3], axis=0)
    forward = np.einsum("ij,ij->i", step, poses[:-1, :3, 0])
    return (np.linalg.norm(step, axis=1) <= MAX_STEP_M) & (forward >= -_BACKWARDS_M)


def future_waypoints(
    poses: Float, distances_m: Sequence[float] = WAYPOINT_DISTANCES_M, to_the_end: bool = False
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Own future positions at fixed arc lengths along the path that was driven.

    Args:
        poses: (T, 4, 4) world_from_ego at every tick, metres.
        distances_m: arc lengths ahead of each pose, increasing.
        to_the_end: where the path is broken or too short, tell it as it was driven, the last position repeated.

    Returns:
        (T, K, 3) float32 waypoints in the ego frame of each pose, metres, and (T,) whether the path is unbroken and
        long enough for all of them (elsewhere the waypoints are zero, unless ``to_the_end``).
    """
    count = len(poses)
    if count < 2:
        return np.zeros((count, len(distances_m), 3), np.float32), np.zeros(count, bool)
    positions = poses[:, :3, 3]
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(positions, axis=0), axis=1))])
    breaks = np.concatenate([[0], np.cumsum(~unbroken_steps(poses))])
    wanted = length[:, None] + np.asarray(distances_m)
    last = np.minimum(np.searchsorted(length, wanted[:, -1]), count - 1)
    valid = (wanted[:, -1] <= length[-1]) & (breaks[last] == breaks)
    world = np.stack([np.interp(wanted, length, positions[:, axis]) for axis in range(3)], axis=-1)
    ego = np.einsum("tki,tij->tkj", world - positions[:, None], poses[:, :3, :3])
    return np.where(valid[:, None, None] | to_the_end, ego, 0.0).astype(np.float32), valid
