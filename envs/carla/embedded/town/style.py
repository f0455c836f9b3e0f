"""What makes one town look unlike the other: colours, kinds of houses, plants."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sim2real_bench.envs.carla.embedded.town.palette import Palette

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class TownStyle:
    """The choices a town is drawn from; all weights are relative.

    Attributes:
        seed: seed of everything that is placed at random.
        palette: colours of the textures.
        lots: weight of each kind of lot (see ``frontage``).
        walls: weight of each facade texture on dwellings.
        barriers: weight of each kind of barrier (see ``barriers``).
        plaster_tints: paints of plastered walls.
        leaf_tints: tints of tree crowns.
        lamp_colour: paint of poles.
        street_tree_share: share of the tree places on the pavement that have one.
        gable_share: share of town houses with a pitched roof.
        features: what else stands there: any of "tram", "footbridge", "gantries".
        bus_stops: number of shelters.
    """

    seed: int
    palette: Palette
    lots: dict[str, float]
    walls: dict[str, float]
    barriers: dict[str, float]
    plaster_tints: tuple[Colour, ...]
    leaf_tints: tuple[Colour, ...]
    lamp_colour: Colour
    street_tree_share: float
    gable_share: float
    features: frozenset[str] = frozenset()
    bus_stops: int = 3


_STYLES = {
    "MiniTown01": TownStyle(
        seed=11,
        palette=Palette(
            seed=100, bricks=((0.53, 0.31, 0.23), (0.47, 0.36, 0.26)), roofs=((0.33, 0.31, 0.31), (0.44, 0.27, 0.20)),
            paving=(0.58, 0.57, 0.55), asphalt=0.33, grass=(0.30, 0.37, 0.15),
            shutters=((0.24, 0.34, 0.28), (0.30, 0.33, 0.38)),
        ),
        lots={
            "terrace": 1.5, "shops": 0.9, "flats": 0.8, "office": 0.35, "house": 0.8,
            "park": 0.2, "plaza": 0.2, "yard": 0.2,
        },
        walls={"brick": 1.2, "brick2": 1.0, "plaster": 0.7, "plaster2": 0.4, "stone": 0.4, "concrete": 0.3},
        barriers={"brick_wall": 1.0, "hedge": 1.1, "railings": 0.8, "planks": 0.6},
        plaster_tints=(
            (1.0, 0.95, 0.84), (0.98, 0.98, 0.97), (0.93, 0.86, 0.74), (0.84, 0.87, 0.90), (0.88, 0.80, 0.72),
        ),
        leaf_tints=((0.95, 1.0, 0.9), (1.08, 1.05, 0.8), (0.82, 0.96, 0.84), (1.2, 1.05, 0.75)),
        lamp_colour=(0.32, 0.34, 0.35), street_tree_share=0.6, gable_share=0.7,
    ),
    "MiniTown02": TownStyle(
        seed=42,
        palette=Palette(
            seed=700, bricks=((0.58, 0.47, 0.35), (0.40, 0.27, 0.24)), roofs=((0.52, 0.29, 0.20), (0.40, 0.36, 0.33)),
            paving=(0.53, 0.52, 0.52), asphalt=0.36, grass=(0.36, 0.40, 0.17),
            shutters=((0.42, 0.27, 0.20), (0.22, 0.30, 0.40)),
        ),
        lots={
            "terrace": 1.2, "shops": 0.7, "flats": 1.2, "office": 0.2, "house": 0.9,
            "park": 0.3, "plaza": 0.4, "yard": 0.24,
        },
        walls={"brick": 0.5, "brick2": 0.35, "plaster": 1.1, "plaster2": 1.1, "stone": 0.5, "concrete": 0.7},
        barriers={"brick_wall": 0.3, "plaster_wall": 1.0, "hedge": 1.2, "railings": 0.6, "planks": 0.8},
        plaster_tints=(
            (0.98, 0.85, 0.62), (0.95, 0.76, 0.62), (0.80, 0.86, 0.76), (0.97, 0.96, 0.93), (0.78, 0.84, 0.90),
            (0.92, 0.70, 0.60),
        ),
        leaf_tints=((0.85, 0.95, 0.8), (1.0, 1.0, 0.85), (1.35, 1.0, 0.6), (0.75, 0.9, 0.8)),
        lamp_colour=(0.20, 0.27, 0.24), street_tree_share=0.5, gable_share=0.85,
    ),
    "MiniTown03": TownStyle(
        seed=73,
        palette=Palette(
            seed=1300, bricks=((0.44, 0.29, 0.26), (0.56, 0.50, 0.44)), roofs=((0.25, 0.27, 0.30), (0.34, 0.33, 0.33)),
            paving=(0.62, 0.61, 0.58), asphalt=0.30, grass=(0.27, 0.40, 0.16),
            shutters=((0.30, 0.30, 0.32), (0.50, 0.46, 0.40)),
        ),
        lots={
            "terrace": 0.4, "shops": 0.9, "flats": 1.5, "office": 1.4, "house": 0.25,
            "park": 0.45, "plaza": 0.2, "yard": 0.14,
        },
        walls={"ribbon": 1.5, "plaster2": 0.5, "stone": 0.7, "concrete": 0.6, "brick2": 0.4},
        barriers={"brick_wall": 0.4, "plaster_wall": 0.5, "hedge": 1.3, "railings": 0.9, "mesh": 0.8},
        plaster_tints=((1.0, 1.0, 1.0), (0.93, 0.94, 0.95), (0.88, 0.90, 0.92), (0.96, 0.92, 0.86)),
        leaf_tints=((0.8, 1.0, 0.85), (0.95, 1.05, 0.8), (1.1, 1.1, 0.75), (1.25, 0.85, 0.55)),
        lamp_colour=(0.42, 0.44, 0.46), street_tree_share=0.55, gable_share=0.15,
        features=frozenset({"tram"}), bus_stops=5,
    ),
    "MiniHighway01": TownStyle(
        seed=91,
        palette=Palette(
            seed=1900, bricks=((0.50, 0.33, 0.26), (0.45, 0.38, 0.32)), roofs=((0.36, 0.27, 0.22), (0.30, 0.30, 0.31)),
            paving=(0.55, 0.55, 0.53), asphalt=0.34, grass=(0.34, 0.41, 0.19),
            shutters=((0.24, 0.34, 0.28), (0.30, 0.33, 0.38)),
        ),
        lots={"house": 1.0, "yard": 0.4}, walls={"brick": 0.6, "plaster": 0.8, "concrete": 0.6},
        barriers={"hedge": 1.0, "mesh": 1.0},
        plaster_tints=((1.0, 0.97, 0.90), (0.90, 0.90, 0.88)),
        leaf_tints=((0.85, 1.0, 0.8), (0.95, 1.0, 0.75), (0.7, 0.9, 0.75)),
        lamp_colour=(0.45, 0.46, 0.47), street_tree_share=0.0, gable_share=0.7,
        features=frozenset({"gantries", "footbridge"}), bus_stops=0,
    ),
}  # fmt: skip


def style_of(name: str) -> TownStyle:
    """The style of a town; any other map looks like ``MiniTown01`` with its own seed."""
    if name in _STYLES:
        return _STYLES[name]
    return replace(_STYLES["MiniTown01"], seed=1 + sum(name.encode()) % 1000)
