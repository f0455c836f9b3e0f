"""Writes a navigation mesh in the file format of Detour 7 in one tile, inside the "mesh set" that CARLA's client loads.

Detour's axes are x, height, y of CARLA's frame. All integers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim2real_bench.errors import ConfigurationError

_SET_MAGIC, _SET_VERSION = 0x4D534554, 1  # "MSET"
_TILE_MAGIC, _TILE_VERSION = 0x444E4156, 7  # "DNAV"
_SET_HEADER = struct.Struct("<3i 5f2i")
_TILE_HEADER = struct.Struct("<Ii")
_MESH_HEADER = struct.Struct("<15i 3f 3f 3f f")
_POLYGON = struct.Struct("<I6H6HHBB")
_DETAIL = struct.Struct("<IIBBxx")
_NODE = struct.Struct("<3H3Hi")
_LINK_BYTES = 12
_CORNERS = 6
MAX_VERTICES = 65534
MAX_POLYGONS = 32767
_CELL_M = 0.1
_WALKER = (2.0, 0.3, 0.5)  # height, radius and highest step in metres
# Edges of a fan's triangles that lie on the polygon's boundary: bits 0-1, 2-3 and 4-5.
_FIRST_EDGE, _MIDDLE_EDGE, _LAST_EDGE = 1, 4, 16

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MeshPolygon:
    """A convex polygon of the mesh.

    Attributes:
        corners: indices of three to six vertices, anticlockwise seen from above.
        neighbours: per edge (corner to next corner) the index of the polygon beyond, -1 = none.
        area: Detour's area number, which has a cost in the client.
        flags: Detour's polygon flags, by which walkers are let in.
    """

    corners: tuple[int, ...]
    neighbours: tuple[int, ...]
    area: int
    flags: int

    def pack(self) -> bytes:
        """The polygon's record."""
        unused = _CORNERS - len(self.corners)
        corners = [*self.corners, *[0] * unused]
        beyond = [neighbour + 1 for neighbour in self.neighbours] + [0] * unused
        # Two high bits say that it is ground, not an off-mesh connection.
        return _POLYGON.pack(0, *corners, *beyond, self.flags, len(self.corners), self.area)


def pack_mesh(vertices: Float, polygons: Sequence[MeshPolygon]) -> bytes:
    """The file.

    Args:
        vertices: (V, 3) x, height, y in metres.
        polygons: at least one.

    Raises:
        ConfigurationError: the mesh does not fit into a tile.
    """
    if not polygons or len(vertices) > MAX_VERTICES or len(polygons) > MAX_POLYGONS:
        raise ConfigurationError(
            f"a navigation mesh holds 1 to {MAX_POLYGONS} polygons and at most {MAX_VERTICES} vertices, "
            f"got {len(polygons)} and {len(vertices)}"
        )
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    tile = _tile(vertices, polygons, low, high)
    extent = high - low
    most = 1 << max(1, (len(polygons) - 1).bit_length())
    head = _SET_HEADER.pack(_SET_MAGIC, _SET_VERSION, 1, *low.tolist(), float(extent[0]), float(extent[2]), 1, most)
    reference = most  # tile 0 in its first life: the life's number lies above the bits of the polygon
    return head + _TILE_HEADER.pack(reference, len(tile)) + tile


def _tile(vertices: Float, polygons: Sequence[MeshPolygon], low: Float, high: Float) -> bytes:
    links = sum(neighbour >= 0 for polygon in polygons for neighbour in polygon.neighbours)
    details, triangles = _details(polygons)
    cell = max(_CELL_M, float((high - low).max()) / 60_000.0)
    nodes = _Tree(vertices, polygons, low, cell).nodes
    counts = (len(polygons), len(vertices), links, len(polygons), 0, len(triangles) // 4, len(nodes), 0, len(polygons))
    header = _MESH_HEADER.pack(
        _TILE_MAGIC, _TILE_VERSION, 0, 0, 0, 0, *counts, *_WALKER, *low.tolist(), *high.tolist(), 1.0 / cell
    )
    body = (
        vertices.astype("<f4").tobytes(),
        b"".join(polygon.pack() for polygon in polygons),
        bytes(_LINK_BYTES * links),  # filled by the reader
        details,
        triangles,
        b"".join(_NODE.pack(*node) for node in nodes),
    )
    return header + b"".join(body)


def _details(polygons: Sequence[MeshPolygon]) -> tuple[bytes, bytes]:
    """Records and triangles of the height detail: the polygons themselves as fans."""
    records, triangles = [], bytearray()
    for polygon in polygons:
        count = len(polygon.corners)
        records.append(_DETAIL.pack(0, len(triangles) // 4, 0, count - 2))
        for corner in range(2, count):
            edges = _MIDDLE_EDGE
            edges |= _FIRST_EDGE if corner == 2 else 0
            edges |= _LAST_EDGE if corner == count - 1 else 0
            triangles += bytes((0, corner - 1, corner, edges))
    return b"".join(records), bytes(triangles)


Node = tuple[int, int, int, int, int, int, int]


class _Tree:
    """The tree of bounding boxes by which polygons are found; boxes are counted in cells from the tile's corner."""

    def __init__(self, vertices: Float, polygons: Sequence[MeshPolygon], low: Float, cell: float) -> None:
        corners = [vertices[list(polygon.corners)] for polygon in polygons]
        least = np.array([points.min(axis=0) for points in corners])
        most = np.array([points.max(axis=0) for points in corners])
        bounds = np.hstack((np.floor((least - low) / cell), np.ceil((most - low) / cell))).astype(np.int64)
        order = np.argsort(_interleaved(bounds[:, 0] + bounds[:, 3], bounds[:, 2] + bounds[:, 5]), kind="stable")
        self._leaves = [(*box, polygon) for box, polygon in zip(bounds[order].tolist(), order.tolist(), strict=True)]
        self.nodes: list[Node] = []
        self._add(0, len(self._leaves))

    def _add(self, begin: int, end: int) -> Node:
        """Add the leaves from ``begin`` to ``end``, which lie close together; returns the node above them."""
        if end - begin == 1:
            self.nodes.append(self._leaves[begin])
            return self._leaves[begin]
        place = len(self.nodes)
        self.nodes.append((0, 0, 0, 0, 0, 0, 0))
        half = (begin + end) // 2
        first, second = self._add(begin, half), self._add(half, end)
        escape = len(self.nodes) - place  # how far to skip when the box is missed
        x0, y0, z0 = map(min, first[:3], second[:3])
        x1, y1, z1 = map(max, first[3:6], second[3:6])
        self.nodes[place] = (x0, y0, z0, x1, y1, z1, -escape)
        return self.nodes[place]


def _interleaved(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The bits of two 17-bit numbers by turns: places with close values lie close together."""
    code = np.zeros(len(x), np.int64)
    for bit in range(17):
        code |= (x >> bit & 1) << (2 * bit + 1) | (y >> bit & 1) << (2 * bit)
    return code
