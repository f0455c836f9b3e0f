"""Everything on the road at one moment, as arrays: vehicles, walkers (and where they will be), things."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import Prop, Vehicle, Walker
from sim2real_bench.envs.carla.embedded.traffic.obstacles import Boxes, Float

_FORESIGHT_S = (0.8, 1.6, 2.4)
_WALKING_MPS = 0.3
_WALKER_ROOM_M = 0.25


def gather(vehicles: Sequence[Vehicle], walkers: Sequence[Walker], props: Sequence[Prop]) -> Boxes:
    """The boxes of all road users; vehicles come first and in order.

    A walker in motion has further boxes where it will be soon: drivers give way before it stands in front of them.
    """
    rows = [_vehicle_row(vehicle) for vehicle in vehicles]
    for walker in walkers:
        rows.extend(_walker_rows(walker))
    rows.extend(_prop_row(prop) for prop in props)
    table: Float = np.array(rows, np.float64).reshape(-1, 7)
    return Boxes(*table.T)


def _vehicle_row(vehicle: Vehicle) -> tuple[float, ...]:
    dynamics = vehicle.dynamics
    model = dynamics.model
    vx, vy, _ = dynamics.velocity if vehicle.physics else (0.0, 0.0, 0.0)
    return dynamics.x, dynamics.y, dynamics.yaw, model.half_length, model.half_width, vx, vy


def _walker_rows(walker: Walker) -> list[tuple[float, ...]]:
    dynamics = walker.dynamics
    model = dynamics.model
    vx, vy, _ = walker.velocity
    length, width = model.half_length + _WALKER_ROOM_M, model.half_width + _WALKER_ROOM_M
    moments = (0.0, *_FORESIGHT_S) if abs(vx) + abs(vy) > _WALKING_MPS else (0.0,)
    return [(dynamics.x + vx * t, dynamics.y + vy * t, dynamics.yaw, length, width, vx, vy) for t in moments]


def _prop_row(prop: Prop) -> tuple[float, ...]:
    pose = prop.transform
    half_length, half_width, _ = prop.model.half_size
    return pose.x, pose.y, np.radians(pose.yaw), half_length, half_width, 0.0, 0.0
