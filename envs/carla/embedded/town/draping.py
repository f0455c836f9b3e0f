"""Fits flat shapes to the relief: triangles cut along its grid, and heights for everything that was built flat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from sim2real_bench.envs.carla.embedded.town.model import Mesh
from sim2real_bench.envs.carla.embedded.town.relief import CELL_M, Relief

Float = npt.NDArray[np.float64]
_LEVEL_M = 0.002
_UPWARD = 0.99


@dataclass(frozen=True)
class Levelled:
    """Vertices ``first`` to ``last`` (not included) stand level at one height."""

    first: int
    last: int
    height_m: float


def triangulate(shape: shapely.Geometry, relief: Relief, cells: int = 1) -> Float:
    """(T, 3, 2) triangles of a shape, anticlockwise; on slopes none reaches beyond ``cells`` cells of the relief."""
    if relief.flat or shape.is_empty:
        return _delaunay(shape)
    squares = _sloping(shape, relief, cells)
    if not len(squares):
        return _delaunay(shape)
    shapely.prepare(shape)
    corners = np.stack([squares[:, [0, 1]], squares[:, [2, 1]], squares[:, [2, 3]], squares[:, [0, 3]]], 1)
    # In CARLA's frame the diagonal runs from (1, 0) to (0, 1) of a cell; here, with y turned round, from (0, 0).
    halves = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
    inside = shapely.contains_properly(shape, shapely.polygons(halves))
    parts = [halves[inside], _delaunay(_cut(shape, halves[~inside])), _delaunay(_level(shape, squares))]
    return np.concatenate(parts)


def _cut(shape: shapely.Geometry, halves: Float) -> shapely.Geometry:
    """What of a shape lies in each triangle; column by column, for a small piece of a shape is cut faster."""
    _, y0, _, y1 = shape.bounds
    left, right = halves[:, :, 0].min(1), halves[:, :, 0].max(1)
    pieces: list[shapely.Geometry] = []
    for x in np.unique(left):
        column = left == x
        strip = shapely.clip_by_rect(shape, x, y0, right[column][0], y1)
        pieces.extend(shapely.intersection(shapely.make_valid(strip), shapely.polygons(halves[column])))
    return shapely.GeometryCollection(pieces)


def _level(shape: shapely.Geometry, squares: Float) -> shapely.Geometry:
    """A shape without the squares, which are joined to rows first."""
    order = np.lexsort((squares[:, 0], squares[:, 1]))
    rows = squares[order]
    gap = (np.diff(rows[:, 1]) != 0) | (np.abs(rows[1:, 0] - rows[:-1, 2]) > 1e-6)
    first = np.flatnonzero(np.r_[True, gap])
    last = np.r_[first[1:], len(rows)] - 1
    return shape.difference(shapely.union_all(shapely.box(*rows[first, :2].T, *rows[last, 2:].T)))


def _sloping(shape: shapely.Geometry, relief: Relief, cells: int) -> Float:
    """(N, 4) squares of the relief that meet a shape and are not level: x0, y0, x1, y1, right-handed frame."""
    x0, y0, x1, y1 = shape.bounds
    step = CELL_M * cells
    # Only the part of the grid around the shape is looked at.
    left, right = max(int((x0 - relief.x0) / step) - 1, 0), max(int((x1 - relief.x0) / step) + 3, 0)
    top, bottom = max(int((-y1 - relief.y0) / step) - 1, 0), max(int((-y0 - relief.y0) / step) + 3, 0)
    heights = relief.nodes[::cells, ::cells][top:bottom, left:right]
    if min(heights.shape) < 2:
        return np.zeros((0, 4))
    low = np.minimum.reduce([heights[:-1, :-1], heights[1:, :-1], heights[:-1, 1:], heights[1:, 1:]])
    high = np.maximum.reduce([heights[:-1, :-1], heights[1:, :-1], heights[:-1, 1:], heights[1:, 1:]])
    rows, columns = np.nonzero(high - low > _LEVEL_M)
    x, y = relief.x0 + (columns + left) * step, -(relief.y0 + (rows + top) * step)
    squares = np.c_[x, y - step, x + step, y]
    shapely.prepare(shape)
    meets: npt.NDArray[np.bool_] = shapely.intersects(shape, shapely.box(*squares.T))
    return np.asarray(squares[meets], np.float64)


def _delaunay(shape: shapely.Geometry) -> Float:
    parts = [
        part for part in shapely.get_parts(shapely.get_parts(shape)) if part.geom_type in ("Polygon", "MultiPolygon")
    ]
    corners = shapely.get_coordinates(shapely.get_parts(shapely.constrained_delaunay_triangles(parts)))
    triangles = corners.reshape(-1, 4, 2)[:, :3].copy()
    edge1, edge2 = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    triangles[area < 0] = triangles[area < 0, ::-1]
    return triangles[np.abs(area) > 1e-8]


def drape(mesh: Mesh, relief: Relief, levelled: Sequence[Levelled] = ()) -> Mesh:
    """A mesh built on flat ground, put onto the relief vertex by vertex, but for what stands level."""
    if relief.flat:
        return mesh
    vertices = mesh.vertices.copy()
    free = np.ones(len(vertices), bool)
    for part in levelled:
        free[part.first : part.last] = False
        vertices[part.first : part.last, 2] += part.height_m
    places = vertices[free, :2].astype(np.float64) * (1.0, -1.0)
    vertices[free, 2] += relief.heights(places)
    upward = free & (vertices[:, 5] > _UPWARD)
    slopes = relief.gradients(vertices[upward, :2].astype(np.float64) * (1.0, -1.0))
    normals = np.c_[-slopes[:, 0], slopes[:, 1], np.ones(len(slopes))]
    vertices[upward, 3:6] = normals / np.linalg.norm(normals, axis=1)[:, None]
    return Mesh(vertices, mesh.triangles)
