"""The static meshes on the GPU: sorted into square cells, of which each frame draws the visible ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.render.projection import Camera
from sim2real_bench.envs.carla.embedded.town.model import Mesh, TownMeshes
from sim2real_bench.envs.classes import CarlaClass

Float = npt.NDArray[np.float64]

VERTEX_FORMAT = "3f 3f 2f 4f 2f"
VERTEX_NAMES = ("position", "normal", "uv_in", "tint_in", "layer_class")
_CELL_M = 35.0
_LARGE_M = 60.0
_FAR_CELL = 9999
_DETAIL = (CarlaClass.POLES, CarlaClass.FENCES, CarlaClass.TRAFFIC_LIGHT, CarlaClass.TRAFFIC_SIGNS, CarlaClass.DYNAMIC)
_GROUND = (CarlaClass.ROADS, CarlaClass.SIDEWALKS, CarlaClass.TERRAIN)


class StaticMesh:
    """Index ranges of one material, by cell."""

    def __init__(self, context: Any, vertices: Any, mesh: Mesh, triangles: npt.NDArray[np.uint32]) -> None:
        if not len(triangles):  # a map without houses, say: buffers cannot be empty, so one point stands for nothing
            triangles = np.zeros((1, 3), np.uint32)
        corners = mesh.vertices[triangles][:, :, :3]
        cell = np.floor(corners.mean(1)[:, :2] / _CELL_M).astype(np.int64)
        cell[np.ptp(corners[:, :, :2], axis=1).max(1) > _LARGE_M] = (
            _FAR_CELL  # land and backstop: one cell of their own
        )
        order = np.lexsort((np.arange(len(triangles)), cell[:, 1], cell[:, 0]))
        triangles, cell, corners = triangles[order], cell[order], corners[order]
        cuts = np.r_[0, np.nonzero((np.diff(cell, axis=0) != 0).any(1))[0] + 1, len(triangles)]
        self.vertices = vertices
        self.indices = context.buffer(np.ascontiguousarray(triangles, np.uint32).tobytes())
        self._first = (cuts[:-1] * 3).tolist()
        self._count = (np.diff(cuts) * 3).tolist()
        low = np.minimum.reduceat(corners.min(1), cuts[:-1])
        high = np.maximum.reduceat(corners.max(1), cuts[:-1])
        self._centres = ((low + high) / 2.0).astype(np.float64)
        self._last = 1e6 * (cell[cuts[:-1], 0] == _FAR_CELL)  # backdrops come last: near things hide most of them
        self._radii = (np.linalg.norm(high - low, axis=1) / 2.0).astype(np.float64)

    def visible(self, camera: Camera, planes: Float, reach_m: float) -> list[tuple[int, int]]:
        """(first, count) of the index ranges in view, near ones first; neighbours in memory are not merged."""
        apart = np.hypot(*(self._centres[:, :2] - camera.eye[:2]).T)
        inside = (self._centres @ planes[:, :3].T + planes[:, 3] > -self._radii[:, None]).all(1)
        shown = np.nonzero(inside & (apart - self._radii < reach_m))[0]
        return [
            (self._first[k], self._count[k])
            for k in shown[np.argsort((apart + self._last)[shown], kind="stable")].tolist()
        ]


def static_meshes(context: Any, meshes: TownMeshes) -> dict[str, StaticMesh]:
    """The meshes of a town by material: GROUND, BUILDING, GENERAL, LEAF, DECAL; DETAIL is the thin part of GENERAL."""
    solid = meshes.solid
    buffer = context.buffer(solid.vertices.tobytes())
    tags = solid.vertices[solid.triangles[:, 0], 13].astype(np.int64)
    ground, building, detail = np.isin(tags, _GROUND), tags == CarlaClass.BUILDINGS, np.isin(tags, _DETAIL)
    return {
        "GROUND": StaticMesh(context, buffer, solid, solid.triangles[ground]),
        "BUILDING": StaticMesh(context, buffer, solid, solid.triangles[building]),
        "GENERAL": StaticMesh(context, buffer, solid, solid.triangles[~ground & ~building & ~detail]),
        "DETAIL": StaticMesh(context, buffer, solid, solid.triangles[detail]),
        "LEAF": _own_buffer(context, meshes.cutout),
        "DECAL": _own_buffer(context, meshes.decals),
    }


def _own_buffer(context: Any, mesh: Mesh) -> StaticMesh:
    if not len(mesh.vertices):
        mesh = Mesh(np.zeros((1, 14), np.float32), mesh.triangles)
    return StaticMesh(context, context.buffer(mesh.vertices.tobytes()), mesh, mesh.triangles)


def sky_dome(columns: int = 48, rows: int = 9) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32]]:
    """Vertices (x, y, z, u, v) and triangles of a half sphere that matches the baked sky."""
    u, v = np.meshgrid(np.linspace(0.0, 1.0, columns + 1), np.linspace(0.0, 1.0, rows + 1))
    azimuth, elevation = (2.0 * u - 1.0) * np.pi, v**2 * np.pi / 2.0
    sink = -0.02 * (v == 0)
    points = np.stack(
        [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation) + sink, u, v], -1
    )
    i = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    triangles = np.concatenate(
        [np.stack([i, i + 1, i + columns + 2], -1), np.stack([i, i + columns + 2, i + columns + 1], -1)]
    )
    return points.reshape(-1, 5).astype(np.float32), triangles.astype(np.uint32)


def lamp_light(lamps: Float, bounds: Sequence[float], side: int = 512) -> npt.NDArray[np.uint8]:
    """(side, side, 4) uint8: light of the street lamps on the ground, row 0 at the smallest y."""
    x0, y0, x1, y1 = bounds
    step_x, step_y = (x1 - x0) / side, (y1 - y0) / side
    light = np.zeros((side, side), np.float32)
    reach = 30.0
    for x, y, _ in lamps:
        columns = slice(max(int((x - reach - x0) / step_x), 0), min(int((x + reach - x0) / step_x) + 1, side))
        rows = slice(max(int((y - reach - y0) / step_y), 0), min(int((y + reach - y0) / step_y) + 1, side))
        dx = x0 + (np.arange(columns.start, columns.stop) + 0.5) * step_x - x
        dy = y0 + (np.arange(rows.start, rows.stop) + 0.5) * step_y - y
        square = dx[None] ** 2 + dy[:, None] ** 2
        light[rows, columns] += np.where(square < reach**2, 2.4 / (1.0 + square / 9.0) ** 1.6, 0.0)
    colour = np.dstack([light, light * 0.74, light * 0.45, light])
    return np.asarray(np.clip(colour, 0.0, 1.0) * 255.0, np.uint8)
