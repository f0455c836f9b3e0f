"""``MiniHighway01``: a motorway oval of three lanes each way, with a rest area and its ramps beside each carriageway.

Either carriageway is a ring of its own; as on a motorway, there is no way to turn round.
"""

from __future__ import annotations

import math
from itertools import pairwise

from sim2real_bench.envs.carla.embedded.town.alignment import Piece
from sim2real_bench.envs.carla.embedded.town.network import LanePlan, Mouth, Network, Pose, RoadPlan, SignalPlan
from sim2real_bench.envs.carla.embedded.town.signals import SPEED_LIMIT

RADIUS_M, STRAIGHT_M = 200.0, 440.0
LANE_M, MEDIAN_M, SHOULDER_M = 3.6, 2.0, 2.5
LANES = 3
BRIDGE_M = 30.0
"""Length of the junctions in which lanes are gained, lost or branch off."""
_EXTRA_LANE_M = 150.0  # of the lanes for slowing down and speeding up
_REST_STRETCH_M = STRAIGHT_M - 100.0
_RAMP_RADIUS_M, _RAMP_ASIDE_M = 120.0, 26.0
_SPEED_KMH, _RAMP_KMH = 90.0, 50.0


def _carriageway(lanes: int) -> tuple[LanePlan, ...]:
    driving = [LanePlan("driving", LANE_M, "broken")] * (lanes - 1) + [LanePlan("driving", LANE_M, "solid")]
    return (LanePlan("median", MEDIAN_M, "solid"), *driving, LanePlan("shoulder", SHOULDER_M))


def _bridge_lanes() -> tuple[LanePlan, ...]:
    """The lanes that go straight through; another lane runs beside them."""
    return (*[LanePlan("driving", LANE_M, "broken")] * LANES, LanePlan("shoulder", SHOULDER_M))


def _main_road(number: int, name: str, start: Pose, pieces: tuple[Piece, ...], lanes: int) -> RoadPlan:
    side = _carriageway(lanes)
    return RoadPlan(number, name, start, pieces, side, side, "", speed_kmh=_SPEED_KMH)


def _left_border(lane: int) -> float:
    """Distance from the reference line to the left border of a lane, counted from 1 at the median."""
    return MEDIAN_M + (lane - 1) * LANE_M


def mini_highway_01() -> Network:
    """The plan."""
    network = Network("MiniHighway01", 50.0, "white")
    arc, lead = 1.0 / RADIUS_M, (STRAIGHT_M - _REST_STRETCH_M - 2 * BRIDGE_M) / 2
    round_m = math.pi * RADIUS_M - (_EXTRA_LANE_M - lead) - BRIDGE_M
    bend = Piece(_EXTRA_LANE_M - lead, arc)
    sections = (
        ("ring", (Piece(round_m, arc), Piece(STRAIGHT_M, 0.0), Piece(round_m, arc)), LANES),
        ("west", (bend, Piece(lead, 0.0)), LANES + 1),
        ("rest", (Piece(_REST_STRETCH_M, 0.0),), LANES),
        ("east", (Piece(lead, 0.0), bend), LANES + 1),
    )
    gaps = (Piece(BRIDGE_M, arc), Piece(BRIDGE_M, 0.0), Piece(BRIDGE_M, 0.0), Piece(BRIDGE_M, arc))
    # The ring begins where the eastern bridge ends; the southern straight runs along y = 0 from west to east.
    turned = (_EXTRA_LANE_M - lead + BRIDGE_M) * arc
    pose = Pose(STRAIGHT_M / 2 + RADIUS_M * math.sin(turned), RADIUS_M * (1 - math.cos(turned)), turned)
    roads = []
    for number, ((name, pieces, lanes), gap) in enumerate(zip(sections, gaps, strict=True), start=1):
        roads.append(network.add_road(_main_road(number, name, pose, pieces, lanes)))
        pose = pose.along(pieces).along((gap,))
    for road in roads:
        road.signals += [SignalPlan(SPEED_LIMIT, at_end, road.length_m * 0.6, _SPEED_KMH) for at_end in (False, True)]
    ramps = [_rest_area(network, 5, Mouth(roads[2], False)), _rest_area(network, 6, Mouth(roads[2], True))]
    cycle = [*roads, roads[0]]
    junctions = []
    for index, (before, after) in enumerate(pairwise(cycle)):
        mouths = [Mouth(before, True), Mouth(after, False)]
        if index in (1, 2):
            mouths += [Mouth(ramps[0], index == 2), Mouth(ramps[1], index == 1)]
        junctions.append(network.add_junction(("gain", "exit", "merge", "loss")[index], mouths))
    outer = [(junctions[k], Mouth(cycle[k], True), Mouth(cycle[k + 1], False), gaps[k]) for k in range(4)]
    inner = [
        (junctions[k], Mouth(cycle[k + 1], False), Mouth(cycle[k], True), Piece(BRIDGE_M, -gaps[k].curvature))
        for k in (3, 2, 1, 0)
    ]
    for way, ramp in ((outer, ramps[0]), (inner, ramps[1])):
        _link_carriageway(network, way, ramp)
    return network


