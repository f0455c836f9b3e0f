"""Meshes of props that clients place (see ``vehicle_mesh`` for the conventions)."""

from __future__ import annotations

from collections.abc import Callable

from sim2real_bench.envs.carla.embedded.render.body_parts import PAINT, TRIM, BodyBuilder, Colour
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES
from sim2real_bench.envs.carla.embedded.town.model import Mesh

_WHITE: Colour = (0.75, 0.75, 0.74)
_WOOD: Colour = (0.16, 0.10, 0.05)


def _lid(build: BodyBuilder, z: float, radius: float, tint: Colour) -> None:
    """A flat octagon that closes a round thing."""
    c, d = radius * 0.9239, radius * 0.3827
    build.face([(c, d, z), (d, c, z), (-d, c, z), (-c, d, z), (-c, -d, z), (-d, -c, z), (d, -c, z), (c, -d, z)], tint)


def _cone(build: BodyBuilder) -> None:
    build.box((-0.21, -0.21, 0.0), (0.21, 0.21, 0.04), TRIM)
    for z0, z1, r0, r1, tint in (
        (0.04, 0.26, 0.16, 0.11, PAINT), (0.26, 0.42, 0.11, 0.08, _WHITE), (0.42, 0.70, 0.08, 0.03, PAINT),
    ):  # fmt: skip
        build.bar((0, 0, z0), (0, 0, z1), (r0, r1), tint, sides=8)
    _lid(build, 0.70, 0.03, PAINT)


def _barrel(build: BodyBuilder) -> None:
    for z0, z1, tint in (
        (0.0, 0.3, PAINT),
        (0.3, 0.42, _WHITE),
        (0.42, 0.62, PAINT),
        (0.62, 0.74, _WHITE),
        (0.74, 0.9, PAINT),
    ):
        build.bar((0, 0, z0), (0, 0, z1), (0.30 - 0.06 * z0, 0.30 - 0.06 * z1), tint, sides=8)
    _lid(build, 0.90, 0.246, PAINT)


def _barrier(build: BodyBuilder) -> None:
    """Boards of red and white on two feet, across the body's x axis."""
    for x in (-0.5, 0.5):
        build.box((x - 0.04, -0.28, 0.0), (x + 0.04, 0.28, 0.06), TRIM)
        build.box((x - 0.03, -0.03, 0.06), (x + 0.03, 0.03, 1.0), TRIM)
    for z in (0.45, 0.78):
        for number in range(6):
            x = -0.6 + 0.2 * number
            build.box((x, -0.05, z), (x + 0.2, 0.05, z + 0.18), PAINT if number % 2 == 0 else _WHITE, bottom=True)


def _crate(build: BodyBuilder) -> None:
    build.box((-0.35, -0.30, 0.0), (0.35, 0.30, 0.60), PAINT)
    for z in (0.02, 0.50):
        build.both([(0.35, 0.303, z), (-0.35, 0.303, z), (-0.35, 0.303, z + 0.08), (0.35, 0.303, z + 0.08)], _WOOD)


def _bin(build: BodyBuilder) -> None:
    build.bar((0, 0, 0), (0, 0, 0.9), (0.23, 0.26), PAINT, sides=8)
    build.bar((0, 0, 0.9), (0, 0, 1.0), (0.28, 0.2), TRIM, sides=8)
    _lid(build, 1.0, 0.2, TRIM)


_MAKERS: dict[str, Callable[[BodyBuilder], None]] = {
    "cone": _cone, "barrel": _barrel, "barrier": _barrier, "crate": _crate, "bin": _bin,
}  # fmt: skip
PROP_BODIES = frozenset(_MAKERS)
"""The bodies made here."""


def prop_mesh(body: str) -> Mesh:
    """The mesh of one of ``PROP_BODIES``."""
    build = BodyBuilder(BODIES[body].tag)
    _MAKERS[body](build)
    return build.build()
