"""Many rays at once against the boxes and the ground of a scene.

Boxes are sorted by their distance and put into bins of bearing; a ray looks only at those in its own bin, nearest
first, and stops at the first one that lies farther away than what it has met already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.carla.embedded.sensors.ground import GroundSurface
from sim2real_bench.envs.carla.embedded.sensors.solids import Solids

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]

GROUND, NOTHING = -1, -2
_BINS = 720
_TINY = np.float32(1e-9)


@dataclass(frozen=True, eq=False)
class RayHits:
    """What each ray meets first.

    Attributes:
        distances: (N,) metres; infinite without a hit.
        solids: (N,) index of the box, ``GROUND`` or ``NOTHING``.
        cosines: (N,) of the angle between ray and surface normal.
    """

    distances: Float32
    solids: npt.NDArray[np.int32]
    cosines: Float32


@dataclass(frozen=True, eq=False)
class _Near:
    """The boxes in reach, nearest first, as seen from the origin of the rays.

    Attributes:
        indices: (M,) into the solids.
        gaps: (M,) horizontal metres to the nearest point of the box.
        axes: (M, 2) cosine and sine of the yaw.
        origins: (M, 3) origin of the rays in the axes of the box, from its centre.
        sizes: (M, 3) half sizes.
    """

    indices: Int
    gaps: Float32
    axes: Float32
    origins: Float32
    sizes: Float32


def first_hits(
    solids: Solids, surface: GroundSurface, origin: Vector, directions: Float32, reach: float, ignore: int = 0
) -> RayHits:
    """What (N, 3) unit rays from one origin meet first within ``reach`` metres.

    A box that holds the origin is not seen from inside.

    Args:
        solids: the boxes.
        surface: the ground.
        origin: metres.
        directions: float32, world axes.
        reach: metres.
        ignore: id of an actor the rays pass through (whoever carries the sensor); 0 = none.
    """
    distances = surface.distances(origin, directions, reach)
    hits = np.where(np.isfinite(distances), GROUND, NOTHING).astype(np.int32)
    cosines = np.abs(directions[:, 2]).astype(np.float32)
    near = _near_boxes(solids, origin, reach, ignore)
    if len(near.indices) and len(directions):
        _meet_boxes(near, directions, reach, distances, hits, cosines)
    return RayHits(distances, hits, cosines)


def _near_boxes(solids: Solids, origin: Vector, reach: float, ignore: int) -> _Near:
    x, y, yaw, half_length, half_width = solids.boxes.T
    dx, dy = origin[0] - x, origin[1] - y
    within = dx * dx + dy * dy < (reach + np.hypot(half_length, half_width)) ** 2
    if ignore:
        within &= solids.actors != ignore
    chosen = np.flatnonzero(within)
    cosine, sine = np.cos(yaw[chosen]), np.sin(yaw[chosen])
    dx, dy = dx[chosen], dy[chosen]
    along, across = dx * cosine + dy * sine, dy * cosine - dx * sine
    half_height = (solids.tops[chosen] - solids.bottoms[chosen]) / 2.0
    up = origin[2] - solids.bottoms[chosen] - half_height
    outside_x = np.maximum(np.abs(along) - half_length[chosen], 0.0)
    outside_y = np.maximum(np.abs(across) - half_width[chosen], 0.0)
    gaps = np.hypot(outside_x, outside_y)
    order = np.argsort(gaps, kind="stable")
    order = order[gaps[order] < reach]
    origins = np.stack([along, across, up], axis=1)
    sizes = np.stack([half_length[chosen], half_width[chosen], half_height], axis=1)
    return _Near(
        chosen[order], gaps[order].astype(np.float32), np.stack([cosine, sine], axis=1)[order].astype(np.float32),
        origins[order].astype(np.float32), sizes[order].astype(np.float32),
    )  # fmt: skip


def _meet_boxes(
    near: _Near, directions: Float32, reach: float, distances: Float32, hits: npt.NDArray[np.int32], cosines: Float32
) -> None:
    """Let every ray look at the boxes in its bin, nearest first; the results are written into the last three."""
    starts, members = _bins(near)
    horizontal = np.maximum(np.hypot(directions[:, 0], directions[:, 1]), _TINY)
    bearing = np.arctan2(directions[:, 1], directions[:, 0])
    bins = np.clip(((bearing + math.pi) * (_BINS / math.tau)).astype(np.int64), 0, _BINS - 1)
    limits = np.minimum(distances, np.float32(reach))
    rays = np.arange(len(directions))
    place, end = starts[bins], starts[bins + 1]
    while True:
        open_rays = place < end
        rays, place, end = rays[open_rays], place[open_rays], end[open_rays]
        if not len(rays):
            return
        boxes = members[place]
        ahead = near.gaps[boxes] < limits[rays] * horizontal[rays]
        rays, place, end, boxes = rays[ahead], place[ahead], end[ahead], boxes[ahead]
        enter, cosine = _enter(near, boxes, directions[rays])
        hit = enter < limits[rays]
        struck = rays[hit]
        limits[struck] = distances[struck] = enter[hit]
        hits[struck] = near.indices[boxes[hit]]
        cosines[struck] = cosine[hit]
        place = place + 1


def _enter(near: _Near, boxes: Int, directions: Float32) -> tuple[Float32, Float32]:
    """(distance, cosine of incidence) at which rays enter boxes from outside; infinite where they do not."""
    axes, origins, sizes = near.axes[boxes], near.origins[boxes], near.sizes[boxes]
    slopes = np.empty_like(directions)
    slopes[:, 0] = directions[:, 0] * axes[:, 0] + directions[:, 1] * axes[:, 1]
    slopes[:, 1] = directions[:, 1] * axes[:, 0] - directions[:, 0] * axes[:, 1]
    slopes[:, 2] = directions[:, 2]
    pace = 1.0 / np.where(np.abs(slopes) < _TINY, _TINY, slopes)
    middle, half = -origins * pace, sizes * np.abs(pace)
    first, last = middle - half, middle + half
    enter = first.max(axis=1)
    outside = (enter <= last.min(axis=1)) & (enter >= 0.0)
    face = np.abs(slopes)[np.arange(len(boxes)), first.argmax(axis=1)]
    return np.where(outside, enter, np.float32(np.inf)), face


def _bins(near: _Near) -> tuple[Int, Int]:
    """(starts (bins + 1,), members): the boxes of each bin of bearing, nearest first."""
    centre = np.arctan2(
        -(near.origins[:, 1] * near.axes[:, 0] + near.origins[:, 0] * near.axes[:, 1]),
        -(near.origins[:, 0] * near.axes[:, 0] - near.origins[:, 1] * near.axes[:, 1]),
    )
    signs = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)], np.float32)
    corner = signs[None] * near.sizes[:, None, :2] - near.origins[:, None, :2]  # in the axes of the box
    yaw = np.arctan2(near.axes[:, 1], near.axes[:, 0])
    spread = np.arctan2(corner[..., 1], corner[..., 0]) + (yaw - centre)[:, None]
    spread = (spread + math.pi) % math.tau - math.pi
    surrounded = near.gaps <= 1e-3
    low = np.where(surrounded, -math.pi, spread.min(axis=1)) + centre + math.pi
    high = np.where(surrounded, math.pi, spread.max(axis=1)) + centre + math.pi
    first = np.floor(low * (_BINS / math.tau) - 0.01).astype(np.int64)
    count = np.minimum(np.floor(high * (_BINS / math.tau) + 0.01).astype(np.int64) - first + 1, _BINS)
    members = np.repeat(np.arange(len(count)), count)
    offsets = np.arange(len(members)) - np.repeat(np.cumsum(count) - count, count)
    numbers = (np.repeat(first, count) + offsets) % _BINS
    order = np.argsort(numbers, kind="stable")
    starts = np.searchsorted(numbers[order], np.arange(_BINS + 1))
    return starts, members[order]
