"""Rays against hand-computed boxes and ground, and the fast search against one that tries every box."""

import math

import numpy as np
import pytest
from sensor_scenes import boxes, enclosure, make_vehicle

from sim2real_bench.envs.carla.embedded.raycast import cast
from sim2real_bench.envs.carla.embedded.sensors.ground import GroundSurface, plain_ground
from sim2real_bench.envs.carla.embedded.sensors.rays import GROUND, NOTHING, first_hits
from sim2real_bench.envs.carla.embedded.sensors.solids import Solids
from sim2real_bench.envs.carla.embedded.sensors.sweep import swept_boxes
from sim2real_bench.envs.carla.embedded.town import build_town
from sim2real_bench.envs.carla.embedded.town.relief import FLAT, Relief
from sim2real_bench.envs.classes import CarlaClass

PLAIN = plain_ground(FLAT)
WALL = (20.0, 0.0, 0.0, 0.1, 300.0, 2.0, CarlaClass.WALLS)


def unit_rays(count, seed=0):
    rays = np.random.default_rng(seed).normal(size=(count, 3))
    rays[:, 2] *= 0.3
    return (rays / np.linalg.norm(rays, axis=1)[:, None]).astype(np.float32)


def slope(rise=0.1, size=40):
    """Ground that rises along x."""
    x = np.arange(-size, size + 1) * 2.0
    return Relief(-2.0 * size, -2.0 * size, np.tile(rise * x, (len(x), 1)))


def test_a_ray_meets_the_wall_then_the_ground():
    solids = Solids.of_field(boxes(WALL))
    hits = cast(solids, PLAIN, (0.0, 0.0, 1.0), (1.0, 0.0, -0.04), 100.0)
    assert [hit.tag for hit in hits] == [CarlaClass.WALLS, CarlaClass.GROUND]
    assert hits[0].location == pytest.approx((19.9, 0.0, 1.0 - 0.04 * 19.9))
    assert hits[1].location == pytest.approx((25.0, 0.0, 0.0), abs=1e-4)
    assert cast(solids, PLAIN, (0.0, 0.0, 3.0), (1.0, 0.0, 0.0), 100.0) == []
    assert cast(solids, PLAIN, (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), 10.0) == []
    assert cast(solids, PLAIN, (0.0, 0.0, 1.0), (0.0, 0.0, 0.0), 10.0) == []


def test_a_ray_meets_vehicles_with_their_class():
    solids = Solids.of_field(boxes(WALL)).with_bodies([make_vehicle(x=10.0, yaw=90.0)])
    hits = cast(solids, PLAIN, (0.0, 0.0, 0.5), (1.0, 0.0, 0.0), 100.0)
    assert [hit.tag for hit in hits] == [CarlaClass.CAR, CarlaClass.WALLS]
    half_width = make_vehicle().dynamics.model.half_width
    assert hits[0].distance == pytest.approx(10.0 - half_width)


def test_nothing_is_met_below_the_ground():
    solids = Solids.of_field(boxes((0.0, 0.0, 0.0, 1.0, 1.0, 3.0, CarlaClass.BUILDINGS)))
    hits = cast(solids, PLAIN, (5.0, 0.0, 1.0), (0.0, 0.0, -1.0), 100.0)
    assert [hit.location for hit in hits] == [pytest.approx((5.0, 0.0, 0.0), abs=1e-5)]


def test_a_ray_is_stopped_by_a_slope():
    surface = plain_ground(slope(0.1))
    # z = 3 meets 0.1 x at x = 30; looking along the fall it never does.
    up = surface.distances((0.0, 0.0, 3.0), np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], np.float32), 200.0)
    assert up[0] == pytest.approx(30.0, abs=0.13)  # the raster's cells are 0.25 m wide
    assert math.isinf(up[1])
    # Straight down from (10, 0, 4): the ground lies at 1.
    assert surface.distances((10.0, 0.0, 4.0), np.array([[0, 0, -1]], np.float32), 200.0)[0] == pytest.approx(
        3.0, abs=0.02
    )


