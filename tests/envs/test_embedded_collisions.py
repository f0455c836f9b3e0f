"""Contacts against shapely, impulses against the conservation laws, and no way through a wall."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sim2real_bench.envs.carla.embedded import physics
from sim2real_bench.envs.carla.embedded.actors import Vehicle
from sim2real_bench.envs.carla.embedded.collisions import Box, StaticField, bounce, contact_between
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.town.relief import FLAT
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl, VehicleDynamics
from sim2real_bench.envs.carla.embedded.wire import Description
from sim2real_bench.envs.classes import CarlaClass

MKZ = VEHICLE_MODELS["vehicle.lincoln.mkz_2020"]
MINI = VEHICLE_MODELS["vehicle.mini.cooper_s"]
NOTHING = StaticField(np.zeros((0, 5)), np.zeros(0), np.zeros(0, np.uint8))


def vehicle_at(x, y, yaw_deg=0.0, speed=0.0, number=1, model=MKZ):
    dynamics = VehicleDynamics(model, Transform(x=x, y=y, yaw=yaw_deg))
    yaw = math.radians(yaw_deg)
    dynamics.set_velocity((speed * math.cos(yaw), speed * math.sin(yaw), 0.0))
    description = Description(1, model.type_id)
    return Vehicle(number, description, Transform(), dynamics=dynamics, paint=(0, 0, 0))


def wall(x=20.0, thickness=0.2, tag=CarlaClass.WALLS):
    return StaticField(np.array([[x, 0.0, 0.0, thickness / 2, 300.0]]), np.array([2.0]), np.array([tag], np.uint8))


def test_contacts_agree_with_shapely():
    shapely = pytest.importorskip("shapely")
    pytest.importorskip("shapely.affinity")
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(1500):
        numbers = generator.uniform([-4, -4, -4, 0.2, 0.2] * 2, [4, 4, 4, 4, 2] * 2)
        first, second = Box(*numbers[:5]), Box(*numbers[5:])
        polygons = [shapely.Polygon(box.corners()) for box in (first, second)]
        contact = contact_between(first, second)
        assert (contact is not None) == polygons[0].intersects(polygons[1])
        if contact is not None:
            hits += 1
            moved = shapely.affinity.translate(
                polygons[0], contact.normal_x * contact.depth * 1.001, contact.normal_y * contact.depth * 1.001
            )
            assert moved.intersection(polygons[1]).area < 1e-3
    assert 200 < hits < 1300


def test_near_is_a_superset_of_the_contacts():
    generator = np.random.default_rng(1)
    boxes = generator.uniform([-50, -50, -3, 0.1, 0.1], [50, 50, 3, 6, 3], (300, 5))
    field = StaticField(boxes, np.ones(300), np.full(300, CarlaClass.BUILDINGS, np.uint8))
    for _ in range(50):
        box = Box(*generator.uniform([-50, -50, -3, 1, 1], [50, 50, 3, 3, 2]))
        touching = {index for index in range(300) if contact_between(box, field.box(index))}
        assert touching <= set(field.near(box.x, box.y, box.radius))
        assert field.blocked(box, 0.0) == bool(touching)
        assert not field.blocked(box, 5.0)


def test_a_head_on_impact_returns_the_momentum():
    vehicle = vehicle_at(0.0, 0.0, speed=10.0).dynamics
    contact = contact_between(Box.around(vehicle), Box(2.5, 0.0, 0.0, 0.1, 5.0))
    x, y = bounce(vehicle, None, contact)
    assert x == pytest.approx(-MKZ.mass * 10.0 * 1.1, rel=1e-6)
    assert abs(y) < 1e-6
    assert vehicle.forward == pytest.approx(-1.0)


def test_vehicles_exchange_momentum_and_lose_energy():
    first, second = vehicle_at(0, 0, speed=12.0).dynamics, vehicle_at(3.3, 0.8, 100.0, 3.0, model=MINI).dynamics

    def momentum():
        bodies = (first, second)
        return np.sum([np.array(body.velocity[:2]) * body.model.mass for body in bodies], axis=0)

    def spin():
        return sum(
            body.model.yaw_inertia * body.yaw_rate
            + body.model.mass * (body.x * body.velocity[1] - body.y * body.velocity[0])
            for body in (first, second)
        )

    def energy():
        return sum(
            body.model.mass * (body.forward**2 + body.side**2) + body.model.yaw_inertia * body.yaw_rate**2
            for body in (first, second)
        )

    contact = replace(contact_between(Box.around(first), Box.around(second)), depth=0.0)
    before = momentum(), spin(), energy()
    x, y = bounce(first, second, contact)
    assert x * contact.normal_x + y * contact.normal_y > 0
    assert momentum() == pytest.approx(before[0], rel=1e-9)
    assert spin() == pytest.approx(before[1], rel=1e-9)
    assert energy() < before[2]
    assert bounce(first, second, contact) == (0.0, 0.0)  # they part now


@pytest.mark.parametrize("speed", [3.0, 10.0, 40.0, 80.0])
@pytest.mark.parametrize("angle", [0.0, 20.0, -50.0, 70.0])
@pytest.mark.parametrize("tick", [0.05, 0.1])
def test_nothing_drives_through_a_thin_wall(speed, angle, tick):
    vehicle = vehicle_at(10.0, 0.0, angle, speed)
    vehicle.control = VehicleControl(throttle=1.0)
    field = wall()
    hits = []
    for _ in range(round(4.0 / tick)):
        hits += physics.advance([vehicle], [], field, FLAT, tick)
        reach = vehicle.box.reach(1.0, 0.0)
        assert vehicle.dynamics.x + reach < 20.0 - 0.1 + 0.1
    assert hits
    assert hits[0].other == 0
    assert hits[0].impulse[0] < 0.0
    strongest = max(math.hypot(*hit.impulse) for hit in hits)
    normal_speed = speed * math.cos(math.radians(angle))
    assert strongest <= MKZ.mass * (normal_speed + 3.0) * 1.2 * 1.1
    assert strongest >= 0.2 * MKZ.mass * normal_speed


def test_a_vehicle_that_leans_on_a_wall_keeps_reporting_contacts():
    vehicle = vehicle_at(17.0, 0.0)
    vehicle.control = VehicleControl(throttle=0.5)
    reports = [bool(physics.advance([vehicle], [], wall(), FLAT, 0.1)) for _ in range(50)]
    assert sum(reports[20:]) >= 25
    assert abs(vehicle.dynamics.forward) < 0.2


def test_a_moving_vehicle_pushes_a_standing_one():
    moving, standing = vehicle_at(0.0, 0.0, speed=10.0), vehicle_at(8.0, 0.0, number=2)
    hits = []
    for _ in range(20):
        hits += physics.advance([moving, standing], [], NOTHING, FLAT, 0.05)
        assert contact_between(moving.box, standing.box) is None
    pairs = {(hit.actor.actor_id, hit.other.actor_id): hit.impulse for hit in hits}
    assert pairs[1, 2][0] < 0 < pairs[2, 1][0]
    assert pairs[1, 2][0] == pytest.approx(-pairs[2, 1][0])
    assert standing.dynamics.x > 8.0


def test_a_vehicle_without_physics_is_as_hard_as_a_wall():
    moving, held = vehicle_at(0.0, 0.0, speed=10.0), vehicle_at(8.0, 0.0, number=2)
    held.physics = False
    hits = []
    for _ in range(20):
        hits += physics.advance([moving, held], [], NOTHING, FLAT, 0.05)
    assert held.dynamics.x == 8.0
    assert {hit.actor.actor_id for hit in hits} == {1, 2}
    assert max(abs(hit.impulse[0]) for hit in hits) == pytest.approx(MKZ.mass * 9.8 * 1.1, rel=0.1)


def test_switched_off_collisions_let_a_vehicle_pass():
    vehicle = vehicle_at(10.0, 0.0, speed=15.0)
    vehicle.solid = False
    assert not [hit for _ in range(20) for hit in physics.advance([vehicle], [], wall(), FLAT, 0.1)]
    assert vehicle.dynamics.x > 22.0


def test_obstacles_below_a_falling_vehicle_are_not_hit():
    vehicle = vehicle_at(20.0, 0.0)
    vehicle.dynamics.z = 4.0
    assert not physics.advance([vehicle], [], wall(), FLAT, 0.05)


def test_the_tick_is_deterministic():
    ends = []
    for _ in range(2):
        group = [vehicle_at(6.0 * n, 0.3 * n, 10.0 * n, 8.0 - n, n + 1) for n in range(6)]
        for member in group:
            member.control = VehicleControl(throttle=0.5, steer=0.1)
        for _ in range(40):
            physics.advance(group, [], wall(30.0), FLAT, 0.1)
        ends.append([(member.dynamics.x, member.dynamics.y, member.dynamics.yaw) for member in group])
    assert ends[0] == ends[1]
