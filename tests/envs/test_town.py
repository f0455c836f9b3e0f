"""The two towns: maps that drive, streets that are closed, cars that park where they may."""

import math
from functools import lru_cache

import numpy as np
import pytest
import shapely

from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES as ALL_NAMES
from sim2real_bench.envs.carla.embedded.town import build_town
from sim2real_bench.envs.carla.embedded.town.alignment import align
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES, VEHICLE_BODIES
from sim2real_bench.envs.carla.embedded.town.layouts import Bend, Layout, Street
from sim2real_bench.envs.classes import CarlaClass
from sim2real_bench.errors import ConfigurationError, UnknownNameError

carla = pytest.importorskip("carla")

TOWN_NAMES = ALL_NAMES[:2]  # what holds of every map is tested in test_maps


@lru_cache(maxsize=2)
def town_of(name):
    return build_town(name)


@lru_cache(maxsize=2)
def map_of(name):
    return carla.Map(name, town_of(name).xodr)


@lru_cache(maxsize=2)
def footprints_of(name):
    """Obstacles as polygons in CARLA's frame."""
    shapes = []
    for x, y, yaw, half_length, half_width in town_of(name).obstacles.boxes:
        c, s = math.cos(yaw), math.sin(yaw)
        corners = [(i * half_length, j * half_width) for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        shapes.append(shapely.Polygon([(x + u * c - v * s, y + u * s + v * c) for u, v in corners]))
    return np.array(shapes)


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_roads_have_parking_lanes_crossings_and_lights(name):
    town_map = map_of(name)
    widths = []
    for waypoint in town_map.generate_waypoints(4.0):
        side = waypoint.get_right_lane()
        if not waypoint.is_junction and side is not None and side.lane_type == carla.LaneType.Parking:
            widths.append(side.lane_width)
    assert 2.3 < max(widths) < 2.6
    assert sum(width > 2.3 for width in widths) > 80
    assert len(town_map.get_crosswalks()) >= 30 * 5
    assert len(town_map.get_all_landmarks_of_type("1000001")) >= 10


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_spawn_points_lie_on_free_lane_centres(name):
    town = town_of(name)
    assert len(town.spawn_points) >= 40
    footprints = shapely.STRtree(footprints_of(name))
    for spawn in town.spawn_points:
        waypoint = map_of(name).get_waypoint(carla.Location(spawn.x, spawn.y, 0.0))
        assert not waypoint.is_junction
        assert math.hypot(waypoint.transform.location.x - spawn.x, waypoint.transform.location.y - spawn.y) < 0.15
        assert abs((waypoint.transform.rotation.yaw - spawn.yaw_deg + 180) % 360 - 180) < 1.5
        assert spawn.z == pytest.approx(0.3)
        yaw = math.radians(spawn.yaw_deg)
        along = np.array([math.cos(yaw), math.sin(yaw)])
        ends = [np.array([spawn.x, spawn.y]) + along * reach for reach in (-2.5, 2.5)]
        body = shapely.LineString(ends).buffer(1.1, cap_style="flat")
        assert len(footprints.query(body, predicate="intersects")) == 0
    places = np.array([(spawn.x, spawn.y) for spawn in town.spawn_points])
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) + 99.0 * np.eye(len(places))
    assert apart.min() > 3.4


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_nothing_stands_on_or_near_a_driving_lane(name):
    waypoints = map_of(name).generate_waypoints(0.5)
    centres = shapely.points([(w.transform.location.x, w.transform.location.y) for w in waypoints])
    widths = np.array([w.lane_width for w in waypoints])
    boxes, points = shapely.STRtree(footprints_of(name)).query(centres, predicate="dwithin", distance=2.6)[::-1]
    gaps = shapely.distance(footprints_of(name)[boxes], centres[points]) - widths[points] / 2
    assert len(gaps) > 0
    assert gaps.min() > 0.36


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_parked_cars_stand_in_parking_lanes(name):
    town = town_of(name)
    cars = [car for car in town.meshes.parked if BODIES[car.body].tag == CarlaClass.CAR]
    assert len(cars) >= 40
    assert len({car.body for car in cars}) >= 3
    for car in cars:
        assert car.body in VEHICLE_BODIES
        yaw = math.radians(car.yaw_deg)
        for along in (-0.95, 0.0, 0.95):
            x = car.x + along * car.half_length * math.cos(yaw)
            y = car.y + along * car.half_length * math.sin(yaw)
            here = carla.Location(x, y, 0.0)
            assert map_of(name).get_waypoint(here, project_to_road=False, lane_type=carla.LaneType.Parking) is not None
            assert map_of(name).get_waypoint(here, project_to_road=False, lane_type=carla.LaneType.Driving) is None


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_streets_are_closed_by_things_one_can_hit(name):
    """Rays across the street: hardly any leaves the town between the houses."""
    tree = shapely.STRtree(footprints_of(name))
    hits, rays = 0, 0
    for waypoint in map_of(name).generate_waypoints(3.0):
        if waypoint.is_junction:
            continue
        place, right = waypoint.transform.location, waypoint.transform.get_right_vector()
        ray = shapely.LineString([(place.x, place.y), (place.x + 12.0 * right.x, place.y + 12.0 * right.y)])
        rays += 1
        hits += len(tree.query(ray, predicate="intersects")) > 0
    assert rays > 300
    assert hits / rays > 0.97


