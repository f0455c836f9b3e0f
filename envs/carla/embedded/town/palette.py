"""The texture layers by name, and the colours a town gives them."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]

LAYER_NAMES = (
    "asphalt", "slabs", "grass", "gravel", "brick", "brick2", "plaster", "plaster2", "concrete", "glass",
    "shop", "shop2", "door_plaster", "door_brick", "garage", "roof", "roof2", "wall_brick", "wall_brick2",
    "wall_plaster", "leaf", "leaf2", "hedge", "bark", "planks", "rails", "plain",
)  # fmt: skip
LAYER = {name: index for index, name in enumerate(LAYER_NAMES)}
"""Index of each texture layer."""


@dataclass(frozen=True)
class Palette:
    """Colours of the procedural textures (RGB 0 to 1, as seen on a screen).

    Attributes:
        seed: of the noise and of the arrangement of windows.
        bricks: two kinds of brick.
        roofs: two kinds of roof tile.
        paving: pavement slabs.
        asphalt: grey level of the carriageway.
        grass: lawns.
        shutters: window shutters.
    """

    seed: int
    bricks: tuple[Colour, Colour]
    roofs: tuple[Colour, Colour]
    paving: Colour
    asphalt: float
    grass: Colour
    shutters: tuple[Colour, Colour]
