"""All that stands still in a town, cut into clusters of triangles, of which each frame draws those that can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.render.occlusion import Horizon, walls_of
from sim2real_bench.envs.carla.embedded.render.parked import ParkedMesh, parked_meshes
from sim2real_bench.envs.carla.embedded.render.projection import Camera
from sim2real_bench.envs.carla.embedded.town.model import TownMeshes
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Indices = npt.NDArray[np.uint32]

MATERIALS = ("BUILDING", "GENERAL", "GROUND", "LEAF", "DECAL", "BODY")
_CELL_M = {"BUILDING": 14.0, "GENERAL": 10.0, "GROUND": 16.0, "LEAF": 12.0, "DECAL": 16.0}
_DISTRICT_M = 64.0  # clusters are looked at only where their district is in view
_LARGE_M = 40.0  # triangles that long form clusters of their own
_GROUND = (CarlaClass.ROADS, CarlaClass.SIDEWALKS, CarlaClass.TERRAIN)
_SIZES_M = (0.16, 0.4, 1.2)  # limits between small, medium and large triangles
_SMALLEST_PIXELS = 0.75  # triangles that look smaller are left out
_FOCAL = 192.0  # pixels, at which distances below are meant
_DECAL_REACH_M, _KERB_REACH_M, _PARKED_REACH_M = 120.0, 80.0, 140.0
_GRAZING_EYE_M = 2.5  # flat things are seen from about this height


@dataclass(frozen=True)
class _Part:
    """Clusters of one material: triangles, cuts between clusters, corners of their boxes, distances from and to."""

    material: int
    triangles: Indices
    count: Ints
    low: Float
    high: Float
    nearest: Float
    furthest: Float


def _sizes(corners: Float) -> Float:
    """How large triangles look: of thin ones the length counts as well as the area."""
    edges = corners - corners[:, [1, 2, 0]]
    longest = np.sqrt((edges**2).sum(2).max(1))
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1) / 2.0
    return np.asarray(np.maximum(np.sqrt(area), 0.33 * longest))


def _upright(corners: Float) -> npt.NDArray[np.bool_]:
    """Which triangles stand on edge, as kerbs do."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(np.abs(normals[:, 2]) < 0.3 * np.linalg.norm(normals, axis=1))


def _part(name: str, corners: Float, triangles: Indices) -> _Part:
    size, upright = _sizes(corners), _upright(corners)
    kind = np.searchsorted(_SIZES_M, size) if name != "GROUND" else upright.astype(np.int64)
    cell = np.floor(corners.mean(1)[:, :2] / _CELL_M[name]).astype(np.int64)
    large = np.ptp(corners[:, :, :2], axis=1).max(1) > _LARGE_M
    cell[large] = np.arange(int(large.sum()))[:, None] + 10**6
    order = np.lexsort((np.arange(len(triangles)), kind, cell[:, 1], cell[:, 0]))
    cuts = np.r_[0, np.nonzero((np.diff(np.c_[cell, kind][order], axis=0) != 0).any(1))[0] + 1]
    corners = corners[order]
    largest = np.maximum.reduceat(size[order], cuts)
    furthest = largest * (_FOCAL / _SMALLEST_PIXELS)
    if name == "DECAL":
        # Seen at a grazing angle, a flat thing shrinks with the cube of the distance.
        furthest = np.minimum(np.cbrt((largest * _FOCAL / _SMALLEST_PIXELS) ** 2 * _GRAZING_EYE_M), _DECAL_REACH_M)
    if name == "GROUND":
        furthest = np.where(np.minimum.reduceat(upright[order], cuts), _KERB_REACH_M, np.inf)
    return _Part(
        MATERIALS.index(name), triangles[order], np.diff(np.r_[cuts, len(triangles)]),
        np.minimum.reduceat(corners.min(1), cuts), np.maximum.reduceat(corners.max(1), cuts),
        np.zeros(len(cuts)), furthest,
    )  # fmt: skip


def _parked_part(parked: list[ParkedMesh], first_vertex: int) -> _Part:
    """Parked vehicles, each at several levels of detail that share a box."""
    starts = first_vertex + np.cumsum([0, *(len(item.mesh.vertices) for item in parked[:-1])])
    triangles = [item.mesh.triangles + np.uint32(start) for item, start in zip(parked, starts, strict=True)]
    return _Part(
        MATERIALS.index("BODY"), np.concatenate(triangles), np.array([len(block) for block in triangles]),
        np.array([item.low for item in parked]), np.array([item.high for item in parked]),
        np.array([item.nearest for item in parked]),
        np.minimum([item.furthest for item in parked], _PARKED_REACH_M),
    )  # fmt: skip


