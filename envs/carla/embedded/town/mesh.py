"""Collects triangles with their vertex attributes (right-handed frame, metres)."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import shapely

from sim2real_bench.envs.carla.embedded.town.model import Mesh

Point2 = tuple[float, float] | npt.NDArray[np.float64]
Colour = tuple[float, float, float]
WHITE: Colour = (1.0, 1.0, 1.0)
_FLOATS = 14  # per vertex


def _normal(points: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Unit normal from the corner at the first point."""
    (x0, y0, z0), (x1, y1, z1), (x2, y2, z2) = points[0], points[1], points[-1]
    ax, ay, az, bx, by, bz = x1 - x0, y1 - y0, z1 - z0, x2 - x0, y2 - y0, z2 - z0
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    length = math.sqrt(x * x + y * y + z * z) + 1e-12
    return x / length, y / length, z / length


@cache
def _circle(sides: int) -> npt.NDArray[np.float64]:
    """(sides + 1, 2) cosines and sines."""
    angle = np.arange(sides + 1) * math.tau / sides
    return np.c_[np.cos(angle), np.sin(angle)]


@cache
def _tube_triangles(sides: int) -> npt.NDArray[np.uint32]:
    i = np.arange(sides)
    return np.vstack([np.c_[i, i + 1, sides + 2 + i], np.c_[i, sides + 2 + i, sides + 1 + i]]).astype(np.uint32)


