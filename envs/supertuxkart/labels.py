"""Labels of a camera picture from geometry: every pixel is put back into the world through the depth buffer.

The engine has no label image. A pixel is track where its surface lies inside a road quadrilateral, near its plane and
is not a wall; kart inside a kart's box; pickup inside an item's cylinder. Edges of karts and pickups are as sharp as
the depth buffer. Track means the drivable corridor, not the material.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.classes import StkClass
from sim2real_bench.envs.supertuxkart.camera import CameraView

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_CELL_M = 0.5
_MARGIN_CELLS = 4
_LAYERS = 2  # bridges: one road above another
_LAYER_GAP_M = 2.5
_ABOVE_M, _BELOW_M = 1.0, 1.3  # how far a surface may lie from the road's plane and still be road
_SURE_M = 0.3  # this near to the plane it is road whatever its slope
_MAX_SLOPE = 1.0
_FAR_M = 300.0
_ITEM_RANGE_M = 90.0
_KART_RANGE_M = 150.0
_THING_M = 1.9  # half the diagonal of the largest thing
_ON_GROUND_M = 0.12  # nearer to the road than this a pixel belongs to the road, not to a thing on it
_KART_LENGTH_M, _KART_WIDTH_M, _KART_HEIGHT_M = 1.94, 1.11, 1.44  # 1.35 times the chassis: wheels, driver's head


@dataclass(frozen=True)
class Item:
    """Something on the road, as an upright cylinder.

    Attributes:
        label: what its pixels become.
        position: (3,) world frame.
        radius_m, bottom_m, top_m: of the cylinder, relative to the position.
    """

    label: StkClass
    position: Float
    radius_m: float
    bottom_m: float
    top_m: float


class RoadIndex:
    """Finds the road quadrilateral below points: a grid of quadrilateral numbers, then exact tests."""

    def __init__(self, quads: Float) -> None:
        """Args: (N, 4, 3) corners in the world frame, in order left entry, right entry, right exit, left exit."""
        ground = quads[..., :2]
        self._origin = (ground.reshape(-1, 2).min(axis=0) - _MARGIN_CELLS * _CELL_M).astype(np.float32)
        extent = ground.reshape(-1, 2).max(axis=0) + _MARGIN_CELLS * _CELL_M - self._origin
        self._columns, self._rows = (int(cells) for cells in np.ceil(extent / _CELL_M))
        self._planes = np.stack([_plane(quad) for quad in quads])
        centre = ground.mean(axis=1)
        sides = (_half_plane(ground[:, 0], ground[:, 3], centre), _half_plane(ground[:, 1], ground[:, 2], centre))
        self._tests = np.concatenate([self._planes, *sides], axis=1).astype(np.float32)
        self._layers = self._fill(ground)

    def facing(self, eye: Float) -> Mask:
        """(N,) which quadrilaterals show their upper face to a point (3,)."""
        return eye[2] > self._planes @ np.array([eye[0], eye[1], 1.0])

    def query(self, points: Float32, visible: Mask) -> tuple[Mask, Float32]:
        """Which points (M, 3) lie on road, and (M,) metres above the nearest road plane (large where there is none)."""
        cells = ((points[:, :2] - self._origin) * np.float32(1 / _CELL_M)).astype(np.int32)
        column, row = cells[:, 0], cells[:, 1]
        within = (column >= 0) & (row >= 0) & (column < self._columns) & (row < self._rows)
        cell = np.where(within, row * self._columns + column, 0)
        road = np.zeros(len(points), np.bool_)
        above = np.full(len(points), 9.0, np.float32)
        for layer in self._layers:
            quad = layer[cell]
            chosen = np.flatnonzero(within & (quad >= 0) & visible[quad])
            tests, point = self._tests[quad[chosen]], points[chosen]
            x, y = point[:, 0], point[:, 1]
            height = point[:, 2] - (tests[:, 0] * x + tests[:, 1] * y + tests[:, 2])
            inside = (tests[:, 3] * x + tests[:, 4] * y + tests[:, 5] > 0) & (height < _ABOVE_M) & (height > -_BELOW_M)
            inside &= tests[:, 6] * x + tests[:, 7] * y + tests[:, 8] > 0
            road[chosen] |= inside
            nearer = np.abs(height) < np.abs(above[chosen])
            above[chosen[nearer]] = height[nearer]
        return road, above

    def _fill(self, ground: Float) -> list[npt.NDArray[np.int32]]:
        size = self._rows * self._columns
        numbers = [np.full(size, -1, np.int32) for _ in range(_LAYERS)]
        heights = [np.full(size, np.nan, np.float32) for _ in range(_LAYERS)]
        # Cells that a quadrilateral covers come first, then those it only touches: the exact tests need both.
        for grow in (0, 2):
            for number, quad in enumerate(ground):
                row, column = self._cells(quad, grow)
                cell = row * self._columns + column
                x, y = (column + 0.5) * _CELL_M + self._origin[0], (row + 0.5) * _CELL_M + self._origin[1]
                a, b, c = self._planes[number]
                height = (a * x + b * y + c).astype(np.float32)
                todo = np.ones(len(cell), np.bool_)
                for layer_numbers, layer_heights in zip(numbers, heights, strict=True):
                    empty = todo & np.isnan(layer_heights[cell])
                    layer_heights[cell[empty]], layer_numbers[cell[empty]] = height[empty], number
                    todo &= ~(empty | (np.abs(layer_heights[cell] - height) < _LAYER_GAP_M))
        return [layer for layer in numbers if (layer >= 0).any()]

    def _cells(self, quad: Float, grow: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        position = (quad - self._origin) / _CELL_M
        low = np.maximum(np.floor(position.min(axis=0)).astype(int) - _MARGIN_CELLS + 1, 0)
        high = np.minimum(np.ceil(position.max(axis=0)).astype(int) + _MARGIN_CELLS, (self._columns, self._rows))
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        corners = np.round((position - low - 0.5) * 16).astype(np.int32)
        cv2.fillConvexPoly(mask, cv2.convexHull(corners), 1, cv2.LINE_8, 4)
        if grow:
            mask = cv2.dilate(mask, np.ones((2 * grow + 1, 2 * grow + 1), np.uint8))
        row, column = np.nonzero(mask)
        return row + low[1], column + low[0]


class Labeller:
    """Labels pictures of one size."""

    def __init__(self, width: int, height: int, ego_in_labels: bool) -> None:
        """Args: picture size in pixels; whether the own kart is labelled, or what lies behind it."""
        self._shape = (height, width)
        self._ego_in_labels = ego_in_labels
        self._focal = np.zeros(2)
        self._rays = np.zeros((0, 3), np.float32)

    def label(
        self,
        depth_m: Float32,
        view: CameraView,
        road: RoadIndex,
        items: Sequence[Item],
        ego: Float,
        karts: Sequence[Float],
    ) -> npt.NDArray[np.uint8]:
        """(H, W) uint8 ``StkClass`` of a picture.

        Args:
            depth_m: (H, W) metres along the optical axis.
            view: the picture's camera.
            road: of the track.
            items: things on the road.
            ego: (4, 4) pose of the own kart.
            karts: (4, 4) poses of the other karts.
        """
        labels = np.zeros(self._shape[0] * self._shape[1], np.uint8)
        depth = depth_m.reshape(-1)
        near = np.flatnonzero(depth < _FAR_M)
        rays = self._camera_rays(view)[near] @ view.inverse_rotation
        eye = view.position.astype(np.float32)
        distance = depth[near]
        points = rays * distance[:, None] + eye
        own = _in_kart(points, ego) if np.linalg.norm(view.position - ego[:3, 3]) > 1.5 else np.zeros(len(near), bool)
        if not self._ego_in_labels and own.any():
            points[own] = _on_ground(rays[own], eye, ego)
        on_road, above = road.query(points, road.facing(view.position))
        steep = self._steep(near, points)
        found = np.where(on_road & (~steep | (np.abs(above) < _SURE_M)), StkClass.TRACK, StkClass.BACKGROUND)
        raised = np.abs(above) > _ON_GROUND_M
        for item in items:
            some = _around(item.position, view, distance, _ITEM_RANGE_M)
            some = some[_in_cylinder(points[some], item) & raised[some]]
            found[some] = item.label
        for pose in karts:
            some = _around(pose[:3, 3], view, distance, _KART_RANGE_M)
            found[some[_in_kart(points[some], pose)]] = StkClass.KART
        if self._ego_in_labels:
            found[own] = StkClass.KART
        labels[near] = found
        return labels.reshape(self._shape)

    def _camera_rays(self, view: CameraView) -> Float32:
        if not np.array_equal(self._focal, view.focal):
            height, width = self._shape
            rows, columns = np.mgrid[0:height, 0:width]
            x = (columns + 0.5 - width / 2) / view.focal[0]
            y = (rows + 0.5 - height / 2) / view.focal[1]
            self._rays = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3).astype(np.float32)
            self._focal = view.focal
        return self._rays

    def _steep(self, near: npt.NDArray[np.intp], points: Float32) -> Mask:
        """Which surfaces are steeper than ``_MAX_SLOPE``, judged by the pixel above or below, whichever is nearer."""
        height, width = self._shape
        grid = np.full((height * width, 3), 1e4, np.float32)
        grid[near] = points
        step = np.diff(grid.reshape(height, width, 3), axis=0)
        level = step[..., 0] ** 2 + step[..., 1] ** 2
        rise = step[..., 2] ** 2
        edge = np.full((1, width), np.inf, np.float32)
        length = level + rise
        up_is_nearer = np.concatenate([edge, length]) < np.concatenate([length, edge])
        steep = rise > _MAX_SLOPE**2 * level
        side = np.zeros((1, width), np.bool_)
        chosen = np.where(up_is_nearer, np.concatenate([side, steep]), np.concatenate([steep, side]))
        return chosen.reshape(-1)[near]


def _plane(quad: Float) -> Float:
    """(3,) a, b, c of the least-squares plane z = a x + b y + c."""
    design = np.c_[quad[:, :2], np.ones(len(quad))]
    return np.asarray(np.linalg.lstsq(design, quad[:, 2], rcond=None)[0], np.float64)


def _half_plane(start: Float, end: Float, inside: Float) -> Float:
    """(N, 3) a, b, c with a x + b y + c > 0 on the side of ``inside``, for lines through (N, 2) points."""
    along = end - start
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    offset = -(normal * start).sum(axis=1)
    sign = np.where((normal * inside).sum(axis=1) + offset < 0, -1.0, 1.0)
    return np.c_[normal * sign[:, None], offset * sign]


def _around(position: Float, view: CameraView, depth: Float32, reach_m: float) -> npt.NDArray[np.intp]:
    """Which pixels are at about the depth of a thing; none if it lies behind the camera or too far away."""
    offset = position - view.position
    along = float(view.world_to_camera[2] @ offset)
    if along < 0.5 or float(offset @ offset) > reach_m**2:
        return np.zeros(0, np.intp)
    return np.flatnonzero(np.abs(depth - np.float32(along)) < _THING_M)


def _in_cylinder(points: Float32, item: Item) -> Mask:
    offset = points - item.position.astype(np.float32)
    inside = offset[:, 0] ** 2 + offset[:, 1] ** 2 < item.radius_m**2
    return inside & (offset[:, 2] > item.bottom_m) & (offset[:, 2] < item.top_m)


def _in_kart(points: Float32, pose: Float) -> Mask:
    local = (points - pose[:3, 3].astype(np.float32)) @ pose[:3, :3].astype(np.float32)
    inside = (np.abs(local[:, 0]) < _KART_LENGTH_M / 2) & (np.abs(local[:, 1]) < _KART_WIDTH_M / 2)
    return inside & (local[:, 2] > 0.06) & (local[:, 2] < _KART_HEIGHT_M)


def _on_ground(rays: Float32, eye: Float32, ego: Float) -> Float32:
    """(M, 3) where rays meet the ground below the own kart; far below the world for rays that do not."""
    up = ego[:3, 2].astype(np.float32)
    height = (eye - ego[:3, 3].astype(np.float32)) @ up
    fall = rays @ up
    ground = eye + rays * (height / np.maximum(-fall, 1e-6))[:, None]
    return np.where((fall < -1e-6)[:, None], ground, np.float32(-1e4))
