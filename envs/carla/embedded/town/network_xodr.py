"""Writes a ``Network`` as OpenDRIVE (offline; needs scenariogeneration, a development dependency)."""

from __future__ import annotations

import math
from typing import Any

from sim2real_bench.envs.carla.embedded.town.alignment import Piece
from sim2real_bench.envs.carla.embedded.town.network import LanePlan, Mouth, Network, Pose, RoadPlan, SignalPlan
from sim2real_bench.envs.carla.embedded.town.signals import SPEED_LIMIT, TRAFFIC_LIGHT

CROSSWALK_SETBACK_M = 2.4
CROSSWALK_DEPTH_M = 3.0
KERB_SETBACK_M = 0.7
TAPER_M = 1.5
_FLAT_CURVATURE = 1e-4


def turn_pieces(start: Pose, end: Pose, curvatures: tuple[float, float] = (0.0, 0.0)) -> tuple[Piece, ...]:
    """Clothoids from one pose to another, with the curvatures of what they join."""
    from pyclothoids import SolveG2

    ahead = end.moved(0.0)
    along = (ahead.x - start.x) * math.cos(start.heading) + (ahead.y - start.y) * math.sin(start.heading)
    across = (ahead.y - start.y) * math.cos(start.heading) - (ahead.x - start.x) * math.sin(start.heading)
    turn = math.remainder(end.heading - start.heading, math.tau)
    if abs(across) < 1e-6 and abs(turn) < 1e-6 and not any(curvatures):
        return (Piece(along, 0.0),)
    parts = SolveG2(start.x, start.y, start.heading, curvatures[0], end.x, end.y, end.heading, curvatures[1])
    return tuple(Piece(part.length, part.KappaStart, part.KappaEnd - part.KappaStart) for part in parts)


def add_roads(xodr: Any, drive: Any, network: Network) -> None:
    """Add all roads and junctions of a network to an OpenDRIVE document."""
    numbers = {"object": 0, "signal": 100_000}
    junctions = {number: xodr.Junction(name, number) for number, name in network.junctions.items()}
    for plan in network.roads:
        road = _road(xodr, plan, network.centre_colour)
        for at_end in plan.crossings:
            numbers["object"] += 1
            _add_crossing(xodr, road, plan, at_end, numbers["object"])
        for signal in plan.signals:
            numbers["signal"] += 1
            _add_signal(xodr, road, plan, signal, numbers["signal"])
        drive.add_road(road)
        if plan.junction >= 0:
            junctions[plan.junction].add_connection(_connection(xodr, plan))
    for junction in junctions.values():
        drive.add_junction(junction)


def _connection(xodr: Any, plan: RoadPlan) -> Any:
    before = plan.links["predecessor"]
    assert isinstance(before, tuple)
    connection = xodr.Connection(before[0], plan.number, xodr.ContactPoint.start)
    for index, (lane_in, _) in enumerate(plan.lane_links, start=1):
        connection.add_lanelink(lane_in, -index)
    return connection


def _road(xodr: Any, plan: RoadPlan, centre_colour: str) -> Any:
    view = xodr.PlanView(plan.start.x, plan.start.y, plan.start.heading)
    for piece in plan.pieces:
        view.add_geometry(_geometry(xodr, piece))
    view.adjust_geometries()
    lanes = xodr.Lanes()
    before, after = plan.lane_offset
    if before or after:
        lanes.add_laneoffset(xodr.LaneOffset(0, *_smooth(before, after, plan.length_m)))
    centre = xodr.Lane()
    if plan.centre or plan.junction >= 0:
        centre.add_roadmark(_mark(xodr, plan.centre, centre_colour, change=False))
    section = xodr.LaneSection(0, centre)
    for side, add in ((plan.left, section.add_left_lane), (plan.right, section.add_right_lane)):
        for lane in side:
            add(_lane(xodr, lane, plan.length_m))
    for index, (lane_in, lane_out) in enumerate(plan.lane_links):
        section.rightlanes[index].add_link("predecessor", lane_in)
        section.rightlanes[index].add_link("successor", lane_out)
    lanes.add_lanesection(section)
    road = xodr.Road(plan.number, view, lanes, road_type=plan.junction, name=plan.name)
    road.add_type(xodr.RoadType.motorway if plan.speed_kmh > 60 else xodr.RoadType.town, 0, speed=plan.speed_kmh / 3.6)
    if any(plan.heights):
        road.add_elevation(0, *_smooth(*plan.heights, plan.length_m))
    for end, add_link in (("predecessor", road.add_predecessor), ("successor", road.add_successor)):
        link = plan.links[end]
        if isinstance(link, tuple):
            add_link(xodr.ElementType.road, link[0], getattr(xodr.ContactPoint, link[1]))
        else:
            add_link(xodr.ElementType.junction, link)
    return road


