"""Puts a town together: the shipped map, then everything that stands around its lanes."""

from __future__ import annotations

import numpy as np

from sim2real_bench.envs.carla.embedded.town.backdrop import build_backdrop
from sim2real_bench.envs.carla.embedded.town.frontage import close_frontage
from sim2real_bench.envs.carla.embedded.town.furniture import build_furniture
from sim2real_bench.envs.carla.embedded.town.ground import build_ground
from sim2real_bench.envs.carla.embedded.town.lanes import read_lanes
from sim2real_bench.envs.carla.embedded.town.layouts import layout_named
from sim2real_bench.envs.carla.embedded.town.maps import MAPS
from sim2real_bench.envs.carla.embedded.town.markings import build_markings
from sim2real_bench.envs.carla.embedded.town.model import Town, TownMeshes
from sim2real_bench.envs.carla.embedded.town.parking import park_cars
from sim2real_bench.envs.carla.embedded.town.relief import FLAT
from sim2real_bench.envs.carla.embedded.town.scene import Scene
from sim2real_bench.envs.carla.embedded.town.signals import read_signals
from sim2real_bench.envs.carla.embedded.town.spawning import spawn_points
from sim2real_bench.envs.carla.embedded.town.style import style_of
from sim2real_bench.envs.carla.embedded.town.surfaces import ground_plan

_BOUNDS_MARGIN_M = 40.0


def build(name: str) -> Town:
    """See ``build_town``."""
    import carla

    layout = layout_named(name)
    xodr = (MAPS / f"{layout.name}.xodr").read_text(encoding="utf-8")
    town_map = carla.Map(name, xodr)
    lanes = read_lanes(town_map)
    plan = ground_plan(lanes)
    scene = Scene(plan, style_of(name))
    build_ground(scene)
    build_markings(scene, lanes, town_map)
    park_cars(scene, lanes)
    for ring in plan.frontages:
        close_frontage(scene, ring, plan.land)
    build_furniture(scene, lanes, town_map)
    build_backdrop(scene)
    x0, y0, x1, y1 = plan.road.bounds
    margin = _BOUNDS_MARGIN_M
    meshes = TownMeshes(
        solid=scene.solid.build(), cutout=scene.cutout.build(), decals=scene.decals.build(),
        lamps=np.array(scene.lamps, np.float64), parked=tuple(scene.parked),
        bounds=(x0 - margin, y0 - margin, x1 + margin, y1 + margin), palette=scene.style.palette,
    )  # fmt: skip
    signals = read_signals(town_map, FLAT)
    return Town(name, xodr, meshes, scene.obstacles(), spawn_points(scene, lanes), signals, FLAT)
