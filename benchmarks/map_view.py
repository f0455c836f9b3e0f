"""Map views per second: CARLA's rasteriser on the embedded training town, one core, no rendering."""

import time
from collections.abc import Callable
from importlib import resources

import numpy as np

from sim2real_bench.envs.carla.frames import pose_2d
from sim2real_bench.envs.carla.map_view import draw_map_view
from sim2real_bench.envs.carla.road_map import RoadMap
from sim2real_bench.envs.carla.route import ReferenceRoute
from sim2real_bench.envs.map_view import box_polygon

TOWN = "MiniTown01"
VIEWS = 2_000
VEHICLES = 20
TARGET_PER_SECOND = 1_000


def per_second(action: Callable[[int], object], count: int) -> float:
    """Calls per second, the best of three rounds."""
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        for index in range(count):
            action(index)
        best = max(best, count / (time.perf_counter() - start))
    return best


def run() -> None:
    import carla

    text = (resources.files("sim2real_bench.envs.carla.embedded.town.maps") / f"{TOWN}.xodr").read_text()
    town_map = carla.Map(TOWN, text)
    start = time.perf_counter()
    road = RoadMap(town_map)
    print(f"road polygons of {TOWN}: {len(road.outlines)} in {1e3 * (time.perf_counter() - start):.0f} ms, once a town")

    waypoints = town_map.generate_waypoints(2.0)
    generator = np.random.default_rng(0)
    poses = [pose_2d(waypoints[i].transform) for i in generator.integers(len(waypoints), size=VIEWS)]
    boxes = [box_polygon(pose.x, pose.y, pose.yaw, 2.3, 0.95) for pose in poses[:VEHICLES]]
    route = ReferenceRoute(town_map, poses[0], generator)

    views = per_second(lambda i: draw_map_view(road, poses[i], boxes), VIEWS)
    print(f"map view, road and {VEHICLES} vehicles: {views:.0f} per second (target {TARGET_PER_SECOND})")
    follow = per_second(lambda i: (route.follow(poses[0]), route.waypoints(poses[0])), VIEWS)
    print(f"reference route, project and 5 waypoints: {follow:.0f} per second")
