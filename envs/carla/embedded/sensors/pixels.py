"""What a pixel sees, from the renderer's depth image: metres, points in the camera's axes, normals, motion."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.geometry import Transform, rotation_matrix

Bytes = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]

SKY_DEPTH_M = 999.0
_LARGEST_FLOW = 2.0
_SHORTEST_M = 0.01


def metres(depth: Bytes) -> Float32:
    """(H, W) metres along the optical axis from an encoded depth image."""
    code = (
        depth[..., 2].astype(np.uint32) | depth[..., 1].astype(np.uint32) << 8 | depth[..., 0].astype(np.uint32) << 16
    )
    return code.astype(np.float32) * np.float32(1000.0 / (2**24 - 1))


def _tangents(width: int, height: int, fov_deg: float) -> tuple[Float32, Float32]:
    """((W,) right, (H,) up): slopes of the pixels' centres against the optical axis."""
    across = math.tan(math.radians(fov_deg) / 2.0)
    right = ((np.arange(width) + 0.5) * (2.0 / width) - 1.0) * across
    up = (1.0 - (np.arange(height) + 0.5) * (2.0 / height)) * across * height / width
    return right.astype(np.float32), up.astype(np.float32)


def points(depth: Float32, fov_deg: float) -> Float32:
    """(H, W, 3) what each pixel sees in the camera's axes (x forward, y right, z up), metres."""
    right, up = _tangents(depth.shape[1], depth.shape[0], fov_deg)
    seen = np.empty((*depth.shape, 3), np.float32)
    seen[..., 0] = depth
    seen[..., 1] = depth * right
    seen[..., 2] = depth * up[:, None]
    return seen


def pose_matrix(pose: Transform) -> Float:
    """(4, 4) world from local."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_matrix(pose.pitch, pose.yaw, pose.roll)
    matrix[:3, 3] = pose.location
    return matrix


def normals(depth: Float32, fov_deg: float, pose: Transform) -> Bytes:
    """(H, W, 4) BGRA surface normals in world axes: x in red, y in green, z in blue; -1..1 becomes 0..255.

    They come from neighbouring pixels of the depth image, on each axis from the side where the depth changes less,
    so edges stay sharp. The sky has none and reads 0 on every axis.
    """
    seen = points(depth, fov_deg)
    across, down = _smaller_step(seen, depth, 1), _smaller_step(seen, depth, 0)
    normal = _cross(across, down)  # in CARLA's axes this looks towards the camera
    length = np.sqrt(np.einsum("ijk,ijk->ij", normal, normal))
    normal /= np.maximum(length, np.float32(1e-12))[..., None]
    world = normal @ np.array(rotation_matrix(pose.pitch, pose.yaw, pose.roll), np.float32).T
    world[depth >= SKY_DEPTH_M] = 0.0
    image = np.full((*depth.shape, 4), 255, np.uint8)
    image[..., :3] = np.rint((world[..., ::-1] + 1.0) * 127.5).astype(np.uint8)
    return image


def _cross(first: Float32, second: Float32) -> Float32:
    """Vector products along the last axis; several times as fast as ``numpy.cross``."""
    product = np.empty_like(first)
    for axis in range(3):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        product[..., axis] = first[..., one] * second[..., two] - first[..., two] * second[..., one]
    return product


def _smaller_step(seen: Float32, depth: Float32, axis: int) -> Float32:
    """Difference to the next or from the previous pixel, whichever has the smaller change of depth."""
    if depth.shape[axis] == 1:
        unit = np.zeros((*depth.shape, 3), np.float32)
        unit[..., 1 if axis == 1 else 2] = 1.0 if axis == 1 else -1.0
        return unit
    step, jump = np.diff(seen, axis=axis), np.abs(np.diff(depth, axis=axis))
    ahead = np.concatenate([step, np.take(step, [-1], axis)], axis)
    behind = np.concatenate([np.take(step, [0], axis), step], axis)
    jump_ahead = np.concatenate([jump, np.take(jump, [-1], axis)], axis)
    jump_behind = np.concatenate([np.take(jump, [0], axis), jump], axis)
    return np.where((jump_ahead <= jump_behind)[..., None], ahead, behind)


def flow(
    depth: Float32, fov_deg: float, pose: Transform, before: Transform, owners: npt.NDArray[np.uint16],
    motions: dict[int, tuple[Transform, Transform]],
) -> Float32:  # fmt: skip
    """(H, W, 2) how far the point in each pixel has moved in the picture since the last capture.

    As in CARLA: in half image widths to the right and half image heights up, so (width / 2, -height / 2) makes pixels;
    clipped to -2..2.

    Args:
        depth: metres.
        fov_deg: horizontal field of view.
        pose: of the camera now.
        before: of the camera at the last capture.
        owners: (H, W) actor id (16 bits) in each pixel, 0 = the town.
        motions: (pose now, pose before) of the actors that have moved, by those ids.
    """
    seen = points(depth, fov_deg)
    to_world, to_before = pose_matrix(pose), np.linalg.inv(pose_matrix(before))
    earlier = _moved(seen, to_before @ to_world)
    for owner, (now, then) in motions.items():
        mask = owners == owner
        if mask.any():
            carried = pose_matrix(then) @ np.linalg.inv(pose_matrix(now))
            earlier[mask] = _moved(seen[mask], to_before @ carried @ to_world)
    height, width = depth.shape
    across = np.float32(math.tan(math.radians(fov_deg) / 2.0))
    right, up = _tangents(width, height, fov_deg)
    ahead = np.maximum(earlier[..., 0], np.float32(_SHORTEST_M))
    moved = np.empty((height, width, 2), np.float32)
    moved[..., 0] = (right - earlier[..., 1] / ahead) / across
    moved[..., 1] = (up[:, None] - earlier[..., 2] / ahead) / (across * np.float32(height / width))
    return np.clip(moved, -_LARGEST_FLOW, _LARGEST_FLOW, out=moved)


def _moved(seen: Float32, matrix: Float) -> Float32:
    return np.asarray(seen @ matrix[:3, :3].T.astype(np.float32) + matrix[:3, 3].astype(np.float32), np.float32)
