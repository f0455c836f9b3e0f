"""``MiniTown03``: a boulevard with a median, avenues of two lanes each way, a roundabout, T junctions, and a hill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.town.alignment import Piece, fillet
from sim2real_bench.envs.carla.embedded.town.network import (
    LanePlan,
    Mouth,
    MouthLane,
    Network,
    Pose,
    RoadPlan,
    SignalPlan,
)
from sim2real_bench.envs.carla.embedded.town.network_xodr import turn_pieces
from sim2real_bench.envs.carla.embedded.town.signals import SPEED_LIMIT, STOP, TRAFFIC_LIGHT, YIELD

Point = tuple[float, float]
LANE_M, PARKING_M, SIDEWALK_M, MEDIAN_M = 3.5, 2.4, 2.6, 1.5
PARKING_SETBACK_M = 6.5
HILL_M = 5.0
RING_RADIUS_M = 21.0
RING_ZONE = math.radians(27.0)
RING_REACH_M = 39.0
_STRAIGHT_RAD = math.radians(50.0)


@dataclass(frozen=True)
class _Node:
    """A junction: place, distance to its mouths, height, and who gives way."""

    x: float
    y: float
    reach_m: float
    rule: str = "yield"
    height_m: float = 0.0


_NODES = {
    "A": _Node(0, 0, 18, "lights"),
    "B": _Node(135, 0, 17, "lights"),
    "N2": _Node(135, 140, 16, "stop", HILL_M),
    "N3": _Node(285, 140, 13, "yield", HILL_M),
    "R": _Node(285, 0, RING_REACH_M, "ring"),
    "S1": _Node(0, -120, 16, "lights"),
    "S2": _Node(135, -120, 13, "stop"),
}


@dataclass(frozen=True)
class _Street:
    """A street between two nodes through rounded corners (x, y, radius)."""

    start: str
    end: str
    lanes: tuple[int, int] = (1, 1)  # forwards, backwards
    bends: tuple[tuple[float, float, float], ...] = ()
    parking: str = ""
    median: bool = False
    centre: str = "broken"
    speed_kmh: float = 30.0


_STREETS = (
    _Street("A", "B", (2, 2), (), "lr", True, "", 50.0),
    _Street("B", "R", (1, 1), (), "r", True, "", 40.0),
    _Street("A", "N2", (2, 2), ((0, 140, 40),), "", False, "solid solid", 50.0),
    _Street("A", "S1", (2, 2), (), "r", False, "solid solid", 50.0),
    _Street("A", "S1", (1, 1), ((-85, 0, 26), (-85, -120, 26)), "r", False, "solid"),
    _Street("B", "N2", (1, 1), (), "", False, "solid"),
    _Street("B", "S2", (1, 1), (), "lr"),
    _Street("N2", "N3", (1, 1), ((180, 140, 60), (210, 148, 60), (240, 140, 60)), "r"),
    _Street("R", "N3", (1, 1), (), "", False, "solid"),
    _Street("R", "N3", (1, 1), ((385, 0, 28), (385, 140, 28)), "l", False, "solid", 40.0),
    _Street("R", "S2", (1, 1), ((285, -120, 30),), "l"),
    _Street("S1", "S2", (1, 1), (), "lr"),
)


def _lanes(count: int, parking: bool, median: bool) -> tuple[LanePlan, ...]:
    driving = [LanePlan("driving", LANE_M, "broken")] * (count - 1) + [LanePlan("driving", LANE_M, "solid")]
    inner = [LanePlan("median", MEDIAN_M, "solid")] if median else []
    bays = [LanePlan("parking", PARKING_M, setback_m=PARKING_SETBACK_M)] if parking else []
    return (*inner, *driving, *bays, LanePlan("sidewalk", SIDEWALK_M))


def _road(number: int, street: _Street) -> RoadPlan:
    start, end = _NODES[street.start], _NODES[street.end]
    corners = [(start.x, start.y), *((x, y) for x, y, _ in street.bends), (end.x, end.y)]
    x, y, heading, pieces, _ = fillet(
        corners, [radius for _, _, radius in street.bends], (start.reach_m, end.reach_m), f"{street.start}-{street.end}"
    )
    forwards, backwards = street.lanes
    return RoadPlan(
        number, f"{street.start}-{street.end}", Pose(x, y, heading), pieces,
        right=_lanes(forwards, "r" in street.parking, street.median),
        left=_lanes(backwards, "l" in street.parking, street.median),
        centre=street.centre, heights=(start.height_m, end.height_m), speed_kmh=street.speed_kmh,
    )  # fmt: skip


def mini_town_03() -> Network:
    """The plan."""
    network = Network("MiniTown03", 48.0, "yellow")
    mouths: dict[str, list[Mouth]] = {name: [] for name in _NODES}
    for number, street in enumerate(_STREETS, start=1):
        road = network.add_road(_road(number, street))
        mouths[street.start].append(Mouth(road, False))
        mouths[street.end].append(Mouth(road, True))
        if street.speed_kmh != 30.0:
            road.signals += [
                SignalPlan(SPEED_LIMIT, at_end, road.length_m - 12.0, street.speed_kmh) for at_end in (False, True)
            ]
    for name, node in _NODES.items():
        if node.rule == "ring":
            _roundabout(network, node, mouths[name])
        else:
            _crossing(network, name, mouths[name])
    return network


def _angle(source: Mouth, target: Mouth) -> float:
    """Turn from one mouth to another: 0 straight on, positive to the left."""
    return math.remainder(target.inward.heading + math.pi - source.inward.heading, math.tau)


def _crossing(network: Network, name: str, mouths: Sequence[Mouth]) -> None:
    junction = network.add_junction(name, list(mouths))
    for source in mouths:
        turns = {target: _angle(source, target) for target in mouths if target is not source}
        for lane_in, target, lane_out in _movements(source, turns):
            pieces = turn_pieces(source.lane_start(lane_in), target.lane_end(lane_out))
            network.connect(junction, source, lane_in, target, lane_out, pieces)
    stem = max(mouths, key=lambda m: min(abs(_angle(m, other)) for other in mouths if other is not m))
    for mouth in mouths:
        rule = _NODES[name].rule
        mouth.road.crossings.append(mouth.at_end)
        if rule == "lights":
            mouth.road.signals.append(SignalPlan(TRAFFIC_LIGHT, mouth.at_end))
        elif mouth is stem:
            mouth.road.signals.append(SignalPlan(STOP if rule == "stop" else YIELD, mouth.at_end))


def _movements(source: Mouth, turns: dict[Mouth, float]) -> list[tuple[MouthLane, Mouth, MouthLane]]:
    """Which lane leads where: left from the left lane, right from the right lane, straight on from all that fit."""
    lanes = source.incoming()
    found = []
    straight = [target for target, angle in turns.items() if abs(angle) <= _STRAIGHT_RAD]
    left = any(angle > _STRAIGHT_RAD for angle in turns.values())
    for target, angle in turns.items():
        out = target.outgoing()
        if target in straight:
            count = min(len(lanes), len(out))
            # Lanes that are too many turn left, or where there is no left turn, right.
            found += [(lanes[k - count if left else k], target, out[k - count]) for k in range(count)]
        elif angle > 0:
            found.append((lanes[0], target, out[0]))
        else:
            found.append((lanes[-1], target, out[-1]))
    return found


def _roundabout(network: Network, node: _Node, mouths: Sequence[Mouth]) -> None:
    """A one-lane ring, driven anticlockwise, with one small junction per arm."""
    arms = sorted(mouths, key=lambda mouth: (mouth.inward.heading + math.pi) % math.tau)
    bearings = [math.remainder(mouth.inward.heading + math.pi, math.tau) for mouth in arms]
    inner, lane = RING_RADIUS_M - LANE_M / 2, LanePlan("driving", LANE_M, "solid")

    def on_ring(angle: float) -> Pose:
        return Pose(node.x + inner * math.cos(angle), node.y + inner * math.sin(angle), angle + math.pi / 2)

    ring = []
    for index, bearing in enumerate(bearings):
        begin = bearing + RING_ZONE
        sweep = (bearings[(index + 1) % len(arms)] - RING_ZONE - begin) % math.tau
        number = len(_STREETS) + 1 + index
        pieces = (Piece(inner * sweep, 1.0 / inner),)
        ring.append(network.add_road(RoadPlan(number, f"ring{index}", on_ring(begin), pieces, (lane,), centre="solid")))
    for index, (arm, bearing) in enumerate(zip(arms, bearings, strict=True)):
        source, onward = Mouth(ring[index - 1], True), Mouth(ring[index], False)
        junction = network.add_junction(f"R{index}", [source, onward, arm])
        arc = (Piece(inner * 2 * RING_ZONE, 1.0 / inner),)
        network.connect(junction, source, source.incoming()[0], onward, onward.outgoing()[0], arc)
        leave = turn_pieces(on_ring(bearing - RING_ZONE), arm.lane_end(arm.outgoing()[0]), (1.0 / inner, 0.0))
        network.connect(junction, source, source.incoming()[0], arm, arm.outgoing()[0], leave)
        enter = turn_pieces(arm.lane_start(arm.incoming()[0]), on_ring(bearing + RING_ZONE), (0.0, 1.0 / inner))
        network.connect(junction, arm, arm.incoming()[0], onward, onward.outgoing()[0], enter)
        arm.road.crossings.append(arm.at_end)
        arm.road.signals.append(SignalPlan(YIELD, arm.at_end))
