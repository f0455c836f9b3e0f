"""Meshes of large vehicles: lorries, fire engine, ambulance and bus (see ``vehicle_mesh`` for the conventions)."""

from __future__ import annotations

from collections.abc import Callable

from sim2real_bench.envs.carla.embedded.render.body_parts import (
    AMBER,
    BLUE,
    GLASS,
    GLAZED,
    GLOSS,
    HEAD_LAMP,
    METAL,
    PAINT,
    PLATE,
    TAIL_LAMP,
    TRIM,
    BodyBuilder,
    Colour,
    Lamp,
    Point,
)  # fmt: skip
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES
from sim2real_bench.envs.carla.embedded.town.model import Mesh

_OUT = 0.012
_WHITE: Colour = (0.78, 0.79, 0.80)
_RED: Colour = (0.45, 0.02, 0.02)
_STEEL: Colour = (0.36, 0.37, 0.39)


def _side(x0: float, x1: float, y: float, z0: float, z1: float) -> list[Point]:
    """An upright rectangle on the left side."""
    return [(x1, y, z0), (x0, y, z0), (x0, y, z1), (x1, y, z1)]


def _end(x: float, y0: float, y1: float, z0: float, z1: float, sign: float, lean: float = 0.0) -> list[Point]:
    """An upright rectangle at the nose (sign 1) or the tail (-1); ``lean`` moves its upper edge back."""
    a, b = (y0, y1) if sign > 0 else (y1, y0)
    return [(x, a, z0), (x, b, z0), (x - sign * lean, b, z1), (x - sign * lean, a, z1)]


def _lamps(build: BodyBuilder, half_length: float, y: float, front_z: float, rear_z: float) -> None:
    """Head lamps, blinkers, tail and reverse lamps, plates."""
    nose, tail = half_length - 0.003, -half_length + 0.003
    for left in (True, False):
        flip = 1.0 if left else -1.0
        blinker = float(Lamp.LEFT_BLINKER if left else Lamp.RIGHT_BLINKER)
        for y0, y1, tint, lamp in ((0.55, 0.85, HEAD_LAMP, float(Lamp.HEAD)), (0.86, 0.97, AMBER, blinker)):
            low, high = sorted((flip * y * y0, flip * y * y1))
            build.face(_end(nose, low, high, front_z, front_z + 0.2, 1.0), tint, lamp)
        rear = ((0.62, 0.70, HEAD_LAMP, float(Lamp.REVERSE)), (0.71, 0.86, TAIL_LAMP, float(Lamp.TAIL)),
                (0.87, 0.97, AMBER, blinker))  # fmt: skip
        for y0, y1, tint, lamp in rear:
            low, high = sorted((flip * y * y0, flip * y * y1))
            build.face(_end(tail, low, high, rear_z, rear_z + 0.16, -1.0), tint, lamp)
    build.face(_end(nose, -0.26, 0.26, front_z - 0.22, front_z - 0.1, 1.0), PLATE)
    build.face(_end(tail, -0.26, 0.26, rear_z - 0.02, rear_z + 0.10, -1.0), PLATE)


def _axles(build: BodyBuilder, places: tuple[float, ...], y: float, radius: float, arch: float = 1.14) -> None:
    for x in places:
        for side in (-1.0, 1.0):
            build.wheel(x, side * y, radius, 0.32, arch=arch)


def _mirrors(build: BodyBuilder, x: float, inner: float, outer: float, z: float) -> None:
    for y0, y1 in ((inner, outer), (-outer, -inner)):
        build.box((x - 0.05, y0, z), (x + 0.05, y1, z + 0.42), TRIM, bottom=True)


def _cab(build: BodyBuilder, nose: float, back: float, y: float, top: float, low: float = 0.45) -> None:
    """A cab above the engine: painted, with a windscreen and side windows."""
    belt, lean = low + (top - low) * 0.48, 0.16
    profile = [(back, low), (back, top), (nose - lean - 0.12, top), (nose - lean, top - 0.12), (nose, belt - 0.1),
               (nose, low)]  # fmt: skip
    build.prism(profile, y, PAINT)
    slope = lean / (top - 0.12 - belt + 0.1)
    z0, z1 = belt + 0.02, top - 0.2
    x0, x1 = nose - slope * (z0 - belt + 0.1) + _OUT, nose - slope * (z1 - belt + 0.1) + _OUT
    build.face([(x0, -y * 0.92, z0), (x0, y * 0.92, z0), (x1, y * 0.88, z1), (x1, -y * 0.88, z1)], GLASS, GLAZED)
    front = nose - 0.28
    pane = [
        (front, y + _OUT, z0),
        (back + 0.25, y + _OUT, z0),
        (back + 0.25, y + _OUT, z1),
        (front - 0.14, y + _OUT, z1),
    ]
    build.both(pane, GLASS, GLAZED)
    build.face(_end(nose + 0.002, -y * 0.62, y * 0.62, low + 0.28, belt - 0.12, 1.0), TRIM, GLOSS)
    build.face(_end(nose + 0.002, -y * 0.98, y * 0.98, low + 0.01, low + 0.14, 1.0), TRIM)


