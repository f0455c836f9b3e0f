"""What a waypoint network may look at: from an observation to the image in [0, 1] it is trained on and driven with."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.waypoints import CameraGeometry, ImageGeometry, MapGeometry
from sim2real_bench.envs.camera import PinholeCamera
from sim2real_bench.envs.classes import road_map_channel, road_mask
from sim2real_bench.envs.observation import LABELS, MAP_SIZE, MAP_VIEW, RGB, Array
from sim2real_bench.errors import UnknownNameError

CAMERA_WIDTH, CAMERA_HEIGHT = 384, 160
DRIVING_CAMERA = PinholeCamera.mounted(CAMERA_WIDTH, CAMERA_HEIGHT, fov_deg=90.0, x_m=2.0, z_m=1.4)
"""The benchmark's camera on the target vehicle: 90 degrees wide, 2.0 m ahead of and 1.4 m above the ego origin."""


@dataclass(frozen=True)
class NetworkInput:
    """One kind of input image.

    Attributes:
        key: the observation it is made from; also its name.
        channels: 3 for rgb, 1 for the road mask of labels and map view.
        height_px: image height.
        width_px: image width.
    """

    key: str
    channels: int
    height_px: int
    width_px: int

    def image(self, values: Array, simulator: str) -> npt.NDArray[np.float32]:
        """The network's image.

        Args:
            values: the observation, any leading batch axes: rgb (..., H, W, 3), labels (..., H, W) or map_view
                (..., C, 192, 192), uint8.
            simulator: whose label classes and map channels these are.

        Returns:
            (..., channels, height_px, width_px) float32 in [0, 1].
        """
        if self.key == RGB:
            return np.moveaxis(values, -1, -3).astype(np.float32) / np.float32(255.0)
        if self.key == LABELS:
            return road_mask(values, simulator)[..., None, :, :].astype(np.float32)
        channel = road_map_channel(simulator)
        return values[..., channel : channel + 1, :, :].astype(np.float32) / np.float32(255.0)

    def geometry(self, camera: PinholeCamera = DRIVING_CAMERA) -> ImageGeometry:
        """How this image's coordinates relate to the ground; ``camera`` matters for camera images only."""
        return MapGeometry() if self.key == MAP_VIEW else CameraGeometry(camera)


NETWORK_INPUTS: dict[str, NetworkInput] = {
    RGB: NetworkInput(RGB, 3, CAMERA_HEIGHT, CAMERA_WIDTH),
    LABELS: NetworkInput(LABELS, 1, CAMERA_HEIGHT, CAMERA_WIDTH),
    MAP_VIEW: NetworkInput(MAP_VIEW, 1, MAP_SIZE, MAP_SIZE),
}


def network_input(key: str) -> NetworkInput:
    """The input of a name.

    Raises:
        UnknownNameError: no network reads that observation.
    """
    if key not in NETWORK_INPUTS:
        raise UnknownNameError(f"no waypoint network reads {key!r}; choose one of {', '.join(NETWORK_INPUTS)}")
    return NETWORK_INPUTS[key]
