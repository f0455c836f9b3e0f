"""Puts a town together: the shipped map, then everything that stands around its lanes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES
from sim2real_bench.envs.carla.embedded.town.backdrop import build_backdrop
from sim2real_bench.envs.carla.embedded.town.frontage import close_frontage
from sim2real_bench.envs.carla.embedded.town.furniture import build_furniture
from sim2real_bench.envs.carla.embedded.town.ground import build_ground
from sim2real_bench.envs.carla.embedded.town.lanes import Lane, read_lanes, surface_points
from sim2real_bench.envs.carla.embedded.town.maps import MAPS
from sim2real_bench.envs.carla.embedded.town.markings import build_markings, crosswalks
from sim2real_bench.envs.carla.embedded.town.model import ParkedCar, Town, TownMeshes
from sim2real_bench.envs.carla.embedded.town.parking import park_cars
from sim2real_bench.envs.carla.embedded.town.relief import Relief, relief_through
from sim2real_bench.envs.carla.embedded.town.roadside import build_roadside
from sim2real_bench.envs.carla.embedded.town.scene import Scene
from sim2real_bench.envs.carla.embedded.town.signals import RoadSignal, read_signals
from sim2real_bench.envs.carla.embedded.town.spawning import spawn_points
from sim2real_bench.envs.carla.embedded.town.style import style_of
from sim2real_bench.envs.carla.embedded.town.surfaces import GroundPlan, ground_plan
from sim2real_bench.errors import ConfigurationError, UnknownNameError

_BOUNDS_MARGIN_M = 40.0
_LEFT_HAND = re.compile(r"<road\s[^>]*rule\s*=\s*[\"']LHT")
_LARGEST_EXTENT_M = 4000.0
_LONGEST_LANES_M = 60_000.0


def build(name: str) -> Town:
    """See ``build_town``."""
    if name not in TOWN_NAMES:
        raise UnknownNameError(f"town {name!r} is unknown; the embedded towns are {', '.join(TOWN_NAMES)}")
    return build_from_text(name, (MAPS / f"{name}.xodr").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class MapPlan:
    """What is read from a map before anything is built."""

    town_map: Any
    lanes: tuple[Lane, ...]
    ground: GroundPlan
    relief: Relief
    signals: tuple[RoadSignal, ...]


def plan_from_text(name: str, xodr: str) -> MapPlan:
    """Lanes, areas, heights and signals of an OpenDRIVE text.

    Raises:
        ConfigurationError: see ``town_from_text``.
    """
    town_map = _parsed(name, xodr)
    lanes = read_lanes(town_map)
    _refuse_unfit(name, lanes)
    relief = relief_through(*surface_points(lanes))
    crossings = shapely.union_all([shapely.Polygon(corners) for corners in crosswalks(town_map)])
    return MapPlan(town_map, lanes, ground_plan(lanes, crossings), relief, read_signals(town_map, relief))


def build_from_text(name: str, xodr: str) -> Town:
    """See ``town_from_text``."""
    read = plan_from_text(name, xodr)
    town_map, lanes, plan, relief = read.town_map, read.lanes, read.ground, read.relief
    scene = Scene(plan, style_of(name), relief, read.signals)
    build_ground(scene)
    build_markings(scene, lanes, town_map)
    kerbside = [lane for lane in lanes if lane.outermost]
    park_cars(scene, kerbside)
    if plan.urban:
        for ring in plan.frontages:
            close_frontage(scene, ring, plan.land)
        build_furniture(scene, kerbside, town_map)
        build_backdrop(scene)
    else:
        build_roadside(scene, lanes)
    x0, y0, x1, y1 = plan.road.bounds
    margin = _BOUNDS_MARGIN_M
    solid, cutout, decals = scene.meshes()
    meshes = TownMeshes(
        solid=solid, cutout=cutout, decals=decals, lamps=_raised_lamps(scene),
        parked=tuple(_on_slope(car, relief) for car in scene.parked),
        bounds=(x0 - margin, y0 - margin, x1 + margin, y1 + margin), palette=scene.style.palette,
    )  # fmt: skip
    return Town(name, xodr, meshes, scene.obstacles(), spawn_points(scene, lanes), scene.signals, relief)


def _parsed(name: str, xodr: str) -> Any:
    """The ``carla.Map`` of an OpenDRIVE text."""
    import carla

    if _LEFT_HAND.search(xodr):
        raise ConfigurationError(f"map {name!r} has left-hand traffic (rule LHT); this server drives on the right only")
    try:
        return carla.Map(name, xodr)
    except (RuntimeError, LookupError, ValueError, ArithmeticError) as error:
        raise ConfigurationError(f"map {name!r} cannot be read as OpenDRIVE: {error}") from error


def _refuse_unfit(name: str, lanes: Sequence[Lane]) -> None:
    if not lanes:
        raise ConfigurationError(f"map {name!r} has no driving lanes; give its OpenDRIVE text lanes of type driving")
    points = np.concatenate([lane.points for lane in lanes])
    extent, length = float(np.ptp(points, axis=0).max()), sum(float(lane.arc[-1]) for lane in lanes)
    if extent > _LARGEST_EXTENT_M or length > _LONGEST_LANES_M:
        raise ConfigurationError(
            f"map {name!r} is {extent:.0f} m wide and has {length / 1000:.0f} km of lanes; this server takes maps up "
            f"to {_LARGEST_EXTENT_M:.0f} m and {_LONGEST_LANES_M / 1000:.0f} km: cut out a part of it"
        )


def _raised_lamps(scene: Scene) -> npt.NDArray[np.float64]:
    lamps = np.array(scene.lamps, np.float64).reshape(-1, 3)
    lamps[:, 2] += scene.relief.heights(lamps[:, :2] * (1.0, -1.0))
    return lamps


def _on_slope(car: ParkedCar, relief: Relief) -> ParkedCar:
    if relief.flat:
        return car
    yaw = math.radians(car.yaw_deg)
    rise_x, rise_y = relief.gradient(car.x, car.y)
    ahead = math.atan(rise_x * math.cos(yaw) + rise_y * math.sin(yaw))
    # Roll is positive to the right, where the ground falls away if it rises to the left.
    sideways = -math.atan(rise_y * math.cos(yaw) - rise_x * math.sin(yaw))
    height = car.z + relief.height(car.x, car.y)
    return replace(car, z=height, pitch_deg=math.degrees(ahead), roll_deg=math.degrees(sideways))
