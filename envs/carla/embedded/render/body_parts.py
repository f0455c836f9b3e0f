"""The parts that bodies are made of: faces, lofts, wheels, lamps (frame of the body: x forward, y left, z up)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.mesh import MeshBuilder
from sim2real_bench.envs.carla.embedded.town.model import Mesh
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]
Colour = tuple[float, float, float]
Point = tuple[float, float, float]

PAINT: Colour = (-1.0, -1.0, -1.0)
"""Stands for the paint of the instance."""
GLASS: Colour = (0.05, 0.06, 0.075)
RUBBER: Colour = (0.035, 0.035, 0.038)
TRIM: Colour = (0.045, 0.045, 0.05)
METAL: Colour = (0.42, 0.43, 0.45)
PLATE: Colour = (0.78, 0.78, 0.70)
HEAD_LAMP: Colour = (0.85, 0.87, 0.86)
TAIL_LAMP: Colour = (0.50, 0.03, 0.03)
AMBER: Colour = (0.75, 0.30, 0.03)
BLUE: Colour = (0.05, 0.12, 0.75)
GLOSS, GLAZED = -0.5, -1.0
"""Kinds of reflection, in ``glow``: sheet metal, glass."""
OUT_M = 0.008
"""Windows and lamps lie this far above the sheet metal."""


class Lamp(IntEnum):
    """Codes of lamps in ``glow``: all vertices of a lamp carry one of them."""

    HEAD = 2
    TAIL = 3
    LEFT_BLINKER = 4
    RIGHT_BLINKER = 5
    REVERSE = 6
    BEACON = 7


class BodyBuilder:
    """Grows the mesh of one body; ``tag`` is the class of what is added next."""

    def __init__(self, tag: CarlaClass) -> None:
        self.tag = tag
        self._mesh = MeshBuilder()

    def face(self, points: Sequence[Sequence[float]], tint: Colour, glow: float = 0.0,
             normal: Sequence[float] | None = None) -> None:  # fmt: skip
        """A flat convex polygon, counter-clockwise from outside."""
        self._mesh.polygon(points, [(0.5, 0.5)], LAYER["plain"], self.tag, tint, glow, normal)

    def both(self, points: Sequence[Point], tint: Colour, glow: float = 0.0) -> None:
        """A polygon and its mirror image on the other side of the body."""
        self.face(points, tint, glow)
        self.face([(x, -y, z) for x, y, z in reversed(points)], tint, glow)

    def grid(self, points: Float, normals: Float, tint: Colour, glow: float = GLOSS) -> None:
        """A surface through (rows, columns, 3) points; rows go forward, columns from right to left over the top."""
        rows, columns = points.shape[:2]
        i, j = (index.ravel() for index in np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij"))
        a = i * columns + j
        triangles = np.vstack([np.c_[a, a + columns, a + columns + 1], np.c_[a, a + columns + 1, a + 1]])
        self._mesh.add(
            points.reshape(-1, 3), normals.reshape(-1, 3), (0.5, 0.5), triangles, LAYER["plain"], self.tag, tint, glow
        )

    def box(self, low: Point, high: Point, tint: Colour, glow: float = 0.0, bottom: bool = False) -> None:
        """An upright box between two opposite corners."""
        centre = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2])
        half = ((high[0] - low[0]) / 2, (high[1] - low[1]) / 2, (high[2] - low[2]) / 2)
        self._mesh.box(centre, half, 0.0, LAYER["plain"], self.tag, tint, glow=glow)
        if bottom:
            z = low[2]
            self.face([(low[0], low[1], z), (low[0], high[1], z), (high[0], high[1], z), (high[0], low[1], z)], tint)

    def prism(self, profile: Sequence[tuple[float, float]], half_width: float, tint: Colour, glow: float = GLOSS,
              shoulder: float = 0.0) -> None:  # fmt: skip
        """A convex side view (x, z) stretched across the body; points go from the tail over the top to the nose.

        ``shoulder`` narrows what lies above two thirds of the height by so many metres on each side.
        """
        top = max(z for _, z in profile)
        width = [half_width - (shoulder if z > 0.67 * top else 0.0) for _, z in profile]
        left = [(x, w, z) for (x, z), w in zip(profile, width, strict=True)]
        right = [(x, -y, z) for x, y, z in left]
        self.face(left, tint, glow)
        self.face(right[::-1], tint, glow)
        for k in range(len(profile)):
            following = (k + 1) % len(profile)
            self.face([left[k], right[k], right[following], left[following]], tint, glow)

    def ring(self, x: float, z: float, outer: float, inner: float, half_width: float, tint: Colour) -> None:
        """An upright wheel without a disc, seen from both sides; its centre lies at (x, 0, z)."""
        angles = np.linspace(0.0, math.tau, 11)
        corner = np.stack([np.cos(angles), np.zeros(11), np.sin(angles)], -1)
        centre = np.array([x, 0.0, z])
        for side in (-1.0, 1.0):
            y = np.array([0.0, side * half_width, 0.0])
            rows = np.stack([centre + corner * outer + y * 0.4, centre + corner * inner + y])[:: int(side)]
            self.grid(rows, np.broadcast_to(np.array([0.0, side, 0.0]), rows.shape), tint, 0.0)

    def bar(self, start: Sequence[float] | Float, end: Sequence[float] | Float, radii: tuple[float, float],
            tint: Colour, sides: int = 5, glow: float = 0.0) -> None:  # fmt: skip
        """A round bar without end caps."""
        self._mesh.tube(tuple(start), tuple(end), radii, LAYER["plain"], self.tag, tint, sides, glow)

    def disc(self, centre: Point, facing: tuple[float, float], radius: float, tint: Colour, sides: int = 8) -> None:
        """An upright disc that faces a horizontal direction."""
        self._mesh.disc(centre, facing, radius, self.tag, LAYER["plain"], tint, sides=sides)

    def wheel(self, x: float, y: float, radius: float, width: float, rim: Colour = METAL, arch: float = 1.18) -> None:
        """A wheel whose outer face lies at ``y``; ``arch`` times its radius is dark above it, 0 for none."""
        side = math.copysign(1.0, y)
        facing = (0.0, side)
        if arch:
            self._arch(x, y - side * 0.002, radius, radius * arch)
        self._tread(x, y - side * width, y, radius)
        self.disc((x, y + side * 0.002, radius), facing, radius, RUBBER, sides=12)
        self.disc((x, y + side * 0.005, radius), facing, radius * 0.68, rim, sides=9)
        self.disc((x, y + side * 0.008, radius), facing, radius * 0.24, TRIM, sides=5)

    def _tread(self, x: float, y0: float, y1: float, radius: float) -> None:
        """The part of the tyre's running surface that a body leaves free: the lower two thirds."""
        angles = np.linspace(math.radians(150.0), math.radians(390.0), 8)
        rim = np.stack([x + radius * np.cos(angles), np.zeros(8), radius + radius * np.sin(angles)], -1)
        rows = np.stack([rim + np.array([0.0, y, 0.0]) for y in sorted((y0, y1))])
        normals = np.stack([np.cos(angles), np.zeros(8), np.sin(angles)], -1)
        self.grid(rows, np.broadcast_to(normals, rows.shape), RUBBER, 0.0)

    def _arch(self, x: float, y: float, axle_z: float, radius: float) -> None:
        """The dark half disc above a wheel."""
        side = math.copysign(1.0, y)
        angles = np.linspace(0.0, math.pi, 7)
        points = [(x - side * radius * math.cos(a), y, axle_z * 1.04 + radius * math.sin(a)) for a in angles.tolist()]
        low = axle_z * 0.6
        self.face([(points[-1][0], y, low), (points[0][0], y, low), *points], TRIM, 0.0, (0.0, side, 0.0))

    def build(self) -> Mesh:
        """Everything added so far."""
        return self._mesh.build()


def mix(a: Float, b: Float, share: float) -> Float:
    """Between two points."""
    return np.asarray(a + (b - a) * share)


def inset(quad: Float, left: float, right: float, low: float, high: float, out_m: float = OUT_M) -> list[Point]:
    """A pane inside a quad (corners anticlockwise from the lower left), moved out along the normal."""
    normal = np.cross(quad[1] - quad[0], quad[3] - quad[0])
    normal = normal / np.linalg.norm(normal) * out_m

    def at(u: float, v: float) -> Point:
        x, y, z = (mix(mix(quad[0], quad[1], u), mix(quad[3], quad[2], u), v) + normal).tolist()
        return x, y, z

    return [at(left, low), at(right, low), at(right, high), at(left, high)]


def smooth_normals(grid: Float) -> Float:
    """Normals of a grid of points (rows forward, columns from right to left over the top)."""
    along, across = np.gradient(grid, axis=0), np.gradient(grid, axis=1)
    normals = np.cross(along, across)
    return np.asarray(normals / (np.linalg.norm(normals, axis=2)[..., None] + 1e-9))
