"""The ground plan of a town: carriageway, pavement and building land (right-handed frame, metres)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry.polygon import orient

from sim2real_bench.envs.carla.embedded.town.lanes import Lane

PAVEMENT_M = 2.6
_FRONTAGE_EXTENSION_M = 4.0
_CORNER_RADIUS_M = 3.0
_BEHIND_FRONTAGE_M = 0.3  # pavement reaches under the fronts of the houses
LAND_MARGIN_M = 330.0


@dataclass(frozen=True)
class GroundPlan:
    """The areas of a town.

    Attributes:
        driving: all driving lanes.
        road: carriageway with parking lanes and rounded corners.
        pavement: from the kerb to the frontage.
        land: everything else, out to the horizon.
        frontages: rings between pavement and land, with the land on the left.
    """

    driving: shapely.Geometry
    road: shapely.Polygon
    pavement: shapely.Geometry
    land: shapely.Geometry
    frontages: tuple[shapely.LinearRing, ...]


def polygons(shape: shapely.Geometry) -> list[shapely.Polygon]:
    """The polygons a shape consists of."""
    return [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 1e-4]


def _paved(lanes: Sequence[Lane], road: shapely.Polygon) -> shapely.Polygon:
    """Road and pavement, with straight frontages although parking bays indent the kerb."""
    strips = [
        lane.strip(0.0, lane.width / 2 + float(lane.parking.max()) + PAVEMENT_M, _FRONTAGE_EXTENSION_M)
        for lane in lanes
        if not lane.in_junction
    ]
    paved = shapely.union_all([road.buffer(PAVEMENT_M), *strips]).buffer(_CORNER_RADIUS_M).buffer(-_CORNER_RADIUS_M)
    largest = max(polygons(paved), key=lambda polygon: polygon.area)
    holes = [ring for ring in largest.interiors if shapely.Polygon(ring).area > 60.0]
    return shapely.Polygon(largest.exterior, holes).simplify(0.03)


def ground_plan(lanes: Sequence[Lane]) -> GroundPlan:
    """The areas around the lanes of a map."""
    driving = shapely.union_all([lane.strip(-lane.width / 2, lane.width / 2) for lane in lanes])
    bays = [lane.strip(0.0, lane.width / 2 + lane.parking, 0.0) for lane in lanes if float(lane.parking.max()) > 0.0]
    joined = shapely.union_all([driving, *bays]).buffer(0.1).buffer(-0.1)
    rounded = joined.buffer(1.2).buffer(-1.2, join_style="round")
    road = max(polygons(rounded), key=lambda polygon: polygon.area)
    road = shapely.Polygon(road.exterior, [r for r in road.interiors if shapely.Polygon(r).area > 60.0])
    road = road.simplify(0.02).segmentize(6.0)
    paved = _paved(lanes, road).segmentize(6.0)
    x0, y0, x1, y1 = paved.bounds
    horizon = shapely.box(x0 - LAND_MARGIN_M, y0 - LAND_MARGIN_M, x1 + LAND_MARGIN_M, y1 + LAND_MARGIN_M)
    # orient(): exterior anticlockwise, holes clockwise; the land lies on the left of the reversed rings.
    oriented = orient(paved)
    rings = tuple(shapely.LinearRing(ring.coords[::-1]) for ring in (oriented.exterior, *oriented.interiors))
    covered = paved.buffer(_BEHIND_FRONTAGE_M)
    return GroundPlan(driving, road, covered.difference(road), horizon.difference(covered), rings)
