"""The bodies of vehicles by name, with their usual half length and half width in metres."""

VEHICLE_BODIES: dict[str, tuple[float, float]] = {
    "sedan": (2.32, 0.92),
    "hatchback": (2.02, 0.89),
    "suv": (2.28, 0.95),
    "estate": (2.36, 0.91),
    "van": (2.58, 0.94),
}
"""What ``ActorLook.body`` and ``ParkedCar.body`` may be."""

PAINTS: tuple[tuple[int, int, int], ...] = (
    (236, 236, 232), (226, 226, 226), (176, 180, 184), (132, 136, 140), (86, 90, 96), (52, 56, 62), (160, 38, 34),
    (196, 52, 40), (44, 82, 150), (70, 120, 176), (38, 62, 104), (60, 104, 80), (186, 168, 136), (212, 156, 60),
)  # fmt: skip
"""Usual car paints, RGB."""
