"""Meshes of cars: a lofted hull, a greenhouse with windows, wheels, lamps.

A body points along +x, stands on z = 0 and is centred on its box. A tint below zero stands for the paint of the
instance. ``glow`` says how a face is lit: -0.5 gloss of sheet metal, -1 glass, 0 dull, and 2 to 7 the lamps of
``body_parts.Lamp`` (head, tail and brake, left and right blinker, reverse, beacon), which the renderer lights by the
flags of ``carla.VehicleLightState``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim2real_bench.envs.carla.embedded.render.body_parts import (
    AMBER,
    BLUE,
    GLASS,
    GLAZED,
    GLOSS,
    HEAD_LAMP,
    PAINT,
    PLATE,
    TAIL_LAMP,
    TRIM,
    BodyBuilder,
    Colour,
    Float,
    Lamp,
    Point,
    inset,
    mix,
    smooth_normals,
)  # fmt: skip
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES
from sim2real_bench.envs.carla.embedded.town.model import Mesh

_MIRROR_M = 0.05  # the mirrors reach this far beyond the doors, to the sides of the box
_SECTION = ((0.91, 0.0), (0.99, 0.20), (1.0, 0.56), (0.92, 0.93))
"""Right half of a cross-section: share of the half width, share of the height; the middle is a little higher."""


@dataclass(frozen=True)
class _Shape:
    """The side view of a body: metres, x forward from the middle.

    Attributes:
        hull: (x, width share, lower edge z, upper edge z) from the tail to the nose.
        cabin: (x, z) of tail base, roof rear, roof front, windscreen base.
        roof_share: width of the roof against the body.
        wheel_radius: metres.
        axles: x of rear and front axle.
        panes: (start, end) of the side windows as shares of the greenhouse from its tail to the windscreen.
        rear_panes: the same across the back.
    """

    hull: tuple[tuple[float, float, float, float], ...]
    cabin: tuple[tuple[float, float], ...]
    roof_share: float
    wheel_radius: float
    axles: tuple[float, float]
    panes: tuple[tuple[float, float], ...] = ((0.06, 0.49), (0.53, 0.95))
    rear_panes: tuple[tuple[float, float], ...] = ((0.08, 0.92),)


_SHAPES = {
    "sedan": _Shape(
        ((-2.31, 0.88, 0.34, 0.98), (-2.22, 0.96, 0.25, 1.05), (-1.70, 1.0, 0.20, 1.05), (-0.8, 1.0, 0.19, 0.99),
         (0.75, 1.0, 0.19, 0.96), (1.35, 0.99, 0.20, 0.93), (1.95, 0.965, 0.21, 0.88),
         (2.24, 0.93, 0.22, 0.82), (2.31, 0.86, 0.25, 0.75)),
        ((-1.80, 1.02), (-0.86, 1.42), (0.10, 1.43), (1.16, 0.93)), 0.72, 0.335, (-1.38, 1.42),
    ),
    "coupe": _Shape(
        ((-2.25, 0.88, 0.34, 0.88), (-2.16, 0.96, 0.25, 0.95), (-1.62, 1.0, 0.19, 0.96), (-0.8, 1.0, 0.18, 0.91),
         (0.55, 1.0, 0.18, 0.89), (1.20, 0.99, 0.19, 0.87), (1.86, 0.965, 0.20, 0.81),
         (2.18, 0.92, 0.21, 0.75), (2.25, 0.85, 0.24, 0.68)),
        ((-1.92, 0.92), (-0.72, 1.27), (-0.05, 1.29), (0.94, 0.87)), 0.69, 0.335, (-1.36, 1.40),
        panes=((0.26, 0.48), (0.52, 0.95)),
    ),
    "hatchback": _Shape(
        ((-2.01, 0.90, 0.36, 0.97), (-1.95, 0.97, 0.26, 1.04), (-1.45, 1.0, 0.20, 1.04), (-0.6, 1.0, 0.19, 1.00),
         (0.7, 1.0, 0.19, 0.98), (1.20, 0.99, 0.20, 0.95), (1.68, 0.96, 0.22, 0.90),
         (1.95, 0.92, 0.23, 0.84), (2.01, 0.86, 0.26, 0.78)),
        ((-1.94, 1.0), (-1.56, 1.46), (0.02, 1.48), (1.12, 0.95)), 0.73, 0.325, (-1.25, 1.26),
        panes=((0.12, 0.46), (0.50, 0.95)),
    ),
    "suv": _Shape(
        ((-2.27, 0.91, 0.42, 1.08), (-2.21, 0.97, 0.34, 1.15), (-1.7, 1.0, 0.28, 1.15), (-0.6, 1.0, 0.27, 1.12),
         (0.8, 1.0, 0.27, 1.10), (1.36, 0.99, 0.28, 1.08), (1.94, 0.97, 0.29, 1.03),
         (2.21, 0.94, 0.31, 0.99), (2.27, 0.89, 0.34, 0.93)),
        ((-2.18, 1.1), (-1.80, 1.65), (0.10, 1.67), (1.12, 1.07)), 0.77, 0.375, (-1.34, 1.38),
        panes=((0.08, 0.26), (0.29, 0.58), (0.61, 0.95)),
    ),
    "estate": _Shape(
        ((-2.35, 0.89, 0.36, 0.95), (-2.29, 0.96, 0.25, 1.02), (-1.75, 1.0, 0.20, 1.03), (-0.9, 1.0, 0.19, 0.98),
         (0.75, 1.0, 0.19, 0.96), (1.38, 0.99, 0.20, 0.93), (1.98, 0.965, 0.21, 0.88),
         (2.28, 0.93, 0.22, 0.82), (2.35, 0.86, 0.25, 0.75)),
        ((-2.27, 0.99), (-1.88, 1.44), (0.12, 1.46), (1.18, 0.93)), 0.72, 0.335, (-1.4, 1.45),
        panes=((0.07, 0.28), (0.31, 0.60), (0.63, 0.95)),
    ),
    "van": _Shape(
        ((-2.57, 0.95, 0.42, 1.12), (-2.54, 0.985, 0.33, 1.20), (-1.8, 1.0, 0.28, 1.20), (0.0, 1.0, 0.28, 1.20),
         (1.3, 1.0, 0.28, 1.18), (1.86, 0.99, 0.29, 1.14), (2.32, 0.97, 0.30, 1.06),
         (2.51, 0.93, 0.32, 0.99), (2.57, 0.86, 0.36, 0.88)),
        ((-2.55, 1.15), (-2.48, 2.02), (0.92, 2.05), (1.94, 1.12)), 0.88, 0.36, (-1.62, 1.58),
        panes=((0.72, 0.96),), rear_panes=((0.08, 0.46), (0.54, 0.92)),
    ),
    "minibus": _Shape(
        ((-2.23, 0.92, 0.42, 0.98), (-2.20, 0.97, 0.32, 1.06), (-1.5, 1.0, 0.27, 1.08), (0.0, 1.0, 0.27, 1.08),
         (1.2, 1.0, 0.27, 1.08), (1.8, 0.99, 0.28, 1.08), (2.10, 0.97, 0.30, 1.06),
         (2.20, 0.93, 0.33, 1.02), (2.23, 0.88, 0.40, 0.96)),
        ((-2.18, 1.05), (-2.02, 1.96), (1.66, 1.99), (2.16, 1.04)), 0.84, 0.33, (-1.15, 1.25),
        panes=((0.04, 0.26), (0.29, 0.50), (0.53, 0.74), (0.77, 0.96)),
    ),
    "microcar": _Shape(
        ((-1.14, 0.82, 0.34, 0.82), (-1.08, 0.92, 0.26, 0.90), (-0.8, 0.98, 0.22, 0.93), (-0.3, 1.0, 0.20, 0.93),
         (0.2, 1.0, 0.20, 0.92), (0.6, 0.99, 0.21, 0.90), (0.9, 0.94, 0.24, 0.84),
         (1.07, 0.87, 0.27, 0.76), (1.14, 0.76, 0.32, 0.66)),
        ((-1.05, 0.88), (-0.68, 1.36), (0.22, 1.39), (0.82, 0.86)), 0.74, 0.27, (-0.72, 0.74),
        panes=((0.12, 0.92),),
    ),
    "pickup": _Shape(
        ((-2.74, 0.92, 0.46, 1.06), (-2.70, 0.98, 0.38, 1.12), (-1.8, 1.0, 0.33, 1.12), (-0.75, 1.0, 0.31, 1.12),
         (0.95, 1.0, 0.31, 1.12), (1.65, 0.99, 0.32, 1.10), (2.40, 0.97, 0.35, 1.04),
         (2.66, 0.93, 0.38, 0.97), (2.74, 0.87, 0.44, 0.86)),
        ((-0.85, 1.1), (-0.62, 1.80), (0.45, 1.82), (1.22, 1.09)), 0.78, 0.40, (-1.72, 1.72),
        panes=((0.08, 0.42), (0.47, 0.95)),
    ),
}  # fmt: skip
_POLICE = _Shape(
    tuple((x * 1.056, share, low + 0.02, high + 0.03) for x, share, low, high in _SHAPES["sedan"].hull),
    tuple((x * 1.056, z + 0.04) for x, z in _SHAPES["sedan"].cabin), 0.72, 0.35, (-1.46, 1.50),
)  # fmt: skip
_SHAPES["police"] = _POLICE
CAR_BODIES = frozenset(_SHAPES)
"""The bodies made here."""


def _hull(build: BodyBuilder, shape: _Shape, half_width: float) -> None:
    rows = []
    for x, share, low, high in shape.hull:
        right = [(x, -half_width * share * w, low + (high - low) * h) for w, h in _SECTION]
        left = [(px, -py, pz) for px, py, pz in reversed(right)]
        rows.append([*right, (x, 0.0, high + 0.012), *left])
    grid = np.array(rows)
    build.grid(grid, smooth_normals(grid), PAINT)
    for row, sign in ((0, -1.0), (-1, 1.0)):
        ring = [tuple(point) for point in grid[row].tolist()]
        build.face(ring[::-1] if sign > 0 else ring, PAINT, GLOSS, (sign * 0.97, 0.0, 0.22))
    sill = [
        (x, half_width * share * _SECTION[0][0], low) for x, share, low, _ in (shape.hull[k] for k in (0, 1, -2, -1))
    ]
    build.face(
        [(x, y, z) for x, y, z in sill] + [(x, -y, z) for x, y, z in reversed(sill)], TRIM, 0.0, (0.0, 0.0, -1.0)
    )
    side = half_width + 0.004
    seam = shape.cabin[3][0] - 0.95
    for x in (seam, shape.cabin[3][0] + 0.05):  # door seams
        build.both(_band(x, x + 0.014, side, shape.hull[3][2] + 0.14, 0.5), TRIM)
    build.both(_band(shape.axles[0] + 0.42, shape.axles[1] - 0.42, side, shape.hull[3][2] + 0.02, 0.10), TRIM)


def _band(x0: float, x1: float, y: float, z: float, height: float) -> list[Point]:
    """An upright rectangle on the left side."""
    return [(x1, y, z), (x0, y, z), (x0, y, z + height), (x1, y, z + height)]


def _cabin(build: BodyBuilder, shape: _Shape, half_width: float) -> None:
    (xr0, zr0), (xr1, zr1), (xf1, zf1), (xf0, zf0) = shape.cabin
    base, roof = half_width * 0.93, half_width * shape.roof_share
    right, left = (
        np.array([(xr0, s * base, zr0), (xf0, s * base, zf0), (xf1, s * roof, zf1), (xr1, s * roof, zr1)])
        for s in (-1.0, 1.0)
    )
    for quad in (right, left[[1, 0, 3, 2]]):
        build.face(quad.tolist(), PAINT, GLOSS)
    for u0, u1 in shape.panes:
        build.both([(x, -y, z) for x, y, z in inset(right, u0, u1, 0.13, 0.88)][::-1], GLASS, GLAZED)
    front = np.array([right[1], left[1], left[2], right[2]])
    rear = np.array([left[0], right[0], right[3], left[3]])
    for quad, panes in ((front, ((0.05, 0.95),)), (rear, shape.rear_panes)):
        build.face(quad.tolist(), PAINT, GLOSS)
        low = 0.06 if quad is front else 0.30 if len(panes) > 1 else 0.12
        for u0, u1 in panes:
            build.face(inset(quad, u0, u1, low, 0.93), GLASS, GLAZED)
    _roof(build, right, left)


def _roof(build: BodyBuilder, right: Float, left: Float) -> None:
    """A roof that is curved across and a little along."""
    rows = []
    for share, rise in ((0.0, 0.0), (0.5, 0.022), (1.0, 0.0)):
        start, end = mix(right[3], right[2], share), mix(left[3], left[2], share)
        lifts = ((0.0, 0.0), (0.14, rise + 0.018), (0.5, rise + 0.03), (0.86, rise + 0.018), (1.0, 0.0))
        rows.append([mix(start, end, v) + np.array([0.0, 0.0, lift]) for v, lift in lifts])
    grid = np.array(rows)
    across = np.array([-0.75, -0.3, 0.0, 0.3, 0.75])
    normals = np.stack(
        [np.stack([np.full(5, tilt), across, np.sqrt(1.0 - across**2)], -1) for tilt in (-0.12, 0.0, 0.12)]
    )
    build.grid(grid, normals, PAINT)


def _lamp(build: BodyBuilder, shape: _Shape, half_width: float, front: bool) -> None:
    """Lamps at one end: the left one and its mirror image, drawn round the corner of the hull."""
    end, before = (shape.hull[-1], shape.hull[-2]) if front else (shape.hull[0], shape.hull[1])
    sign = 1.0 if front else -1.0
    tall = 0.13 if front else 0.16
    z1 = end[3] - 0.04
    z0 = z1 - tall
    x, out = end[0] + sign * 0.006, half_width * end[1]
    side_x, side_y = before[0], half_width * before[1] * 0.985 + 0.004
    for left in (True, False):
        flip = 1.0 if left else -1.0
        blinker = Lamp.LEFT_BLINKER if left else Lamp.RIGHT_BLINKER

        def quad(y0: float, y1: float, xs: tuple[float, float], tint: Colour, lamp: Lamp, flip: float = flip) -> None:
            points = [(xs[0], flip * y0, z0), (xs[1], flip * y1, z0), (xs[1], flip * y1, z1), (xs[0], flip * y0, z1)]
            build.face(points if flip * sign > 0 else points[::-1], tint, float(lamp))

        if front:
            quad(out * 0.52, out * 0.96, (x, x), HEAD_LAMP, Lamp.HEAD)
        else:
            quad(out * 0.48, out * 0.62, (x, x), HEAD_LAMP, Lamp.REVERSE)
            quad(out * 0.62, out * 0.96, (x, x), TAIL_LAMP, Lamp.TAIL)
        quad(out * 0.96, side_y, (x, side_x), AMBER, blinker)


def _ends(build: BodyBuilder, shape: _Shape, half_width: float) -> None:
    """Grille, plates and bumpers at both ends."""
    for end, sign, plate_z in (
        (shape.hull[-1], 1.0, shape.hull[-1][2] + 0.06),
        (shape.hull[0], -1.0, shape.hull[0][3] - 0.33),
    ):
        x, reach = end[0] + 0.004 * sign, half_width * end[1]
        low = end[2] + 0.005
        for y, z0, z1, tint, step in (
            (reach * 0.97, low, low + 0.10, TRIM, 0.0), (0.26, plate_z, plate_z + 0.11, PLATE, 0.004),
        ):  # fmt: skip
            corners = [(-y, z0), (y, z0), (y, z1), (-y, z1)]
            build.face([(x + step * sign, cy * sign, z) for cy, z in corners], tint)
    nose = shape.hull[-1]
    x, y, z = nose[0] + 0.005, half_width * nose[1] * 0.5, nose[3] - 0.17
    build.face([(x, -y, z), (x, y, z), (x, y, z + 0.10), (x, -y, z + 0.10)], TRIM, GLOSS)


def _mirrors(build: BodyBuilder, shape: _Shape, half_width: float, outer: float) -> None:
    x, z = shape.cabin[3]
    inner = half_width * 0.86
    front, back, low, high = x - 0.16, x - 0.30, z + 0.02, z + 0.16
    corner = (front, inner, low), (back, outer, low), (back, outer, high), (front, inner, high)
    build.both([corner[1], corner[0], corner[3], corner[2]][::-1], PAINT, GLOSS)
    build.both([(back, inner, low), (back, outer, low), (back, outer, high), (back, inner, high)][::-1], TRIM)
    build.both([corner[3], (back, inner, high), corner[2]], PAINT, GLOSS)
    build.both([corner[0], corner[1], (back, inner, low)], TRIM)


def _load_bed(build: BodyBuilder, shape: _Shape, half_width: float) -> None:
    """The open bed of a pickup: a dark floor framed by the walls of the hull."""
    x0, x1, y, z = shape.hull[0][0] + 0.08, shape.cabin[0][0] - 0.02, half_width * 0.84, shape.hull[2][3] + 0.016
    build.face([(x0, -y, z), (x1, -y, z), (x1, y, z), (x0, y, z)], TRIM)


def _police(build: BodyBuilder, shape: _Shape, half_width: float) -> None:
    """A light bar on the roof, and white doors."""
    x = (shape.cabin[1][0] + shape.cabin[2][0]) / 2 + 0.1
    z = shape.cabin[2][1] + 0.03
    for y0, y1, tint in ((0.06, 0.5, BLUE), (-0.5, -0.06, TAIL_LAMP)):
        build.box((x - 0.12, y0, z), (x + 0.12, y1, z + 0.10), tint, float(Lamp.BEACON))
    build.both(_band(-0.75, 0.85, half_width + 0.004, 0.42, 0.42), (0.80, 0.80, 0.80), GLOSS)


def car_mesh(body: str) -> Mesh:
    """The mesh of one of ``CAR_BODIES``."""
    shape, outer = _SHAPES[body], BODIES[body].half_width
    half_width = outer - _MIRROR_M
    build = BodyBuilder(BODIES[body].tag)
    _hull(build, shape, half_width)
    _cabin(build, shape, half_width)
    for x in shape.axles:
        for side in (-1.0, 1.0):
            build.wheel(x, side * (half_width + 0.006), shape.wheel_radius, 0.2)
    _ends(build, shape, half_width)
    for front in (True, False):
        _lamp(build, shape, half_width, front)
    _mirrors(build, shape, half_width, outer)
    if body == "pickup":
        _load_bed(build, shape, half_width)
    if body == "police":
        _police(build, shape, half_width)
    return build.build()