def _smooth(before: float, after: float, length: float) -> tuple[float, float, float, float]:
    """Coefficients of the cubic that is level at both ends."""
    rise = after - before
    return before, 0.0, 3.0 * rise / length**2, -2.0 * rise / length**3


def _geometry(xodr: Any, piece: Piece) -> Any:
    # LibCarla divides by a spiral's change of curvature: what hardly changes is written as an arc.
    if abs(piece.change) > _FLAT_CURVATURE:
        return xodr.Spiral(piece.curvature, piece.curvature + piece.change, length=piece.length_m)
    mean = piece.curvature + piece.change / 2
    return xodr.Arc(mean, length=piece.length_m) if abs(mean) > 1e-7 else xodr.Line(piece.length_m)


def _mark(xodr: Any, kind: str, colour: str, change: bool = True) -> Any:
    """A line; lanes may be changed across a broken one, except into the oncoming traffic."""
    dashes = (3.0, 6.0) if kind == "broken" else ()
    kinds = {"solid": "solid", "broken": "broken", "solid solid": "solid_solid", "": "none"}
    return xodr.RoadMark(
        getattr(xodr.RoadMarkType, kinds[kind]), 0.12, *dashes, color=getattr(xodr.RoadMarkColor, colour),
        laneChange=xodr.LaneChange.both if change and kind == "broken" else xodr.LaneChange.none,
    )  # fmt: skip


def _lane(xodr: Any, plan: LanePlan, length_m: float) -> Any:
    kind = getattr(xodr.LaneType, plan.kind)
    if plan.setback_m:
        lane = xodr.Lane(lane_type=kind, a=0.0)
        slope, far = plan.width_m / TAPER_M, length_m - plan.setback_m
        lane.add_lane_width(0.0, slope, soffset=plan.setback_m)
        lane.add_lane_width(plan.width_m, soffset=plan.setback_m + TAPER_M)
        lane.add_lane_width(plan.width_m, -slope, soffset=far - TAPER_M)
        lane.add_lane_width(0.0, soffset=far)
    else:
        lane = xodr.Lane(lane_type=kind, a=plan.width_m)
    if plan.mark or (plan.kind == "driving"):
        lane.add_roadmark(_mark(xodr, plan.mark, "white"))
    return lane


def _reach(lanes: tuple[LanePlan, ...]) -> float:
    """From the reference line to the outer border of the outermost driving lane."""
    total = reach = 0.0
    for lane in lanes:
        total += 0.0 if lane.setback_m else lane.width_m
        if lane.kind == "driving":
            reach = total
    return reach


def _add_crossing(xodr: Any, road: Any, plan: RoadPlan, at_end: bool, number: int) -> None:
    left, right = _reach(plan.left), _reach(plan.right)
    s = plan.length_m - CROSSWALK_SETBACK_M if at_end else CROSSWALK_SETBACK_M
    crossing = xodr.Object(
        s, (left - right) / 2, xodr.ObjectType.crosswalk, id=str(number), name=f"crosswalk{number}",
        orientation=xodr.Orientation.none, width=CROSSWALK_DEPTH_M, length=left + right, hdg=0,
    )  # fmt: skip
    outline = xodr.Outline()
    u, v = CROSSWALK_DEPTH_M / 2, (left + right) / 2
    for corner in ((-u, -v), (u, -v), (u, v), (-u, v), (-u, -v)):
        outline.add_corner(xodr.CornerLocal(*corner, 0, 0.01))
    crossing.add_outline(outline)
    road.add_object(crossing)


def _add_signal(xodr: Any, road: Any, plan: RoadPlan, signal: SignalPlan, number: int) -> None:
    lanes = [lane.lane_id for lane in Mouth(plan, signal.at_end).incoming()]
    outer = plan.right if signal.at_end else plan.left
    lateral = _reach(outer) + KERB_SETBACK_M
    speed = {"value": signal.value, "unit": "km/h"} if signal.type_code == SPEED_LIMIT else {}
    item = xodr.Signal(
        plan.length_m - signal.from_mouth_m if signal.at_end else signal.from_mouth_m,
        -lateral if signal.at_end else lateral, "OPENDRIVE", signal.type_code,
        id=str(number), name=f"signal{number}",
        dynamic=xodr.Dynamic.yes if signal.type_code == TRAFFIC_LIGHT else xodr.Dynamic.no,
        orientation=xodr.Orientation.positive if signal.at_end else xodr.Orientation.negative,
        zOffset=3.0, height=1.0, width=0.4, **speed,
    )  # fmt: skip
    item.add_validity(min(lanes), max(lanes))
    road.add_signal(item)
