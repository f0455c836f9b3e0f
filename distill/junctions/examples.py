"""Training examples at junctions: one straight source road, bent to the left and right and laid over itself.

A source whose roads never fork teaches f^P nothing about forks. Here its straight stretches become junctions: every
road of a junction is the source's own road under a bend of the ground, and the target is the source's own driven path
under the bend of the road that the rule takes. No label and no path comes from anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from sim2real_bench.distill.augment import chosen, ragged_edges, uniform
from sim2real_bench.distill.examples import Indices, MaskExamples
from sim2real_bench.distill.ground_warp import GroundMotion, map_view_matrix, project, warp_points
from sim2real_bench.distill.junctions.layouts import (
    DEFAULT_RANGES,
    SIGN,
    STRAIGHT,
    JunctionRanges,
    Junctions,
    draw_junctions,
)
from sim2real_bench.distill.junctions.straight_roads import StraightRoads, straight_ahead
from sim2real_bench.envs.map_view import map_pixels_to_ego
from sim2real_bench.envs.observation import MAP_SIZE, WAYPOINT_DISTANCES_M

Locate = Callable[[Tensor], tuple[Tensor, Tensor]]
"""(B, N, 2) points to (B, N) metres along and beside the line of a road."""

_GRID = MAP_SIZE // 2  # coordinates are computed for every second pixel and interpolated: a quarter of the work
_BEYOND_M = 50.0  # further beside a road than any mask shows
_NEAR_M = 10.0  # beside a road: what lies further out is left out, so that nothing is interpolated across its fold


@dataclass(frozen=True)
class JunctionExamples:
    """Map masks with driven paths, some of them turned into junctions.

    Attributes:
        base: the source's map masks and paths, with the changes of the other examples.
        share: of the examples of a training batch, at most, that become junctions.
        ranges: of the junctions.
    """

    base: MaskExamples
    share: float = 0.5
    ranges: JunctionRanges = DEFAULT_RANGES

    @property
    def groups(self) -> Indices:
        """(N,) episode of every example."""
        return self.base.groups

    @property
    def waypoints(self) -> npt.NDArray[np.float32]:
        """(N, 5, 3) metres, ego frame: the driven paths."""
        return self.base.waypoints

    @cached_property
    def straight(self) -> npt.NDArray[np.bool_]:
        """(N,) whether path and road lead straight on: only these become junctions."""
        rows = np.arange(len(self.groups), dtype=np.int64)
        return np.concatenate(
            [straight_ahead(self.base.masks.batch(part), self.waypoints[part]) for part in np.array_split(rows, 16)]
        )

    def batch(self, indices: Indices, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """A batch; with a generator some examples are replaced by junctions made of the batch's straight roads."""
        straight = indices[self.straight[indices]]
        if generator is None or not len(straight):
            return self.base.batch(indices, generator)
        replaced = torch.rand(len(indices), generator=generator) < self.share
        roads = straight[torch.randint(len(straight), (int(replaced.sum()),), generator=generator).numpy()]
        kept_images, kept_targets = self.base.batch(indices[~replaced.numpy()], generator)
        images = torch.empty(len(indices), *kept_images.shape[1:])
        targets = torch.empty(len(indices), *kept_targets.shape[1:])
        images[~replaced], targets[~replaced] = kept_images, kept_targets
        if len(roads):
            masks, waypoints = self.base.masks.batch(roads), torch.from_numpy(self.waypoints[roads])
            masks, waypoints = mirrored_ground(masks, waypoints, generator)
            made, targets[replaced] = with_junctions(masks, waypoints, self.ranges, generator)
            images[replaced] = ragged_edges(made, generator, self.base.changes.edge_px)
        return images, targets


