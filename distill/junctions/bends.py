"""A road that bends: straight, an arc, and straight again, with coordinates along and beside its centre line."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_FAR = 1e6  # a distance that is never the smallest


@dataclass(frozen=True)
class Bend:
    """One centre line per example: along x, then an arc to the left, then straight on.

    Attributes:
        start: (B,) where the arc begins, metres along x.
        radius: (B,) of the arc, metres.
        angle: (B,) that the arc turns by, radians, positive.
    """

    start: Tensor
    radius: Tensor
    angle: Tensor

    def pose(self, along: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, 2) points and (B, N) headings of the centre line at (B, N) metres ``along`` it."""
        start, radius, angle = self.start[:, None], self.radius[:, None], self.angle[:, None]
        heading = ((along - start) / radius).clamp_min(0.0).minimum(angle)
        beyond = (along - start - radius * angle).clamp_min(0.0)
        x = along.minimum(start) + radius * heading.sin() + beyond * angle.cos()
        y = radius * (1.0 - heading.cos()) + beyond * angle.sin()
        return torch.stack([x, y], dim=-1), heading

    def place(self, along: Tensor, beside: Tensor) -> Tensor:
        """(B, N, 2) points that lie (B, N) metres ``along`` and ``beside`` (to the left of) the centre line."""
        points, heading = self.pose(along)
        return points + beside[..., None] * torch.stack([-heading.sin(), heading.cos()], dim=-1)

    def locate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N) metres along and beside the centre line of (B, N, 2) points, by the nearest point of the line."""
        start, radius, angle = self.start[:, None], self.radius[:, None], self.angle[:, None]
        x, y = points[..., 0] - start, points[..., 1]
        # The arc turns around (start, radius).
        outward = torch.hypot(x, y - radius)
        turned = torch.atan2(x, radius - y)
        on_arc = (turned >= 0.0) & (turned <= angle)
        sine, cosine = angle.sin(), angle.cos()
        from_end_x, from_end_y = x - radius * sine, y - radius * (1.0 - cosine)
        beyond = from_end_x * cosine + from_end_y * sine
        lateral = from_end_y * cosine - from_end_x * sine
        along, beside = start + x.clamp_max(0.0), torch.where(x <= 0.0, y, torch.hypot(x, y))
        distance = beside.abs()
        for valid, candidate_along, candidate_beside in (
            (on_arc, start + radius * turned, radius - outward),
            (beyond >= 0.0, start + radius * angle + beyond, lateral),
        ):
            reach = torch.where(valid, candidate_beside.abs(), torch.full_like(distance, _FAR))
            nearer = reach < distance
            along = torch.where(nearer, candidate_along, along)
            beside = torch.where(nearer, candidate_beside, beside)
            distance = torch.where(nearer, reach, distance)
        return along, beside
