"""The mesh of carriageway, kerbs, pavements and land."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely

from sim2real_bench.envs.carla.embedded.town.draping import triangulate
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.relief import CELL_M
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene
from sim2real_bench.envs.carla.embedded.town.surfaces import polygons
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]
Colour = tuple[float, float, float]

_BACKSTOP_M = 0.04
_COVER_M = 0.012
LAND_CELLS = 5  # land need not follow the relief as closely as the road


def build_ground(scene: Scene) -> None:
    """Add the ground of the whole map."""
    plan, mesh = scene.plan, scene.solid
    road = triangulate(plan.road, scene.relief)
    mesh.floor(road, 0.0, LAYER["asphalt"], CarlaClass.ROADS, 4.0)
    walks = triangulate(plan.pavement, scene.relief)
    mesh.floor(walks, KERB_M, LAYER["slabs"], CarlaClass.SIDEWALKS, 4.0, (0.84, 0.83, 0.82))
    for shape in (plan.land, *plan.islands):
        mesh.floor(triangulate(shape, scene.relief, LAND_CELLS), KERB_M, LAYER["grass"], CarlaClass.TERRAIN, 5.0)
    for polygon in polygons(plan.road):
        for ring in (polygon.exterior, *polygon.interiors):
            _edge(scene, ring)
    # Where triangles of different heights meet, single pixels may look through: they must not see the sky.
    backstop = plan.road.envelope if scene.relief.flat else plan.road.buffer(1.0)
    mesh.floor(triangulate(backstop, scene.relief), -_BACKSTOP_M, LAYER["asphalt"], CarlaClass.ROADS, 4.0)


def add_ground_cover(
    scene: Scene, corners: Sequence[tuple[float, float]], layer: int, tag: int, tile_m: float, tint: Colour
) -> None:
    """Paving or gravel on a piece of land, a finger's breadth above it."""
    triangles = triangulate(shapely.Polygon(corners), scene.relief, LAND_CELLS)
    scene.solid.floor(triangles, KERB_M + _COVER_M, layer, tag, tile_m, tint)


def _edge(scene: Scene, ring: shapely.LinearRing) -> None:
    """The step from the carriageway up to what lies beside it: a kerb in streets, a grassy edge elsewhere."""
    if not scene.relief.flat:
        ring = ring.segmentize(2.0 * CELL_M)
    corners = np.asarray(ring.coords)
    # shapely gives the exterior and the holes of a constructed polygon in either sense.
    if not ring.is_ccw:
        corners = corners[::-1]
    if scene.plan.road.contains(_just_left(corners)):
        corners = corners[::-1]
    # The face looks at the road, which now lies on the right of the ring.
    if not scene.plan.urban:
        _grass_edge(scene, corners)
        return
    for a, b in pairwise(corners):
        scene.solid.wall(a, b, -0.02, KERB_M, LAYER["slabs"], CarlaClass.SIDEWALKS, (0.62, 0.61, 0.60), (4.0, 4.0))


def _grass_edge(scene: Scene, corners: Float) -> None:
    for a, b in pairwise(corners):
        points = [(*a, -0.02), (*b, -0.02), (*b, KERB_M), (*a, KERB_M)]
        scene.solid.polygon(points, [(0.1, 0.1)], LAYER["grass"], CarlaClass.TERRAIN, normal=(0.0, 0.0, 1.0))


def _just_left(corners: Float) -> shapely.Point:
    a, b = corners[0], corners[1]
    middle, along = (a + b) / 2, (b - a) / math.dist(a, b)
    return shapely.Point(middle[0] - along[1] * 0.05, middle[1] + along[0] * 0.05)
