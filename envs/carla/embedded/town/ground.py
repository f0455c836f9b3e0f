"""The mesh of carriageway, kerbs, pavements and land."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import shapely

from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene
from sim2real_bench.envs.carla.embedded.town.surfaces import polygons
from sim2real_bench.envs.classes import CarlaClass

_BACKSTOP_M = 0.04


def build_ground(scene: Scene) -> None:
    """Add the ground of the whole town."""
    plan, mesh = scene.plan, scene.solid
    mesh.area(plan.road, 0.0, LAYER["asphalt"], CarlaClass.ROADS, 4.0)
    mesh.area(plan.pavement, KERB_M, LAYER["slabs"], CarlaClass.SIDEWALKS, 4.0, (0.84, 0.83, 0.82))
    mesh.area(plan.land, KERB_M, LAYER["grass"], CarlaClass.TERRAIN, 5.0)
    for polygon in polygons(plan.road):
        for ring in (polygon.exterior, *polygon.interiors):
            _kerb(scene, ring)
    x0, y0, x1, y1 = plan.road.bounds
    # Where triangles of different heights meet, single pixels may look through: they must not see the sky.
    backstop = [(x0, y0, -_BACKSTOP_M), (x1, y0, -_BACKSTOP_M), (x1, y1, -_BACKSTOP_M), (x0, y1, -_BACKSTOP_M)]
    mesh.polygon(backstop, [(0, 0), (60, 0), (60, 60), (0, 60)], LAYER["asphalt"], CarlaClass.ROADS)


def _kerb(scene: Scene, ring: shapely.LinearRing) -> None:
    corners = np.asarray(ring.coords)
    # shapely gives the exterior and the holes of a constructed polygon in either sense.
    if not ring.is_ccw:
        corners = corners[::-1]
    road_inside = scene.plan.road.contains(_just_left(corners))
    if road_inside:
        corners = corners[::-1]
    # The kerb's face looks at the road, which now lies on the right of the ring.
    for a, b in pairwise(corners):
        scene.solid.wall(a, b, -0.02, KERB_M, LAYER["slabs"], CarlaClass.SIDEWALKS, (0.62, 0.61, 0.60), (4.0, 4.0))


def _just_left(corners: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> shapely.Point:
    a, b = corners[0], corners[1]
    middle, along = (a + b) / 2, (b - a) / math.dist(a, b)
    return shapely.Point(middle[0] - along[1] * 0.05, middle[1] + along[0] * 0.05)
