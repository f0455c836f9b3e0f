"""Buildings: walls with facades on any footprint, storeys, ledges, balconies and awnings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sim2real_bench.envs.carla.embedded.town.palette import LAYER
from sim2real_bench.envs.carla.embedded.town.roofs import add_flat_roof, add_gable_roof
from sim2real_bench.envs.carla.embedded.town.scene import KERB_M, Scene, scaled, weighted
from sim2real_bench.envs.classes import CarlaClass

Colour = tuple[float, float, float]
Point = tuple[float, float]

GROUND_FLOOR_M = 3.6
STOREY_M = 3.0
_TILE_M = (12.0, 12.0)  # a facade texture shows four bays and four storeys
_GROUND_TILE_M = (12.0, 3.6)
_BAY = 0.25  # of a texture tile
_PLINTH_M = 2.0
_SIDE_WALLS = {"brick": "wall_brick", "brick2": "wall_brick2", "stone": "wall_stone"}
_AWNINGS: tuple[Colour, ...] = ((0.55, 0.12, 0.10), (0.12, 0.30, 0.20), (0.16, 0.22, 0.42), (0.72, 0.66, 0.52))


@dataclass(frozen=True)
class Design:
    """How a building looks.

    Attributes:
        wall: facade texture of the upper storeys.
        ground: texture of the ground floor on the street.
        side: texture of ground-floor walls away from the street.
        tint: paint.
        storeys: above the ground floor.
        roof: "gable" or "flat".
        seed: decides which windows are lit, 0 to 0.8.
    """

    wall: str
    ground: str
    side: str
    tint: Colour
    storeys: int
    roof: str
    seed: float

    @property
    def height_m(self) -> float:
        """Height of the eaves above the pavement."""
        return GROUND_FLOOR_M + STOREY_M * self.storeys


def draw_design(scene: Scene, kind: str) -> Design:
    """A random design for a kind of lot, in the style of the town."""
    random, style = scene.random, scene.style
    walls = dict(style.walls)
    storeys = {"terrace": (1, 2), "shops": (1, 3), "flats": (3, 5), "office": (4, 8), "house": (0, 1)}[kind]
    if kind == "office":
        walls = {"glass": 2.0, "concrete": 0.8, "ribbon": 1.0 + walls.get("ribbon", 0.0)}
    elif kind != "flats":
        walls.pop("concrete", None)
    wall = weighted(random, walls)
    light = random.uniform(0.82, 1.1)
    tint = scaled((1.0, 1.0, 1.0), light)
    if wall.startswith(("plaster", "ribbon")):
        tint = scaled(random.choice(style.plaster_tints), random.uniform(0.88, 1.05))
    shop = kind in ("shops", "office") or (kind == "flats" and random.random() < 0.45)
    door = "door_brick" if wall.startswith("brick") else "door_plaster"
    ground = random.choice(("shop", "shop2")) if shop else door
    flat = kind in ("flats", "office") or (kind == "shops" and random.random() > style.gable_share)
    return Design(
        wall, ground, _SIDE_WALLS.get(wall, "wall_plaster"), tint, random.randint(*storeys),
        "flat" if flat else "gable", random.uniform(0.06, 0.8),
    )  # fmt: skip


def _plinth(scene: Scene, chain: Sequence[Point], design: Design) -> None:
    """Walls that reach below the ground where the house stands on a slope."""
    if scene.relief.flat:
        return
    for a, b in pairwise(chain):
        scene.solid.wall(
            a, b, -_PLINTH_M, 0.0, LAYER[design.side], CarlaClass.BUILDINGS, scaled(design.tint, 0.8), _TILE_M
        )


def _front_wall(scene: Scene, chain: Sequence[Point], design: Design, phase: float) -> None:
    """The street side: whole bays along the chain, ground floor and upper storeys."""
    lengths = [math.dist(a, b) for a, b in pairwise(chain)]
    total = sum(lengths)
    bays = max(1, round(total / (_TILE_M[0] * _BAY))) * _BAY
    mesh, tag, u = scene.solid, CarlaClass.BUILDINGS, phase
    z1, z2 = KERB_M + GROUND_FLOOR_M, KERB_M + design.height_m
    for (a, b), length in zip(pairwise(chain), lengths, strict=True):
        du = bays * length / total
        for low, high, layer, rows in (
            (0.0, z1, design.ground, 1.0),
            (z1, z2, design.wall, design.storeys * STOREY_M / _TILE_M[1]),
        ):
            if high <= low:
                continue
            corners = [(*a, low), (*b, low), (*b, high), (*a, high)]
            uv = [(u, 0), (u + du, 0), (u + du, rows), (u, rows)]
            mesh.polygon(corners, uv, LAYER[layer], tag, design.tint, design.seed)
        u += du


def _other_wall(scene: Scene, a: Point, b: Point, design: Design, blind: bool) -> None:
    mesh, tag = scene.solid, CarlaClass.BUILDINGS
    z1, z2 = KERB_M + GROUND_FLOOR_M, KERB_M + design.height_m
    if blind:
        mesh.wall(a, b, 0.0, z2, LAYER[design.side], tag, design.tint, _TILE_M)
        return
    mesh.wall(a, b, 0.0, z1, LAYER[design.side], tag, design.tint, _TILE_M)
    if z2 > z1:
        mesh.wall(a, b, z1, z2, LAYER[design.wall], tag, design.tint, _TILE_M, glow=design.seed, whole=_BAY)


def add_ledge(scene: Scene, a: Point, b: Point, z: float, height: float, depth: float, tint: Colour) -> None:
    """A projecting band on a wall whose outside is on the right of a -> b."""
    length = math.dist(a, b)
    out = ((b[1] - a[1]) / length * depth, -(b[0] - a[0]) / length * depth)
    c, d = (a[0] + out[0], a[1] + out[1]), (b[0] + out[0], b[1] + out[1])
    mesh, layer, tag = scene.solid, LAYER["plain"], CarlaClass.BUILDINGS
    mesh.wall(c, d, z, z + height, layer, tag, tint)
    square = [(0, 0), (1, 0), (1, 1), (0, 1)]
    mesh.polygon([(*c, z + height), (*d, z + height), (*b, z + height), (*a, z + height)], square, layer, tag, tint)
    mesh.polygon([(*a, z), (*b, z), (*d, z), (*c, z)], square, layer, tag, scaled(tint, 0.5))


def _ledges(scene: Scene, chain: Sequence[Point], design: Design) -> None:
    pale = (0.80, 0.78, 0.74)
    shop = design.ground.startswith("shop")
    for a, b in pairwise(chain):
        if shop:
            add_ledge(scene, a, b, KERB_M + GROUND_FLOOR_M - 0.12, 0.2, 0.22, scaled(pale, 0.7))
        elif design.wall.startswith("plaster") and design.storeys:
            add_ledge(scene, a, b, KERB_M + GROUND_FLOOR_M - 0.08, 0.14, 0.08, pale)
        if design.roof == "flat" and design.wall != "glass":
            add_ledge(scene, a, b, KERB_M + design.height_m - 0.25, 0.3, 0.22, pale)


def _awnings(scene: Scene, a: Point, b: Point) -> None:
    length, colour = math.dist(a, b), scene.random.choice(_AWNINGS)
    count = max(1, int(length // 4.5))
    along = ((b[0] - a[0]) / length, (b[1] - a[1]) / length)
    out = (along[1], -along[0])
    mesh, layer, tag = scene.solid, LAYER["plain"], CarlaClass.BUILDINGS
    for index in range(count):
        if scene.random.random() < 0.4:
            continue
        middle, half = (index + 0.5) * length / count, length / count * 0.4

        def place(x: float, y: float, z: float) -> tuple[float, float, float]:
            return a[0] + along[0] * x + out[0] * y, a[1] + along[1] * x + out[1] * y, KERB_M + z

        low = [place(middle - half, 1.15, 2.5), place(middle + half, 1.15, 2.5)]
        high = [place(middle + half, 0.0, 3.1), place(middle - half, 0.0, 3.1)]
        square = [(0, 0), (1, 0), (1, 1), (0, 1)]
        mesh.polygon(low + high, square, layer, tag, colour)
        mesh.polygon((low + high)[::-1], square, layer, tag, scaled(colour, 0.45))
        hem = [place(middle - half, 1.15, 2.28), place(middle + half, 1.15, 2.28)]
        mesh.polygon([*hem, low[1], low[0]], square, layer, tag, scaled(colour, 0.9))


def _balconies(scene: Scene, a: Point, b: Point, design: Design) -> None:
    length = math.dist(a, b)
    yaw = math.atan2(b[1] - a[1], b[0] - a[0])
    along, out = (math.cos(yaw), math.sin(yaw)), (math.sin(yaw), -math.cos(yaw))
    paint = scene.random.choice(((0.62, 0.65, 0.68), (0.45, 0.50, 0.48), (0.80, 0.78, 0.72)))
    for x in np.arange(3.0, length - 2.0, 6.0):
        for storey in range(design.storeys):
            z = KERB_M + GROUND_FLOOR_M + STOREY_M * storey
            centre = (a[0] + along[0] * x + out[0] * 0.5, a[1] + along[1] * x + out[1] * 0.5, z - 0.05)
            scene.solid.box(centre, (1.35, 0.5, 0.06), yaw, LAYER["plain"], CarlaClass.BUILDINGS, (0.68, 0.67, 0.65))
            scene.solid.box(
                (centre[0] + out[0] * 0.46, centre[1] + out[1] * 0.46, z), (1.35, 0.04, 0.5), yaw,
                LAYER["plain"], CarlaClass.BUILDINGS, paint,
            )  # fmt: skip


def add_house(scene: Scene, corners: Sequence[Point], design: Design, kind: str, free_standing: bool) -> None:
    """A rectangular building; ``corners`` anticlockwise, the first edge is the front."""
    with scene.level(corners):
        _house(scene, corners, design, kind, free_standing)


def _house(scene: Scene, corners: Sequence[Point], design: Design, kind: str, free_standing: bool) -> None:
    a, b, c, d = corners
    phase = scene.random.randint(0, 3) * _BAY
    front = [a, b]
    _plinth(scene, [*corners, a], design)
    _front_wall(scene, front, design, phase)
    blind_sides = not free_standing and design.storeys < 3  # taller houses look over their neighbours
    for start, end, blind in ((b, c, blind_sides), (c, d, False), (d, a, blind_sides)):
        _other_wall(scene, start, end, design, blind)
    _ledges(scene, front, design)
    if design.ground.startswith("shop") and kind == "shops":
        _awnings(scene, a, b)
    if kind == "flats" and design.wall in ("concrete", "plaster2", "stone"):
        _balconies(scene, a, b, design)
    eaves = KERB_M + design.height_m
    if design.roof == "gable":
        add_gable_roof(scene, corners, eaves, LAYER[design.side], design.tint)
    else:
        add_flat_roof(scene, corners, eaves, design.tint, plant=kind in ("office", "flats"))
    yaw = math.atan2(b[1] - a[1], b[0] - a[0])
    x, y = (a[0] + c[0]) / 2, (a[1] + c[1]) / 2
    scene.obstacle(x, y, yaw, math.dist(a, b) / 2, math.dist(b, c) / 2, design.height_m, CarlaClass.BUILDINGS)


def add_corner_house(scene: Scene, chain: Sequence[Point], back: Sequence[Point], design: Design) -> None:
    """A building round a street corner: ``chain`` is its street side, ``back`` the rest, anticlockwise together."""
    with scene.level([*chain, *back]):
        _corner_house(scene, chain, back, design)


def _corner_house(scene: Scene, chain: Sequence[Point], back: Sequence[Point], design: Design) -> None:
    _plinth(scene, [*chain, *back, chain[0]], design)
    _front_wall(scene, chain, design, 0.0)
    _ledges(scene, chain, design)
    rest = [chain[-1], *back, chain[0]]
    for a, b in pairwise(rest):
        _other_wall(scene, a, b, design, blind=True)
    add_flat_roof(scene, [*chain, *back], KERB_M + design.height_m, design.tint, plant=False)
    outline = [*chain, *back, chain[0]]
    for a, b in pairwise(outline):
        add_wall_obstacle(scene, a, b, design.height_m, CarlaClass.BUILDINGS)


def add_wall_obstacle(scene: Scene, a: Point, b: Point, height: float, tag: int, half_width: float = 0.12) -> None:
    """A thin box along a wall whose outside is on the right of a -> b; its outer face is the wall."""
    length = math.dist(a, b)
    inward = (-(b[1] - a[1]) / length * half_width, (b[0] - a[0]) / length * half_width)
    x, y = (a[0] + b[0]) / 2 + inward[0], (a[1] + b[1]) / 2 + inward[1]
    scene.obstacle(x, y, math.atan2(b[1] - a[1], b[0] - a[0]), length / 2, half_width, height, tag)
