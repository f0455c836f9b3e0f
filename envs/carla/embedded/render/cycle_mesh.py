"""Meshes of two-wheelers with their riders (see ``vehicle_mesh`` for the conventions)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.render.body_parts import (
    AMBER,
    GLASS,
    GLAZED,
    GLOSS,
    HEAD_LAMP,
    METAL,
    PAINT,
    PLATE,
    RUBBER,
    TAIL_LAMP,
    TRIM,
    BodyBuilder,
    Colour,
    Lamp,
    Point,
)  # fmt: skip
from sim2real_bench.envs.carla.embedded.render.walker_mesh import Figure, Posture, add_person
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES
from sim2real_bench.envs.carla.embedded.town.model import Mesh

_CHROME: Colour = (0.55, 0.56, 0.58)
_LEATHER: Colour = (0.03, 0.028, 0.028)
_BIKER = Figure(hair=(0.05, 0.05, 0.06), trousers=(0.03, 0.03, 0.034), head=1.12)
_CYCLIST = Figure(hair=(0.30, 0.05, 0.04), trousers=(0.05, 0.05, 0.07))
_SHOPPER = Figure()


@dataclass(frozen=True)
class _Motor:
    """Measures of a motorcycle, metres; x forward from the middle of the box.

    Attributes:
        axles: x of rear and front axle.
        radius: of the wheels.
        seat: (x, z) of the rider's seat.
        grips: (x, half width, z) of the grips.
        pegs: (x, z) of the foot rests.
        neck: (x, z) between the rider's shoulders.
        fairing: it has one.
        scooter: it has a flat floor and a shield.
    """

    axles: tuple[float, float]
    radius: float
    seat: tuple[float, float]
    grips: tuple[float, float, float]
    pegs: tuple[float, float]
    neck: tuple[float, float]
    fairing: bool = False
    scooter: bool = False


_MOTORS = {
    "motorcycle": _Motor((-0.70, 0.70), 0.31, (-0.28, 0.80), (0.36, 0.36, 0.93), (-0.22, 0.34), (0.12, 1.22), True),
    "cruiser": _Motor((-0.76, 0.84), 0.32, (-0.36, 0.66), (0.24, 0.39, 1.02), (0.32, 0.36), (-0.28, 1.28)),
    "scooter": _Motor(
        (-0.60, 0.62), 0.25, (-0.28, 0.76), (0.32, 0.36, 1.00), (0.12, 0.36), (-0.20, 1.28), scooter=True
    ),
}  # fmt: skip
_PARKED = "_parked"
CYCLE_BODIES = frozenset({*_MOTORS, "bicycle", "racing_bicycle", "motorcycle_parked", "bicycle_parked"})
"""The bodies made here."""


def _seated(seat: tuple[float, float], neck: tuple[float, float], grips: tuple[float, float, float],
            feet: tuple[tuple[float, float, float], tuple[float, float, float]], size: float) -> Posture:  # fmt: skip
    """A rider's joints in metres, brought to the figure of 1.80 m."""

    def grow(x: float, y: float, z: float) -> Point:
        return x / size, y / size, z / size

    x, y, z = grips
    return Posture(
        grow(seat[0], 0.0, seat[1] + 0.10), grow(neck[0], 0.0, neck[1]),
        (grow(x - 0.03, y, z), grow(x - 0.03, -y, z)), (grow(*feet[0]), grow(*feet[1])),
        elbows=(-0.4, 0.0, -1.0),
    )  # fmt: skip


def _rider_size(height: float, neck_z: float, head: float) -> float:
    """Scale of a rider whose head ends at the top of the box."""
    return (height - neck_z) / (0.285 * head)


def _motor_wheels(build: BodyBuilder, motor: _Motor) -> None:
    width = 0.065 if motor.fairing else 0.06
    for x in motor.axles:
        build.bar((x, -width, motor.radius), (x, width, motor.radius), (motor.radius, motor.radius), RUBBER, sides=10)
        for side in (-1.0, 1.0):
            build.disc((x, side * width, motor.radius), (0.0, side), motor.radius, RUBBER, sides=10)
            build.disc((x, side * (width + 0.004), motor.radius), (0.0, side), motor.radius * 0.62, METAL)


