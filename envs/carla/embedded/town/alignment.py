"""The reference line of a street: straights and arcs through its bends, between the mouths of two junctions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from sim2real_bench.envs.carla.embedded.town.layouts import Layout, Street
from sim2real_bench.errors import ConfigurationError

JUNCTION_REACH_M = 11.5
"""From the centre of a junction to where its streets begin."""


@dataclass(frozen=True)
class Piece:
    """A straight (``curvature`` 0) or an arc (1/metres, positive to the left)."""

    length_m: float
    curvature: float


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


def align(layout: Layout, street: Street) -> Alignment:
    """The reference line of a street.

    Raises:
        ConfigurationError: bends so close that their arcs overlap.
    """
    corners = [layout.junctions[street.start], *((b.x, b.y) for b in street.bends), layout.junctions[street.end]]
    legs = [math.dist(a, b) for a, b in pairwise(corners)]
    headings = [math.atan2(b[1] - a[1], b[0] - a[0]) for a, b in pairwise(corners)]
    turns = [math.remainder(after - before, math.tau) for before, after in pairwise(headings)]
    tangents = [bend.radius_m * math.tan(abs(turn) / 2) for bend, turn in zip(street.bends, turns, strict=True)]
    cut = [JUNCTION_REACH_M, *tangents, JUNCTION_REACH_M]
    pieces: list[Piece] = []
    for index, leg in enumerate(legs):
        straight = leg - cut[index] - cut[index + 1]
        if straight < 0.0:
            raise ConfigurationError(
                f"street {street.start}-{street.end}: leg {index} of {leg:.1f} m is {-straight:.1f} m too short "
                "for its arcs; take smaller radii"
            )
        if straight > 1e-6:
            pieces.append(Piece(straight, 0.0))
        if index < len(turns):
            radius = street.bends[index].radius_m
            pieces.append(Piece(radius * abs(turns[index]), math.copysign(1.0 / radius, turns[index])))
    x, y = corners[0]
    return Alignment(
        x + JUNCTION_REACH_M * math.cos(headings[0]),
        y + JUNCTION_REACH_M * math.sin(headings[0]),
        headings[0],
        tuple(pieces),
        headings[-1],
    )
