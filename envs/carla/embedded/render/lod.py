"""Coarser meshes for bodies that are far away."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.town.model import Mesh

Float32 = npt.NDArray[np.float32]

LEVELS = 3
LEVEL_FROM_M = (0.0, 10.0, 22.0)
"""A level is drawn from this distance on, for a body of usual size at a focal length of 192 pixels."""
_CELL_SHARES = (0.0, 0.10, 0.26)
_LIFT_SHARE = 0.4  # of a cell: panes and lamps are lifted so that the coarser sheet metal does not hide them
_GLOW = 11


def simplified(mesh: Mesh, level: int) -> Mesh:
    """The mesh with vertices of one colour and facing drawn together in cells; level 0 is the mesh itself."""
    if level == 0:
        return mesh
    vertices = mesh.vertices.astype(np.float64)
    cell = _CELL_SHARES[level] * float(np.ptp(vertices[:, :3], axis=0).max()) / 2.0
    fine = (vertices[:, _GLOW] <= -0.75) | (vertices[:, _GLOW] >= 1.5)
    key = np.c_[
        np.floor(vertices[:, :3] / cell), _facing(vertices[:, 3:6]), np.round(vertices[:, 8:12] * 5.0),
        vertices[:, 12:14], np.where(fine, np.arange(len(vertices)) + 1.0, 0.0),
    ]  # fmt: skip
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    total = np.zeros((len(first), vertices.shape[1]))
    np.add.at(total, group, vertices)
    merged = total / np.bincount(group)[:, None]
    merged[:, 8:] = vertices[first, 8:]
    merged[:, 3:6] /= np.linalg.norm(merged[:, 3:6], axis=1)[:, None] + 1e-9
    lifted = fine[first]
    merged[lifted, :3] += merged[lifted, 3:6] * (_LIFT_SHARE * cell)
    triangles = group[mesh.triangles]
    whole = (triangles != np.roll(triangles, 1, axis=1)).all(1)
    return Mesh(merged.astype(np.float32), np.unique(triangles[whole], axis=0).astype(np.uint32))


def _facing(normals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N,) 1 to 3 for the axis that a normal is nearest to, with its sign."""
    axis = np.abs(normals).argmax(1)
    return np.asarray((axis + 1.0) * np.sign(normals[np.arange(len(normals)), axis]))


def level_reach(largest_half_m: float) -> tuple[tuple[float, float], ...]:
    """(from, to) of each level in metres at a focal length of 192 pixels, for a body with this largest half side."""
    scale = max(largest_half_m / 2.3, 0.45)
    starts = [start * scale for start in LEVEL_FROM_M]
    return tuple(zip(starts, [*starts[1:], np.inf], strict=True))