def mirrored_ground(masks: Tensor, waypoints: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Half of the masks (B, 1, H, W) and their (B, 5, 3) paths mirrored: before a junction is made, not after it."""
    which = chosen(generator, len(masks), 0.5)
    masks, waypoints = masks.clone(), waypoints.clone()
    masks[which] = masks[which].flip(-1)
    waypoints[which, :, 1] = -waypoints[which, :, 1]
    return masks, waypoints


def with_junctions(
    masks: Tensor, waypoints: Tensor, ranges: JunctionRanges, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Turn straight roads into junctions.

    Args:
        masks: (B, 1, 192, 192) road maps of straight roads.
        waypoints: (B, 5, 3) metres, ego frame: the driven paths.
        ranges: what is drawn.
        generator: source of all randomness.

    Returns:
        (B, 1, 192, 192) masks and (B, 5, 2) normalised targets.
    """
    count = len(masks)
    junctions = draw_junctions(ranges, count, generator)
    road = StraightRoads.found(masks, waypoints).as_wide_as(uniform(generator, *ranges.road_width_m, count))
    motion, _ = GroundMotion(ranges.rotation_rad, ranges.shift_m).draw(count, generator)
    along, beside = road.path()
    to_road = frame_of_road(junctions, beside[:, :1]) @ torch.linalg.inv(motion)
    images = lay_roads(road, junctions, to_road)
    path = drive_through(along, beside, junctions, to_road)
    view = torch.from_numpy(map_view_matrix()).float().expand(count, 3, 4)
    return images, warp_points(project(view, path), torch.eye(3).expand(count, 3, 3))


def frame_of_road(junctions: Junctions, beside: Tensor) -> Tensor:
    """(B, 3, 3) from the frame of the vehicle to that of the road that leads to the junction.

    The vehicle stands at x = 0 of the line that it drives, ``beside`` (B, 1) metres to its left: before the turn, in
    it, or behind it.
    """
    frame = torch.eye(3).repeat(len(beside), 1, 1)
    frame[:, 1, 2] = beside[:, 0]
    for side, bend in junctions.turns.items():
        sign = SIGN[side]
        point, heading = bend.place(torch.zeros_like(beside), sign * beside), bend.pose(torch.zeros_like(beside))[1]
        turned = torch.eye(3).repeat(len(beside), 1, 1)
        turned[:, 0, 0] = turned[:, 1, 1] = heading[:, 0].cos()
        turned[:, 1, 0], turned[:, 0, 1] = sign * heading[:, 0].sin(), -sign * heading[:, 0].sin()
        turned[:, 0, 2], turned[:, 1, 2] = point[:, 0, 0], sign * point[:, 0, 1]
        frame = torch.where((junctions.taken == side)[:, None, None], turned, frame)
    return frame


def lay_roads(road: StraightRoads, junctions: Junctions, to_road: Tensor) -> Tensor:
    """(B, 1, 192, 192): all roads of the junctions, seen from vehicles with the (B, 3, 3) frames ``to_road``."""
    points = (_pixel_grid() @ to_road.transpose(1, 2))[:, :, :2]
    half = road.width / 2
    result = torch.zeros(len(half), 1, MAP_SIZE, MAP_SIZE)
    present, straight = junctions.present, junctions.present[:, STRAIGHT]
    meeting = present.sum(dim=1) > 1  # a single road to the side is a bend, and no more
    for side, bend in junctions.turns.items():
        own = points * torch.tensor([1.0, SIGN[side]])
        _lay(result, road, present[:, side], SIGN[side], bend.locate, own)
        from_ahead = torch.stack([2.0 * junctions.centre[:, None] - own[..., 0], own[..., 1]], dim=-1)
        _lay(result, road, present[:, side] & straight, SIGN[side], junctions.opposite(side).locate, from_ahead)
        _lay(result, road, present[:, side] & meeting, SIGN[side], junctions.leaving(side), own)
    end = torch.where(straight, torch.full_like(half, torch.inf), junctions.centre)

    def onward(inside: Tensor) -> tuple[Tensor, Tensor]:
        along, beside = inside[..., 0], inside[..., 1]
        return along, torch.where(along <= end[:, None], beside, torch.full_like(beside, torch.inf))

    _lay(result, road, straight | meeting, 1.0, onward, points)
    return result


def _lay(result: Tensor, road: StraightRoads, which: Tensor, sign: float, locate: Locate, points: Tensor) -> None:
    """Add the road along a line to the result where ``which`` (B,), in place; points are (B, 96 * 96, 2)."""
    if not which.any():
        return
    along, beside = (values.view(-1, 1, _GRID, _GRID)[which] for values in locate(points))
    near = F.interpolate((beside.abs() < _NEAR_M).float(), size=(MAP_SIZE, MAP_SIZE))
    coordinates = torch.cat([along, sign * beside.clamp(-_BEYOND_M, _BEYOND_M)], dim=1)
    fine = F.interpolate(coordinates, size=(MAP_SIZE, MAP_SIZE), mode="bilinear", align_corners=False)
    result[which] = torch.maximum(result[which], near * road.of(which).at(fine[:, 0], fine[:, 1]))


def _pixel_grid() -> Tensor:
    """(1, 96 * 96, 3) homogeneous ego points: every second pixel of the map, each way."""
    centres = (np.arange(_GRID) + 0.5) * MAP_SIZE / _GRID
    columns, rows = np.meshgrid(centres, centres)
    ego = map_pixels_to_ego(np.stack([columns, rows], axis=-1)).reshape(1, -1, 2)
    return torch.from_numpy(np.concatenate([ego, np.ones_like(ego[..., :1])], axis=-1)).float()


def drive_through(along: Tensor, beside: Tensor, junctions: Junctions, to_road: Tensor) -> Tensor:
    """(B, 5, 3) metres, vehicle's frame: straight paths bent as the taken road, at the standard distances.

    Args:
        along: (B, N) metres along the road.
        beside: (B, N) metres to the left of its centre line.
        junctions: B junctions.
        to_road: (B, 3, 3) from the vehicle's frame to the road's.
    """
    taken = torch.stack([along, beside], dim=-1)
    for side, bend in junctions.turns.items():
        turned = bend.place(along, SIGN[side] * beside) * torch.tensor([1.0, SIGN[side]])
        taken = torch.where((junctions.taken == side)[:, None, None], turned, taken)
    homogeneous = torch.cat([taken, torch.ones_like(taken[..., :1])], dim=-1)
    seen = (homogeneous @ torch.linalg.inv(to_road).transpose(1, 2))[..., :2]
    return F.pad(at_distances(seen), (0, 1))


def at_distances(path: Tensor) -> Tensor:
    """(B, 5, 2) points of (B, N, 2) paths at ``WAYPOINT_DISTANCES_M`` of arc length from the vehicle at the origin."""
    path = torch.cat([torch.zeros_like(path[:, :1]), path[:, 1:]], dim=1)
    lengths = torch.linalg.norm(path.diff(dim=1), dim=-1).cumsum(dim=1)
    lengths = torch.cat([torch.zeros_like(lengths[:, :1]), lengths], dim=1)
    wanted = torch.tensor(WAYPOINT_DISTANCES_M).expand(len(path), -1).contiguous()
    index = torch.searchsorted(lengths, wanted).clamp(1, path.shape[1] - 1)
    low, high = (lengths.gather(1, index - shift) for shift in (1, 0))
    share = ((wanted - low) / (high - low).clamp_min(1e-6))[..., None]
    start, end = (path.gather(1, (index - shift)[..., None].expand(-1, -1, 2)) for shift in (1, 0))
    return start + share * (end - start)
