"""The words every environment shares: observation keys, their spaces, and the driving action."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from sim2real_bench.errors import ConfigurationError

RGB = "rgb"
LABELS = "labels"
DEPTH = "depth"
MAP_VIEW = "map_view"
SPEED = "speed"
WAYPOINTS = "waypoints"

KEYS = (RGB, LABELS, DEPTH, MAP_VIEW, SPEED, WAYPOINTS)
CAMERA_KEYS = (RGB, LABELS, DEPTH)

MAP_SIZE = 192  # pixels, square
MAP_PIXELS_PER_METRE = 5.0
MAP_BOTTOM_PIXELS = 12  # the ego centre lies this far below the bottom edge of the map view
WAYPOINT_DISTANCES_M = (6.0, 9.0, 12.0, 15.0, 18.0)  # along the path ahead of the ego centre
WAYPOINT_COUNT = len(WAYPOINT_DISTANCES_M)
MAX_DEPTH_M = 1000.0
MAX_SPEED_MPS = 100.0

Array = npt.NDArray[Any]
Observation = dict[str, Array]
"""Any of ``KEYS``: rgb (H, W, 3) uint8; labels (H, W) uint8 class ids; depth (H, W) float32 metres along the optical
axis; map_view (C, 192, 192) uint8 0/255; speed () float32 m/s; waypoints (5, 2) float32, ego frame, metres, what a
privileged planner would drive."""


def driving_action_space() -> spaces.Box:
    """(2,) float32 in [-1, 1]: steer (positive to the right), then throttle (positive) or brake (negative)."""
    return spaces.Box(-1.0, 1.0, (2,), np.float32)


def observation_space(
    keys: Sequence[str], *, width: int, height: int, classes: int, map_channels: Sequence[str]
) -> spaces.Dict:
    """The observation space of a chosen subset of keys.

    Args:
        keys: names from ``KEYS``.
        width: camera image width in pixels.
        height: camera image height in pixels.
        classes: number of label classes.
        map_channels: names of the map view's channels, in order.

    Raises:
        ConfigurationError: an unknown or repeated key, or none at all.
    """
    unknown = [key for key in keys if key not in KEYS]
    if unknown or not keys or len(set(keys)) != len(keys):
        raise ConfigurationError(f"observations={tuple(keys)!r}: choose one or more of {', '.join(KEYS)}, each once")
    everything: dict[str, spaces.Space[Any]] = {
        RGB: spaces.Box(0, 255, (height, width, 3), np.uint8),
        LABELS: spaces.Box(0, classes - 1, (height, width), np.uint8),
        DEPTH: spaces.Box(0.0, MAX_DEPTH_M, (height, width), np.float32),
        MAP_VIEW: spaces.Box(0, 255, (len(map_channels), MAP_SIZE, MAP_SIZE), np.uint8),
        SPEED: spaces.Box(0.0, MAX_SPEED_MPS, (), np.float32),
        WAYPOINTS: spaces.Box(-np.inf, np.inf, (WAYPOINT_COUNT, 2), np.float32),
    }
    return spaces.Dict({key: everything[key] for key in keys})
