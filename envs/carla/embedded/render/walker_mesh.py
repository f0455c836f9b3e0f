"""Figures of people: pedestrians in the poses of a step, and riders (see ``vehicle_mesh`` for the conventions)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim2real_bench.envs.carla.embedded.render.body_parts import PAINT, TRIM, BodyBuilder, Colour, Float
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES
from sim2real_bench.envs.carla.embedded.town.model import Mesh

_DESIGN_M = 1.80  # height of the figure the lengths below belong to
_SKIN: Colour = (0.50, 0.29, 0.19)
_DARK_SKIN: Colour = (0.20, 0.105, 0.06)
_JEANS: Colour = (0.06, 0.085, 0.15)
_GREY: Colour = (0.10, 0.10, 0.11)
_BROWN: Colour = (0.055, 0.03, 0.018)
_BLOND: Colour = (0.40, 0.27, 0.11)
_BLACK: Colour = (0.02, 0.018, 0.016)
_OVERLAP = 0.09
_SIDES = np.array([[1.0, 0.0], [0.55, 0.85], [-0.55, 0.85], [-1.0, 0.0], [-0.55, -0.85], [0.55, -0.85]])


@dataclass(frozen=True)
class Figure:
    """How a person is built and dressed.

    Attributes:
        skin: face and hands.
        hair: or helmet.
        trousers: colour of the legs.
        head: size against a grown-up's.
        hem: the jacket ends at this height, metres.
        hem_width: half width there, metres.
        skirt: colour of a skirt over bare legs, or None.
        long_hair: down to the shoulders.
        backpack: colour, or None.
    """

    skin: Colour = _SKIN
    hair: Colour = _BROWN
    trousers: Colour = _JEANS
    head: float = 1.0
    hem: float = 0.83
    hem_width: float = 0.155
    skirt: Colour | None = None
    long_hair: bool = False
    backpack: Colour | None = None


_FIGURES = {
    "man": Figure(),
    "man_coat": Figure(skin=_DARK_SKIN, hair=_BLACK, trousers=_GREY, hem=0.62, hem_width=0.185),
    "woman": Figure(hair=_BLOND, trousers=_GREY, hem=0.84, long_hair=True),
    "woman_skirt": Figure(hair=_BROWN, skirt=(0.10, 0.05, 0.09), long_hair=True),
    "child": Figure(hair=_BLOND, head=1.42, hem=0.84),
    "pupil": Figure(hair=_BLACK, head=1.25, trousers=_GREY, backpack=(0.08, 0.22, 0.16)),
}
WALKER_BODIES = frozenset(_FIGURES)
"""The bodies made here."""


@dataclass(frozen=True)
class Posture:
    """Where the joints of a figure of 1.80 m are: (x, y, z) for the left side, y mirrored for the right.

    Attributes:
        hip: middle of the pelvis.
        neck: between the shoulders.
        hands: left and right.
        feet: left and right ankle.
        knees: direction in which the knees bend.
        elbows: direction in which the elbows bend.
    """

    hip: tuple[float, float, float]
    neck: tuple[float, float, float]
    hands: tuple[tuple[float, float, float], tuple[float, float, float]]
    feet: tuple[tuple[float, float, float], tuple[float, float, float]]
    knees: tuple[float, float, float] = (1.0, 0.0, 0.2)
    elbows: tuple[float, float, float] = (-1.0, 0.0, -0.3)


def _middle_joint(start: Float, end: Float, first: float, second: float, towards: Float) -> Float:
    """Knee or elbow of a limb of two bones; a limb that is too short is stretched out straight."""
    axis = end - start
    reach = float(np.linalg.norm(axis))
    axis = axis / max(reach, 1e-6)
    along = min(first, (first**2 - second**2 + reach**2) / (2.0 * max(reach, 1e-6)))
    across = towards - axis * float(towards @ axis)
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    if reach >= first + second:
        return np.asarray(start + (end - start) * (first / (first + second)))
    return np.asarray(start + axis * along + across * math.sqrt(max(first**2 - along**2, 0.0)))


def _loft(build: BodyBuilder, rings: list[tuple[Float, float, float]], tint: Colour) -> None:
    """A closed shape through rings (centre, half depth, half width), from below."""
    grid = np.array([[(*(centre[:2] + _SIDES[k % 6] * (depth, width)), centre[2]) for k in range(7)]
                     for centre, depth, width in rings])  # fmt: skip
    outward = np.array([(*_SIDES[k % 6], 0.15) for k in range(7)])
    outward = outward / np.linalg.norm(outward, axis=1)[:, None]
    # Rows go up and columns anticlockwise, which is the other way round than a hull: turn the rows.
    build.grid(grid[::-1], np.broadcast_to(outward, grid.shape), tint, 0.0)
    build.face(grid[-1, :6].tolist(), tint, 0.0, (0.0, 0.0, 1.0))
    build.face(grid[0, 5::-1].tolist(), tint, 0.0, (0.0, 0.0, -1.0))


def add_person(build: BodyBuilder, figure: Figure, posture: Posture, scale: float) -> None:
    """Add a person; ``scale`` is the height over 1.80 m."""
    hip, neck = np.array(posture.hip) * scale, np.array(posture.neck) * scale
    spine = neck - hip
    leg = figure.skin if figure.skirt is not None else figure.trousers
    for side, hand, foot in zip((1.0, -1.0), posture.hands, posture.feet, strict=True):
        _limbs(build, figure, posture, (side, scale), (hip, neck), (np.array(hand), np.array(foot)), leg)

    def at(share: float) -> Float:
        return np.asarray(hip + spine * share)

    low = (figure.hem - 0.90) / 0.58
    build_low = at(low) if abs(spine[0]) < 0.1 * scale else at(0.0)
    waist = (at(0.35), 0.10 * scale, 0.145 * scale)
    chest = (at(0.85), 0.11 * scale, 0.165 * scale)
    hem = (build_low, 0.115 * scale * figure.hem_width / 0.155, figure.hem_width * scale)
    _loft(build, [hem, waist, chest, (at(1.02), 0.06 * scale, 0.08 * scale)], PAINT)
    if figure.skirt is not None:
        flare = hip - np.array([0.0, 0.0, 0.42 * scale])
        _loft(
            build, [(flare, 0.20 * scale, 0.19 * scale), (hip + spine * 0.06, 0.11 * scale, 0.15 * scale)], figure.skirt
        )
    if figure.backpack is not None:
        x, y, z = at(0.25).tolist()
        build.box((x - 0.27 * scale, y - 0.13 * scale, z), (x - 0.09 * scale, y + 0.13 * scale, z + 0.42 * scale),
                  figure.backpack, bottom=True)  # fmt: skip
    _head(build, figure, neck, scale)


def _limbs(build: BodyBuilder, figure: Figure, posture: Posture, side_scale: tuple[float, float],
           trunk: tuple[Float, Float], ends: tuple[Float, Float], leg: Colour) -> None:  # fmt: skip
    side, scale = side_scale
    hip, neck = trunk
    hand, foot = ends[0] * scale, ends[1] * scale
    joint = hip + np.array([0.0, side * 0.085, -0.02]) * scale
    knee = _middle_joint(joint, foot, 0.415 * scale, 0.42 * scale, np.array(posture.knees))
    # Each bone reaches a little beyond the joint, so that bent limbs have no gaps.
    build.bar(knee + (knee - joint) * _OVERLAP, joint, (0.056 * scale, 0.08 * scale), leg)
    build.bar(foot, knee + (knee - foot) * _OVERLAP, (0.042 * scale, 0.058 * scale), leg)
    shoe = foot - np.array([0.07, 0.045, 0.08]) * scale
    build.box(tuple(shoe.tolist()), tuple((shoe + np.array([0.25, 0.09, 0.09]) * scale).tolist()), TRIM, bottom=True)
    shoulder = neck + np.array([0.0, side * 0.155, -0.07]) * scale
    elbow = _middle_joint(shoulder, hand, 0.29 * scale, 0.27 * scale, np.array(posture.elbows))
    build.bar(elbow + (elbow - shoulder) * _OVERLAP, shoulder, (0.042 * scale, 0.055 * scale), PAINT, sides=4)
    build.bar(hand, elbow + (elbow - hand) * _OVERLAP, (0.035 * scale, 0.044 * scale), PAINT, sides=4)
    x, y, z = hand.tolist()
    r = 0.04 * scale
    build.box((x - r, y - r * 0.6, z - 2 * r), (x + r, y + r * 0.6, z + 0.2 * r), figure.skin, bottom=True)


def _head(build: BodyBuilder, figure: Figure, neck: Float, scale: float) -> None:
    size = scale * figure.head

    def ring(x: float, z: float, depth: float, width: float) -> tuple[Float, float, float]:
        return neck + np.array([0.015 + x * size, 0.0, z * size]), depth * size, width * size

    face = [ring(0.0, 0.0, 0.05, 0.05), ring(0.0, 0.09, 0.085, 0.07), ring(0.0, 0.20, 0.10, 0.082)]
    low = -0.06 if figure.long_hair else 0.12
    hair = [
        ring(-0.045, low, 0.075, 0.08), ring(-0.02, 0.20, 0.105, 0.092), ring(-0.02, 0.26, 0.085, 0.07),
        ring(-0.02, 0.285, 0.03, 0.025),
    ]  # fmt: skip
    _loft(build, face, figure.skin)
    _loft(build, hair, figure.hair)


def step_posture(phase: float) -> Posture:
    """A pose of walking; at 0 the person stands."""
    swing = math.sin(phase)
    lift = 0.07 * (1.0 - math.cos(phase)) / 2.0 * (abs(swing) < 0.5)  # only the second passing pose lifts a foot
    hip = (0.0, 0.0, 0.93 - 0.03 * abs(swing))
    feet = (
        (0.30 * swing, 0.09, 0.08 + 0.05 * (swing < -0.5)),
        (-0.30 * swing, -0.09, 0.08 + 0.05 * (swing > 0.5) + lift),
    )
    hands = ((-0.24 * swing + 0.03, 0.185, 0.83), (0.24 * swing + 0.03, -0.185, 0.83))
    return Posture(hip, (0.02 * abs(swing), 0.0, hip[2] + 0.575), hands, feet)


def walker_mesh(body: str, pose: int) -> Mesh:
    """The mesh of one of ``WALKER_BODIES`` in a pose of its step."""
    shape, figure = BODIES[body], _FIGURES[body]
    build = BodyBuilder(shape.tag)
    # A larger head makes the figure taller: what is below the head shrinks.
    below = 1.505 / _DESIGN_M
    scale = 2.0 * shape.half_height / _DESIGN_M / (below + figure.head * 0.285 / _DESIGN_M)
    add_person(build, figure, step_posture(math.tau * pose / shape.poses), scale)
    return build.build()
