"""Meshes of the vehicle bodies: a lofted hull, a greenhouse with windows, wheels, lights.

A body points along +x, stands on z = 0 and is centred on its box. A tint below zero stands for the paint of the
instance; ``glow`` -1 marks glass, 1 lights that shine at night.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.bodies import VEHICLE_BODIES
from sim2real_bench.envs.carla.embedded.town.mesh import MeshBuilder
from sim2real_bench.envs.carla.embedded.town.model import Mesh
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]
Colour = tuple[float, float, float]

PAINT: Colour = (-1.0, -1.0, -1.0)
_GLASS: Colour = (0.05, 0.06, 0.075)
_RUBBER: Colour = (0.035, 0.035, 0.038)
_TRIM: Colour = (0.045, 0.045, 0.05)
_GLOSS, _GLAZED = -0.5, -1.0  # kinds of reflection, in ``glow``
_OUT_M = 0.008  # windows and lights lie this far above the sheet metal


@dataclass(frozen=True)
class _Shape:
    """The side view of a body: metres, x forward from the middle.

    Attributes:
        hull: (x, width share, lower edge z, upper edge z) from the tail to the nose.
        cabin: (x, z) of tail base, roof rear, roof front, windscreen base.
        roof_share: width of the roof against the body.
        wheel_radius: metres.
        axles: x of rear and front axle.
        blind: no side windows behind this x (vans).
    """

    hull: tuple[tuple[float, float, float, float], ...]
    cabin: tuple[tuple[float, float], ...]
    roof_share: float
    wheel_radius: float
    axles: tuple[float, float]
    blind: float = -99.0


_SHAPES = {
    "sedan": _Shape(
        ((-2.32, 0.84, 0.42, 0.86), (-2.22, 0.93, 0.30, 0.99), (-1.75, 1.0, 0.24, 1.03), (-0.9, 1.0, 0.22, 0.99),
         (0.7, 1.0, 0.22, 0.97), (1.35, 0.99, 0.23, 0.93), (1.95, 0.95, 0.26, 0.82),
         (2.25, 0.90, 0.29, 0.76), (2.32, 0.83, 0.34, 0.67)),
        ((-1.72, 0.98), (-0.98, 1.42), (0.18, 1.45), (1.08, 0.93)), 0.70, 0.33, (-1.38, 1.42),
    ),
    "hatchback": _Shape(
        ((-2.02, 0.86, 0.40, 0.92), (-1.96, 0.95, 0.30, 1.02), (-1.5, 1.0, 0.24, 1.03), (-0.6, 1.0, 0.22, 1.0),
         (0.7, 1.0, 0.22, 0.98), (1.25, 0.99, 0.24, 0.94), (1.72, 0.94, 0.27, 0.84),
         (1.95, 0.90, 0.30, 0.78), (2.02, 0.83, 0.34, 0.69)),
        ((-1.93, 1.0), (-1.55, 1.47), (0.12, 1.50), (0.98, 0.95)), 0.72, 0.32, (-1.25, 1.26),
    ),
    "suv": _Shape(
        ((-2.28, 0.88, 0.48, 1.02), (-2.22, 0.96, 0.36, 1.12), (-1.7, 1.0, 0.30, 1.14), (-0.6, 1.0, 0.28, 1.12),
         (0.75, 1.0, 0.28, 1.10), (1.35, 0.99, 0.30, 1.06), (1.95, 0.96, 0.33, 0.98),
         (2.22, 0.92, 0.37, 0.92), (2.28, 0.86, 0.42, 0.82)),
        ((-2.18, 1.1), (-1.72, 1.66), (0.2, 1.69), (1.02, 1.07)), 0.76, 0.37, (-1.34, 1.38),
    ),
    "estate": _Shape(
        ((-2.36, 0.86, 0.42, 0.88), (-2.30, 0.94, 0.30, 1.0), (-1.75, 1.0, 0.24, 1.02), (-0.9, 1.0, 0.22, 0.99),
         (0.75, 1.0, 0.22, 0.97), (1.4, 0.99, 0.23, 0.93), (2.0, 0.95, 0.26, 0.82),
         (2.29, 0.90, 0.29, 0.76), (2.36, 0.83, 0.34, 0.67)),
        ((-2.26, 0.99), (-1.9, 1.45), (0.2, 1.48), (1.1, 0.93)), 0.71, 0.33, (-1.4, 1.45),
    ),
    "van": _Shape(
        ((-2.58, 0.93, 0.46, 1.10), (-2.55, 0.98, 0.34, 1.18), (-1.8, 1.0, 0.28, 1.18), (0.0, 1.0, 0.28, 1.18),
         (1.3, 1.0, 0.28, 1.18), (1.85, 0.99, 0.30, 1.14), (2.35, 0.97, 0.33, 1.06),
         (2.53, 0.93, 0.36, 0.98), (2.58, 0.88, 0.42, 0.90)),
        ((-2.54, 1.15), (-2.48, 2.02), (1.0, 2.06), (1.82, 1.12)), 0.88, 0.36, (-1.62, 1.58), blind=-0.1,
    ),
}  # fmt: skip

_SECTION = ((0.86, 0.0), (0.97, 0.14), (1.0, 0.52), (0.985, 0.84), (0.90, 0.97), (0.62, 1.0))
"""Right half of a cross-section: share of the half width, share of the height; the middle is a little higher."""


def _grid_normals(grid: Float) -> Float:
    """Smooth normals of a grid of points (rows from tail to nose, columns from right to left over the top)."""
    along, across = np.gradient(grid, axis=0), np.gradient(grid, axis=1)
    normals = np.cross(along, across)
    return np.asarray(normals / (np.linalg.norm(normals, axis=2)[..., None] + 1e-9))


def _hull(mesh: MeshBuilder, shape: _Shape, half_width: float) -> None:
    rows = []
    for x, share, low, high in shape.hull:
        right = [(x, -half_width * share * w, low + (high - low) * h) for w, h in _SECTION]
        left = [(px, -py, pz) for px, py, pz in reversed(right)]
        rows.append([*right, (x, 0.0, high + 0.015), *left])
    grid = np.array(rows)
    normals = _grid_normals(grid)
    count, columns = grid.shape[:2]
    i, j = (index.ravel() for index in np.meshgrid(np.arange(count - 1), np.arange(columns - 1), indexing="ij"))
    a = i * columns + j
    triangles = np.vstack([np.c_[a, a + columns, a + columns + 1], np.c_[a, a + columns + 1, a + 1]])
    mesh.add(
        grid.reshape(-1, 3),
        normals.reshape(-1, 3),
        (0.5, 0.5),
        triangles,
        LAYER["plain"],
        CarlaClass.CAR,
        PAINT,
        _GLOSS,
    )
    for row, sign in ((0, -1.0), (count - 1, 1.0)):
        ring = [tuple(point) for point in grid[row].tolist()]
        mesh.polygon(
            ring[::-1] if sign > 0 else ring,
            [(0.5, 0.5)],
            LAYER["plain"],
            CarlaClass.CAR,
            PAINT,
            _GLOSS,
            (sign, 0.0, 0.15),
        )
    sill = [(x, half_width * share * _SECTION[0][0], low) for x, share, low, _ in shape.hull]
    floor = [(x, -y, z + 0.02) for x, y, z in sill] + [(x, y, z + 0.02) for x, y, z in reversed(sill)]
    mesh.polygon(floor[::-1], [(0.5, 0.5)], LAYER["plain"], CarlaClass.CAR, _TRIM, 0.0, (0.0, 0.0, -1.0))


def _quad(mesh: MeshBuilder, points: list[tuple[float, float, float]], tint: Colour, glow: float) -> None:
    mesh.polygon(points, [(0.5, 0.5)], LAYER["plain"], CarlaClass.CAR, tint, glow)


def _mix(a: Float, b: Float, share: float) -> Float:
    return np.asarray(a + (b - a) * share)


def _inset(quad: Float, left: float, right: float, low: float, high: float) -> list[tuple[float, float, float]]:
    """A window inside a quad (corners anticlockwise from the lower left), moved out along the normal."""
    normal = np.cross(quad[1] - quad[0], quad[3] - quad[0])
    normal = normal / np.linalg.norm(normal) * _OUT_M

    def at(u: float, v: float) -> tuple[float, float, float]:
        x, y, z = (_mix(_mix(quad[0], quad[1], u), _mix(quad[3], quad[2], u), v) + normal).tolist()
        return x, y, z

    return [at(left, low), at(right, low), at(right, high), at(left, high)]


def _cabin(mesh: MeshBuilder, shape: _Shape, half_width: float) -> None:
    (xr0, zr0), (xr1, zr1), (xf1, zf1), (xf0, zf0) = shape.cabin
    base, roof = half_width * 0.90, half_width * shape.roof_share
    corner = {
        side: np.array(
            [(xr0, side * base, zr0), (xf0, side * base, zf0), (xf1, side * roof, zf1), (xr1, side * roof, zr1)]
        )
        for side in (-1.0, 1.0)
    }
    right, left = corner[-1.0], corner[1.0]
    for side, quad in ((-1.0, right), (1.0, left[[1, 0, 3, 2]])):
        _quad(mesh, [tuple(p) for p in quad.tolist()], PAINT, _GLOSS)
        _side_windows(mesh, shape, quad, side)
    front = np.array([right[1], left[1], left[2], right[2]])
    rear = np.array([left[0], right[0], right[3], left[3]])
    for quad, margin in ((front, 0.05), (rear, 0.09)):
        _quad(mesh, [tuple(p) for p in quad.tolist()], PAINT, _GLOSS)
        if margin < 0.06 or shape.blind < -50.0:
            _quad(mesh, _inset(quad, margin, 1.0 - margin, 0.08, 0.92), _GLASS, _GLAZED)
        else:
            for u0, u1 in ((0.08, 0.46), (0.54, 0.92)):  # the back doors of a van
                _quad(mesh, _inset(quad, u0, u1, 0.45, 0.9), _GLASS, _GLAZED)
    middle_rear, middle_front = _mix(right[3], left[3], 0.5), _mix(right[2], left[2], 0.5)
    rise = np.array([0.0, 0.0, 0.03])
    top = np.array([right[3], right[2], middle_front + rise, left[2], left[3], middle_rear + rise])
    normals = np.array([(0, -0.35, 0.94), (0, -0.35, 0.94), (0, 0, 1), (0, 0.35, 0.94), (0, 0.35, 0.94), (0, 0, 1)])
    faces = [[0, 1, 2], [0, 2, 5], [5, 2, 3], [5, 3, 4]]
    mesh.add(top, normals, (0.5, 0.5), faces, LAYER["plain"], CarlaClass.CAR, PAINT, _GLOSS)


def _side_windows(mesh: MeshBuilder, shape: _Shape, quad: Float, side: float) -> None:
    """Two panes with a pillar between them; a van keeps only the front one."""
    for low, high in ((0.08, 0.50), (0.54, 0.93)):
        # u runs towards the nose on the right side and towards the tail on the left side.
        u0, u1 = (low, high) if side < 0 else (1.0 - high, 1.0 - low)
        pane = _inset(quad, u0, u1, 0.12, 0.88)
        if shape.blind > -50.0:
            if low < 0.5:
                continue
            u0, u1 = (0.70, 0.95) if side < 0 else (0.05, 0.30)
            pane = _inset(quad, u0, u1, 0.18, 0.85)
        _quad(mesh, pane, _GLASS, _GLAZED)


def _wheels(mesh: MeshBuilder, shape: _Shape, half_width: float) -> None:
    radius, layer, tag = shape.wheel_radius, LAYER["plain"], CarlaClass.CAR
    for x in shape.axles:
        for side in (-1.0, 1.0):
            outer = side * (half_width + 0.004)
            facing = (0.0, side)
            mesh.disc(
                (x, side * (half_width * 1.002 + 0.003), radius * 1.12),
                facing,
                radius * 1.16,
                tag,
                layer,
                _TRIM,
                sides=12,
            )
            mesh.tube(
                (x, outer - side * 0.2, radius), (x, outer, radius), (radius, radius), layer, tag, _RUBBER, sides=12
            )
            mesh.disc((x, outer + side * 0.006, radius), facing, radius, tag, layer, _RUBBER, sides=12)
            mesh.disc(
                (x, outer + side * 0.010, radius), facing, radius * 0.64, tag, layer, (0.46, 0.47, 0.49), sides=10
            )
            mesh.disc((x, outer + side * 0.014, radius), facing, radius * 0.2, tag, layer, (0.16, 0.16, 0.17), sides=6)


def _ends(mesh: MeshBuilder, shape: _Shape, half_width: float) -> None:
    """Lights, grille, plates and bumpers at both ends."""
    tail, nose = shape.hull[0], shape.hull[-1]
    for side in (-1.0, 1.0):
        for (x, share, _, high), sign, tint in ((nose, 1.0, (0.85, 0.87, 0.86)), (tail, -1.0, (0.52, 0.03, 0.03))):
            y0, y1 = half_width * share * 0.52, half_width * share * 0.93
            x_out, z0, z1 = x + 0.012 * sign, high - 0.17, high - 0.04
            lamp = [
                (x_out, side * y0, z0),
                (x_out, side * y1, z0),
                (x_out, side * y1, z1),
                (x_out - 0.01 * sign, side * y0, z1),
            ]
            _quad(mesh, lamp if side * sign > 0 else lamp[::-1], tint, 1.0)
    for x, z, sign in ((nose[0] + 0.014, nose[2] + 0.04, 1.0), (tail[0] - 0.014, tail[3] - 0.28, -1.0)):
        plate = [(x, -0.26 * sign, z), (x, 0.26 * sign, z), (x, 0.26 * sign, z + 0.11), (x, -0.26 * sign, z + 0.11)]
        _quad(mesh, plate, (0.78, 0.78, 0.74), 0.0)
        width = half_width * 0.74
        low = (nose if sign > 0 else tail)[2] - 0.06
        behind = x - 0.006 * sign
        bumper = [
            (behind, -width * sign, low), (behind, width * sign, low),
            (behind, width * sign, low + 0.1), (behind, -width * sign, low + 0.1),
        ]  # fmt: skip
        _quad(mesh, bumper, _TRIM, 0.0)
    x, z = nose[0] + 0.010, nose[3] - 0.16
    grille = [
        (x, -half_width * 0.44, z),
        (x, half_width * 0.44, z),
        (x - 0.02, half_width * 0.44, z + 0.1),
        (x - 0.02, -half_width * 0.44, z + 0.1),
    ]
    _quad(mesh, grille, _TRIM, _GLOSS)


def _mirrors(mesh: MeshBuilder, shape: _Shape, half_width: float) -> None:
    x, z = shape.cabin[3]
    for side in (-1.0, 1.0):
        mesh.box(
            (x - 0.22, side * (half_width + 0.05), z + 0.03),
            (0.06, 0.09, 0.06),
            0.0,
            LAYER["plain"],
            CarlaClass.CAR,
            PAINT,
        )


def vehicle_mesh(body: str) -> Mesh:
    """The mesh of a body in ``VEHICLE_BODIES``."""
    shape, half_width = _SHAPES[body], VEHICLE_BODIES[body][1]
    mesh = MeshBuilder()
    _hull(mesh, shape, half_width)
    _cabin(mesh, shape, half_width)
    _wheels(mesh, shape, half_width)
    _ends(mesh, shape, half_width)
    _mirrors(mesh, shape, half_width)
    return mesh.build()


def instance_row(
    x: float,
    y: float,
    z: float,
    yaw: float,
    body: str,
    colour: tuple[int, int, int],
    half_length: float,
    half_width: float,
) -> tuple[float, ...]:
    """What the shader wants per vehicle: position and yaw (right-handed), paint 0 to 1, length and width factors."""
    length, width = VEHICLE_BODIES[body]
    paint = [math.pow(channel / 255.0, 2.0) for channel in colour]
    return (x, y, z, yaw, *paint, 0.0, half_length / length, half_width / width)
