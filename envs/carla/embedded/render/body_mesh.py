"""The mesh of every body in ``town.bodies``."""

from __future__ import annotations

from sim2real_bench.envs.carla.embedded.render.cycle_mesh import CYCLE_BODIES, cycle_mesh
from sim2real_bench.envs.carla.embedded.render.prop_mesh import PROP_BODIES, prop_mesh
from sim2real_bench.envs.carla.embedded.render.truck_mesh import LARGE_BODIES, large_vehicle_mesh
from sim2real_bench.envs.carla.embedded.render.vehicle_mesh import CAR_BODIES, car_mesh
from sim2real_bench.envs.carla.embedded.render.walker_mesh import WALKER_BODIES, walker_mesh
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES
from sim2real_bench.envs.carla.embedded.town.model import Mesh
from sim2real_bench.errors import UnknownNameError


def body_mesh(name: str) -> Mesh:
    """The mesh of a name that ``bodies.mesh_name`` gives.

    Raises:
        UnknownNameError: no such body.
    """
    body, _, pose = name.partition(":")
    if body in CAR_BODIES:
        return car_mesh(body)
    if body in LARGE_BODIES:
        return large_vehicle_mesh(body)
    if body in CYCLE_BODIES:
        return cycle_mesh(body, int(pose or 0))
    if body in WALKER_BODIES:
        return walker_mesh(body, int(pose or 0))
    if body in PROP_BODIES:
        return prop_mesh(body)
    raise UnknownNameError(f"body {body!r} is unknown; choose one of {', '.join(BODIES)}")
