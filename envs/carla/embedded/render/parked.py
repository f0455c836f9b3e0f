"""Parked vehicles as part of the town's static meshes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.render.body_mesh import body_mesh
from sim2real_bench.envs.carla.embedded.render.lod import LEVELS, level_reach, simplified
from sim2real_bench.envs.carla.embedded.render.poses import linear_light, rotations
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES, mesh_name
from sim2real_bench.envs.carla.embedded.town.model import Mesh, ParkedCar

Float = npt.NDArray[np.float64]

_MARGIN_M = 0.15  # mirrors and lifted lamps reach beyond the box


@dataclass(frozen=True)
class ParkedMesh:
    """A vehicle at one level of detail: mesh in the world, corners of its box, distances from and to (metres)."""

    mesh: Mesh
    low: Float
    high: Float
    nearest: float
    furthest: float


@lru_cache(maxsize=128)
def _level(body: str, level: int) -> Mesh:
    return simplified(body_mesh(mesh_name(body)), level)


def parked_meshes(cars: Sequence[ParkedCar]) -> list[ParkedMesh]:
    """Every parked vehicle at every level of detail."""
    made = []
    for car in cars:
        shape = BODIES[car.body]
        angles = (np.array([angle]) for angle in (car.pitch_deg, car.yaw_deg, car.roll_deg))
        turn, place = rotations(*angles)[0], np.array([car.x, -car.y, car.z])
        factors = np.array([car.half_length / shape.half_length, car.half_width / shape.half_width, 1.0])
        paint = linear_light([car.colour])[0]
        meshes = [_placed(_level(car.body, level), turn, place, factors, paint) for level in range(LEVELS)]
        corners = meshes[0].vertices[:, :3].astype(np.float64)
        low, high = corners.min(0) - _MARGIN_M, corners.max(0) + _MARGIN_M
        reaches = level_reach(max(shape.half_length, shape.half_height))
        made += [ParkedMesh(mesh, low, high, *reach) for mesh, reach in zip(meshes, reaches, strict=True)]
    return made


def _placed(mesh: Mesh, turn: Float, place: Float, factors: Float, paint: Float) -> Mesh:
    vertices = mesh.vertices.copy()
    vertices[:, :3] = (mesh.vertices[:, :3] * factors) @ turn.T + place
    vertices[:, 3:6] = mesh.vertices[:, 3:6] @ turn.T
    vertices[:, 7] = mesh.vertices[:, 2]  # height above its own ground, for the dark near the road
    vertices[:, 8:11] = np.where(mesh.vertices[:, 8:9] < 0.0, paint, mesh.vertices[:, 8:11])
    return Mesh(vertices, mesh.triangles)
