"""The town under construction: meshes, obstacles and lamps that the builders of this package add to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random

import numpy as np
import shapely

from sim2real_bench.envs.carla.embedded.town.draping import Levelled, drape
from sim2real_bench.envs.carla.embedded.town.mesh import MeshBuilder
from sim2real_bench.envs.carla.embedded.town.model import Mesh, Obstacles, ParkedCar
from sim2real_bench.envs.carla.embedded.town.relief import FLAT, Relief
from sim2real_bench.envs.carla.embedded.town.signals import RoadSignal
from sim2real_bench.envs.carla.embedded.town.style import TownStyle
from sim2real_bench.envs.carla.embedded.town.surfaces import GroundPlan

KERB_M = 0.13
"""Height of pavements and land above the carriageway."""
CLEARANCE_M = 0.4
"""Nothing that can be hit stands nearer to a driving lane."""


def box_polygon(x: float, y: float, yaw: float, half_length: float, half_width: float) -> shapely.Polygon:
    """The footprint of an oriented box (right-handed frame)."""
    cosine, sine = math.cos(yaw), math.sin(yaw)
    return shapely.Polygon(
        [
            (x + i * cosine * half_length - j * sine * half_width, y + i * sine * half_length + j * cosine * half_width)
            for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
    )


class Scene:
    """Collects what the builders make (right-handed frame, metres, radians).

    Everything is built as on flat ground and put onto the relief at the end, vertex by vertex; what must not lean with
    a slope, as houses, is made inside ``level``.
    """

    def __init__(
        self, plan: GroundPlan, style: TownStyle, relief: Relief = FLAT, signals: Sequence[RoadSignal] = ()
    ) -> None:
        self.plan = plan
        self.style = style
        self.relief = relief
        self.signals = tuple(signals)  # in CARLA's frame
        self.random = Random(style.seed)
        self.numbers = np.random.default_rng(style.seed)
        self.solid = MeshBuilder()
        self.cutout = MeshBuilder()
        self.decals = MeshBuilder()
        self.lamps: list[tuple[float, float, float]] = []
        self.parked: list[ParkedCar] = []
        self.plazas = 0
        self._boxes: list[tuple[float, float, float, float, float]] = []
        self._heights: list[float] = []
        self._tags: list[int] = []
        self._bases: list[float] = []
        self._level: float | None = None
        self._levelled: tuple[list[Levelled], ...] = ([], [], [], [], [], [])
        self._footprints: list[shapely.Polygon] = []
        self._circles = np.zeros((256, 3))  # x, y, radius around each footprint; grows by doubling
        self._forbidden = plan.driving.buffer(CLEARANCE_M)
        shapely.prepare(self._forbidden)

    def ground(self, x: float, y: float) -> float:
        """Height of the relief at a place."""
        return self.relief.height(x, -y)

    @contextmanager
    def level(self, corners: Sequence[Sequence[float]]) -> Iterator[None]:
        """What is built inside stands upright at the mean height of the ground under the corners."""
        if self.relief.flat or self._level is not None:
            yield
            return
        builders = (self.solid, self.cutout, self.decals)
        before = [count for builder in builders for count in builder.counts]
        self._level = sum(self.ground(corner[0], corner[1]) for corner in corners) / len(corners)
        yield
        after = [count for builder in builders for count in builder.counts]
        for parts, first, last in zip(self._levelled, before, after, strict=True):
            if last > first:
                parts.append(Levelled(first, last, self._level))
        self._level = None

    def meshes(self) -> tuple[Mesh, Mesh, Mesh]:
        """The solid, cut-out and decal meshes on the relief."""
        built = []
        for index, builder in enumerate((self.solid, self.cutout, self.decals)):
            blocks, _ = builder.counts
            singles = [
                Levelled(part.first + blocks, part.last + blocks, part.height_m)
                for part in self._levelled[2 * index + 1]
            ]
            built.append(drape(builder.build(), self.relief, [*self._levelled[2 * index], *singles]))
        return built[0], built[1], built[2]

    def clear_of_lanes(self, footprint: shapely.Geometry) -> bool:
        """Whether something may stand there."""
        return not self._forbidden.intersects(footprint)

    def free(self, footprint: shapely.Geometry) -> bool:
        """Whether a footprint is clear of the lanes and of every obstacle so far."""
        return self.clear_of_lanes(footprint) and not self.meets_obstacle(footprint)

    def meets_obstacle(self, footprint: shapely.Polygon) -> bool:
        """Whether a footprint overlaps an obstacle."""
        if not self._footprints:
            return False
        x0, y0, x1, y1 = footprint.bounds
        gap = math.hypot(x1 - x0, y1 - y0) / 2
        circles = self._circles[: len(self._footprints)]
        apart = np.hypot(circles[:, 0] - (x0 + x1) / 2, circles[:, 1] - (y0 + y1) / 2)
        near = np.nonzero(apart < circles[:, 2] + gap)[0]
        return any(self._footprints[index].intersects(footprint) for index in near)

    def obstacle(
        self, x: float, y: float, yaw: float, half_length: float, half_width: float, height: float, tag: int
    ) -> None:
        """Something one can hit."""
        if len(self._boxes) == len(self._circles):
            self._circles = np.concatenate([self._circles, np.zeros_like(self._circles)])
        self._circles[len(self._boxes)] = x, y, math.hypot(half_length, half_width)
        self._boxes.append((x, y, yaw, half_length, half_width))
        footprint = box_polygon(x, y, yaw, half_length, half_width)
        self._footprints.append(footprint)
        low, high = self._span(footprint)
        self._bases.append(low)
        self._heights.append(height + high - low)
        self._tags.append(tag)

    def _span(self, footprint: shapely.Polygon) -> tuple[float, float]:
        """Lowest and highest ground under a footprint; what stands level has its own."""
        if self.relief.flat:
            return 0.0, 0.0
        heights = [self.ground(x, y) for x, y in footprint.exterior.coords]
        return min(heights), max(heights) if self._level is None else max(self._level, min(heights))

    def obstacles(self) -> Obstacles:
        """All obstacles, in CARLA's frame."""
        boxes = np.array(self._boxes, np.float64).reshape(-1, 5)
        boxes[:, 1:3] *= -1.0  # y and the sense of yaw
        heights, bases = np.array(self._heights, np.float64), np.array(self._bases, np.float64)
        return Obstacles(boxes, heights, np.array(self._tags, np.uint8), bases)


def weighted(random: Random, weights: dict[str, float]) -> str:
    """One key, drawn by weight."""
    return random.choices(list(weights), list(weights.values()))[0]


def scaled(colour: Sequence[float], factor: float) -> tuple[float, float, float]:
    """A colour made lighter or darker."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)
