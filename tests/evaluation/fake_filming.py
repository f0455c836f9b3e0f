"""The fake environment with pictures, importable by spawned workers."""

import numpy as np
from fake_driving import FakeDrivingEnv

from sim2real_bench.envs.camera import PinholeCamera

CAMERA = PinholeCamera.mounted(384, 160, 90.0, 2.0, 1.4)
ENVIRONMENT = "fake_filming:PictureEnv"


class PictureEnv(FakeDrivingEnv):
    """Shows a picture that changes with every tick."""

    def _observed(self):
        shown = {
            "rgb": np.full((160, 384, 3), 3 * self._tick % 255, np.uint8),
            "labels": np.full((160, 384), self._tick % 29, np.uint8),
            "map_view": np.zeros((2, 192, 192), np.uint8),
            "speed": np.array(1.0, np.float32),
            "waypoints": np.array([[6, 0], [9, 0], [12, 0], [15, 1], [18, 2]], np.float32),
        }
        return {key: shown[key] for key in self.observations}

    def _info(self, impulse):
        return super()._info(impulse) | {"camera": CAMERA}
