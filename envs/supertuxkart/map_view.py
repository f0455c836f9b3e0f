"""The map view of a kart: road quadrilaterals, other karts and pickups around it."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.map_view import MAP_RANGE_M, box_polygon, draw_polygons, ego_to_map_pixels
from sim2real_bench.envs.observation import MAP_PIXELS_PER_METRE
from sim2real_bench.envs.supertuxkart.drive_line import DriveLine

Float = npt.NDArray[np.float64]

TRACK_CHANNEL, KART_CHANNEL, PICKUP_CHANNEL = range(3)
PICKUP_RADIUS_M = 0.8
_LAYER_M = 5.0  # roads further above or below the kart are another storey
_KART_HALF_LENGTH_M = 0.8
_KART_HALF_WIDTH_M = 0.5
_SHIFT = 4  # OpenCV's fixed-point bits
# Ego metres to OpenCV's fixed-point pixels is affine; its parts, from the one definition of the map view.
_ORIGIN = (ego_to_map_pixels((0.0, 0.0)) - 0.5) * (1 << _SHIFT)
_LINEAR = np.stack([(ego_to_map_pixels(unit) - 0.5) * (1 << _SHIFT) - _ORIGIN for unit in np.eye(2)])


class MapRenderer:
    """Draws the map view (3, 192, 192) of one track, channels ``STK_MAP_CHANNELS``."""

    def __init__(self, line: DriveLine, pickups: Float) -> None:
        """Args: the drive line, and (P, 3) positions of pickups in the world frame."""
        self._quads = line.quads
        self._centres = line.quads.mean(axis=1)
        self._reach = (MAP_RANGE_M + np.linalg.norm(line.quads - self._centres[:, None], axis=2).max(axis=1)) ** 2
        self._pickups = pickups
        self._pickup_reach = np.full(len(pickups), MAP_RANGE_M**2)

    def draw(self, out: npt.NDArray[np.uint8], world_from_ego: Float, karts: Sequence[Float]) -> None:
        """Fill ``out`` (3, 192, 192) in place.

        Args:
            out: cleared and drawn.
            world_from_ego: (4, 4) pose of the own kart.
            karts: (4, 4) poses of the other karts.
        """
        out.fill(0)
        position = world_from_ego[:3, 3]
        linear = world_from_ego[:3, :2] @ _LINEAR
        origin = _ORIGIN - position @ linear
        quads = self._quads[_near(self._centres, self._reach, position)]
        for quad in np.rint(quads @ linear + origin).astype(np.int32):
            cv2.fillConvexPoly(out[TRACK_CHANNEL], quad, 255, cv2.LINE_8, _SHIFT)
        pickups = self._pickups[_near(self._pickups, self._pickup_reach, position)]
        radius = round(PICKUP_RADIUS_M * MAP_PIXELS_PER_METRE * (1 << _SHIFT))
        for centre in np.rint(pickups @ linear + origin).astype(np.int32).tolist():
            cv2.circle(out[PICKUP_CHANNEL], centre, radius, 255, -1, cv2.LINE_8, _SHIFT)
        for pose in karts:
            self._draw_kart(out[KART_CHANNEL], world_from_ego, pose)

    def _draw_kart(self, channel: npt.NDArray[np.uint8], world_from_ego: Float, pose: Float) -> None:
        x, y, z = (pose[:3, 3] - world_from_ego[:3, 3]) @ world_from_ego[:3, :3]
        if np.hypot(x, y) > MAP_RANGE_M or abs(z) > _LAYER_M:
            return
        forward = pose[:3, 0] @ world_from_ego[:3, :3]
        yaw = float(np.arctan2(forward[1], forward[0]))
        draw_polygons(channel, [box_polygon(x, y, yaw, _KART_HALF_LENGTH_M, _KART_HALF_WIDTH_M)])


def _near(points: Float, squared_reach: Float, position: Float) -> npt.NDArray[np.intp]:
    delta = points - position
    squared = delta[:, 0] ** 2 + delta[:, 1] ** 2
    return np.flatnonzero((squared < squared_reach) & (np.abs(delta[:, 2]) < _LAYER_M))
