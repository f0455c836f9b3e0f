"""Where pedestrians walk: pavements and crossings, and the road between, as triangles that know their neighbours."""

from __future__ import annotations

from collections import defaultdict
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from sim2real_bench.envs.carla.embedded.navigation.detour import MeshPolygon
from sim2real_bench.envs.carla.embedded.town import Town
from sim2real_bench.envs.carla.embedded.town.lanes import read_lanes
from sim2real_bench.envs.carla.embedded.town.markings import crosswalks
from sim2real_bench.envs.carla.embedded.town.relief import Relief
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M
from sim2real_bench.envs.carla.embedded.town.surfaces import BEHIND_FRONTAGE_M, GroundPlan, ground_plan, polygons

Float = npt.NDArray[np.float64]

_CLEARANCE_M = 0.35  # from walls, posts and parked cars: half a walker and some air
_CROSSING_MARGIN_M = 0.5  # crossings reach over the kerbs
_GRID_M = 0.01
_SLOPE_CELL_M = 8.0
_SMALLEST_M2 = 1e-3
_LOW_OBSTACLE_M = 0.15


class AreaKind(IntEnum):
    """Area numbers of CARLA's navigation; the flag of an area is ``1 << number``."""

    SIDEWALK = 1
    CROSSWALK = 2
    ROAD = 3


def walkable_areas(town: Town, town_map: Any) -> tuple[Float, list[MeshPolygon]]:
    """(V, 3) vertices in Detour's axes and the triangles of a town; no triangles where there are no pavements.

    Args:
        town: its obstacles and relief.
        town_map: its ``carla.Map``.
    """
    lanes = read_lanes(town_map)
    crossings = shapely.union_all([shapely.Polygon(corners) for corners in crosswalks(town_map)])
    plan = ground_plan(lanes, crossings)
    if not plan.urban:
        return np.zeros((0, 3)), []
    return _triangulated(_areas(plan, crossings, _obstacles(town)), town.relief)


def _areas(
    plan: GroundPlan, crossings: shapely.Geometry, obstacles: shapely.Geometry
) -> dict[AreaKind, shapely.Geometry]:
    """The areas, which do not overlap, in the right-handed frame of the map."""
    walls = plan.land.buffer(BEHIND_FRONTAGE_M + _CLEARANCE_M, join_style="mitre")
    sidewalk = plan.pavement.difference(walls).difference(obstacles)
    across = crossings.buffer(_CROSSING_MARGIN_M, join_style="mitre")
    road = shapely.union_all([plan.road, *plan.islands]).difference(obstacles)
    crossing = road.intersection(across)
    shapes = {AreaKind.SIDEWALK: sidewalk, AreaKind.CROSSWALK: crossing, AreaKind.ROAD: road.difference(across)}
    return {kind: shapely.set_precision(shape.simplify(0.02), _GRID_M) for kind, shape in shapes.items()}


def _obstacles(town: Town) -> shapely.Geometry:
    """What one cannot walk through, with a clearance."""
    obstacles = town.obstacles
    tall = obstacles.heights > _LOW_OBSTACLE_M
    x, y, yaw, half_length, half_width = obstacles.boxes[tall].T
    along = (half_length + _CLEARANCE_M) * (np.cos(yaw), -np.sin(yaw))
    across = (half_width + _CLEARANCE_M) * (np.sin(yaw), np.cos(yaw))
    corners = [along + across, across - along, -along - across, along - across]
    rings = np.stack([np.array((x, -y)) + corner for corner in corners])  # (4, 2, N)
    return shapely.union_all(shapely.polygons(rings.transpose(2, 0, 1)))


def _triangulated(areas: dict[AreaKind, shapely.Geometry], relief: Relief) -> tuple[Float, list[MeshPolygon]]:
    """Triangles of a common network of edges, so that neighbours share whole edges."""
    lines = [shape.boundary for shape in areas.values()]
    if not relief.flat:
        lines.append(_grid(shapely.union_all(list(areas.values())).bounds))
    network = shapely.node(shapely.union_all(lines, grid_size=_GRID_M))
    faces = [face for face in polygons(shapely.polygonize(shapely.get_parts(network))) if face.area > _SMALLEST_M2]
    places = [face.representative_point() for face in faces]
    corners: list[Float] = []
    kinds: list[AreaKind] = []
    for kind, shape in areas.items():
        shapely.prepare(shape)
        inside = shapely.contains(shape, places)
        for face in np.array(faces, dtype=object)[inside]:
            triangles = polygons(shapely.constrained_delaunay_triangles(face))
            corners += [shapely.get_coordinates(triangle)[:3] for triangle in triangles]
            kinds += [kind] * len(triangles)
    return _linked(np.array(corners), kinds, relief)


def _grid(bounds: tuple[float, float, float, float]) -> shapely.Geometry:
    x0, y0, x1, y1 = bounds
    columns = [shapely.LineString([(x, y0), (x, y1)]) for x in np.arange(x0, x1, _SLOPE_CELL_M)]
    rows = [shapely.LineString([(x0, y), (x1, y)]) for y in np.arange(y0, y1, _SLOPE_CELL_M)]
    return shapely.MultiLineString([*columns, *rows])


def _linked(corners: Float, kinds: list[AreaKind], relief: Relief) -> tuple[Float, list[MeshPolygon]]:
    """Vertices and polygons of (T, 3, 2) triangles; corners of pavements lie a kerb higher than those of the road."""
    nodes = np.round(corners / _GRID_M).astype(np.int64)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    clockwise = cross < 0.0
    nodes[clockwise] = nodes[clockwise][:, ::-1]
    sides: defaultdict[tuple[Any, Any], list[int]] = defaultdict(list)
    edges = [[(tuple(t[i]), tuple(t[(i + 1) % 3])) for i in range(3)] for t in nodes.tolist()]
    for index, triangle in enumerate(edges):
        for begin, end in triangle:
            sides[begin, end].append(index)
    numbers: dict[tuple[Any, bool], int] = {}
    shapes = []
    for triangle, kind in zip(edges, kinds, strict=True):
        raised = kind is AreaKind.SIDEWALK
        own = tuple(numbers.setdefault((begin, raised), len(numbers)) for begin, _ in triangle)
        beyond = tuple(next(iter(sides.get((end, begin), ())), -1) for begin, end in triangle)
        shapes.append(MeshPolygon(own, beyond, int(kind), 1 << kind))
    places = np.array([node for node, _ in numbers]) * _GRID_M
    kerbs = np.array([KERB_M if raised else 0.0 for _, raised in numbers])
    y = -places[:, 1]
    heights = relief.heights(np.column_stack((places[:, 0], y))) + kerbs
    return np.column_stack((places[:, 0], heights, y)), shapes
