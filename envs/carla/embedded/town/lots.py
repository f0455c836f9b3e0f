"""Lots: a house, a garden, a park or a yard on a stretch of the frontage."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely

from sim2real_bench.envs.carla.embedded.town.bodies import BODIES
from sim2real_bench.envs.carla.embedded.town.buildings import add_house, add_wall_obstacle, draw_design
from sim2real_bench.envs.carla.embedded.town.ground import add_ground_cover
from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.parking import park_at
from sim2real_bench.envs.carla.embedded.town.plants import add_bush, add_tree
from sim2real_bench.envs.carla.embedded.town.plaza import add_plaza
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene
from sim2real_bench.envs.carla.embedded.town.street_things import add_bench
from sim2real_bench.envs.carla.embedded.town.surfaces import BEHIND_FRONTAGE_M
from sim2real_bench.envs.classes import CarlaClass

Point = tuple[float, float]
Place = Callable[[float, float], Point]


@dataclass(frozen=True)
class LotKind:
    """Sizes of one kind of lot, metres.

    Attributes:
        name: kind.
        width_m: range along the street.
        depth_m: range away from it.
        setback_m: range between pavement and building.
        gap_m: to the next lot.
    """

    name: str
    width_m: tuple[float, float]
    depth_m: tuple[float, float]
    setback_m: tuple[float, float]
    gap_m: float


LOT_KINDS = {
    kind.name: kind
    for kind in (
        LotKind("terrace", (6.0, 9.0), (8.5, 10.0), (0.12, 0.12), 0.0),
        LotKind("shops", (8.0, 14.0), (10.0, 12.0), (0.12, 0.12), 0.0),
        LotKind("flats", (13.0, 21.0), (11.0, 12.5), (0.12, 0.26), 0.0),
        LotKind("office", (15.0, 24.0), (13.0, 16.0), (0.12, 0.26), 1.2),
        LotKind("house", (11.0, 15.0), (8.0, 9.0), (3.0, 5.0), 0.0),
        LotKind("park", (11.0, 18.0), (9.0, 11.0), (0.05, 0.05), 0.0),
        LotKind("plaza", (14.0, 18.0), (10.0, 11.0), (0.05, 0.05), 0.0),
        LotKind("yard", (9.0, 13.0), (9.0, 9.0), (5.5, 6.0), 0.0),
    )
}
_OPEN_KINDS = frozenset({"house", "park", "yard"})  # a barrier is needed on the pavement's edge


@dataclass(frozen=True)
class Lot:
    """A stretch a -> b of the frontage (land on the left) and what to do with it."""

    kind: LotKind
    a: Point
    b: Point
    setback_m: float
    depth_m: float


class Plot:
    """The land behind one ring, and what is built on already."""

    def __init__(self, scene: Scene, land: shapely.Geometry) -> None:
        # Land begins a little behind the frontage, since the pavement reaches under the fronts of the houses.
        self._land = land.buffer(BEHIND_FRONTAGE_M - 0.02, join_style="mitre")
        shapely.prepare(self._land)
        self._scene = scene
        self._taken: list[shapely.Polygon] = []

    def take(self, footprint: shapely.Polygon) -> bool:
        """Reserve a footprint; False if it leaves the land or meets another one."""
        if not self._land.contains(footprint) or not self._scene.clear_of_lanes(footprint):
            return False
        shrunk = footprint.buffer(-0.05)
        if any(other.intersects(shrunk) for other in self._taken):
            return False
        self._taken.append(footprint)
        return True


def add_lot(scene: Scene, plot: Plot, lot: Lot) -> bool | None:
    """Build a lot.

    Returns:
        True if its building closes the frontage, False if a barrier must, None if there is no room.
    """
    chord = math.dist(lot.a, lot.b)
    along = ((lot.b[0] - lot.a[0]) / chord, (lot.b[1] - lot.a[1]) / chord)

    def place(x: float, y: float) -> Point:
        return lot.a[0] + along[0] * x - along[1] * y, lot.a[1] + along[1] * x + along[0] * y

    margin = 1.6 if lot.kind.name in ("house", "yard") else 0.0
    x0, x1, y0 = margin, chord - margin, lot.setback_m
    for depth in (lot.depth_m, lot.depth_m * 0.75):
        corners = [place(x0, y0), place(x1, y0), place(x1, y0 + depth), place(x0, y0 + depth)]
        footprint = shapely.Polygon(corners)
        if plot.take(footprint):
            break
    else:
        return None
    if lot.kind.name == "park":
        _park(scene, chord, lot.depth_m, place)
    elif lot.kind.name == "plaza":
        add_plaza(scene, chord, lot.depth_m, place)
    elif lot.kind.name == "yard":
        with scene.level(corners):
            _garages(scene, corners)
        _yard(scene, chord, lot.setback_m, place)
    else:
        add_house(scene, corners, draw_design(scene, lot.kind.name), lot.kind.name, lot.kind.name == "house")
        if lot.kind.name == "house":
            _garden(scene, chord, lot.setback_m, place)
    return lot.kind.name not in _OPEN_KINDS


def _garden(scene: Scene, width: float, setback: float, place: Place) -> None:
    middle = width / 2
    path = [
        place(middle - 0.7, 0.0),
        place(middle + 0.7, 0.0),
        place(middle + 0.7, setback),
        place(middle - 0.7, setback),
    ]
    add_ground_cover(scene, path, LAYER["gravel"], CarlaClass.SIDEWALKS, 4.0, (0.95, 0.92, 0.88))
    if scene.random.random() < 0.75:
        x = scene.random.choice((0.18, 0.82)) * width
        add_tree(scene, *place(x, scene.random.uniform(1.3, 2.2)), scene.random.uniform(0.6, 0.9))


def _park(scene: Scene, width: float, depth: float, place: Place) -> None:
    random = scene.random
    for _ in range(random.randint(4, 6)):
        spot = place(random.uniform(1.2, width - 1.2), random.uniform(1.5, depth - 1.0))
        add_tree(scene, *spot, random.uniform(0.85, 1.35))
    for _ in range(3):
        add_bush(
            scene, *place(random.uniform(1.0, width - 1.0), random.uniform(2.4, depth - 1.0)), random.uniform(0.6, 1.0)
        )
    a, b = place(0.0, 0.0), place(1.0, 0.0)
    for x in np.arange(3.3, width - 1.2, 6.0).tolist():
        add_bench(scene, place(x, 1.3), (a[0] - b[0], a[1] - b[1]))


def _yard(scene: Scene, width: float, setback: float, place: Place) -> None:
    """Gravel in front of the garages, and something large that is parked there."""
    corners = [place(0.0, 0.0), place(width, 0.0), place(width, setback), place(0.0, setback)]
    add_ground_cover(scene, corners, LAYER["gravel"], CarlaClass.GROUND, 5.0, (0.9, 0.88, 0.84))
    a, b = place(0.0, 0.0), place(width, 0.0)
    yaw = math.atan2(b[1] - a[1], b[0] - a[0])
    body = scene.random.choice(("truck", "truck", "truck", "truck", "ambulance"))
    park_at(scene, *place(width / 2, setback - BODIES[body].half_width - 0.5), yaw, body)


def _garages(scene: Scene, corners: list[Point]) -> None:
    mesh, tag, height = scene.solid, CarlaClass.BUILDINGS, 2.7
    for index, (a, b) in enumerate(zip(corners, corners[1:] + corners[:1], strict=True)):
        layer = LAYER["garage"] if index == 0 else LAYER["wall_plaster"]
        mesh.wall(a, b, 0.0, KERB_M + height, layer, tag, (0.9, 0.88, 0.85), (12.0, height + KERB_M), whole=0.25)
        add_wall_obstacle(scene, a, b, height, tag)
    mesh.area(shapely.Polygon(corners), KERB_M + height, LAYER["gravel"], tag, 6.0)
