"""What stands beside roads without pavements: guard rails, noise walls, gantries, a footbridge, trees."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from sim2real_bench.envs.carla.embedded.town.backdrop import add_hills
from sim2real_bench.envs.carla.embedded.town.lanes import Lane
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.plants import add_bush, add_tree
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene, box_polygon, scaled
from sim2real_bench.envs.carla.embedded.town.signs import STEEL, add_board, add_signals
from sim2real_bench.envs.classes import CarlaClass

Point = tuple[float, float]
Colour = tuple[float, float, float]

_RAIL_STEP_M = 10.0
_RAIL_SETBACK_M = 0.75
_WALL_SETBACK_M = 6.0
_WALL_HEIGHT_M = 3.6
_WALL_PERIOD_M, _WALL_STRETCH_M = 260.0, 130.0
_CLEARANCE_M = 5.6  # under gantries and bridges
_STAIRS_RUN = 1.9  # of a bridge's stairs, against their height
_ZINC: Colour = (0.58, 0.60, 0.61)
_GREEN: Colour = (0.36, 0.44, 0.36)


def build_roadside(scene: Scene, lanes: Sequence[Lane]) -> None:
    """Furnish the roads of a map that has no streets."""
    add_signals(scene, scene.signals)
    roads = [lane for lane in lanes if not lane.in_junction]
    for lane in lanes:
        if lane.outermost:
            _guard_rail(scene, lane, left=False)
        if lane.innermost and not lane.oncoming:
            _guard_rail(scene, lane, left=True)
    for lane in roads:
        if lane.outermost:
            _delineators(scene, lane)
            _noise_walls(scene, lane)
            _greenery(scene, lane)
    add_hills(scene)
    if "gantries" in scene.style.features:
        _overhead(scene, [lane for lane in roads if lane.outermost and float(lane.arc[-1]) > 120.0])


def _edge(lane: Lane, arc: float, setback: float, left: bool) -> Point:
    centre, _, right = lane.at(arc)
    half = float(np.interp(arc, lane.arc, lane.widths)) / 2
    spot = centre - right * (half + setback) if left else centre + right * (lane.kerb_at(arc) + setback)
    return float(spot[0]), float(spot[1])


def _pieces(lane: Lane, step: float, setback: float, left: bool) -> Iterator[tuple[Point, Point]]:
    """The side of a lane in straight pieces, in the direction of the traffic."""
    length = float(lane.arc[-1])
    arcs = np.linspace(0.0, length, max(2, math.ceil(length / step) + 1)).tolist()
    points = [_edge(lane, arc, setback, left) for arc in arcs]
    yield from pairwise(points)


def _guard_rail(scene: Scene, lane: Lane, left: bool) -> None:
    setback = _RAIL_SETBACK_M if not left else 0.65
    for a, b in _pieces(lane, _RAIL_STEP_M, setback, left):
        length = math.dist(a, b)
        if length < 0.8:
            continue
        x, y, yaw = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2, math.atan2(b[1] - a[1], b[0] - a[0])
        if not scene.free(box_polygon(x, y, yaw, length / 2 - 0.2, 0.05)):
            continue
        mesh, layer, tag = scene.solid, LAYER["plain"], CarlaClass.GUARD_RAIL
        mesh.box((x, y, KERB_M + 0.46), (length / 2 + 0.02, 0.04, 0.16), yaw, layer, tag, _ZINC)
        mesh.box((*a, KERB_M), (0.06, 0.035, 0.36), yaw, layer, tag, scaled(_ZINC, 0.7))
        scene.obstacle(x, y, yaw, length / 2, 0.06, 0.8, tag)


def _delineators(scene: Scene, lane: Lane) -> None:
    """White posts with a reflector every 50 m."""
    mesh, layer = scene.solid, LAYER["plain"]
    for arc in np.arange(25.0, float(lane.arc[-1]), 50.0).tolist():
        at = _edge(lane, arc, 0.42, False)
        if not scene.free(box_polygon(*at, 0.0, 0.06, 0.06)):
            continue
        _, forward, _ = lane.at(arc)
        yaw = math.atan2(forward[1], forward[0])
        mesh.box((*at, KERB_M), (0.03, 0.06, 0.5), yaw, layer, CarlaClass.POLES, (0.85, 0.85, 0.84))
        mesh.box((*at, KERB_M + 0.72), (0.035, 0.065, 0.08), yaw, layer, CarlaClass.POLES, (0.12, 0.10, 0.08))
        scene.obstacle(*at, yaw, 0.06, 0.06, 1.0, CarlaClass.POLES)


def _noise_walls(scene: Scene, lane: Lane) -> None:
    """Stretches of panels between steel posts, behind the guard rail."""
    travelled, phase = 0.0, scene.random.uniform(0.0, _WALL_PERIOD_M)
    texture, tint = scene.random.choice(
        (("wall_plaster", _GREEN), ("planks", (0.9, 0.82, 0.72)), ("wall_brick", (1, 1, 1)))
    )
    mesh, tag = scene.solid, CarlaClass.WALLS
    for a, b in _pieces(lane, 10.0, _WALL_SETBACK_M, False):
        length = math.dist(a, b)
        travelled += length
        if (travelled + phase) % _WALL_PERIOD_M > _WALL_STRETCH_M or length < 2.0:
            continue
        x, y, yaw = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2, math.atan2(b[1] - a[1], b[0] - a[0])
        if not scene.free(box_polygon(x, y, yaw, length / 2 - 0.3, 0.1)):
            continue
        half = (length / 2 + 0.02, 0.08, _WALL_HEIGHT_M / 2)
        layer = LAYER["wall_plaster"] if texture == "planks" else LAYER[texture]
        mesh.box((x, y, KERB_M - 0.3), (half[0], half[1], half[2] + 0.15), yaw, layer, tag, tint, 6.0)
        mesh.box((*a, KERB_M - 0.3), (0.09, 0.12, half[2] + 0.2), yaw, LAYER["plain"], CarlaClass.POLES, STEEL)
        scene.obstacle(x, y, yaw, length / 2, 0.12, _WALL_HEIGHT_M, tag)


def _greenery(scene: Scene, lane: Lane) -> None:
    """Trees and bushes behind the rails, denser further away."""
    random = scene.random
    for arc in np.arange(6.0, float(lane.arc[-1]), 8.0).tolist():
        away = random.uniform(8.0, 26.0) if random.random() < 0.5 else random.uniform(20.0, 70.0)
        at = _edge(lane, arc + random.uniform(-4.0, 4.0), away, False)
        if random.random() < 0.65:
            add_tree(scene, *at, random.uniform(1.0, 1.9))
        elif away > 4.0:
            add_bush(scene, *_edge(lane, arc, random.uniform(2.4, 4.8), False), random.uniform(0.7, 1.2))


def _overhead(scene: Scene, lanes: Sequence[Lane]) -> None:
    """Sign gantries, and one footbridge, across the carriageways."""
    for number, lane in enumerate(sorted(lanes, key=lambda lane: -float(lane.arc[-1]))[:4]):
        length = float(lane.arc[-1])
        for share in (0.3, 0.8) if length > 400.0 else (0.45,):
            _gantry(scene, lane, length * share, ("board_blue", "board_green")[number % 2])
    if lanes and "footbridge" in scene.style.features:
        lane = max(lanes, key=lambda lane: float(lane.arc[-1]))
        _footbridge(scene, lane, float(lane.arc[-1]) * 0.5)


def _across(scene: Scene, lane: Lane, arc: float, beyond_m: float = 0.0) -> tuple[Point, Point, float] | None:
    """Feet on the right of a lane and across the lanes to its left, and the heading of the traffic.

    ``beyond_m`` metres behind either foot are clear of lanes, too.
    """
    centre, forward, right = lane.at(arc)
    first, heading = lane.kerb_at(arc) + 1.6, math.atan2(forward[1], forward[0])
    for reach in np.arange(4.0, 80.0, 0.5).tolist():
        feet = [(float(p[0]), float(p[1])) for p in (centre + right * first, centre - right * reach)]
        behind = [centre + right * (first + beyond_m / 2), centre - right * (reach + beyond_m / 2)]
        bases = [box_polygon(*foot, 0.0, 0.5, 0.5) for foot in feet]
        if any(scene.plan.road.intersects(base) or not scene.free(base) for base in bases):
            continue
        if all(
            scene.clear_of_lanes(box_polygon(float(p[0]), float(p[1]), heading, 2.0, beyond_m / 2 + 0.5))
            for p in behind
        ):
            return feet[0], feet[1], heading
    return None


def _gantry(scene: Scene, lane: Lane, arc: float, face: str) -> None:
    found = _across(scene, lane, arc)
    if found is None:
        return
    right, left, heading = found
    mesh, layer, tag = scene.solid, LAYER["plain"], CarlaClass.POLES
    top = KERB_M + _CLEARANCE_M + 1.4
    for foot in (right, left):
        mesh.box((*foot, KERB_M - 0.2), (0.16, 0.16, top / 2 + 0.1), heading, layer, tag, STEEL)
        scene.obstacle(*foot, heading, 0.18, 0.18, top, tag)
    middle, span = ((right[0] + left[0]) / 2, (right[1] + left[1]) / 2), math.dist(right, left)
    yaw = math.atan2(left[1] - right[1], left[0] - right[0])
    for z in (top - 0.25, top - 1.1):
        mesh.box((*middle, z), (span / 2, 0.1, 0.1), yaw, layer, tag, STEEL)
    facing = (-math.cos(heading), -math.sin(heading))
    count = max(1, int(span // 7.0))
    for k in range(count):
        share = (k + 0.5) / count
        at = right[0] + (left[0] - right[0]) * share, right[1] + (left[1] - right[1]) * share
        half, along = 2.6, ((left[0] - right[0]) / span, (left[1] - right[1]) / span)
        ends = [
            (at[0] + along[0] * s + facing[0] * 0.14, at[1] + along[1] * s + facing[1] * 0.14) for s in (half, -half)
        ]
        add_board(scene, ends[0], ends[1], top - 1.75, top + 0.35, face, CarlaClass.TRAFFIC_SIGNS)
        mesh.wall(ends[1], ends[0], top - 1.75, top + 0.35, layer, CarlaClass.TRAFFIC_SIGNS, (0.42, 0.43, 0.44))


def _footbridge(scene: Scene, lane: Lane, arc: float) -> None:
    found = _across(scene, lane, arc, 6.0 + _STAIRS_RUN * (KERB_M + _CLEARANCE_M) + 1.0)
    if found is None:
        return
    right, left, heading = found
    mesh, tag = scene.solid, CarlaClass.BRIDGE
    span, yaw = math.dist(right, left), math.atan2(left[1] - right[1], left[0] - right[0])
    middle = (right[0] + left[0]) / 2, (right[1] + left[1]) / 2
    deck = KERB_M + _CLEARANCE_M
    half = (span / 2 + 6.0, 1.6, 0.3)
    mesh.box((*middle, deck), half, yaw, LAYER["wall_plaster"], tag, (0.80, 0.80, 0.78), 6.0)
    under = [(x, y, deck) for x, y in box_polygon(*middle, yaw, half[0], half[1]).exterior.coords[:4]]
    mesh.polygon(under[::-1], [(0.5, 0.5)], LAYER["plain"], tag, (0.40, 0.40, 0.39), normal=(0.0, 0.0, -1.0))
    for side in (-1.5, 1.5):
        rail = (middle[0] - math.sin(yaw) * side, middle[1] + math.cos(yaw) * side, deck + 0.6)
        mesh.box(rail, (half[0], 0.05, 0.5), yaw, LAYER["plain"], tag, (0.30, 0.36, 0.42))
    for foot in (right, left):
        mesh.box(
            (*foot, KERB_M - 0.3), (0.4, 0.4, deck / 2 + 0.1), heading, LAYER["wall_plaster"], tag, (0.8, 0.8, 0.78)
        )
        scene.obstacle(*foot, heading, 0.42, 0.42, deck, tag)
    for sign, foot in ((1.0, left), (-1.0, right)):
        _stairs(scene, foot, (math.cos(yaw) * sign, math.sin(yaw) * sign), deck)


def _stairs(scene: Scene, foot: Point, away: Point, height: float) -> None:
    """A ramp from the end of the deck down to the ground."""
    mesh, tag = scene.solid, CarlaClass.BRIDGE
    start, run = 6.0, height * _STAIRS_RUN
    across = (-away[1] * 1.5, away[0] * 1.5)
    near = foot[0] + away[0] * start, foot[1] + away[1] * start
    far = near[0] + away[0] * run, near[1] + away[1] * run
    top = height + 0.6
    corners = [
        (end[0] + across[0] * side, end[1] + across[1] * side, z)
        for end, side, z in ((near, -1.0, top), (far, -1.0, KERB_M), (far, 1.0, KERB_M), (near, 1.0, top))
    ]
    mesh.polygon(corners, [(0, 0), (3, 0), (3, 1), (0, 1)], LAYER["slabs"], tag)
    for sign in (1.0, -1.0):
        side = (across[0] * sign, across[1] * sign)
        a, b = (near[0] + side[0], near[1] + side[1]), (far[0] + side[0], far[1] + side[1])
        points = [(*a, KERB_M), (*b, KERB_M), (*a, top)]
        order = points if sign < 0 else points[::-1]
        mesh.polygon(order, [(0.5, 0.5)], LAYER["plain"], tag, (0.66, 0.66, 0.64))
    middle = (near[0] + far[0]) / 2, (near[1] + far[1]) / 2
    yaw = math.atan2(away[1], away[0])
    scene.obstacle(*middle, yaw, run / 2, 1.5, height / 2, tag)
