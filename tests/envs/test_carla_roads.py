"""Road polygons, map view and reference route against ``carla.Map``, offline."""

import math
from importlib import resources
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sim2real_bench.envs.carla.frames import box_on_plane, pose_2d, pose_matrix
from sim2real_bench.envs.carla.map_view import draw_map_view
from sim2real_bench.envs.carla.road_map import RoadMap
from sim2real_bench.envs.carla.route import REPLAN_DISTANCE_M, ReferenceRoute
from sim2real_bench.envs.map_view import EgoPose2D, ego_to_map_pixels, map_pixels_to_ego
from sim2real_bench.envs.observation import MAP_SIZE, WAYPOINT_DISTANCES_M

pytestmark = pytest.mark.usefixtures("carla_embedded")
TOWNS = ("MiniTown01", "MiniTown02")


def load(town: str) -> Any:
    import carla

    folder = resources.files("sim2real_bench.envs.carla.embedded.town.maps")
    return carla.Map(town, (folder / f"{town}.xodr").read_text())


@pytest.fixture(scope="module", params=TOWNS)
def town_map(request: pytest.FixtureRequest, carla_embedded: None) -> Any:
    return load(request.param)


@pytest.fixture(scope="module")
def poses(town_map: Any) -> list[EgoPose2D]:
    waypoints = town_map.generate_waypoints(5.0)
    chosen = np.random.default_rng(0).choice(len(waypoints), 15, replace=False)
    return [pose_2d(waypoints[index].transform) for index in chosen]


def test_carla_y_points_right_and_yaw_turns_right() -> None:
    import carla

    transform = carla.Transform(carla.Location(1, 2, 3), carla.Rotation(yaw=90))
    pose = pose_2d(transform)
    assert (pose.x, pose.y, pose.yaw) == pytest.approx((1, -2, -math.pi / 2))
    # One metre ahead, one to the left, half up.
    np.testing.assert_allclose(pose_matrix(transform) @ [1, 1, 0.5, 1], [2, -3, 3.5, 1], atol=1e-6)
    np.testing.assert_allclose(pose.to_world([1, 1]), [2, -3], atol=1e-6)


def test_pose_matrix_agrees_with_carla_under_pitch_and_roll() -> None:
    import carla

    transform = carla.Transform(carla.Location(4, -5, 1), carla.Rotation(pitch=7, yaw=-30, roll=4))
    point = transform.transform(carla.Location(2, -1, 0.3))  # y = -1 is one metre to the left
    world = pose_matrix(transform) @ [2, 1, 0.3, 1]
    np.testing.assert_allclose(world[:3], [point.x, -point.y, point.z], atol=1e-5)


def test_a_box_beside_its_vehicle() -> None:
    import carla

    box = carla.BoundingBox(carla.Location(1, 2, 0), carla.Vector3D(2, 1, 1))
    corners = box_on_plane(box, EgoPose2D(10, 20, 0.0))
    np.testing.assert_allclose(corners.mean(axis=0), [11, 18])
    np.testing.assert_allclose(np.ptp(corners, axis=0), [4, 2])


def test_the_map_views_road_is_where_carla_has_driving_lanes(town_map: Any, poses: list[EgoPose2D]) -> None:
    import carla

    road = RoadMap(town_map)
    random = np.random.default_rng(1)
    agree, missing = [], 0
    for ego in poses:
        view = draw_map_view(road, ego, [])
        pixels = random.integers(0, MAP_SIZE, (400, 2))
        for (column, row), (x, y) in zip(pixels, ego.to_world(map_pixels_to_ego(pixels + 0.5)), strict=True):
            lane = town_map.get_waypoint(carla.Location(x, -y, 0), project_to_road=False)
            agree.append((view[0, row, column] == 255) == (lane is not None))
            missing += lane is not None and view[0, row, column] == 0
    assert np.mean(agree) > 0.985  # the rest are pixels cut by an edge
    assert missing < 0.002 * len(agree)


def test_no_place_on_a_driving_lane_is_off_road(town_map: Any) -> None:
    import carla

    road, wrong = RoadMap(town_map), []
    for waypoint in town_map.generate_waypoints(4.0):
        place, right = waypoint.transform.location, waypoint.transform.get_right_vector()
        for offset in (-1.6, 0.0, 1.6):  # of lanes 3.5 m wide, also beside parking lanes that end
            location = carla.Location(place.x + offset * right.x, place.y + offset * right.y, 0)
            if road.off_road(location):
                wrong.append((location.x, location.y))
    assert wrong == []


def test_off_road_follows_the_lanes(town_map: Any) -> None:
    import carla

    road = RoadMap(town_map)
    lane = town_map.generate_waypoints(20.0)[0].transform
    assert not road.off_road(lane.location)
    assert road.off_road(carla.Location(lane.location.x, lane.location.y + 5000, 0))


def test_vehicles_are_drawn_in_their_own_channel(town_map: Any, poses: list[EgoPose2D]) -> None:
    ego, road = poses[0], RoadMap(town_map)
    corners = np.array([[22, 1], [18, 1], [18, -1], [22, -1]], float)
    far = corners + 500.0
    view = draw_map_view(road, ego, [ego.to_world(corners), ego.to_world(far)])
    column, row = ego_to_map_pixels([20.0, 0.0]).astype(int)
    assert view[1, row, column] == 255
    assert 4 * 2 * 25 <= np.count_nonzero(view[1]) <= 21 * 11  # pixels cut by the edge belong to the box
    np.testing.assert_array_equal(view[0], draw_map_view(road, ego, [])[0])


