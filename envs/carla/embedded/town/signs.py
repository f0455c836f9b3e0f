"""Traffic signs and traffic lights on their poles, and boards with pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim2real_bench.envs.carla.embedded.town.palette import LAYER, SIGN_CELLS, cell_box
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene, box_polygon, scaled
from sim2real_bench.envs.carla.embedded.town.signals import SPEED_LIMIT, STOP, YIELD, RoadSignal
from sim2real_bench.envs.classes import CarlaClass

Vector = tuple[float, float]
Colour = tuple[float, float, float]

STEEL: Colour = (0.50, 0.51, 0.53)
_BACK: Colour = (0.45, 0.46, 0.47)
_HOUSING: Colour = (0.09, 0.10, 0.09)
_LAMP_PAINTS: tuple[Colour, ...] = ((0.95, 0.12, 0.08), (0.90, 0.60, 0.10), (0.10, 0.80, 0.25))  # red, amber, green
_DARK = 0.14  # of a lamp that is off
_OUTLINES: dict[str, list[tuple[float, float]]] = {
    "disc": [(math.cos(a), math.sin(a)) for a in np.arange(14) * math.tau / 14],
    "octagon": [(math.cos(a) * 1.08, math.sin(a) * 1.08) for a in (np.arange(8) + 0.5) * math.tau / 8],
    "yield": [(0.0, -1.0), (1.1, 0.86), (-1.1, 0.86)],
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "diamond": [(0.0, -1.1), (1.1, 0.0), (0.0, 1.1), (-1.1, 0.0)],
}
"""Corners around the centre in half sizes (right, up), anticlockwise for whoever reads the sign."""
_SHAPE_OF = {"stop": "octagon", "yield": "yield", "priority": "diamond"}
_SQUARES = frozenset({"one_way", "crossing", "parking", "bus_stop", "chevron"})
_LIMITS = tuple(float(name.removeprefix("limit")) for name in SIGN_CELLS if name.startswith("limit"))


def outline_of(face: str) -> list[tuple[float, float]]:
    """The outline of a sign by its face."""
    return _OUTLINES[_SHAPE_OF.get(face, "square" if face in _SQUARES else "disc")]


def add_pole(scene: Scene, at: Vector, height: float, radius: float, paint: Colour = STEEL) -> bool:
    """A pole from the pavement up to ``height``; False if something stands there."""
    if not scene.free(box_polygon(*at, 0.0, radius, radius)):
        return False
    scene.solid.tube((*at, KERB_M), (*at, height), (radius, radius), LAYER["plain"], CarlaClass.POLES, paint)
    scene.obstacle(*at, 0.0, max(radius, 0.06), max(radius, 0.06), height, CarlaClass.POLES)
    return True


def add_face(
    scene: Scene, centre: Sequence[float], facing: Vector, face: str, half: float, tag: int = CarlaClass.TRAFFIC_SIGNS
) -> None:
    """A sign's face in front of ``centre``, which whoever looks against ``facing`` reads, and its grey back."""
    right = (-facing[1], facing[0])
    u0, v0, u1, v1 = cell_box(face)
    margin = 0.004
    u0, v0, u1, v1 = u0 + margin, v0 + margin, u1 - margin, v1 - margin
    x, y = centre[0] + facing[0] * 0.05, centre[1] + facing[1] * 0.05
    outline = outline_of(face)
    points = [(x + right[0] * p * half, y + right[1] * p * half, centre[2] + q * half) for p, q in outline]
    reach = max(max(abs(p), abs(q)) for p, q in outline)
    uv = [((u0 + u1) / 2 + p / reach * (u1 - u0) / 2, (v0 + v1) / 2 + q / reach * (v1 - v0) / 2) for p, q in outline]
    scene.solid.polygon(points, uv, LAYER["signs"], tag, (1.15, 1.15, 1.15), normal=(*facing, 0.0))
    back = [(p[0] - facing[0] * 0.008, p[1] - facing[1] * 0.008, p[2]) for p in points][::-1]
    scene.solid.polygon(back, [(0.5, 0.5)], LAYER["plain"], tag, _BACK, normal=(-facing[0], -facing[1], 0.0))


def add_board(scene: Scene, a: Vector, b: Vector, z0: float, z1: float, face: str, tag: int, glow: float = 0.0) -> None:
    """A picture on an upright rectangle whose front is on the right of a -> b."""
    u0, v0, u1, v1 = cell_box(face)
    corners = [(*a, z0), (*b, z0), (*b, z1), (*a, z1)]
    scene.solid.polygon(corners, [(u0, v0), (u1, v0), (u1, v1), (u0, v1)], LAYER["posters"], tag, glow=glow)


def add_sign(scene: Scene, at: Vector, facing: Vector, face: str, height: float = 2.5, half: float = 0.33) -> bool:
    """A sign on a pole; ``facing`` points to whoever reads it."""
    if not add_pole(scene, at, height + half + 0.05, 0.035):
        return False
    add_face(scene, (*at, height), facing, face, half)
    return True


def add_signals(scene: Scene, signals: Sequence[RoadSignal]) -> None:
    """The traffic lights (dark: the renderer lights them) and signs of the map."""
    for signal in signals:
        at = (signal.x, -signal.y)
        shine = -math.radians(signal.lamp_yaw_deg)
        facing = (math.cos(shine), math.sin(shine))
        if signal.is_light:
            _traffic_light(scene, signal, at, facing)
        elif signal.type_code == STOP:
            add_sign(scene, at, facing, "stop", 2.45, 0.40)
        elif signal.type_code == YIELD:
            add_sign(scene, at, facing, "yield", 2.45, 0.45)
        elif signal.type_code == SPEED_LIMIT:
            nearest = min(_LIMITS, key=lambda limit: abs(limit - signal.value))
            add_sign(scene, at, facing, f"limit{nearest:.0f}", 2.45, 0.38)


def _traffic_light(scene: Scene, signal: RoadSignal, at: Vector, facing: Vector) -> None:
    if not add_pole(scene, at, 3.75, 0.07, (0.22, 0.23, 0.23)):
        return
    mesh, layer, tag, yaw = scene.solid, LAYER["plain"], CarlaClass.TRAFFIC_LIGHT, math.atan2(facing[1], facing[0])
    # Signals are told on the relief, the mesh is made on the flat.
    heights = [z - signal.z for _, _, z in signal.lamps]
    middle = sum(heights) / 3
    mesh.box((*at, middle - 0.47), (0.15, 0.17, 0.47), yaw, layer, tag, _HOUSING)
    for (x, y, _), z, paint in zip(signal.lamps, heights, _LAMP_PAINTS, strict=True):
        mesh.disc((x, -y, z), facing, 0.11, tag, layer, scaled(paint, _DARK))
        hood = (x + facing[0] * 0.05, -y + facing[1] * 0.05, z + 0.12)
        mesh.box(hood, (0.06, 0.13, 0.012), yaw, layer, tag, (0.07, 0.07, 0.07))
    _footlight(scene, at, facing, yaw)


def _footlight(scene: Scene, at: Vector, facing: Vector, yaw: float) -> None:
    """A push button and a small signal for those on foot, on the side of the pole."""
    side = (-facing[1], facing[0])
    centre = (at[0] + side[0] * 0.14, at[1] + side[1] * 0.14, 2.15)
    scene.solid.box(centre, (0.10, 0.09, 0.26), yaw, LAYER["plain"], CarlaClass.TRAFFIC_LIGHT, _HOUSING)