def _chassis(build: BodyBuilder, x0: float, x1: float, y: float, z0: float = 0.42, z1: float = 0.95) -> None:
    build.box((x0, -y, z0), (x1, y, z1), TRIM, bottom=True)


def _truck(build: BodyBuilder) -> None:
    """A box lorry."""
    y = 1.17
    _chassis(build, -3.38, 3.0, 0.9)
    _cab(build, 3.395, 1.75, y, 2.45)
    build.box((-3.395, -y, 0.92), (1.6, y, 3.10), _WHITE, GLOSS, bottom=True)
    build.both(_side(-3.2, 1.4, y + _OUT, 1.5, 2.3), PAINT, GLOSS)
    build.both(_side(-1.9, 1.2, y - 0.05, 0.45, 0.85), _STEEL)
    for a, b in ((-1.05, -0.05), (0.05, 1.05)):  # doors
        build.face(_end(-3.397, a, b, 1.02, 3.0, -1.0), (0.62, 0.63, 0.65), GLOSS)
    _axles(build, (2.35, -2.1), 1.16, 0.46)
    _lamps(build, 3.4, y, 0.66, 0.70)
    _mirrors(build, 3.05, y - 0.02, 1.22, 1.55)


def _lorry(build: BodyBuilder) -> None:
    """A heavy three-axle lorry with a tarpaulin body."""
    y = 1.25
    _chassis(build, -3.88, 3.5, 0.95, 0.48, 1.05)
    _cab(build, 3.895, 1.75, y, 3.05, 0.48)
    build.box((-3.895, -y, 1.05), (1.6, y, 3.44), (0.30, 0.33, 0.36), bottom=True)
    build.both(_side(-3.8, 1.5, y + _OUT, 1.45, 3.2), PAINT)
    build.both(_side(-3.8, 1.5, y + _OUT, 1.05, 1.2), _STEEL)
    build.both(_side(-1.6, 1.4, y - 0.06, 0.5, 0.95), _STEEL)
    build.face(_end(-3.897, -1.15, 1.15, 1.2, 3.3, -1.0), _STEEL, GLOSS)
    _axles(build, (2.75, -1.75, -3.0), 1.24, 0.50, arch=0.0)
    build.both([(3.35, y + _OUT, 0.49), (2.15, y + _OUT, 0.49), (2.3, y + _OUT, 1.05), (3.2, y + _OUT, 1.05)], TRIM)
    _lamps(build, 3.9, y, 0.70, 0.78)
    _mirrors(build, 3.6, y - 0.02, 1.30, 1.9)


def _firetruck(build: BodyBuilder) -> None:
    """A red engine with roller shutters, a ladder and beacons."""
    y = 1.25
    _chassis(build, -4.18, 3.8, 1.0, 0.5, 1.0)
    _cab(build, 4.195, 1.35, y, 2.9, 0.5)
    build.box((-4.195, -y, 0.62), (1.35, y, 3.05), PAINT, GLOSS, bottom=True)
    for x0, x1 in ((-4.0, -3.1), (-1.5, -0.25), (-0.1, 1.2)):
        build.both(_side(x0, x1, y + _OUT, 0.9, 2.4), (0.5, 0.51, 0.53), GLOSS)
    build.both(_side(-4.195, 4.0, y + 2 * _OUT, 0.66, 0.84), (0.75, 0.72, 0.15))
    build.face(_end(-4.197, -0.9, 0.9, 1.0, 2.5, -1.0), (0.5, 0.51, 0.53), GLOSS)
    for rail in (-0.35, 0.35):
        build.box((-3.9, rail - 0.05, 3.2), (1.6, rail + 0.05, 3.34), METAL)
    for x in (-3.6, -2.6, -1.6, -0.6, 0.4, 1.3):
        build.box((x - 0.04, -0.35, 3.05), (x + 0.04, 0.35, 3.26), METAL)
    build.box((2.9, -0.9, 2.9), (3.3, 0.9, 3.08), BLUE, float(Lamp.BEACON))
    build.box((-4.1, -0.9, 3.05), (-3.95, -0.6, 3.5), BLUE, float(Lamp.BEACON))
    _axles(build, (2.75, -2.3), 1.26, 0.52)
    _lamps(build, 4.2, y, 0.75, 0.72)
    _mirrors(build, 3.95, y - 0.02, 1.30, 1.8)