def test_a_far_reaching_ray_over_hills_ends():
    surface = plain_ground(slope(0.1))
    assert surface.distances((0.0, 0.0, 3.0), np.array([[0.0, 1.0, 1e-7]], np.float32), 1e6)[0] == np.inf


@pytest.fixture(scope="module")
def town():
    return build_town("MiniTown01")


def test_the_fast_search_agrees_with_trying_every_box(town):
    obstacles = town.obstacles
    rows = np.c_[obstacles.boxes, obstacles.heights, obstacles.tags]
    solids = Solids.of_field(boxes(*rows))
    rays = unit_rays(100)
    for index, pitch in ((0, 2.4), (5, 0.4), (9, 8.0)):
        place = town.spawn_points[index]
        origin = (place.x, place.y, pitch)
        for reach in (15.0, 80.0):
            hits = first_hits(solids, PLAIN, origin, rays, reach)
            for ray, distance, solid in zip(rays.tolist(), hits.distances, hits.solids, strict=True):
                wanted = swept_boxes(solids, origin, tuple(ray)).min()
                ground = -origin[2] / ray[2] if ray[2] < 0 else math.inf
                wanted = min(wanted, ground)
                assert solid == NOTHING or distance <= reach
                if wanted < reach - 0.01:
                    assert distance == pytest.approx(wanted, rel=1e-3, abs=2e-3)
                    assert (solid == GROUND) == (distance == pytest.approx(ground, rel=1e-3, abs=2e-3))


def test_a_box_around_the_origin_is_not_seen_but_the_next_one_is():
    field = boxes(
        (0, 0, 0, 1, 1, 3, CarlaClass.STATIC), *np.c_[enclosure().boxes, enclosure().heights, enclosure().tags]
    )
    hits = first_hits(Solids.of_field(field), PLAIN, (0.0, 0.0, 1.0), np.array([[1, 0, 0]], np.float32), 50.0)
    assert hits.distances[0] == pytest.approx(10.0)
    assert hits.cosines[0] == pytest.approx(1.0)


def test_cosine_of_incidence():
    solids = Solids.of_field(boxes((10.0, 0.0, 0.0, 0.5, 50.0, 9.0, CarlaClass.WALLS)))
    angle = math.radians(30.0)
    rays = np.array([[math.cos(angle), math.sin(angle), 0.0], [0.8, 0.0, -0.6]], np.float32)
    hits = first_hits(solids, PLAIN, (0.0, 0.0, 3.0), rays, 50.0)
    assert hits.cosines[0] == pytest.approx(math.cos(angle), rel=1e-5)
    assert hits.solids.tolist() == [0, GROUND]
    assert hits.cosines[1] == pytest.approx(0.6, rel=1e-5)
    assert hits.distances[1] == pytest.approx(5.0, rel=1e-5)


def test_rays_pass_through_an_ignored_actor():
    solids = Solids.of_field(enclosure()).with_bodies([make_vehicle(x=5.0, number=3)])
    ray = np.array([[1, 0, 0]], np.float32)
    seen = first_hits(solids, PLAIN, (0.0, 0.0, 0.5), ray, 50.0)
    assert solids.actors[seen.solids[0]] == 3
    passed = first_hits(solids, PLAIN, (0.0, 0.0, 0.5), ray, 50.0, ignore=3)
    assert passed.distances[0] == pytest.approx(10.0)


def test_the_ground_of_a_town_knows_roads_and_pavements(town):
    surface = GroundSurface.of_town(town)
    x = np.array([point.x for point in town.spawn_points], np.float32)
    y = np.array([point.y for point in town.spawn_points], np.float32)
    assert (surface.tags(x, y) == CarlaClass.ROADS).all()
    np.testing.assert_allclose(surface.heights(x, y), 0.0, atol=0.05)
    kerb = surface.raster[surface.classes == CarlaClass.SIDEWALKS]
    assert 0.1 < np.median(kerb) < 0.2
