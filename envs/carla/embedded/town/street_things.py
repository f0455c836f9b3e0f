"""Single things on the pavement: bins, benches, hydrants, post boxes, bus stops, adverts, parked bicycles."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sim2real_bench.envs.carla.embedded.town.bodies import BODIES, PAINTS
from sim2real_bench.envs.carla.embedded.town.model import ParkedCar
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene, box_polygon, scaled
from sim2real_bench.envs.carla.embedded.town.signs import STEEL, add_board, add_sign
from sim2real_bench.envs.classes import CarlaClass

Vector = tuple[float, float]
Colour = tuple[float, float, float]
Builder = Callable[[Scene, Vector, Vector], bool]

_BIN_PAINTS: tuple[Colour, ...] = ((0.15, 0.26, 0.18), (0.25, 0.25, 0.27), (0.50, 0.20, 0.12))
_RED: Colour = (0.55, 0.06, 0.05)
_DARK: Colour = (0.14, 0.15, 0.16)
_PANE: Colour = (0.30, 0.36, 0.38)
_SHELTER_HALF = (2.1, 0.62)  # metres along and across the street


def _yaw(along: Vector) -> float:
    return math.atan2(along[1], along[0])


def _offset(at: Vector, along: Vector, x: float, y: float) -> Vector:
    """x along the street, y to its left."""
    return at[0] + along[0] * x - along[1] * y, at[1] + along[1] * x + along[0] * y


def add_box(scene: Scene, at: Vector, along: Vector, half: tuple[float, float, float], tag: int, paint: Colour) -> bool:
    """A box that one can hit; False if something stands there."""
    yaw = _yaw(along)
    if not scene.free(box_polygon(*at, yaw, half[0], half[1])):
        return False
    scene.solid.box((*at, KERB_M), half, yaw, LAYER["plain"], tag, paint)
    scene.obstacle(*at, yaw, half[0], half[1], 2 * half[2], tag)
    return True


def add_bin(scene: Scene, at: Vector, along: Vector) -> bool:
    """A litter bin with a lid."""
    paint = scene.random.choice(_BIN_PAINTS)
    if not add_box(scene, at, along, (0.22, 0.22, 0.45), CarlaClass.DYNAMIC, paint):
        return False
    lid = (0.25, 0.25, 0.05)
    scene.solid.box((*at, KERB_M + 0.9), lid, _yaw(along), LAYER["plain"], CarlaClass.DYNAMIC, scaled(paint, 0.6))
    return True


def add_cabinet(scene: Scene, at: Vector, along: Vector) -> bool:
    """A grey cabinet of the telephone company."""
    return add_box(scene, at, along, (0.45, 0.2, 0.6), CarlaClass.STATIC, (0.45, 0.48, 0.44))


def add_planter(scene: Scene, at: Vector, along: Vector) -> bool:
    """A trough with a bush."""
    if not add_box(scene, at, along, (0.9, 0.4, 0.25), CarlaClass.STATIC, (0.56, 0.54, 0.50)):
        return False
    leaf, yaw = scene.style.leaf_tints[0], _yaw(along)
    scene.solid.box((*at, KERB_M + 0.5), (0.8, 0.32, 0.22), yaw, LAYER["hedge"], CarlaClass.VEGETATION, leaf, 1.6)
    return True


def add_bench(scene: Scene, at: Vector, along: Vector) -> bool:
    """A bench with a back rest, looking at the street."""
    yaw, mesh, tag = _yaw(along), scene.solid, CarlaClass.STATIC
    if not scene.free(box_polygon(*at, yaw, 0.8, 0.28)):
        return False
    wood = (0.8, 0.68, 0.55)
    mesh.box((*at, KERB_M + 0.40), (0.8, 0.22, 0.03), yaw, LAYER["planks"], tag, wood)
    mesh.box((*_offset(at, along, 0.0, -0.24), KERB_M + 0.5), (0.8, 0.03, 0.18), yaw, LAYER["planks"], tag, wood)
    for x in (-0.6, 0.6):
        mesh.box((*_offset(at, along, x, -0.05), KERB_M), (0.04, 0.2, 0.20), yaw, LAYER["plain"], tag, _DARK)
    scene.obstacle(*at, yaw, 0.8, 0.28, 0.86, tag)
    return True


def add_hydrant(scene: Scene, at: Vector, along: Vector) -> bool:
    """A red hydrant."""
    if not scene.free(box_polygon(*at, 0.0, 0.16, 0.16)):
        return False
    mesh, layer, tag = scene.solid, LAYER["plain"], CarlaClass.STATIC
    mesh.tube((*at, KERB_M), (*at, KERB_M + 0.62), (0.12, 0.10), layer, tag, _RED)
    mesh.tube((*at, KERB_M + 0.62), (*at, KERB_M + 0.76), (0.13, 0.02), layer, tag, _RED)
    for side in (-1.0, 1.0):
        mesh.tube((*at, KERB_M + 0.46), (*_offset(at, along, side * 0.2, 0.0), KERB_M + 0.46), (0.06, 0.06), layer, tag,
                  scaled(_RED, 0.8), sides=5)  # fmt: skip
    scene.obstacle(*at, 0.0, 0.16, 0.16, 0.78, tag)
    return True


def add_post_box(scene: Scene, at: Vector, along: Vector) -> bool:
    """A yellow letter box on a foot."""
    if not add_box(scene, at, along, (0.10, 0.10, 0.35), CarlaClass.STATIC, _DARK):
        return False
    yaw = _yaw(along)
    scene.solid.box(
        (*at, KERB_M + 0.62), (0.26, 0.20, 0.34), yaw, LAYER["plain"], CarlaClass.STATIC, (0.72, 0.50, 0.04)
    )
    slot = _offset(at, along, 0.0, 0.205)
    scene.solid.box((*slot, KERB_M + 1.05), (0.17, 0.004, 0.03), yaw, LAYER["plain"], CarlaClass.STATIC, _DARK)
    return True


def add_advert(scene: Scene, at: Vector, along: Vector) -> bool:
    """A lit poster case across the pavement, read from both ways."""
    yaw = _yaw(along)
    half = (0.09, 0.66)
    if not scene.free(box_polygon(*at, yaw, *half)):
        return False
    mesh, tag = scene.solid, CarlaClass.STATIC
    mesh.box((*at, KERB_M), (half[0], half[1], 1.22), yaw, LAYER["plain"], tag, _DARK)
    number = scene.random.randint(0, 5)
    for turn in (1.0, -1.0):
        a, b = (_offset(at, along, turn * (half[0] + 0.012), -turn * y) for y in (0.58, -0.58))
        face = f"poster{(number + (turn > 0)) % 6 + 1}"
        add_board(scene, a, b, KERB_M + 0.48, KERB_M + 2.34, face, tag)
    scene.obstacle(*at, yaw, *half, 2.44, tag)
    return True


def add_bollard(scene: Scene, at: Vector, along: Vector) -> bool:
    """A short post with a pale cap."""
    if not scene.free(box_polygon(*at, 0.0, 0.08, 0.08)):
        return False
    mesh, layer, tag = scene.solid, LAYER["plain"], CarlaClass.POLES
    mesh.tube((*at, KERB_M), (*at, KERB_M + 0.85), (0.07, 0.07), layer, tag, (0.2, 0.2, 0.22))
    top = [
        (at[0] + 0.07 * math.cos(a), at[1] + 0.07 * math.sin(a), KERB_M + 0.85)
        for a in (np.arange(6) * math.tau / 6).tolist()
    ]
    mesh.polygon(top, [(0.5, 0.5)], layer, tag, (0.75, 0.75, 0.72), normal=(0, 0, 1))
    scene.obstacle(*at, 0.0, 0.08, 0.08, 0.85, tag)
    return True


def add_cycles(scene: Scene, at: Vector, along: Vector) -> bool:
    """Two or three bicycles on their stands, along the kerb."""
    places = (-1.9, 0.0, 1.9)[: scene.random.randint(2, 3)]
    done = [_stand(scene, _offset(at, along, x, 0.0), along, "bicycle_parked") for x in places]
    return any(done)


def add_motorcycle(scene: Scene, at: Vector, along: Vector) -> bool:
    """A motorcycle on its stand."""
    return _stand(scene, at, along, "motorcycle_parked")


def _stand(scene: Scene, at: Vector, along: Vector, body: str) -> bool:
    random, shape = scene.random, BODIES[body]
    yaw, paint = _yaw(along) + random.uniform(-0.06, 0.06), random.choice(PAINTS)
    if not scene.free(box_polygon(*at, yaw, shape.half_length, shape.half_width)):
        return False
    scene.obstacle(*at, yaw, shape.half_length, shape.half_width, 2 * shape.half_height, shape.tag)
    pose = (at[0], -at[1], -math.degrees(yaw))
    scene.parked.append(ParkedCar(*pose, body, paint, shape.half_length, shape.half_width, z=KERB_M))
    return True


def add_bus_stop(scene: Scene, kerb: Vector, along: Vector, right: Vector) -> bool:
    """A shelter with bench and poster at the back of the pavement, and the sign at the kerb.

    Args:
        scene: the town.
        kerb: a point on the kerb.
        along: where the traffic drives.
        right: from the road to the houses.
    """
    at = (kerb[0] + right[0] * 1.72, kerb[1] + right[1] * 1.72)
    yaw = _yaw(along)
    half_length, half_depth = _SHELTER_HALF
    if not scene.free(box_polygon(*at, yaw, half_length, half_depth)):
        return False
    mesh, layer, tag = scene.solid, LAYER["plain"], CarlaClass.STATIC
    mesh.box((*at, KERB_M + 2.3), (half_length + 0.1, half_depth + 0.1, 0.06), yaw, layer, tag, _DARK)
    ceiling = [_offset(at, along, x, y) for x, y in ((-2.2, 0.7), (2.2, 0.7), (2.2, -0.7), (-2.2, -0.7))]
    mesh.polygon([(*p, KERB_M + 2.3) for p in ceiling], [(0.5, 0.5)], layer, tag, (0.4, 0.4, 0.4), normal=(0, 0, -1))
    back = _offset(at, along, 0.0, -half_depth + 0.03)
    mesh.box((*back, KERB_M + 0.25), (half_length, 0.02, 1.02), yaw, layer, tag, _PANE)
    for x in (-half_length, 0.0, half_length):
        mesh.box((*_offset(back, along, x, 0.0), KERB_M), (0.04, 0.04, 1.15), yaw, layer, tag, STEEL)
    seat = _offset(at, along, -0.5, -half_depth + 0.28)
    mesh.box((*seat, KERB_M + 0.42), (1.1, 0.18, 0.03), yaw, LAYER["planks"], tag, (0.8, 0.68, 0.55))
    end = _offset(at, along, half_length - 0.06, 0.0)
    mesh.box((*end, KERB_M), (0.06, half_depth, 1.12), yaw, layer, tag, _DARK)
    for turn in (1.0, -1.0):
        a, b = (_offset(end, along, turn * 0.072, -turn * y) for y in (0.55, -0.55))
        add_board(scene, a, b, KERB_M + 0.4, KERB_M + 2.1, f"poster{scene.random.randint(1, 6)}", tag)
    scene.obstacle(*at, yaw, half_length, half_depth, 2.42, tag)
    sign = _offset(kerb, along, half_length + 0.6, 0.0)
    sign = (sign[0] + right[0] * 0.6, sign[1] + right[1] * 0.6)
    add_sign(scene, sign, (-along[0], -along[1]), "bus_stop", 2.4, 0.28)
    return True


STREET_THINGS: dict[str, Builder] = {
    "bin": add_bin, "cabinet": add_cabinet, "bench": add_bench, "hydrant": add_hydrant, "post_box": add_post_box,
    "advert": add_advert, "cycles": add_cycles, "motorcycle": add_motorcycle,
}  # fmt: skip
THING_COUNTS: dict[str, int] = {
    "bin": 3, "cabinet": 1, "bench": 2, "hydrant": 1, "post_box": 1, "advert": 2, "cycles": 2, "motorcycle": 1,
}  # fmt: skip
"""How often each thing comes in turn on a free place at the kerb."""