def drive_along(route: ReferenceRoute, ego: EgoPose2D, ticks: int) -> tuple[EgoPose2D, list[EgoPose2D], float]:
    """Steer straight at the second waypoint, half a metre per tick."""
    path, total = [], 0.0
    for _ in range(ticks):
        forward, left = route.waypoints(ego)[0]
        yaw = ego.yaw + 0.25 * math.atan2(left, forward)
        ego = EgoPose2D(ego.x + 0.5 * math.cos(yaw), ego.y + 0.5 * math.sin(yaw), yaw)
        total += route.follow(ego)
        path.append(ego)
    return ego, path, total


def test_following_the_waypoints_stays_on_the_road(town_map: Any, poses: list[EgoPose2D]) -> None:
    import carla

    road = RoadMap(town_map)
    for number, ego in enumerate(poses[:5]):
        route = ReferenceRoute(town_map, ego, np.random.default_rng(number))
        _, path, progress = drive_along(route, ego, 600)
        assert progress == pytest.approx(300.0, rel=0.05)
        assert not any(road.off_road(carla.Location(place.x, -place.y, 0)) for place in path)


def test_waypoints_lie_at_their_distances(town_map: Any, poses: list[EgoPose2D]) -> None:
    for ego in poses:
        points = ReferenceRoute(town_map, ego, np.random.default_rng(0)).waypoints(ego)
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        assert np.isfinite(points).all()
        assert (steps < 3.001).all() and (steps > 2.5).all()
        assert np.linalg.norm(points[0]) == pytest.approx(WAYPOINT_DISTANCES_M[0], abs=1.0)


def test_the_same_seed_draws_the_same_turns(town_map: Any, poses: list[EgoPose2D]) -> None:
    def ends(seed: int) -> np.ndarray:
        routes = [ReferenceRoute(town_map, ego, np.random.default_rng(seed)) for ego in poses[:4]]
        return np.array([drive_along(route, ego, 300)[0].x for route, ego in zip(routes, poses, strict=False)])

    np.testing.assert_array_equal(ends(1), ends(1))
    assert not np.array_equal(ends(1), ends(2))


def test_a_vehicle_far_off_gets_a_new_route_from_the_nearest_lane(town_map: Any, poses: list[EgoPose2D]) -> None:
    first, second = poses[0], max(poses, key=lambda pose: math.dist((pose.x, pose.y), (poses[0].x, poses[0].y)))
    route = ReferenceRoute(town_map, first, np.random.default_rng(0))
    assert route.follow(second) == 0.0
    assert route.waypoints(second)[0] == pytest.approx([6.0, 0.0], abs=2.5)


def test_a_small_deviation_keeps_the_route(town_map: Any, poses: list[EgoPose2D]) -> None:
    ego = poses[0]
    route = ReferenceRoute(town_map, ego, np.random.default_rng(0))
    before = ego.to_world(route.waypoints(ego))
    x, y = ego.to_world([0.0, 0.6 * REPLAN_DISTANCE_M])
    aside = EgoPose2D(float(x), float(y), ego.yaw)
    route.follow(aside)
    np.testing.assert_allclose(aside.to_world(route.waypoints(aside)), before, atol=1.0)


def test_across_the_centre_line_the_route_keeps_its_direction(town_map: Any) -> None:
    two_way = [w for w in town_map.generate_waypoints(10.0) if not w.is_junction and w.get_left_lane() is not None]
    for lane in two_way[::7]:
        pose = pose_2d(lane.transform)
        x, y = pose.to_world([0.0, lane.lane_width])  # the middle of the oncoming lane
        across = EgoPose2D(float(x), float(y), pose.yaw)
        assert (ReferenceRoute(town_map, across, np.random.default_rng(0)).waypoints(across)[:3, 0] > 3.0).all()


def waypoint(x: float, onward: list[Any], road_id: int = 1) -> SimpleNamespace:
    place = SimpleNamespace(location=SimpleNamespace(x=x, y=0.0), rotation=SimpleNamespace(yaw=0.0))
    lane_type = 2  # carla.LaneType.Driving
    return SimpleNamespace(
        transform=place, road_id=road_id, lane_id=-1, lane_type=lane_type, next=lambda step: onward,
        get_left_lane=lambda: None, get_right_lane=lambda: None,
    )  # fmt: skip


def test_a_lane_graph_that_ends_or_gives_nan_is_left_straight_on() -> None:
    last = waypoint(4.0, [waypoint(math.nan, [])])
    town_map = SimpleNamespace(get_waypoint=lambda *_, **__: waypoint(0.0, [last]))
    ego = EgoPose2D(0.0, 0.0, 0.0)
    points = ReferenceRoute(town_map, ego, np.random.default_rng(0)).waypoints(ego)
    np.testing.assert_allclose(points, [[distance, 0.0] for distance in WAYPOINT_DISTANCES_M], atol=1e-9)
