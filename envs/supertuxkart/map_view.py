"""The map view of a kart: road quadrilaterals, other karts and pickups around it."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.map_view import MAP_RANGE_M, box_polygon, draw_discs, draw_polygons, ego_to_map_pixels
from sim2real_bench.envs.supertuxkart.drive_line import DriveLine

Float = npt.NDArray[np.float64]

TRACK_CHANNEL, KART_CHANNEL, PICKUP_CHANNEL = range(3)
_LAYER_M = 5.0  # roads further above or below the kart are another storey
_SHIFT = 4
_PICKUP_RADIUS_M = 0.8
_KART_HALF_LENGTH_M = 0.8
_KART_HALF_WIDTH_M = 0.5


class MapRenderer:
    """Draws the map view (3, 192, 192) of one track, channels ``STK_MAP_CHANNELS``."""

    def __init__(self, line: DriveLine, pickups: Float) -> None:
        """Args: the drive line, and (P, 3) positions of pickups in the world frame."""
        self._corners = line.quads.reshape(-1, 3)
        self._centres = line.quads.mean(axis=1)
        self._reach = MAP_RANGE_M + np.linalg.norm(line.quads - self._centres[:, None], axis=2).max(axis=1)
        self._pickups = pickups

    def draw(self, out: npt.NDArray[np.uint8], world_from_ego: Float, karts: Sequence[Float]) -> None:
        """Fill ``out`` (3, 192, 192) in place.

        Args:
            out: cleared and drawn.
            world_from_ego: (4, 4) pose of the own kart.
            karts: (4, 4) poses of the other karts.
        """
        out.fill(0)
        self._draw_road(out[TRACK_CHANNEL], world_from_ego)
        if len(self._pickups):
            near = _to_ego(self._pickups, world_from_ego)
            near = near[(np.abs(near[:, :2]).max(axis=1) < MAP_RANGE_M) & (np.abs(near[:, 2]) < _LAYER_M)]
            if len(near):
                draw_discs(out[PICKUP_CHANNEL], near[:, :2], _PICKUP_RADIUS_M)
        for pose in karts:
            x, y, z = _to_ego(pose[None, :3, 3], world_from_ego)[0]
            if np.hypot(x, y) > MAP_RANGE_M or abs(z) > _LAYER_M:
                continue
            forward = pose[:3, 0] @ world_from_ego[:3, :3]
            yaw = float(np.arctan2(forward[1], forward[0]))
            draw_polygons(out[KART_CHANNEL], [box_polygon(x, y, yaw, _KART_HALF_LENGTH_M, _KART_HALF_WIDTH_M)])

    def _draw_road(self, channel: npt.NDArray[np.uint8], world_from_ego: Float) -> None:
        delta = self._centres - world_from_ego[:3, 3]
        near = np.flatnonzero((np.hypot(delta[:, 0], delta[:, 1]) < self._reach) & (np.abs(delta[:, 2]) < _LAYER_M))
        corners = _to_ego(self._corners.reshape(-1, 4, 3)[near].reshape(-1, 3), world_from_ego)
        pixels = np.round((ego_to_map_pixels(corners[:, :2]) - 0.5) * (1 << _SHIFT)).astype(np.int32)
        for quad in pixels.reshape(-1, 4, 2):
            cv2.fillConvexPoly(channel, quad, 255, cv2.LINE_8, _SHIFT)


def _to_ego(points: Float, world_from_ego: Float) -> Float:
    return (points - world_from_ego[:3, 3]) @ world_from_ego[:3, :3]
