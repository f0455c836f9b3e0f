"""The lit lamps of the traffic lights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sim2real_bench.envs.carla.embedded.render.projection import Camera
from sim2real_bench.envs.carla.embedded.town.signals import RoadSignal
from sim2real_bench.errors import ConfigurationError

LAMP_FORMAT, LAMP_NAMES = "4f 3f /i", ("at", "colour")
_COLOURS = ((3.4, 0.16, 0.08), (3.2, 1.35, 0.08), (0.12, 2.9, 1.0))
"""Linear light of red, amber and green."""
_REACH_M = 150.0


class SignalLamps:
    """Knows every lamp of a town and writes, in each frame, the lit ones near the camera."""

    def __init__(self, context: Any, signals: Sequence[RoadSignal]) -> None:
        self._count = len(signals)
        rows, owners, states = [], [], []
        for index, signal in enumerate(signals):
            yaw = -math.radians(signal.lamp_yaw_deg)
            for state, (x, y, z) in enumerate(signal.lamps):
                rows.append((x, -y, z, yaw, *_COLOURS[state]))
                owners.append(index)
                states.append(state)
        self._rows = np.array(rows, np.float32).reshape(-1, 7)
        self._owners, self._states = np.array(owners, np.int64), np.array(states, np.int64)
        self.instances = context.buffer(reserve=max(len(rows), 1) * 28)

    def write(self, signals: Sequence[int], camera: Camera, reach_m: float) -> int:
        """Write the lamps that are lit; their number.

        Raises:
            ConfigurationError: states are given, but not one per signal.
        """
        if not len(signals) or not len(self._rows):
            return 0
        if len(signals) != self._count:
            raise ConfigurationError(f"{len(signals)} states for {self._count} signals; give one state per signal")
        lit = np.asarray(signals, np.int64)[self._owners] == self._states
        near = np.hypot(*(self._rows[:, :2] - camera.eye[:2]).T) < min(reach_m, _REACH_M)
        chosen = self._rows[lit & near]
        self.instances.write(chosen.tobytes())
        return len(chosen)
