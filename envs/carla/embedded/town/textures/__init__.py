"""Procedural textures: one 512 x 512 RGBA layer per name in ``palette.LAYER_NAMES``.

Alpha is the window mask on facades, the gloss on plain surfaces and the cut-out on leaves and fences.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.palette import LAYER_NAMES, Palette
from sim2real_bench.envs.carla.embedded.town.textures import facades, ground, plants, signage, walls
from sim2real_bench.envs.carla.embedded.town.textures.noise import SIDE, fractal_noise

__all__ = ["SIDE", "cloud_texture", "texture_layers"]


def texture_layers(palette: Palette) -> npt.NDArray[np.uint8]:
    """(layers, 512, 512, 4) uint8, row 0 at the top of the picture; same palette, same bytes."""
    p, s = palette, palette.seed
    makers: dict[str, Callable[[], npt.NDArray[np.uint8]]] = {
        "asphalt": lambda: ground.asphalt(s + 1, p.asphalt, cracks=5),
        "slabs": lambda: ground.slabs(s + 2, p.paving),
        "grass": lambda: ground.grass(s + 3, p.grass),
        "gravel": lambda: ground.asphalt(s + 4, 0.5, cracks=0),
        "brick": lambda: facades.facade(walls.bricks(s + 5, p.bricks[0]), "brick", s + 5, p.shutters),
        "brick2": lambda: facades.facade(walls.bricks(s + 6, p.bricks[1]), "brick", s + 6, p.shutters),
        "plaster": lambda: facades.facade(walls.plaster(s + 7), "plaster", s + 7, p.shutters),
        "plaster2": lambda: facades.facade(walls.plaster(s + 8), "plain", s + 8, p.shutters),
        "concrete": lambda: facades.facade(walls.concrete(s + 9), "concrete", s + 9, p.shutters),
        "glass": lambda: facades.curtain_wall(s + 10),
        "shop": lambda: facades.shop(walls.concrete(s + 11), s + 11),
        "shop2": lambda: facades.shop(walls.plaster(s + 12), s + 12),
        "door_plaster": lambda: facades.entrance(walls.plaster(s + 13), s + 13),
        "door_brick": lambda: facades.entrance(walls.bricks(s + 14, p.bricks[0]), s + 14),
        "garage": lambda: facades.garages(walls.plaster(s + 15), s + 15),
        "roof": lambda: walls.roof_tiles(s + 16, p.roofs[0]),
        "roof2": lambda: walls.roof_tiles(s + 17, p.roofs[1]),
        "wall_brick": lambda: walls.blank(walls.bricks(s + 18, p.bricks[0])),
        "wall_brick2": lambda: walls.blank(walls.bricks(s + 19, p.bricks[1])),
        "wall_plaster": lambda: walls.blank(walls.plaster(s + 20)),
        "leaf": lambda: plants.leaf_cluster(s + 21, 0.0),
        "leaf2": lambda: plants.leaf_cluster(s + 22, 1.0),
        "hedge": lambda: plants.hedge(s + 23),
        "bark": lambda: plants.bark(s + 24),
        "planks": lambda: plants.planks(s + 25),
        "rails": plants.rails,
        "plain": lambda: walls.plain(s + 26),
        "signs": signage.signs,
        "posters": lambda: signage.posters(s + 27),
        "ribbon": lambda: facades.ribbon_windows(walls.plaster(s + 28), s + 28),
        "stone": lambda: facades.facade(walls.ashlar(s + 29, p.paving), "stone", s + 29, p.shutters),
        "wall_stone": lambda: walls.blank(walls.ashlar(s + 30, p.paving)),
        "water": lambda: ground.water(s + 31),
        "track": lambda: ground.track(s + 32),
        "mesh": plants.wire_mesh,
    }
    return np.stack([makers[name]() for name in LAYER_NAMES])


def cloud_texture() -> npt.NDArray[np.uint8]:
    """(512, 512) uint8 tileable noise for clouds, puddles, worn paint and large stains."""
    return np.asarray(np.clip((fractal_noise(123, 4, 6) - 0.5) * 1.9 + 0.5, 0, 1) * 255, np.uint8)
