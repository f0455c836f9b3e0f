"""Straight stretches of the source's roads: where they are, and a frame along their centre lines."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from sim2real_bench.distill.ground_warp import map_view_matrix
from sim2real_bench.envs.map_view import ego_to_map_pixels
from sim2real_bench.envs.observation import MAP_SIZE

_STRAIGHT_RAD = np.radians(6.0)  # a path that turns by less is straight
_AHEAD_M = 20.0  # the road goes on so far beyond the last waypoint
_PATH_M = 40.0  # length of the paths that are bent
_STEP_M = 1.0  # between their points
_WIDEST_M = 15.0  # half a road's width is less
_LATERAL_M = 0.2  # one pixel
_ROWS_M = (4.0, 36.0)  # where the width of a road is looked at
_KERB_M = 4.0  # of what lies beside a road, so much is kept
_NARROWEST, _WIDEST = 0.25, 1.5  # factors of the width


def straight_ahead(masks: Tensor, waypoints: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """(B,) whether the driven path is straight and the road goes on in its direction.

    Args:
        masks: (B, 1, 192, 192) road maps.
        waypoints: (B, 5, 3) metres, ego frame.
    """
    path = waypoints[..., :2].astype(np.float64)
    steps = np.diff(path, axis=1)
    headings = np.unwrap(np.arctan2(steps[..., 1], steps[..., 0]), axis=1)
    onward = path[:, -1] - path[:, 0]
    onward /= np.maximum(np.linalg.norm(onward, axis=1, keepdims=True), 1e-6)
    ahead = path[:, -1:] + onward[:, None] * np.arange(0.0, _AHEAD_M)[:, None]
    column, row = np.moveaxis(np.clip(ego_to_map_pixels(ahead), 0, MAP_SIZE - 1).astype(int), -1, 0)
    on_road = masks[:, 0].numpy()[np.arange(len(path))[:, None], row, column] > 0.5
    straight: npt.NDArray[np.bool_] = (np.ptp(headings, axis=1) < _STRAIGHT_RAD) & on_road.all(axis=1)
    return straight


@dataclass(frozen=True)
class StraightRoads:
    """Road maps with a centre line each, and a factor by which the roads are to be wider.

    Attributes:
        masks: (B, 1, 192, 192).
        waypoints: (B, 5, 3) metres, ego frame: the driven paths.
        slope: (B,) of the centre lines, metres to the left per metre ahead.
        offset: (B,) of the centre lines to the left of the vehicle, metres.
        width: (B,) metres, after the change of width.
        factor: (B,) of the change.
    """

    masks: Tensor
    waypoints: Tensor
    slope: Tensor
    offset: Tensor
    width: Tensor
    factor: Tensor

    @classmethod
    def found(cls, masks: Tensor, waypoints: Tensor) -> StraightRoads:
        """The roads under straight paths (B, 5, 3): parallel to the path, in the middle between the road's edges."""
        first, last = waypoints[:, 0], waypoints[:, -1]
        slope = (last[:, 1] - first[:, 1]) / (last[:, 0] - first[:, 0]).clamp_min(1e-3)
        offset = last[:, 1] - slope * last[:, 0]
        along = torch.arange(*_ROWS_M, _STEP_M)[:, None]
        out = torch.arange(0.0, _WIDEST_M, _LATERAL_M)[None]
        edges = []
        for side in (1.0, -1.0):
            points = offset[:, None, None] + slope[:, None, None] * along + side * out
            seen = _sampled(masks, along.expand_as(points), points)[:, 0]
            edges.append(seen.cumprod(dim=-1).sum(dim=-1).median(dim=-1).values * _LATERAL_M)
        left, right = edges
        width = (left + right).clamp_min(1.0)
        return cls(masks, waypoints, slope, offset + (left - right) / 2, width, torch.ones_like(width))

    def as_wide_as(self, width: Tensor) -> StraightRoads:
        """The same roads widened or narrowed towards (B,) metres."""
        factor = (width / self.width).clamp(_NARROWEST, _WIDEST)
        return replace(self, width=self.width * factor, factor=factor)

    def of(self, which: Tensor) -> StraightRoads:
        """Some of the roads, by a (B,) mask."""
        names = ("masks", "waypoints", "slope", "offset", "width", "factor")
        return StraightRoads(*(getattr(self, name)[which] for name in names))

    def at(self, along: Tensor, beside: Tensor) -> Tensor:
        """(B, 1, H, W) road at (B, H, W) metres along and beside the centre lines; beyond a map's edge, it goes on."""
        line = self.offset[:, None, None] + self.slope[:, None, None] * along
        seen = _sampled(self.masks, along, line + beside / self.factor[:, None, None])
        near = beside.abs() < self.width[:, None, None] / 2 + _KERB_M
        return seen * near[:, None]

    def path(self) -> tuple[Tensor, Tensor]:
        """(B, N) metres along and (B, N) metres beside the centre lines of the driven paths, from the vehicle on."""
        along = torch.arange(0.0, _PATH_M + _STEP_M, _STEP_M).repeat(len(self.masks), 1)
        knots = F.pad(self.waypoints[..., :2], (0, 0, 1, 0)).contiguous()
        right = torch.searchsorted(knots[..., 0].contiguous(), along).clamp(1, knots.shape[1] - 1)
        start, end = (knots.gather(1, (right - back)[..., None].expand(-1, -1, 2)) for back in (1, 0))
        share = (along - start[..., 0]) / (end[..., 0] - start[..., 0]).clamp_min(1e-3)
        driven = start[..., 1] + share * (end[..., 1] - start[..., 1])
        line = self.offset[:, None] + self.slope[:, None] * along
        return along, (driven - line) * self.factor[:, None]


def _sampled(masks: Tensor, ahead: Tensor, left: Tensor) -> Tensor:
    """(B, 1, H, W): the masks at (B, H, W) ego points, metres; beyond an edge of the map, the edge goes on."""
    linear = torch.from_numpy(map_view_matrix()).float()
    points = torch.stack([ahead, left], dim=-1) @ linear[:2, :2].T + linear[:2, 3]
    return F.grid_sample(masks, points, mode="nearest", padding_mode="border", align_corners=False)
