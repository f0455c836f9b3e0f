"""The ground plan of a map: carriageway, islands, pavement and land (right-handed frame, metres)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.polygon import orient

from sim2real_bench.envs.carla.embedded.town.lanes import Lane

PAVEMENT_M = 2.6
_FRONTAGE_EXTENSION_M = 4.0
_CORNER_RADIUS_M = 3.0
BEHIND_FRONTAGE_M = 0.3  # pavement reaches under the fronts of the houses
LAND_MARGIN_M = 330.0
_SMALLEST_HOLE_M2 = 60.0
_SMALLEST_BLOCK_M2 = 2000.0  # no houses on less land between roads
_SIDEWALK_REACH_M = 25.0


@dataclass(frozen=True)
class GroundPlan:
    """The areas of a map.

    Attributes:
        driving: all driving lanes.
        road: carriageway with parking lanes, shoulders and rounded corners.
        islands: small areas within the carriageway: medians, the middle of a roundabout.
        pavement: from the kerb to the frontage; empty along roads without sidewalks.
        land: everything else, out to the horizon.
        frontages: rings between pavement and land, with the land on the left.
        urban: there are sidewalks: streets have kerbs and houses.
    """

    driving: shapely.Geometry
    road: shapely.Geometry
    islands: tuple[shapely.Polygon, ...]
    pavement: shapely.Geometry
    land: shapely.Geometry
    frontages: tuple[shapely.LinearRing, ...]
    urban: bool


def polygons(shape: shapely.Geometry) -> list[shapely.Polygon]:
    """The polygons a shape consists of."""
    return [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 1e-4]


def _without_holes(polygon: shapely.Polygon, smallest_m2: float) -> shapely.Polygon:
    return shapely.Polygon(polygon.exterior, [r for r in polygon.interiors if shapely.Polygon(r).area > smallest_m2])


def _paved(lanes: Sequence[Lane], blocks: shapely.Geometry) -> shapely.Geometry:
    """Road and pavement, with straight frontages although parking bays indent the kerb."""
    walked = [lane for lane in lanes if lane.sidewalk and not lane.in_junction]
    strips = [
        lane.strip(
            0.0, lane.width / 2 + float((lane.parking + lane.shoulder).max()) + PAVEMENT_M, _FRONTAGE_EXTENSION_M
        )
        for lane in walked
    ]
    around = blocks.buffer(PAVEMENT_M)
    zone = shapely.union_all(strips).buffer(_SIDEWALK_REACH_M)
    if not zone.contains(around):
        around = blocks.union(around.intersection(zone))
    paved = shapely.union_all([around, *strips]).buffer(_CORNER_RADIUS_M).buffer(-_CORNER_RADIUS_M)
    parts = [_without_holes(polygon, _SMALLEST_HOLE_M2) for polygon in polygons(paved)]
    return shapely.MultiPolygon(parts).simplify(0.03)


def _carriageway(lanes: Sequence[Lane], driving: shapely.Geometry) -> shapely.Geometry:
    beside = [lane.strip(0.0, lane.kerb, 0.0) for lane in lanes if float((lane.kerb - lane.widths / 2).max()) > 0.0]
    joined = shapely.union_all([driving, *beside]).buffer(0.1).buffer(-0.1)
    rounded = joined.buffer(1.2).buffer(-1.2, join_style="round")
    parts = [_without_holes(polygon, _SMALLEST_HOLE_M2) for polygon in polygons(rounded)]
    return shapely.MultiPolygon(parts).simplify(0.02).segmentize(6.0)


def _islands(road: shapely.Geometry) -> list[shapely.Polygon]:
    holes = [shapely.Polygon(ring) for polygon in polygons(road) for ring in polygon.interiors]
    small = [hole for hole in holes if hole.area < _SMALLEST_BLOCK_M2]
    return [hole for hole in small if hole.intersection(road).area < 1.0]  # no other carriageway lies within


def ground_plan(lanes: Sequence[Lane], crossings: shapely.Geometry | None = None) -> GroundPlan:
    """The areas around the lanes of a map.

    Args:
        lanes: all driving lanes.
        crossings: where pedestrians cross; medians leave room for them.
    """
    driving = shapely.union_all([lane.strip(-lane.widths / 2, lane.widths / 2) for lane in lanes])
    road = _carriageway(lanes, driving)
    islands = _islands(road)
    if crossings is not None and any(island.intersects(crossings) for island in islands):
        road = _carriageway(lanes, shapely.union_all([driving, crossings]))
        islands = _islands(road)
    blocks = shapely.union_all([road, *islands])
    urban = any(lane.sidewalk for lane in lanes)
    paved = _paved(lanes, blocks).segmentize(6.0) if urban else blocks
    x0, y0, x1, y1 = paved.bounds
    horizon = shapely.box(x0 - LAND_MARGIN_M, y0 - LAND_MARGIN_M, x1 + LAND_MARGIN_M, y1 + LAND_MARGIN_M)
    covered = paved.buffer(BEHIND_FRONTAGE_M) if urban else paved
    frontages = tuple(_rings(paved)) if urban else ()
    land = horizon.difference(covered)
    return GroundPlan(driving, road, tuple(islands), covered.difference(blocks), land, frontages, urban)


def _rings(paved: shapely.Geometry) -> list[shapely.LinearRing]:
    """The outlines of the building land, with the land on their left."""
    rings = []
    for polygon in polygons(paved):
        # orient(): exterior anticlockwise, holes clockwise; the land lies on the left of the reversed rings.
        oriented = orient(polygon)
        blocks = [ring for ring in oriented.interiors if shapely.Polygon(ring).area > _SMALLEST_HOLE_M2]
        rings += [shapely.LinearRing(np.asarray(ring.coords)[::-1]) for ring in (oriented.exterior, *blocks)]
    return rings
