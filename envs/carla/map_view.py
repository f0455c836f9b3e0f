"""CARLA's map view: the road from the town's map, vehicles from the boxes of the actors."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.road_map import RoadMap
from sim2real_bench.envs.classes import CARLA_MAP_CHANNELS
from sim2real_bench.envs.map_view import EgoPose2D, draw_polygons, ego_to_map_pixels, map_pixels_to_ego
from sim2real_bench.envs.observation import MAP_SIZE

_ROAD, _VEHICLE = (CARLA_MAP_CHANNELS.index(name) for name in ("road", "vehicle"))
_SHIFT = 4  # OpenCV's fixed-point bits: sixteenths of a pixel
_CENTRE = map_pixels_to_ego([MAP_SIZE / 2, MAP_SIZE / 2])
_RADIUS_M = float(np.linalg.norm(map_pixels_to_ego([0.0, 0.0]) - _CENTRE))


def draw_map_view(road: RoadMap, ego: EgoPose2D, vehicles: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.uint8]:
    """The map view around an ego pose.

    Args:
        road: the town's road.
        ego: where the ego vehicle is.
        vehicles: (4, 2) box corners of all other vehicles, world plane, metres.

    Returns:
        (2, 192, 192) uint8 0/255, channels ``CARLA_MAP_CHANNELS``.
    """
    view = np.zeros((len(CARLA_MAP_CHANNELS), MAP_SIZE, MAP_SIZE), np.uint8)
    centre = ego.to_world(_CENTRE)
    # All strips become pixels in one array operation: one at a time, this costs more than filling them.
    pixels = ego_to_map_pixels(ego.to_ego(road.near(centre, _RADIUS_M))) - 0.5
    for outline in np.round(pixels * (1 << _SHIFT)).astype(np.int32):
        cv2.fillPoly(view[_ROAD], [outline], 255, cv2.LINE_8, _SHIFT)
    visible = [box for box in vehicles if np.linalg.norm(box - centre, axis=-1).min() < _RADIUS_M]
    draw_polygons(view[_VEHICLE], [ego.to_ego(box) for box in visible])
    return view
