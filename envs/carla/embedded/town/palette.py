"""The texture layers by name, and the colours a town gives them."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]

LAYER_NAMES = (
    "asphalt", "slabs", "grass", "gravel", "brick", "brick2", "plaster", "plaster2", "concrete", "glass",
    "shop", "shop2", "door_plaster", "door_brick", "garage", "roof", "roof2", "wall_brick", "wall_brick2",
    "wall_plaster", "leaf", "leaf2", "hedge", "bark", "planks", "rails", "plain",
    "signs", "posters", "ribbon", "stone", "wall_stone", "water", "track", "mesh",
)  # fmt: skip
LAYER = {name: index for index, name in enumerate(LAYER_NAMES)}
"""Index of each texture layer."""

SIGN_CELLS = (
    "stop", "yield", "limit30", "limit50", "limit60", "limit80", "limit90", "limit120",
    "no_entry", "one_way", "priority", "crossing", "parking", "bus_stop", "no_parking", "chevron",
)  # fmt: skip
"""Faces in the layer ``signs``, four in a row from the upper left corner."""
POSTER_CELLS = (
    "poster1",
    "poster2",
    "poster3",
    "poster4",
    "poster5",
    "poster6",
    "board_blue",
    "board_green",
    "timetable",
)
"""Faces in the layer ``posters``: four posters above two posters, the timetable and the boards."""
_POSTER_BOXES = {
    "poster1": (0.0, 0.6, 0.25, 1.0), "poster2": (0.25, 0.6, 0.5, 1.0), "poster3": (0.5, 0.6, 0.75, 1.0),
    "poster4": (0.75, 0.6, 1.0, 1.0), "poster5": (0.0, 0.2, 0.25, 0.6), "poster6": (0.25, 0.2, 0.5, 0.6),
    "board_blue": (0.5, 0.4, 1.0, 0.6), "board_green": (0.5, 0.2, 1.0, 0.4), "timetable": (0.0, 0.0, 0.125, 0.2),
}  # fmt: skip


def cell_box(name: str) -> tuple[float, float, float, float]:
    """(u0, v0, u1, v1) of a face in its layer; v runs upwards."""
    if name in _POSTER_BOXES:
        return _POSTER_BOXES[name]
    row, column = divmod(SIGN_CELLS.index(name), 4)
    return column / 4, 1.0 - (row + 1) / 4, (column + 1) / 4, 1.0 - row / 4


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