def _motor_lamps(build: BodyBuilder, rear: float, front: float, z: float, tail_z: float) -> None:
    build.box((front - 0.12, -0.09, z), (front, 0.09, z + 0.18), TRIM, GLOSS, bottom=True)
    build.face([(front + 0.004, -0.08, z + 0.02), (front + 0.004, 0.08, z + 0.02), (front + 0.004, 0.08, z + 0.16),
                (front + 0.004, -0.08, z + 0.16)], HEAD_LAMP, float(Lamp.HEAD))  # fmt: skip
    low = tail_z
    build.face([(rear, 0.09, low), (rear, -0.09, low), (rear, -0.09, low + 0.09), (rear, 0.09, low + 0.09)], TAIL_LAMP,
               float(Lamp.TAIL))  # fmt: skip
    build.face(
        [(rear, 0.10, low - 0.2), (rear, -0.10, low - 0.2), (rear, -0.10, low - 0.06), (rear, 0.10, low - 0.06)], PLATE
    )
    for side, lamp in ((1.0, Lamp.LEFT_BLINKER), (-1.0, Lamp.RIGHT_BLINKER)):
        y0, y1 = sorted((side * 0.12, side * 0.20))
        for x, height in ((rear + 0.06, low + 0.02), (front - 0.08, z + 0.05)):
            build.box((x - 0.03, y0, height), (x + 0.03, y1, height + 0.07), AMBER, float(lamp), bottom=True)


def _motor_body(build: BodyBuilder, motor: _Motor) -> None:
    """Tank, engine and tail, or a scooter's floor and shield; a fairing."""
    (rear, front), r = motor.axles, motor.radius
    sz, gz = motor.seat[1], motor.grips[2]
    if motor.scooter:
        build.prism(
            [(rear - 0.24, 0.50), (rear - 0.12, sz - 0.06), (0.02, sz - 0.06), (0.06, 0.30), (rear, 0.28)], 0.17, PAINT
        )
        build.prism([(0.0, 0.24), (0.0, 0.31), (0.36, 0.31), (0.36, 0.24)], 0.17, TRIM)
        build.prism([(0.30, 0.26), (0.24, gz - 0.08), (0.32, gz - 0.02), (0.44, 0.60), (0.42, 0.28)], 0.20, PAINT)
        build.box((front - 0.2, -0.07, 2 * r - 0.02), (front + 0.2, 0.07, 2 * r + 0.06), PAINT, GLOSS, bottom=True)
    else:
        build.box((-0.32, -0.15, 0.26), (0.30, 0.15, 0.58), (0.09, 0.09, 0.10), GLOSS, bottom=True)
        build.prism(
            [(-0.16, sz - 0.10), (-0.10, sz + 0.06), (0.16, sz + 0.14), (0.34, sz + 0.02), (0.30, sz - 0.14)],
            0.14,
            PAINT,
        )
        build.prism(
            [(rear - 0.26, sz + 0.02), (rear - 0.20, sz + 0.12), (rear + 0.1, sz + 0.06), (rear + 0.3, sz - 0.12)],
            0.09,
            PAINT,
        )
        build.bar((rear - 0.20, -0.15, 0.34), (0.1, -0.15, 0.30), (0.05, 0.035), _CHROME, sides=5)
    if motor.fairing:
        build.prism([(0.22, 0.36), (0.30, 0.90), (0.52, 0.98), (0.74, 0.78), (0.60, 0.40)], 0.17, PAINT, shoulder=0.05)
        build.face([(0.60, -0.11, 0.92), (0.60, 0.11, 0.92), (0.40, 0.09, 1.10), (0.40, -0.09, 1.10)], GLASS, GLAZED)


def _motorcycle(body: str) -> Mesh:
    shape, motor = BODIES[body], _MOTORS[body.removesuffix(_PARKED)]
    build = BodyBuilder(shape.tag)
    _motor_wheels(build, motor)
    (rear, front), r = motor.axles, motor.radius
    gx, gy, gz = motor.grips
    for y in (-0.09, 0.09):
        build.bar((front, y, r), (gx + 0.02, y, gz - 0.06), (0.028, 0.03), _CHROME, sides=4)
        build.bar((rear, y, r), (rear + 0.45, y, r + 0.14), (0.03, 0.03), METAL, sides=4)
    build.bar((gx, -gy, gz), (gx, gy, gz), (0.02, 0.02), TRIM, sides=4)
    sx, sz = motor.seat
    _motor_body(build, motor)
    build.box((sx - 0.32, -0.13, sz - 0.08), (sx + 0.18, 0.13, sz + 0.02), _LEATHER, bottom=True)
    front_lamp = (0.75, 0.72) if motor.fairing else (gx + 0.10, gz - 0.24)
    tail_z = 0.60 if motor.scooter else motor.seat[1] - 0.04
    _motor_lamps(build, -shape.half_length + 0.03, *front_lamp, tail_z)
    back = -shape.half_length
    for low, high in (  # the holder of tail lamp and plate, mudguards
        ((back + 0.035, -0.06, tail_z - 0.22), (rear + 0.02, 0.06, tail_z + 0.1)),
        ((back, -0.06, 2 * r - 0.02), (rear + 0.1, 0.06, 2 * r + 0.03)),
        ((front - 0.1, -0.06, 2 * r), (shape.half_length, 0.06, 2 * r + 0.04)),
    ):
        build.box(low, high, TRIM, bottom=True)
    if shape.rider is None:
        return build.build()
    build.tag = shape.rider
    size = _rider_size(2.0 * shape.half_height, motor.neck[1], _BIKER.head)
    px, pz = motor.pegs
    feet = ((px, 0.20, pz + 0.07), (px, -0.20, pz + 0.07))
    add_person(build, _BIKER, _seated(motor.seat, motor.neck, (gx, gy - 0.06, gz + 0.03), feet, size), size)
    return build.build()