def test_towns_differ_in_layout_size_and_houses():
    first, second = (town_of(name) for name in TOWN_NAMES)
    assert first.xodr != second.xodr
    assert first.meshes.palette != second.meshes.palette
    areas = [np.prod(np.diff(np.reshape(town.meshes.bounds, (2, 2)), axis=0)) for town in (first, second)]
    assert areas[0] > 1.3 * areas[1]


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_obstacles_are_boxes_with_known_classes(name):
    obstacles = town_of(name).obstacles
    count = len(obstacles.boxes)
    assert obstacles.boxes.shape == (count, 5) and obstacles.heights.shape == obstacles.tags.shape == (count,)
    assert np.isfinite(obstacles.boxes).all() and (obstacles.boxes[:, 3:] > 0).all() and (obstacles.heights > 0.3).all()
    wanted = {CarlaClass.BUILDINGS, CarlaClass.WALLS, CarlaClass.FENCES, CarlaClass.POLES, CarlaClass.VEGETATION}
    assert wanted | {CarlaClass.CAR} <= set(obstacles.tags.tolist()) <= set(map(int, CarlaClass))


def test_building_twice_gives_the_same_town():
    once, again = town_of("MiniTown02"), build_town("MiniTown02")
    assert once.spawn_points == again.spawn_points
    assert once.meshes.parked == again.meshes.parked
    for mesh in ("solid", "cutout", "decals"):
        assert np.array_equal(getattr(once.meshes, mesh).vertices, getattr(again.meshes, mesh).vertices)
    assert np.array_equal(once.obstacles.boxes, again.obstacles.boxes)


def test_unknown_town_names_the_towns():
    with pytest.raises(UnknownNameError, match="MiniTown01"):
        build_town("Town99")


def test_alignment_of_a_rounded_corner():
    street = Street("a", "b", (Bend(100, 0, 20),))
    layout = Layout("T", {"a": (0, 0), "b": (100, 100)}, frozenset(), (street,), "white", 0.0)
    line = align(layout, street)
    assert line.length_m == pytest.approx(2 * (100 - 20 - 11.5) + 20 * math.pi / 2)
    assert [piece.curvature for piece in line.pieces] == [0.0, pytest.approx(1 / 20), 0.0]
    assert (line.x, line.y, line.heading) == pytest.approx((11.5, 0.0, 0.0))


def test_alignment_refuses_overlapping_arcs():
    street = Street("a", "b", (Bend(40, 0, 60),))
    layout = Layout("T", {"a": (0, 0), "b": (40, 40)}, frozenset(), (street,), "white", 0.0)
    with pytest.raises(ConfigurationError, match="too short"):
        align(layout, street)
