"""The pedestrians of the embedded server: CARLA's type ids with their bodies, boxes and paces."""

from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.town.bodies import BODIES
from sim2real_bench.envs.carla.embedded.walker_dynamics import WalkerModel

Colour = tuple[int, int, int]

_CHILDREN, _PUPILS = (9, 10, 11), (12, 13, 14, 48, 49)
_COUNT = 52
_ADULT_MASS, _CHILD_MASS = 75.0, 32.0
CLOTHES: tuple[Colour, ...] = (
    (52, 58, 74), (92, 40, 38), (60, 78, 58), (140, 128, 108), (34, 34, 38), (168, 164, 156), (44, 84, 128),
    (176, 120, 48), (112, 52, 92),
)  # fmt: skip
"""Colours of coats and jackets, RGB."""


@dataclass(frozen=True)
class Pedestrian:
    """A walker blueprint.

    Attributes:
        model: body, box and mass.
        gender: ``male`` or ``female``, as drawn.
        age: ``adult`` or ``child``.
        speeds: recommended, m/s: standing, walking, running.
        clothes: RGB.
    """

    model: WalkerModel
    gender: str
    age: str
    speeds: tuple[float, float, float]
    clothes: Colour


def _pedestrian(number: int) -> Pedestrian:
    child = number in (*_CHILDREN, *_PUPILS)
    female = number % 2 == 1
    if child:
        body = "child" if number in _CHILDREN else "pupil"
    else:
        plain, dressed = ("woman", "woman_skirt") if female else ("man", "man_coat")
        body = dressed if number % 3 == 0 else plain
    shape = BODIES[body]
    model = WalkerModel(
        f"walker.pedestrian.{number:04d}", body, shape.half_length, shape.half_width, shape.half_height,
        _CHILD_MASS if child else _ADULT_MASS,
    )  # fmt: skip
    speeds = (0.0, 1.1, 2.6) if child else (0.0, 1.4, 3.2)
    gender, age = "female" if female else "male", "child" if child else "adult"
    return Pedestrian(model, gender, age, speeds, CLOTHES[number % len(CLOTHES)])


PEDESTRIANS: dict[str, Pedestrian] = {
    pedestrian.model.type_id: pedestrian for pedestrian in map(_pedestrian, range(1, _COUNT + 1))
}
"""Every walker blueprint by its type id."""

WALKER_MODELS: dict[str, WalkerModel] = {name: pedestrian.model for name, pedestrian in PEDESTRIANS.items()}
"""What moves and is drawn, by type id."""
