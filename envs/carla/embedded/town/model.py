"""What a town is made of: its map text, the boxes one can hit, where cars start, and the meshes for the renderer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.palette import Palette
from sim2real_bench.envs.carla.embedded.town.relief import FLAT, Relief
from sim2real_bench.envs.carla.embedded.town.signals import RoadSignal

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SpawnPoint:
    """A pose on the centre of a driving lane, in CARLA's frame (x, y right, z up, metres; yaw clockwise, pitch upwards,
    degrees)."""

    x: float
    y: float
    z: float
    yaw_deg: float
    pitch_deg: float = 0.0


@dataclass(frozen=True)
class Obstacles:
    """Everything one can drive into, as upright oriented boxes in CARLA's frame.

    Attributes:
        boxes: (N, 5) ``x, y, yaw_rad, half_length, half_width``; yaw is clockwise seen from above.
        heights: (N,) metres from foot to top.
        tags: (N,) ``CarlaClass`` of each box.
        bases: (N,) height of each foot, 0 on flat ground.
    """

    boxes: Float64
    heights: Float64
    tags: npt.NDArray[np.uint8]
    bases: Float64


@dataclass(frozen=True)
class ParkedCar:
    """A car that stands in a parking lane, in CARLA's frame (metres, degrees)."""

    x: float
    y: float
    yaw_deg: float
    body: str
    colour: tuple[int, int, int]
    half_length: float
    half_width: float
    z: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0


@dataclass(frozen=True)
class Mesh:
    """Triangles with per-vertex attributes, in the right-handed frame of the map (x, y = -y of CARLA, z up).

    Attributes:
        vertices: (V, 14) position 3, normal 3, texture coordinates 2, tint 3, glow 1, texture layer 1, class 1.
        triangles: (T, 3) uint32, counter-clockwise seen from outside.
    """

    vertices: Float32
    triangles: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class TownMeshes:
    """The renderer's share of a town.

    Attributes:
        solid: closed surfaces: ground, buildings, furniture.
        cutout: two-sided cards with a cut-out texture: leaves, fences, railings.
        decals: thin layers on the ground: markings, stains, repairs. Texture coordinates are metres across and
            along, ``glow`` is the half width and ``layer`` the kind (see ``markings.DecalKind``).
        lamps: (L, 3) street lights, right-handed frame.
        parked: cars in parking lanes.
        bounds: (x0, y0, x1, y1) of the streets with a margin, right-handed frame.
        palette: colours of the textures.
    """

    solid: Mesh
    cutout: Mesh
    decals: Mesh
    lamps: Float64
    parked: tuple[ParkedCar, ...]
    bounds: tuple[float, float, float, float]
    palette: Palette


@dataclass(frozen=True)
class Town:
    """A town: OpenDRIVE text, obstacles, spawn points, signals and relief (CARLA's frame), and meshes."""

    name: str
    xodr: str
    meshes: TownMeshes
    obstacles: Obstacles
    spawn_points: tuple[SpawnPoint, ...]
    signals: tuple[RoadSignal, ...] = ()
    relief: Relief = FLAT
