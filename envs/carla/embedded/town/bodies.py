"""The bodies of vehicles, riders, pedestrians and props by name: size, semantic classes, pose variants."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim2real_bench.envs.classes import CarlaClass


@dataclass(frozen=True)
class BodyShape:
    """A body as it is modelled; an instance may be stretched to another box.

    Attributes:
        half_length: of the box along x, metres.
        half_width: of the box along y, metres; mirrors lie inside.
        half_height: of the box along z, metres; the box stands on the ground.
        tag: class of the body; of a two-wheeler, of the machine.
        rider: class of the person on a two-wheeler, else None.
        poses: number of meshes of one cycle of the gait or of the pedals (see ``mesh_name``).
    """

    half_length: float
    half_width: float
    half_height: float
    tag: CarlaClass = CarlaClass.CAR
    rider: CarlaClass | None = None
    poses: int = 1


_TRUCK, _BUS, _CYCLE, _MOTOR = CarlaClass.TRUCK, CarlaClass.BUS, CarlaClass.BICYCLE, CarlaClass.MOTORCYCLE
_PERSON, _RIDER = CarlaClass.PEDESTRIANS, CarlaClass.RIDER

BODIES: dict[str, BodyShape] = {
    "sedan": BodyShape(2.32, 0.92, 0.735),
    "hatchback": BodyShape(2.02, 0.89, 0.76),
    "suv": BodyShape(2.28, 0.95, 0.855),
    "estate": BodyShape(2.36, 0.91, 0.75),
    "van": BodyShape(2.58, 0.94, 1.04),
    "coupe": BodyShape(2.26, 0.93, 0.66),
    "microcar": BodyShape(1.15, 0.74, 0.71),
    "pickup": BodyShape(2.75, 0.98, 0.93),
    "police": BodyShape(2.45, 0.95, 0.80),
    "minibus": BodyShape(2.24, 0.95, 1.01),
    "ambulance": BodyShape(3.10, 1.12, 1.25, _TRUCK),
    "truck": BodyShape(3.40, 1.22, 1.55, _TRUCK),
    "lorry": BodyShape(3.90, 1.30, 1.72, _TRUCK),
    "firetruck": BodyShape(4.20, 1.30, 1.75, _TRUCK),
    "bus": BodyShape(5.13, 1.70, 1.62, _BUS),
    "motorcycle": BodyShape(1.07, 0.40, 0.77, _MOTOR, _RIDER),
    "cruiser": BodyShape(1.17, 0.40, 0.80, _MOTOR, _RIDER),
    "scooter": BodyShape(0.91, 0.40, 0.80, _MOTOR, _RIDER),
    "bicycle": BodyShape(0.88, 0.36, 0.85, _CYCLE, _RIDER, poses=4),
    "racing_bicycle": BodyShape(0.84, 0.28, 0.81, _CYCLE, _RIDER, poses=4),
    "motorcycle_parked": BodyShape(1.07, 0.40, 0.55, _MOTOR),
    "bicycle_parked": BodyShape(0.88, 0.36, 0.54, _CYCLE),
    "man": BodyShape(0.19, 0.19, 0.93, _PERSON, poses=4),
    "man_coat": BodyShape(0.19, 0.19, 0.93, _PERSON, poses=4),
    "woman": BodyShape(0.19, 0.19, 0.93, _PERSON, poses=4),
    "woman_skirt": BodyShape(0.19, 0.19, 0.93, _PERSON, poses=4),
    "child": BodyShape(0.25, 0.25, 0.55, _PERSON, poses=4),
    "pupil": BodyShape(0.19, 0.19, 0.65, _PERSON, poses=4),
    "cone": BodyShape(0.21, 0.21, 0.35, CarlaClass.DYNAMIC),
    "barrel": BodyShape(0.30, 0.30, 0.45, CarlaClass.DYNAMIC),
    "barrier": BodyShape(0.60, 0.28, 0.50, CarlaClass.DYNAMIC),
    "crate": BodyShape(0.35, 0.30, 0.30, CarlaClass.DYNAMIC),
    "bin": BodyShape(0.28, 0.28, 0.50, CarlaClass.STATIC),
}
"""What ``ActorLook.body`` and ``ParkedCar.body`` may be."""

VEHICLE_BODIES: dict[str, tuple[float, float]] = {
    name: (shape.half_length, shape.half_width) for name, shape in BODIES.items()
}
"""Half length and half width of every body."""

PAINTS: tuple[tuple[int, int, int], ...] = (
    (236, 236, 232), (226, 226, 226), (176, 180, 184), (132, 136, 140), (86, 90, 96), (52, 56, 62), (160, 38, 34),
    (196, 52, 40), (44, 82, 150), (70, 120, 176), (38, 62, 104), (60, 104, 80), (186, 168, 136), (212, 156, 60),
)  # fmt: skip
"""Usual car paints, RGB."""


def mesh_name(body: str, phase: float = 0.0) -> str:
    """The mesh that shows a body at a phase of its cycle (radians): ``"sedan"``, ``"man:0"`` to ``"man:3"``.

    Pose 0 stands (or has the right pedal in front), pose 1 has the left leg in front, pose 3 the right one.
    """
    poses = BODIES[body].poses
    if poses == 1:
        return body
    return f"{body}:{round(phase / math.tau * poses) % poses}"


def mesh_names(body: str) -> tuple[str, ...]:
    """All meshes of a body."""
    poses = BODIES[body].poses
    return (body,) if poses == 1 else tuple(f"{body}:{pose}" for pose in range(poses))