def _rest_area(network: Network, number: int, beside: Mouth) -> RoadPlan:
    """A one-way road that leaves the main road to the right, passes parking bays and comes back."""
    turn = math.acos(1.0 - _RAMP_ASIDE_M / (2.0 * _RAMP_RADIUS_M))
    arc = _RAMP_RADIUS_M * turn
    curve = 1.0 / _RAMP_RADIUS_M
    straight = _REST_STRETCH_M - 4.0 * _RAMP_RADIUS_M * math.sin(turn)
    pieces = (
        Piece(arc, -curve), Piece(arc, curve), Piece(straight, 0.0), Piece(arc, curve), Piece(arc, -curve),
    )  # fmt: skip
    lanes = (
        LanePlan("driving", LANE_M, "solid"),
        LanePlan("parking", 2.6, setback_m=2.0 * arc + 4.0),
        LanePlan("shoulder", SHOULDER_M),
    )
    start = beside.inward.turned(math.pi).moved(0.0, -_left_border(LANES + 1))
    road = RoadPlan(number, f"rest{number}", start, pieces, lanes, (), "solid", speed_kmh=_RAMP_KMH)
    road.signals.append(SignalPlan(SPEED_LIMIT, True, road.length_m - 25.0, _RAMP_KMH))
    return network.add_road(road)


def _link_carriageway(network: Network, way: list[tuple[int, Mouth, Mouth, Piece]], ramp: RoadPlan) -> None:
    """Connect one carriageway through its four junctions: gain a lane, exit, merge, lose a lane."""
    for (junction, source, target, piece), step in zip(way, ("gain", "exit", "merge", "loss"), strict=True):
        lanes_in, lanes_out = source.incoming(), target.outgoing()
        links = tuple((lanes_in[k].lane_id, lanes_out[k].lane_id) for k in range(LANES))
        inner = -_left_border(1)
        network.bridge(
            junction, source, target, source.inward, (piece,), _bridge_lanes(), links, (inner, inner), "solid"
        )
        last, extra = -_left_border(LANES), -_left_border(LANES + 1)
        lane = (LanePlan("driving", LANE_M, "solid"), LanePlan("shoulder", SHOULDER_M))
        before, after = source, target
        if step == "gain":
            link, offsets = (lanes_in[LANES - 1].lane_id, lanes_out[LANES].lane_id), (last, extra)
        elif step == "loss":
            link, offsets = (lanes_in[LANES].lane_id, lanes_out[LANES - 1].lane_id), (extra, last)
        elif step == "exit":
            after, link, offsets = Mouth(ramp, False), (lanes_in[LANES].lane_id, -1), (extra, extra)
        else:
            before = Mouth(ramp, True)
            link, offsets = (-1, lanes_out[LANES].lane_id), (extra, extra)
        network.bridge(junction, before, after, source.inward, (piece,), lane, (link,), offsets)
