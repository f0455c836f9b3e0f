"""What walls hide from a camera: a horizon per picture column and distance, kept on the safe side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.render.projection import Camera
from sim2real_bench.envs.carla.embedded.town.model import Mesh

Float = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_SMALLEST_M2 = 0.8  # of a triangle of a wall worth considering
_LOWEST_M, _FOOT_M = 1.2, 0.5  # a wall must be this high and begin at most so far above the ground
_NEAR_M = 0.3
_BANDS_M = np.array([6.0, 10.0, 16.0, 24.0, 36.0, 55.0, 85.0, 130.0])
_INVERSE_BANDS = -1.0 / _BANDS_M
_RAYS = 256
_LEVELS = 9  # minima over up to 256 rays
_WIDEST = 2.75  # tangent of half the field of view up to which rays are dense enough
_OPEN = -1e9


def walls_of(mesh: Mesh) -> Float:
    """(N, 5) ``x0, y0, x1, y1, top`` of the upright rectangles that stand on the ground, outside on the right."""
    corners = mesh.vertices[mesh.triangles][:, :, :3].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1) / 2.0
    upright = np.nonzero((np.abs(normals[:, 2]) < 0.04 * area) & (area > _SMALLEST_M2))[0]
    ends = [_ends(corners[k], normals[k]) for k in upright.tolist()]
    rectangles: dict[tuple[float, ...], int] = {}
    for key in ends:
        rectangles[key] = rectangles.get(key, 0) + 1
    stacks: dict[tuple[float, ...], list[tuple[float, float]]] = {}
    for key, count in rectangles.items():
        if count >= 2:  # both halves of the rectangle
            stacks.setdefault(key[:4], []).append((key[4], key[5]))
    walls = [(*foot, _top(levels)) for foot, levels in stacks.items()]
    return np.array([wall for wall in walls if wall[4] > _LOWEST_M], np.float64).reshape(-1, 5)


def _ends(corners: Float, normal: Float) -> tuple[float, ...]:
    """Foot points (outside on the right of first to second), lowest and highest z of an upright triangle."""
    across = np.array([-normal[1], normal[0]])
    along = corners[:, :2] @ across
    first, last = corners[int(along.argmin())], corners[int(along.argmax())]
    low, high = corners[:, 2].min(), corners[:, 2].max()
    return tuple(round(float(value), 2) for value in (first[0], first[1], last[0], last[1], low, high))


def _top(levels: list[tuple[float, float]]) -> float:
    """How far the rectangles above one another reach without a gap from the ground."""
    top = _FOOT_M
    for low, high in sorted(levels):
        if low <= top + 0.02:
            top = max(top, high)
    return top if top > _FOOT_M else 0.0


class Horizon:
    """The horizon of one camera. Looking steeply up or down it hides nothing."""

    def __init__(self, camera: Camera, walls: Float) -> None:
        self._eye, self._axes = camera.eye, camera.axes
        self._half = camera.half_width
        self._flat: Float | None = None
        if self._half <= _WIDEST and len(walls):
            self._flat = self._draw(walls)

    def _draw(self, walls: Float) -> Float | None:
        """Highest hidden tangent per ray for things behind each band's distance; minima of 1, 2, 4 … rays."""
        half, scale = self._half, (_RAYS - 1) / (2.0 * self._half)
        a, b = (walls[:, :2] - self._eye[:2]) @ self._axes.T, (walls[:, 2:4] - self._eye[:2]) @ self._axes.T
        # The eye is on the outside of the wall, and some of it is ahead.
        facing = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0.0
        use = facing & (np.minimum(a[:, 0], b[:, 0]) < _BANDS_M[-1]) & (np.maximum(a[:, 0], b[:, 0]) > _NEAR_M)
        a, b, rise = _clipped(a[use], b[use]), _clipped(b[use], a[use]), walls[use, 4] - self._eye[2]
        wa, wb = 1.0 / a[:, 0], 1.0 / b[:, 0]
        ua, ub = (a[:, 1] * wa + half) * scale, (b[:, 1] * wb + half) * scale  # the right end of a wall seen lies left
        first = np.maximum(np.ceil(np.minimum(ua, ub) - 1e-6), 0).astype(np.int64)
        last = np.minimum(np.floor(np.maximum(ua, ub) + 1e-6), _RAYS - 1).astype(np.int64)
        count = np.maximum(last - first + 1, 0)
        ends = np.cumsum(count)
        if not len(ends) or not ends[-1]:
            return None
        which = np.repeat(np.arange(len(count)), count)
        ray = np.arange(ends[-1]) + (first - ends + count)[which]
        slope = (wb - wa) / np.where(np.abs(ub - ua) < 1e-9, 1.0, ub - ua)
        inverse = (wa - slope * ua)[which] + slope[which] * ray
        inverse = np.clip(inverse, np.minimum(wa, wb)[which], np.maximum(wa, wb)[which])
        band = np.searchsorted(_INVERSE_BANDS, -inverse)
        horizon = np.full((len(_BANDS_M) + 1, _RAYS), _OPEN)
        np.maximum.at(horizon.reshape(-1), band * _RAYS + ray, rise[which] * inverse)
        table = np.empty((_LEVELS, len(_BANDS_M), _RAYS))
        np.maximum.accumulate(horizon[:-1], axis=0, out=table[0])
        for level in range(1, _LEVELS):
            step = 1 << (level - 1)
            table[level] = table[level - 1]
            np.minimum(table[level - 1, :, :-step], table[level - 1, :, step:], out=table[level, :, :-step])
        return table.reshape(-1)

    def hides(self, centres: Float, radii: Float, tops: Float) -> Bools:
        """Which upright cylinders (centre x, y; radius; top z) are hidden for sure."""
        hidden = np.zeros(len(centres), np.bool_)
        if self._flat is None or not len(centres):
            return hidden
        offset = (centres[:, :2] - self._eye[:2]) @ self._axes.T
        tested = np.nonzero(offset[:, 0] - radii > _BANDS_M[0])[0]
        if not len(tested):
            return hidden
        forward, right, radius = offset[tested, 0], offset[tested, 1], radii[tested]
        near, far = forward - radius, forward + radius
        left, right = right - radius, right + radius
        half, scale = self._half, (_RAYS - 1) / (2.0 * self._half)
        low = (left / np.where(left < 0.0, near, far) + half) * scale
        high = (right / np.where(right > 0.0, near, far) + half) * scale
        first = np.clip(np.floor(low), 0, _RAYS - 1).astype(np.int64)
        last = np.clip(np.ceil(high), 0, _RAYS - 1).astype(np.int64)
        rise = tops[tested] - self._eye[2]
        tangent = rise / np.where(rise > 0.0, near, far)
        band = np.searchsorted(_BANDS_M, near) - 1
        level = np.log2(last - first + 1).astype(np.int64)
        base = (level * len(_BANDS_M) + band) * _RAYS
        hidden[tested] = tangent < np.minimum(self._flat[base + first], self._flat[base + last - (1 << level) + 1])
        return hidden


def _clipped(a: Float, b: Float) -> Float:
    """End points ``a`` of the segments a-b, moved along them to the near plane where they lie behind it."""
    behind = a[:, 0] < _NEAR_M
    if not behind.any():
        return a
    share = (_NEAR_M - a[:, 0]) / np.where(behind, b[:, 0] - a[:, 0], 1.0)
    return np.where(behind[:, None], a + (b - a) * share[:, None], a)