def _ambulance(build: BodyBuilder) -> None:
    """A van's front with a box behind it."""
    y = 1.07
    _chassis(build, -3.08, 2.6, 0.85, 0.34, 0.7)
    nose = [(1.0, 0.36), (1.0, 2.0), (1.35, 2.0), (2.15, 1.22), (2.98, 1.05), (3.095, 0.85), (3.095, 0.36)]
    build.prism(nose, y - 0.05, PAINT)
    build.face([(2.08, -0.88, 1.31), (2.08, 0.88, 1.31), (1.44, 0.84, 1.93), (1.44, -0.84, 1.93)], GLASS, GLAZED,
               (0.69, 0.0, 0.72))  # fmt: skip
    build.both([(1.95, 1.03, 1.25), (1.12, 1.03, 1.25), (1.12, 1.03, 1.88), (1.36, 1.03, 1.88)], GLASS, GLAZED)
    build.box((-3.095, -y, 0.40), (1.05, y, 2.36), PAINT, GLOSS, bottom=True)
    build.both(_side(-3.09, 1.05, y + _OUT, 1.15, 1.42), (0.62, 0.10, 0.03))
    build.both(_side(-2.2, -1.2, y + _OUT, 1.5, 2.05), GLASS, GLAZED)
    for a, b in ((-0.85, -0.06), (0.06, 0.85)):
        build.face(_end(-3.097, a, b, 1.45, 2.1, -1.0), GLASS, GLAZED)
    build.face(_end(-3.097, -1.0, 1.0, 1.1, 1.35, -1.0), (0.62, 0.10, 0.03))
    for x0, x1 in ((0.75, 1.0), (-3.05, -2.85)):
        build.box((x0, -0.85, 2.36), (x1, 0.85, 2.495), BLUE, float(Lamp.BEACON))
    build.face(_end(3.097, -0.5, 0.5, 0.62, 0.82, 1.0), TRIM, GLOSS)
    build.face(_end(3.097, -1.0, 1.0, 0.37, 0.48, 1.0), TRIM)
    _axles(build, (2.15, -1.75), 1.06, 0.38)
    _lamps(build, 3.1, y - 0.05, 0.62, 0.62)
    _mirrors(build, 1.75, y - 0.1, 1.12, 1.3)


def _bus(build: BodyBuilder) -> None:
    """A city bus: low floor, doors on the right, a band of windows."""
    y = 1.34
    profile = [(-5.12, 0.32), (-5.12, 2.85), (-5.0, 3.0), (4.75, 3.0), (5.0, 2.85), (5.12, 1.2), (5.12, 0.32)]
    build.prism(profile, y, PAINT, shoulder=0.05)
    for x0, x1 in ((-4.9, -3.3), (-3.2, -1.6), (-1.5, 0.1), (0.2, 1.8), (1.9, 3.4), (3.5, 4.6)):
        y0, y1 = y + _OUT, y - 0.05 * (2.65 - 1.4) / 0.9 + _OUT
        pane = [(x1, y0, 1.4), (x0, y0, 1.4), (x0, max(y1, y - 0.04), 2.6), (x1, max(y1, y - 0.04), 2.6)]
        build.both(pane, GLASS, GLAZED)
    build.both(_side(-5.1, 5.05, y + _OUT, 0.33, 0.52), TRIM)
    for x0, x1 in ((3.55, 4.75), (-0.9, 0.5)):  # doors
        build.face([(x, -cy, z) for x, cy, z in reversed(_side(x0, x1, y + 2 * _OUT, 0.42, 2.55))], GLASS, GLAZED)
    build.face([(5.122, -1.22, 1.25), (5.122, 1.22, 1.25), (5.02, 1.18, 2.5), (5.02, -1.18, 2.5)], GLASS, GLAZED)
    build.face([(5.03, -0.9, 2.55), (5.03, 0.9, 2.55), (5.008, 0.9, 2.8), (5.008, -0.9, 2.8)], (0.85, 0.45, 0.05), 1.0)
    build.face(_end(-5.122, -1.1, 1.1, 1.6, 2.5, -1.0), GLASS, GLAZED)
    build.face(_end(-5.122, -1.1, 1.1, 0.6, 0.95, -1.0), TRIM)
    build.box((-3.4, -0.8, 3.0), (-0.8, 0.8, 3.235), (0.62, 0.63, 0.64), GLOSS)
    _axles(build, (2.6, -2.9), y + 2 * _OUT, 0.48)
    _lamps(build, 5.125, y, 0.62, 1.05)
    for side in (-1.0, 1.0):  # mirrors on long arms
        build.bar((4.95, side * (y - 0.05), 2.55), (5.05, side * 1.62, 2.45), (0.03, 0.03), TRIM, sides=4)
        low, high = sorted((side * 1.54, side * 1.70))
        build.box((4.98, low, 1.9), (5.1, high, 2.5), TRIM, bottom=True)


_MAKERS: dict[str, Callable[[BodyBuilder], None]] = {
    "truck": _truck, "lorry": _lorry, "firetruck": _firetruck, "ambulance": _ambulance, "bus": _bus,
}  # fmt: skip
LARGE_BODIES = frozenset(_MAKERS)
"""The bodies made here."""


def large_vehicle_mesh(body: str) -> Mesh:
    """The mesh of one of ``LARGE_BODIES``."""
    build = BodyBuilder(BODIES[body].tag)
    _MAKERS[body](build)
    return build.build()
