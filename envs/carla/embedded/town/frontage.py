"""Walks round every block and closes its street front: corner houses, rows of lots, barriers in between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely

from sim2real_bench.envs.carla.embedded.town.barriers import add_barrier
from sim2real_bench.envs.carla.embedded.town.buildings import add_corner_house, draw_design
from sim2real_bench.envs.carla.embedded.town.lots import LOT_KINDS, Lot, Plot, add_lot
from sim2real_bench.envs.carla.embedded.town.polyline import Polyline
from sim2real_bench.envs.carla.embedded.town.scene import Scene, weighted

Point = tuple[float, float]
Float = npt.NDArray[np.float64]

_INSET_M = 0.12
_CORNER_WINDOW_M = 14.0
_CORNER_TURN = math.radians(50.0)
_CORNER_HALF_M = 11.0
_MIN_LOT_M = 5.0
_CORNER_SHARE = 0.75


class Front:
    """A ring with the land on its left, addressed by arc length (which wraps around)."""

    def __init__(self, ring: shapely.LinearRing) -> None:
        self._points = np.asarray(ring.coords, np.float64)
        self._arc = np.r_[0.0, np.cumsum(np.hypot(*np.diff(self._points, axis=0).T))]
        self.length = float(self._arc[-1])
        self._line = Polyline(self._arc, self._points)

    def at(self, arc: float, inward: float = 0.0) -> Point:
        """A point, moved ``inward`` metres onto the land."""
        x, y = self._line.at(arc % self.length)
        heading = self.heading(arc)
        return x - math.sin(heading) * inward, y + math.cos(heading) * inward

    def heading(self, arc: float, span: float = 0.6) -> float:
        """Direction along the ring."""
        ends = [self._line.at(s % self.length) for s in (arc - span, arc + span)]
        return math.atan2(ends[1][1] - ends[0][1], ends[1][0] - ends[0][0])

    def corners(self) -> list[float]:
        """Arc lengths of the middles of the convex corners of the land."""
        arcs = np.arange(0.0, self.length, 1.0)
        half = _CORNER_WINDOW_M / 2
        turns = np.array([math.remainder(self.heading(s + half) - self.heading(s - half), math.tau) for s in arcs])
        found: list[float] = []
        for index in np.argsort(-turns, kind="stable"):
            if turns[index] < _CORNER_TURN:
                break
            apart = [abs(math.remainder(arcs[index] - other, self.length)) for other in found]
            if all(distance > 2 * _CORNER_HALF_M for distance in apart):
                found.append(float(arcs[index]))
        return sorted(found)


@dataclass(frozen=True)
class _Span:
    """A stretch of a front between two arc lengths (the end may lie beyond the length of the ring)."""

    start: float
    end: float


def close_frontage(scene: Scene, ring: shapely.LinearRing, land: shapely.Geometry) -> None:
    """Line one ring with houses and barriers."""
    front, plot = Front(ring), Plot(scene, land)
    closed: list[_Span] = []
    runs = _corner_houses(scene, front, plot, closed)
    for run in runs:
        _fill_run(scene, front, plot, run, closed)
    for gap in _gaps(front, closed):
        _close_gap(scene, front, gap)


def _corner_houses(scene: Scene, front: Front, plot: Plot, closed: list[_Span]) -> list[_Span]:
    """Put houses on the corners; the stretches between the corners are left to the lots."""
    corners = front.corners()
    if not corners:
        return [_Span(0.0, front.length - 0.5)]
    edges: list[_Span] = []
    for corner in corners:
        span = _Span(
            corner - _CORNER_HALF_M - scene.random.uniform(0, 3), corner + _CORNER_HALF_M + scene.random.uniform(0, 3)
        )
        if scene.random.random() < _CORNER_SHARE and _corner_house(scene, front, plot, span):
            closed.append(span)
            edges.append(span)
        else:
            edges.append(_Span(corner - 4.0, corner + 4.0))
    following = [*edges[1:], _Span(edges[0].start + front.length, 0.0)]
    return [_Span(edge.end, after.start) for edge, after in zip(edges, following, strict=True)]


def _corner_house(scene: Scene, front: Front, plot: Plot, span: _Span) -> bool:
    depth = scene.random.uniform(9.0, 12.0)
    arcs = np.linspace(span.start, span.end, 16)
    line = shapely.LineString([front.at(s, _INSET_M) for s in arcs]).simplify(0.08)
    chain = [(float(x), float(y)) for x, y in line.coords]
    headings = front.heading(span.start), front.heading(span.end)
    ends = [
        (chain[k][0] - math.sin(h) * depth, chain[k][1] + math.cos(h) * depth)
        for k, h in zip((0, -1), headings, strict=True)
    ]
    inner = _meeting(ends[0], headings[0], ends[1], headings[1])
    back = [ends[1], ends[0]] if inner is None else [ends[1], inner, ends[0]]
    outline = shapely.Polygon([*chain, *back])
    if not outline.is_valid or not plot.take(outline):
        return False
    design = draw_design(scene, weighted(scene.random, {"shops": 1.0, "flats": 0.8, "terrace": 0.4}))
    add_corner_house(scene, chain, back, design)
    return True


def _meeting(p: Point, p_heading: float, q: Point, q_heading: float) -> Point | None:
    """Where two lines cross, if that is ahead of p and behind q."""
    d, e = (math.cos(p_heading), math.sin(p_heading)), (math.cos(q_heading), math.sin(q_heading))
    cross = d[0] * e[1] - d[1] * e[0]
    if abs(cross) < 0.1:
        return None
    gap = (q[0] - p[0], q[1] - p[1])
    along_p = (gap[0] * e[1] - gap[1] * e[0]) / cross
    along_q = (gap[0] * d[1] - gap[1] * d[0]) / cross
    if along_p < 0.5 or along_q > -0.5:
        return None
    return p[0] + d[0] * along_p, p[1] + d[1] * along_p


def _fill_run(scene: Scene, front: Front, plot: Plot, run: _Span, closed: list[_Span]) -> None:
    arc, random = run.start, scene.random
    while run.end - arc > _MIN_LOT_M:
        kind = LOT_KINDS[weighted(random, scene.style.lots)]
        width = random.uniform(*kind.width_m)
        rest = run.end - arc
        if rest - width < _MIN_LOT_M:
            width = min(rest, kind.width_m[1] + 2.0)
        lot = Lot(
            kind, front.at(arc), front.at(arc + width), random.uniform(*kind.setback_m), random.uniform(*kind.depth_m)
        )
        built = add_lot(scene, plot, lot)
        if built is None:
            arc += 1.5
            continue
        if built:
            closed.append(_Span(arc, arc + width))
        arc += width + kind.gap_m


def _gaps(front: Front, closed: list[_Span]) -> list[_Span]:
    """The stretches of the ring that no building closes."""
    if not closed:
        return [_Span(0.0, front.length)]
    spans = sorted(closed, key=lambda span: span.start)
    first = spans[0].start
    gaps, reached = [], spans[0].end
    for span in [*spans[1:], _Span(first + front.length, first + front.length)]:
        if span.start - reached > 0.15:
            gaps.append(_Span(reached, span.start))
        reached = max(reached, span.end)
    return gaps


def _close_gap(scene: Scene, front: Front, gap: _Span) -> None:
    """A barrier along a gap, in pieces of up to 14 m of one kind, with narrow gates."""
    random, arc = scene.random, gap.start
    while gap.end - arc > 0.15:
        end = min(gap.end, arc + random.uniform(7.0, 14.0))
        if gap.end - end < 2.0:
            end = gap.end
        kind = weighted(random, scene.style.barriers)
        tall = kind in ("brick_wall", "plaster_wall", "planks")
        height = random.uniform(1.5, 2.1) if tall else random.uniform(0.95, 1.5)
        inset = 0.5 if kind == "hedge" else 0.25
        steps = max(1, math.ceil((end - arc) / 3.0))
        points = [front.at(s, inset) for s in np.linspace(arc, end, steps + 1)]
        pieces = shapely.LineString(points).simplify(0.06).coords
        for a, b in pairwise(pieces):
            add_barrier(scene, (a[0], a[1]), (b[0], b[1]), kind, height)
        arc = end
        if gap.end - arc > 6.0 and random.random() < 0.4:
            arc += 0.9  # a garden gate, narrower than a car
