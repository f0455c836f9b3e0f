"""Lane graph, conflict areas, stop lines and routes of every town."""

import random
from itertools import pairwise

import carla
import numpy as np
import pytest

from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES, build_town
from sim2real_bench.envs.carla.embedded.traffic.junctions import Conflicts, turn_of
from sim2real_bench.envs.carla.embedded.traffic.lane_graph import LaneGraph, speed_limits
from sim2real_bench.envs.carla.embedded.traffic.routes import POINTS, Body, Route
from sim2real_bench.envs.carla.embedded.traffic.stop_lines import LIGHT, stop_lines

CAR = Body(half_length=2.4, half_width=1.0, rear_axle=1.5)
TRUCK = Body(half_length=4.2, half_width=1.45, rear_axle=2.6)


@pytest.fixture(scope="module", params=TOWN_NAMES)
def town(request):
    return build_town(request.param)


@pytest.fixture(scope="module")
def graph(town):
    return LaneGraph(carla.Map(town.name, town.xodr), town.xodr)


@pytest.fixture(scope="module")
def lines(town, graph):
    return stop_lines(graph, town.signals)


def test_lanes_lead_into_each_other_without_a_gap(graph):
    for lane in graph.lanes:
        assert np.isfinite(lane.points).all()
        assert lane.successors, lane.key
        assert not lane.ends
        for index in lane.successors:
            assert np.hypot(*(graph.lanes[index].points[0] - lane.points[-1])) < 0.3


def test_the_nearest_lane_is_the_one_under_a_vehicle(graph):
    for lane in graph.lanes[:: max(1, len(graph.lanes) // 25)]:
        middle = lane.length / 2.0
        (x, y), (x1, y1) = lane.at(np.array([middle, middle + 0.2]))
        found, arc, offset = graph.nearest(x, y, np.arctan2(y1 - y, x1 - x))
        assert offset < 0.2
        if found is lane:
            assert arc == pytest.approx(middle, abs=0.5)
        else:  # ways through a junction begin on top of each other
            assert found.junction == lane.junction != -1


def test_conflicts_are_mutual_and_spare_those_who_part(graph):
    conflicts = Conflicts(graph)
    found = 0
    for members in conflicts.lanes.values():
        for first in members:
            for second in members:
                zone, back = conflicts.zone(first, second), conflicts.zone(second, first)
                assert (zone is None) == (back is None)
                if zone is None:
                    continue
                found += 1
                assert 0.0 <= zone[0] <= zone[1] <= graph.lanes[first].length
                assert not set(graph.lanes[first].predecessors) & set(graph.lanes[second].predecessors)
                assert conflicts.zone(first, second, wide=True) is not None
    assert found


def test_lanes_that_end_together_are_in_conflict(graph):
    conflicts = Conflicts(graph)
    for lane in graph.lanes:
        crossing = [index for index in lane.predecessors if graph.lanes[index].junction != -1]
        for first, second in pairwise(crossing):
            one, other = graph.lanes[first], graph.lanes[second]
            if one.junction == other.junction and not set(one.predecessors) & set(other.predecessors):
                assert conflicts.zone(first, second)


def test_every_light_rules_the_lanes_it_stands_at(town, graph, lines):
    ruled = {line.light for line in lines.values() if line.light is not None}
    assert ruled == {number for number, signal in enumerate(town.signals) if signal.type_code == LIGHT}
    for index, line in lines.items():
        assert 0.0 <= line.arc < graph.lanes[index].length


@pytest.mark.parametrize("body", [CAR, TRUCK], ids=["car", "truck"])
def test_a_route_goes_on_for_ever_along_lanes(graph, lines, body):
    route = Route(graph, lines, graph.lanes[0], 1.0, random.Random(4), body)
    travelled, seen = 0.0, set()
    while travelled < 1500.0:
        route.position += 7.0
        travelled += 7.0
        route.renew()
        assert route.points.shape == (POINTS, 2)
        steps = np.hypot(*np.diff(route.points, axis=0).T)
        assert steps.min() > 0.6 and steps.max() < 1.4
        assert (route.speed > 0.5).all()
        lane = route.lane
        assert lane.project(*route.points[int(route.position)])[1] < 1.5
        seen.add(lane.index)
        route.crossings = [crossing for crossing in route.crossings if crossing.end > route.position]
        for crossing in route.crossings:
            assert crossing.line <= crossing.start < crossing.end
            if 0.0 <= crossing.start < POINTS - 1:
                assert np.hypot(*(route.points[round(crossing.start)] - graph.lanes[crossing.lane].points[0])) < 2.0
    assert len(seen) >= 3


def test_the_same_seed_gives_the_same_way(graph, lines):
    def way(seed):
        route = Route(graph, lines, graph.lanes[0], 0.0, random.Random(seed), CAR)
        ways = []
        for _ in range(400):
            route.position += 20.0
            route.renew()
            ways.append(route.lane.index)
        return ways

    assert way(1) == way(1)
    assert len({tuple(way(seed)) for seed in range(6)}) > 1


def test_no_obstacle_stands_on_a_driving_lane(town, graph):
    """A car of 2.1 m by 2 m that follows any lane touches nothing."""
    from sim2real_bench.envs.carla.embedded.collisions import Box, StaticField

    obstacles = town.obstacles
    field = StaticField(obstacles.boxes, obstacles.heights, obstacles.tags, obstacles.bases)
    for lane in graph.lanes:
        arcs = np.arange(0.0, lane.length, 1.5)
        places, onward = lane.at(arcs), lane.at(arcs + 0.5)
        heights = town.relief.heights(places)
        for (x, y), (x1, y1), z in zip(places, onward, heights, strict=True):
            box = Box(x, y, np.arctan2(y1 - y, x1 - x), 1.0, 1.05)
            assert not field.blocked(box, z + 0.3), (lane.key, x, y)


def test_turns_are_told_by_their_direction(graph):
    assert {turn_of(lane) for lane in graph.lanes if lane.junction != -1} <= {-1, 0, 1}


def test_speed_limits_are_read_in_their_units():
    roads = "".join(
        f'<road id="{number}"><type s="0" type="town"><speed max="{value}" unit="{unit}"/></type></road>'
        for number, (value, unit) in enumerate([("30", "km/h"), ("20", "m/s"), ("60", "mph"), ("no limit", "mph")])
    )
    limits = speed_limits(f"<OpenDRIVE>{roads}</OpenDRIVE>")
    assert limits == pytest.approx({0: 30.0, 1: 72.0, 2: 96.56064})
