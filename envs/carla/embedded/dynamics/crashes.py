"""Crashes whose outcome follows from momentum and restitution."""

import math

import numpy as np

from sim2real_bench.envs.carla.embedded import physics
from sim2real_bench.envs.carla.embedded.actors import Vehicle, Walker
from sim2real_bench.envs.carla.embedded.collisions import RESTITUTION, SCRAPE_FRICTION, StaticField
from sim2real_bench.envs.carla.embedded.dynamics.experiments import MKZ, Check
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.physics import Hit
from sim2real_bench.envs.carla.embedded.town.relief import FLAT
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS, VehicleModel
from sim2real_bench.envs.carla.embedded.vehicles import VehicleDynamics
from sim2real_bench.envs.carla.embedded.walker_dynamics import WalkerDynamics, WalkerModel
from sim2real_bench.envs.carla.embedded.wire import Description
from sim2real_bench.envs.classes import CarlaClass

EMPTY = StaticField(np.zeros((0, 5)), np.zeros(0), np.zeros(0, np.uint8))
MINI = VEHICLE_MODELS["vehicle.mini.cooper_s"]
PEDESTRIAN = WalkerModel("walker.pedestrian.0001", "man")
_TICK_S = 0.05


def car(
    number: int, x: float, speed: float, model: VehicleModel = MKZ, y: float = 0.0, yaw_deg: float = 0.0
) -> Vehicle:
    """A vehicle that rolls without drive."""
    dynamics = VehicleDynamics(model, Transform(x=x, y=y, yaw=yaw_deg))
    dynamics.forward = speed
    return Vehicle(number, Description(1, model.type_id), Transform(), dynamics=dynamics, paint=(0, 0, 0))


def pedestrian(number: int, x: float, y: float = 0.0) -> Walker:
    """A standing walker."""
    pose = Transform(x=x, y=y, z=PEDESTRIAN.half_height)
    dynamics = WalkerDynamics(PEDESTRIAN, pose)
    return Walker(number, Description(1, PEDESTRIAN.type_id), pose, dynamics=dynamics, paint=(0, 0, 0))


def wall(x: float, yaw_deg: float = 0.0) -> StaticField:
    """A long wall across the x axis, turned by an angle."""
    box = np.array([[x, 0.0, math.radians(yaw_deg), 0.2, 100.0]])
    return StaticField(box, np.array([2.0]), np.array([CarlaClass.WALLS], np.uint8))


def first_hits(vehicles: list[Vehicle], walkers: list[Walker], field: StaticField) -> tuple[list[Hit], list[float]]:
    """(hits of the first tick with any, speeds of the vehicles along x just before it)."""
    for _ in range(200):
        speeds = [vehicle.velocity[0] for vehicle in vehicles]
        hits = physics.advance(vehicles, walkers, field, FLAT, _TICK_S)
        if hits:
            return hits, speeds
    raise ValueError("nothing was hit within 10 s")


def head_on() -> Check:
    """Equal masses at equal speed: each is turned back with the share of restitution."""
    cars = [car(1, 0.0, 10.0), car(2, 20.0, 10.0, yaw_deg=180.0)]
    hits, (speed, _) = first_hits(cars, [], EMPTY)
    expected = -MKZ.mass * (1.0 + RESTITUTION) * speed
    return Check("head on, equal masses: impulse", hits[0].impulse[0], expected, "N s", 0.02, "J = -m (1 + e) v")


def against_a_wall() -> Check:
    """A wall takes the same impulse as a mirror image of the car."""
    cars = [car(1, 0.0, 15.0)]
    hits, (speed,) = first_hits(cars, [], wall(12.0))
    expected = -MKZ.mass * (1.0 + RESTITUTION) * speed
    return Check("against a wall: impulse", hits[0].impulse[0], expected, "N s", 0.02, "J = -m (1 + e) v")


def rear_end() -> list[Check]:
    """A heavier car runs into a lighter one that stands."""
    cars = [car(1, 0.0, 10.0), car(2, 12.0, 0.0, MINI)]
    hits, (speed, _) = first_hits(cars, [], EMPTY)
    reduced = MKZ.mass * MINI.mass / (MKZ.mass + MINI.mass)
    expected = reduced * (1.0 + RESTITUTION) * speed
    momentum = sum(vehicle.dynamics.mass * vehicle.velocity[0] for vehicle in cars)
    pushed = next(hit for hit in hits if hit.actor is cars[1])
    formula = "J = (1 + e) v m M / (m + M)"
    return [
        Check("rear end, 1860 into 1285 kg: impulse", pushed.impulse[0], expected, "N s", 0.02, formula),
        Check("rear end: momentum afterwards", momentum, MKZ.mass * speed, "N s", 0.02, "p = M v"),
        Check("rear end: sum of both impulses", sum(hit.impulse[0] for hit in hits), 0.0, "N s", 1e-6, "J₁ = -J₂"),
    ]


def glancing(angle_deg: float = 60.0) -> Check:
    """Along a wall the friction is at most the scrape coefficient times the normal impulse."""
    cars = [car(1, 0.0, 12.0)]
    hits, _ = first_hits(cars, [], wall(12.0, angle_deg))
    normal = (math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg)))
    impulse = hits[0].impulse
    across = abs(impulse[0] * normal[0] + impulse[1] * normal[1])
    along = abs(impulse[1] * normal[0] - impulse[0] * normal[1])
    return Check("glancing blow: friction over normal", along / across, SCRAPE_FRICTION, "", 0.01, "J_t = μ J_n")


def walker_hit() -> list[Check]:
    """A pedestrian takes an impulse of its own mass's size, and flies off a little faster than the car."""
    cars, people = [car(1, 0.0, 8.0)], [pedestrian(2, 10.0)]
    hits, (speed,) = first_hits(cars, people, EMPTY)
    reduced = MKZ.mass * PEDESTRIAN.mass / (MKZ.mass + PEDESTRIAN.mass)
    expected = reduced * (1.0 + RESTITUTION) * speed
    thrown = next(hit for hit in hits if hit.actor is people[0])
    flight = people[0].velocity[0]
    return [
        Check("pedestrian at 8 m/s: impulse", thrown.impulse[0], expected, "N s", 0.03, "J = (1 + e) v m M / (m + M)"),
        Check("pedestrian: speed afterwards", flight, expected / PEDESTRIAN.mass, "m/s", 0.03, "J / m"),
    ]


def crashes() -> list[Check]:
    """All of them."""
    return [head_on(), against_a_wall(), *rear_end(), glancing(), *walker_hit()]