class MeshBuilder:
    """Grows a ``Mesh``; all polygons are given counter-clockwise seen from outside."""

    def __init__(self) -> None:
        self._vertices: list[npt.NDArray[np.float32]] = []
        self._triangles: list[npt.NDArray[np.uint32]] = []
        self._count = 0
        # Single polygons, by far the most calls, go into flat arrays: five times faster than small numpy blocks.
        self._flat_vertices = array("f")
        self._flat_triangles = array("I")

    def add(
        self,
        points: npt.ArrayLike,
        normals: npt.ArrayLike,
        uv: npt.ArrayLike,
        triangles: npt.ArrayLike,
        layer: float,
        tag: int,
        tint: npt.ArrayLike = WHITE,
        glow: float = 0.0,
    ) -> None:
        """Add vertices and their triangles; ``normals``, ``uv`` and ``tint`` may be one for all."""
        position = np.asarray(points, np.float32)
        block = np.empty((len(position), _FLOATS), np.float32)
        block[:, :3] = position
        block[:, 3:6] = normals
        block[:, 6:8] = uv
        block[:, 8:11] = tint
        block[:, 11] = glow
        block[:, 12] = layer
        block[:, 13] = tag
        self._vertices.append(block)
        self._triangles.append(np.asarray(triangles, np.uint32) + np.uint32(self._count))
        self._count += len(position)

    def polygon(
        self,
        points: Sequence[Sequence[float]],
        uv: Sequence[tuple[float, float]],
        layer: float,
        tag: int,
        tint: Colour = WHITE,
        glow: float = 0.0,
        normal: Sequence[float] | None = None,
    ) -> None:
        """A flat convex polygon; one pair of texture coordinates may stand for all corners."""
        n = _normal(points) if normal is None else normal
        flat, count = self._flat_vertices, len(points)
        first = len(flat) // _FLOATS
        each = uv if len(uv) == count else [uv[0]] * count
        for point, (u, v) in zip(points, each, strict=True):
            flat.extend((point[0], point[1], point[2], n[0], n[1], n[2], u, v, *tint, glow, layer, tag))
        for k in range(1, count - 1):
            self._flat_triangles.extend((first, first + k, first + k + 1))

    def wall(
        self,
        a: Point2,
        b: Point2,
        z0: float,
        z1: float,
        layer: float,
        tag: int,
        tint: Colour = WHITE,
        tile: tuple[float, float] = (1.0, 1.0),
        u0: float = 0.0,
        glow: float = 0.0,
        whole: float | None = None,
    ) -> None:
        """An upright rectangle whose outside is on the right of a -> b.

        Args:
            a: first corner.
            b: second corner.
            z0: lower edge.
            z1: upper edge.
            layer: texture layer.
            tag: class.
            tint: colour factor.
            tile: metres per repetition across and up.
            u0: texture offset.
            glow: see ``TownMeshes``.
            whole: round the repetitions to a multiple of this, so that no window is cut.
        """
        across = math.dist(a, b) / tile[0]
        if whole is not None:
            across = max(1.0, round(across / whole)) * whole
        up = (z1 - z0) / tile[1]
        corners = [(a[0], a[1], z0), (b[0], b[1], z0), (b[0], b[1], z1), (a[0], a[1], z1)]
        self.polygon(corners, [(u0, 0), (u0 + across, 0), (u0 + across, up), (u0, up)], layer, tag, tint, glow)

    def box(
        self,
        centre: Sequence[float],
        half: tuple[float, float, float],
        yaw: float,
        layer: float,
        tag: int,
        tint: Colour = WHITE,
        tile_m: float = 1.0,
        glow: float = 0.0,
        top_layer: float | None = None,
    ) -> None:
        """An upright box without a bottom; ``centre`` is the middle of its base."""
        cosine, sine = math.cos(yaw), math.sin(yaw)
        base = [
            (
                centre[0] + i * cosine * half[0] - j * sine * half[1],
                centre[1] + i * sine * half[0] + j * cosine * half[1],
            )
            for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        z0, z1 = centre[2], centre[2] + 2 * half[2]
        for a, b in zip(base, base[1:] + base[:1], strict=True):
            self.wall(a, b, z0, z1, layer, tag, tint, (tile_m, tile_m), glow=glow)
        u, v = 2 * half[0] / tile_m, 2 * half[1] / tile_m
        top = layer if top_layer is None else top_layer
        self.polygon([(*p, z1) for p in base], [(0, 0), (u, 0), (u, v), (0, v)], top, tag, tint, glow)

    def tube(
        self,
        start: Sequence[float],
        end: Sequence[float],
        radii: tuple[float, float],
        layer: float,
        tag: int,
        tint: Colour = WHITE,
        sides: int = 6,
        glow: float = 0.0,
        tile_m: float = 1.0,
    ) -> None:
        """A round bar without end caps."""
        first, last = np.asarray(start, float), np.asarray(end, float)
        axis = last - first
        length = math.sqrt(float(axis @ axis))
        x, y, z = (axis / length).tolist()
        # Two unit vectors across the axis (Duff et al., "Building an orthonormal basis, revisited").
        sign = math.copysign(1.0, z)
        p, q = -1.0 / (sign + z), -x * y / (sign + z)
        across = np.array([(1.0 + sign * x * x * p, sign * q, -sign * x), (q, sign + y * y * p, -y)])
        ring = _circle(sides) @ across
        uv = np.zeros((2 * (sides + 1), 2))
        uv[:, 0] = np.tile(np.linspace(0.0, 1.0, sides + 1), 2)
        uv[sides + 1 :, 1] = length / tile_m
        points = np.concatenate([first + radii[0] * ring, last + radii[1] * ring])
        self.add(points, np.concatenate([ring, ring]), uv, _tube_triangles(sides), layer, tag, tint, glow)

    def disc(
        self, centre: Sequence[float], normal: tuple[float, float], radius: float, tag: int, layer: float,
        tint: Colour, glow: float = 0.0, sides: int = 10,
    ) -> None:  # fmt: skip
        """An upright disc that faces the horizontal unit vector ``normal``."""
        across = (-normal[1], normal[0])
        points = [
            (centre[0] + across[0] * radius * c, centre[1] + across[1] * radius * c, centre[2] + radius * s)
            for c, s in _circle(sides)[:-1].tolist()
        ]
        self.polygon(points, [(0.5, 0.5)], layer, tag, tint, glow, (*normal, 0.0))

    def area(
        self, shape: shapely.Geometry, z: float, layer: float, tag: int, tile_m: float, tint: Colour = WHITE
    ) -> None:
        """A flat shape with holes, seen from above."""
        corners = shapely.get_coordinates(shapely.get_parts(shapely.constrained_delaunay_triangles(shape)))
        if not len(corners):
            return
        triangles = corners.reshape(-1, 4, 2)[:, :3]
        edge1, edge2 = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
        clockwise = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0] < 0
        triangles[clockwise] = triangles[clockwise, ::-1]
        self.floor(triangles, z, layer, tag, tile_m, tint)

    def floor(
        self, triangles: npt.NDArray[np.float64], z: float, layer: float, tag: int, tile_m: float, tint: Colour = WHITE
    ) -> None:
        """(T, 3, 2) triangles at one height, seen from above."""
        flat = triangles.reshape(-1, 2)
        points = np.c_[flat, np.full(len(flat), z)]
        self.add(points, (0, 0, 1), flat / tile_m, np.arange(len(flat)).reshape(-1, 3), layer, tag, tint)

    @property
    def counts(self) -> tuple[int, int]:
        """Vertices so far: those of blocks, which come first in the mesh, and those of single polygons."""
        return self._count, len(self._flat_vertices) // _FLOATS

    def build(self) -> Mesh:
        """Everything added so far."""
        flat = np.array(self._flat_vertices, np.float32).reshape(-1, _FLOATS)
        triangles = np.array(self._flat_triangles, np.uint32).reshape(-1, 3) + np.uint32(self._count)
        return Mesh(np.vstack([*self._vertices, flat]), np.vstack([*self._triangles, triangles]))