def _bicycle(body: str, phase: float) -> Mesh:
    shape = BODIES[body]
    build = BodyBuilder(shape.tag)
    racing = body == "racing_bicycle"
    reach = shape.half_length
    r = 0.335
    rear, front, crank = -reach + r, reach - r, (-0.06, 0.29)
    for x in (rear, front):
        build.ring(x, r, r, r - 0.035, 0.016, RUBBER)
        build.bar((x, -0.03, r), (x, 0.03, r), (0.035, 0.035), METAL, sides=4)
        for angle in (0.3, 1.35, 2.4):
            dx, dz = (r - 0.03) * math.cos(angle), (r - 0.03) * math.sin(angle)
            build.bar((x - dx, 0.0, r - dz), (x + dx, 0.0, r + dz), (0.006, 0.006), METAL, sides=3)
    saddle = (-0.26, 0.93 if racing else 0.90)
    head = (front - 0.16, 0.86)
    bars = (front - (0.05 if racing else 0.22), 0.27 if not racing else 0.22, 0.93 if racing else 1.06)
    stay, down, fork = (saddle[0] + 0.04, 0.74), (head[0] + 0.05, 0.70), (head[0], head[1] + 0.04)
    tubes = (
        ((rear, r), stay), ((rear, r), crank), (crank, (saddle[0], saddle[1] - 0.04)), (crank, down),
        ((saddle[0] + 0.03, 0.76), head), ((front, r), fork), (head, (bars[0], bars[2])),
    )  # fmt: skip
    for a, b in tubes:
        build.bar((a[0], 0.0, a[1]), (b[0], 0.0, b[1]), (0.02, 0.02), PAINT, sides=4, glow=GLOSS)
    build.bar(
        (bars[0], -shape.half_width, bars[2]), (bars[0], shape.half_width, bars[2]), (0.016, 0.016), TRIM, sides=4
    )
    build.box((saddle[0] - 0.14, -0.07, saddle[1] - 0.05), (saddle[0] + 0.12, 0.07, saddle[1]), _LEATHER, bottom=True)
    low = saddle[1] - 0.11
    lamp = [(saddle[0] - 0.1, y, low + z) for y, z in ((0.03, 0.0), (-0.03, 0.0), (-0.03, 0.06), (0.03, 0.06))]
    build.face(lamp, TAIL_LAMP, float(Lamp.TAIL))
    feet = []
    for side in (1.0, -1.0):
        x, z = crank[0] + 0.16 * side * math.sin(phase), crank[1] - 0.16 * side * math.cos(phase)
        build.bar((crank[0], side * 0.05, crank[1]), (x, side * 0.07, z), (0.015, 0.015), METAL, sides=3)
        build.box(
            (x - 0.05, min(side * 0.06, side * 0.15), z - 0.012),
            (x + 0.05, max(side * 0.06, side * 0.15), z + 0.012),
            TRIM,
        )
        feet.append((x - 0.06, side * 0.11, z + 0.10))
    if shape.rider is None:
        return build.build()
    build.tag = shape.rider
    neck = (0.10, 1.28) if racing else (-0.14, 1.40)
    figure = _CYCLIST if racing else _SHOPPER
    size = _rider_size(2.0 * shape.half_height, neck[1], figure.head)
    posture = _seated(saddle, neck, (bars[0], bars[1], bars[2] + 0.03), (feet[0], feet[1]), size)
    add_person(build, figure, posture, size)
    return build.build()


def cycle_mesh(body: str, pose: int) -> Mesh:
    """The mesh of one of ``CYCLE_BODIES``, of a bicycle in a pose of its pedals."""
    return (
        _motorcycle(body)
        if body.removesuffix(_PARKED) in _MOTORS
        else _bicycle(body, math.tau * pose / BODIES[body].poses)
    )