class Clusters:
    """All static triangles on the GPU: one vertex buffer, and per material an index buffer written in each frame."""

    def __init__(self, context: Any, meshes: TownMeshes) -> None:
        vertices, groups = _grouped(meshes)
        parked = parked_meshes(meshes.parked)
        position = vertices[:, :3].astype(np.float64)
        parts = [_part(name, position[triangles], triangles) for name, triangles in groups.items() if len(triangles)]
        if parked:
            parts.append(_parked_part(parked, len(vertices)))
        self.vertices = context.buffer(np.concatenate([vertices, *(item.mesh.vertices for item in parked)]).tobytes())
        self.leaves = (len(meshes.solid.vertices), len(meshes.cutout.vertices))  # first vertex, number
        self._join(parts)
        sizes = np.bincount(self._material, self._count, len(MATERIALS)).astype(int) * 12
        self.indices = {
            name: context.buffer(reserve=max(int(size), 12), dynamic=True)
            for name, size in zip(MATERIALS, sizes, strict=True)
        }
        self.walls = walls_of(meshes.solid)

    def _join(self, parts: list[_Part]) -> None:
        """All clusters in one list, by districts."""
        triangles = np.concatenate([part.triangles for part in parts])
        self._count = np.concatenate([part.count for part in parts])
        ends = np.cumsum(self._count)
        slices = [triangles[end - count : end] for end, count in zip(ends.tolist(), self._count.tolist(), strict=True)]
        material = np.concatenate([np.full(len(part.count), part.material) for part in parts])
        low, high = np.concatenate([part.low for part in parts]), np.concatenate([part.high for part in parts])
        centre = (low + high) / 2.0
        district = np.floor(centre[:, :2] / _DISTRICT_M).astype(np.int64)
        order = np.lexsort((district[:, 1], district[:, 0]))
        low, high, self._centre, self._material = low[order], high[order], centre[order], material[order]
        self._count = self._count[order]
        self._slices = [slices[k] for k in order.tolist()]
        self._top = high[:, 2].copy()
        self._radius = np.linalg.norm(high - low, axis=1) / 2.0
        self._width = np.linalg.norm((high - low)[:, :2], axis=1) / 2.0
        self._nearest = np.concatenate([part.nearest for part in parts])[order]
        self._furthest = np.concatenate([part.furthest for part in parts])[order]
        cuts = np.r_[0, np.nonzero((np.diff(district[order], axis=0) != 0).any(1))[0] + 1]
        self._districts = np.split(np.arange(len(order)), cuts[1:])
        low, high = np.minimum.reduceat(low, cuts), np.maximum.reduceat(high, cuts)
        self._district_centre, self._district_radius = (low + high) / 2.0, np.linalg.norm(high - low, axis=1) / 2.0

    def write_all(self, name: str) -> int:
        """Make everything of a material (of vehicles the finest level) the triangles to draw; the number of indices."""
        return self._write(name, np.nonzero((self._material == MATERIALS.index(name)) & (self._nearest == 0.0))[0])

    def write_visible(self, camera: Camera, reach_m: float, horizon: Horizon) -> dict[str, int]:
        """Write the index buffers of what can be seen, near things first; number of indices by material."""
        planes = camera.planes
        inside = (self._district_centre @ planes[:, :3].T + planes[:, 3] > -self._district_radius[:, None]).all(1)
        districts = [self._districts[k] for k in np.nonzero(inside)[0].tolist()]
        if not districts:
            return dict.fromkeys(MATERIALS, 0)
        near = np.concatenate(districts)
        centre, radius = self._centre[near], self._radius[near]
        offset = centre - camera.eye
        apart = np.sqrt(np.einsum("ij,ij->i", offset, offset)) - radius
        scale = camera.focal_pixels / _FOCAL
        kept = (centre @ planes[:, :3].T + planes[:, 3] > -radius[:, None]).all(1) & (apart < reach_m)
        kept &= (apart >= self._nearest[near] * scale) | (self._nearest[near] == 0.0)
        kept &= apart < self._furthest[near] * scale
        seen, apart = near[kept], apart[kept]
        shown = ~horizon.hides(self._centre[seen], self._width[seen], self._top[seen])
        seen = seen[shown][np.argsort(apart[shown], kind="stable")]
        material = self._material[seen]
        return {name: self._write(name, seen[material == number]) for number, name in enumerate(MATERIALS)}

    def _write(self, name: str, chosen: Ints) -> int:
        if not len(chosen):
            return 0
        slices = self._slices
        data = np.concatenate([slices[k] for k in chosen.tolist()])
        self.indices[name].write(data)
        return int(data.size)


def _grouped(meshes: TownMeshes) -> tuple[npt.NDArray[np.float32], dict[str, Indices]]:
    """All vertices in one array, and the triangles of each material."""
    solid = meshes.solid
    tags = solid.vertices[solid.triangles[:, 0], 13].astype(np.int64)
    ground, building = np.isin(tags, _GROUND), tags == CarlaClass.BUILDINGS
    groups = {
        "BUILDING": solid.triangles[building],
        "GENERAL": solid.triangles[~ground & ~building],
        "GROUND": solid.triangles[ground],
    }
    vertices = [solid.vertices]
    for name, mesh in (("LEAF", meshes.cutout), ("DECAL", meshes.decals)):
        groups[name] = mesh.triangles + np.uint32(sum(len(block) for block in vertices))
        vertices.append(mesh.vertices)
    return np.concatenate(vertices), groups
