"""The reference line of a street: straights and arcs through its bends, between the mouths of two junctions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sim2real_bench.envs.carla.embedded.town.layouts import Layout, Street
from sim2real_bench.errors import ConfigurationError

JUNCTION_REACH_M = 11.5
"""From the centre of a junction to where its streets begin."""


@dataclass(frozen=True)
class Piece:
    """A straight (``curvature`` 0), an arc (1/metres, left is positive) or a clothoid (ends ``change`` later)."""

    length_m: float
    curvature: float
    change: float = 0.0


@dataclass(frozen=True)
class Alignment:
    """A start pose and the pieces that follow each other (right-handed, metres, radians)."""

    x: float
    y: float
    heading: float
    pieces: tuple[Piece, ...]
    end_heading: float

    @property
    def length_m(self) -> float:
        """Length of the whole line."""
        return sum(piece.length_m for piece in self.pieces)


def fillet(
    corners: Sequence[tuple[float, float]], radii: Sequence[float], reaches: tuple[float, float], name: str
) -> tuple[float, float, float, tuple[Piece, ...], float]:
    """A polyline with its inner corners rounded by arcs, shortened at both ends.

    Args:
        corners: of the polyline, two at least.
        radii: of the arcs, one per inner corner.
        reaches: how much to cut off at the start and at the end.
        name: of the street, for the error.

    Returns:
        Start x, y and heading, the pieces, and the heading at the end.

    Raises:
        ConfigurationError: bends so close that their arcs overlap.
    """
    legs = [math.dist(a, b) for a, b in pairwise(corners)]
    headings = [math.atan2(b[1] - a[1], b[0] - a[0]) for a, b in pairwise(corners)]
    turns = [math.remainder(after - before, math.tau) for before, after in pairwise(headings)]
    tangents = [radius * math.tan(abs(turn) / 2) for radius, turn in zip(radii, turns, strict=True)]
    cut = [reaches[0], *tangents, reaches[1]]
    pieces: list[Piece] = []
    for index, leg in enumerate(legs):
        straight = leg - cut[index] - cut[index + 1]
        if straight < 0.0:
            raise ConfigurationError(
                f"street {name}: leg {index} of {leg:.1f} m is {-straight:.1f} m too short "
                "for its arcs; take smaller radii"
            )
        if straight > 1e-6:
            pieces.append(Piece(straight, 0.0))
        if index < len(turns):
            pieces.append(Piece(radii[index] * abs(turns[index]), math.copysign(1.0 / radii[index], turns[index])))
    x, y = corners[0][0] + reaches[0] * math.cos(headings[0]), corners[0][1] + reaches[0] * math.sin(headings[0])
    return x, y, headings[0], tuple(pieces), headings[-1]


def align(layout: Layout, street: Street) -> Alignment:
    """The reference line of a street of a layout.

    Raises:
        ConfigurationError: bends so close that their arcs overlap.
    """
    corners = [layout.junctions[street.start], *((b.x, b.y) for b in street.bends), layout.junctions[street.end]]
    reaches = (JUNCTION_REACH_M, JUNCTION_REACH_M)
    radii = [bend.radius_m for bend in street.bends]
    return Alignment(*fillet(corners, radii, reaches, f"{street.start}-{street.end}"))
