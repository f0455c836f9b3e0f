"""The vehicles of a frame as instances: parked cars and the moving ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.render.geometry import VERTEX_FORMAT, VERTEX_NAMES
from sim2real_bench.envs.carla.embedded.render.projection import Camera
from sim2real_bench.envs.carla.embedded.render.vehicle_mesh import instance_row, vehicle_mesh
from sim2real_bench.envs.carla.embedded.render.view import ActorLook
from sim2real_bench.envs.carla.embedded.town.bodies import VEHICLE_BODIES
from sim2real_bench.envs.carla.embedded.town.model import ParkedCar
from sim2real_bench.errors import ConfigurationError

Rows = npt.NDArray[np.float32]

INSTANCE_FORMAT = "4f 4f 2f /i"
INSTANCE_NAMES = ("at", "paint", "stretch")
_FLOATS = 10
_CAPACITY = 256  # vehicles of one body in one frame
_RADIUS_M = 3.5
_SHADOW_HEIGHT_M = 1.6
_REACH_M = 140.0
MASK_AHEAD_M, MASK_HALF_M = 20.0, 26.0


@dataclass(frozen=True)
class Body:
    """A body on the GPU: mesh, and the instances of this frame (all, and the moving ones)."""

    vertices: Any
    indices: Any
    instances: Any
    moving: Any


def _parked_row(car: ParkedCar) -> tuple[float, ...]:
    yaw = -math.radians(car.yaw_deg)
    return instance_row(car.x, -car.y, car.z, yaw, car.body, car.colour, car.half_length, car.half_width)


def _moving_row(look: ActorLook) -> tuple[float, ...]:
    if look.body not in VEHICLE_BODIES:
        raise ConfigurationError(f"vehicle body {look.body!r} is unknown; choose one of {', '.join(VEHICLE_BODIES)}")
    yaw = -math.radians(look.yaw_deg)
    row = instance_row(look.x, -look.y, look.z, yaw, look.body, look.colour, look.half_length, look.half_width)
    return (*row[:7], float(look.actor_id & 0xFFFF), *row[8:])


def _in_view(rows: Rows, camera: Camera, planes: npt.NDArray[np.float64], reach_m: float) -> Rows:
    if not len(rows):
        return rows
    points = rows[:, :3] + np.array([0.0, 0.0, 0.8])
    inside = (points @ planes[:, :3].T + planes[:, 3] > -_RADIUS_M).all(1)
    apart = np.hypot(*(points[:, :2] - camera.eye[:2]).T)
    shown = np.nonzero(inside & (apart < reach_m))[0]
    return rows[shown[np.argsort(apart[shown], kind="stable")]][:_CAPACITY]


def _casts_into_view(
    rows: Rows, camera: Camera, planes: npt.NDArray[np.float64], sun: tuple[float, float, float]
) -> npt.NDArray[np.bool_]:
    """Which vehicles throw a shadow on ground that is seen and near: a circle around car and shadow decides."""
    throw = np.array([-sun[0], -sun[1]]) * (_SHADOW_HEIGHT_M / max(sun[2], 0.08))
    middle = np.c_[rows[:, :2] + throw / 2.0, rows[:, 2]].astype(np.float64)
    radius = _RADIUS_M + float(np.hypot(*throw)) / 2.0
    seen = (middle @ planes[:, :3].T + planes[:, 3] > -radius).all(1)
    return np.asarray(seen & (np.hypot(*(middle[:, :2] - camera.eye[:2]).T) < MASK_AHEAD_M + 2 * MASK_HALF_M))


class Fleet:
    """Holds the bodies and writes the instances of each frame."""

    def __init__(self, context: Any, parked: Sequence[ParkedCar]) -> None:
        self.bodies: dict[str, Body] = {}
        self._parked: dict[str, Rows] = {}
        for name in VEHICLE_BODIES:
            mesh = vehicle_mesh(name)
            self.bodies[name] = Body(
                context.buffer(mesh.vertices.tobytes()), context.buffer(mesh.triangles.tobytes()),
                context.buffer(reserve=_CAPACITY * _FLOATS * 4), context.buffer(reserve=_CAPACITY * _FLOATS * 4),
            )  # fmt: skip
            rows = [_parked_row(car) for car in parked if car.body == name]
            self._parked[name] = np.array(rows, np.float32).reshape(-1, _FLOATS)
        self.contact = context.buffer(reserve=4 * _CAPACITY * 6 * 4)

    def write_parked(self) -> dict[str, int]:
        """Make every parked car an instance (for the shadow map); their number by body."""
        for name, rows in self._parked.items():
            self.bodies[name].instances.write(rows[:_CAPACITY].tobytes())
        return {name: min(len(rows), _CAPACITY) for name, rows in self._parked.items()}

    def write_frame(
        self,
        vehicles: Sequence[ActorLook],
        camera: Camera,
        planes: npt.NDArray[np.float64],
        reach_m: float,
        sun: tuple[float, float, float],
    ) -> tuple[dict[str, int], dict[str, int], int]:
        """Write the instances in view; number by body, number of shadow casters by body, number of contacts."""
        moving: dict[str, list[tuple[float, ...]]] = {name: [] for name in VEHICLE_BODIES}
        for look in vehicles:
            row = _moving_row(look)
            moving[look.body].append(row)
        shown, casting, contacts = {}, {}, []
        for name, body in self.bodies.items():
            if not moving[name] and not len(self._parked[name]):
                shown[name] = casting[name] = 0
                continue
            rows = np.array(moving[name], np.float32).reshape(-1, _FLOATS)
            visible = _in_view(np.vstack([self._parked[name], rows]), camera, planes, min(reach_m, _REACH_M))
            body.instances.write(visible.tobytes())
            shown[name] = len(visible)
            near = rows[_casts_into_view(rows, camera, planes, sun)][:_CAPACITY]
            body.moving.write(near.tobytes())
            casting[name] = len(near)
            size = np.asarray(VEHICLE_BODIES[name], np.float32)
            close = visible[np.hypot(*(visible[:, :2] - camera.eye[:2]).T) < 60.0]
            contacts.append(np.hstack([close[:, :4], close[:, 8:10] * size]))
        below = np.vstack([np.zeros((0, 6)), *contacts]).astype(np.float32)
        self.contact.write(below.tobytes())
        return shown, casting, len(below)


def vehicle_content(body: Body, moving: bool) -> list[tuple[Any, ...]]:
    """The buffers of a body for a vertex array."""
    instances = body.moving if moving else body.instances
    return [(body.vertices, VERTEX_FORMAT, *VERTEX_NAMES), (instances, INSTANCE_FORMAT, *INSTANCE_NAMES)]
