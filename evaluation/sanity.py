"""Whether what a simulator tells can be true; an agent must not be blamed for a picture that is none.

Checked at every tick, so only what is cheap: keys, shapes, types and ranges that the environment promised in its
observation space, finite numbers, a picture that shows anything at all, ticks that follow each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from sim2real_bench.envs.observation import LABELS, RGB, Observation
from sim2real_bench.errors import SimulatorError


class SimulatorCheck:
    """Checks the answers of one environment, tick by tick.

    Args:
        space: what the environment says it observes; None if it does not say, then only numbers are checked.
    """

    def __init__(self, space: spaces.Space[Any] | None) -> None:
        self._space = space if isinstance(space, spaces.Dict) else None
        self._frame: int | None = None

    def begin(self, observation: Observation, info: Mapping[str, Any]) -> None:
        """Check the first answer after a reset.

        Raises:
            SimulatorError: it cannot be true.
        """
        self._frame = None
        self.next(observation, info)

    def next(self, observation: Observation, info: Mapping[str, Any]) -> None:
        """Check the answer to a tick.

        Raises:
            SimulatorError: it cannot be true.
        """
        self._numbers(info)
        for key, sent in observation.items():
            value = np.asarray(sent)
            _finite(key, value)
            if self._space is not None and key in self._space.spaces:
                _promised(key, value, self._space[key])
        missing = [] if self._space is None else [key for key in self._space.spaces if key not in observation]
        if missing:
            raise SimulatorError(f"the simulator sent no {', '.join(map(repr, missing))}, which was asked for")

    def _numbers(self, info: Mapping[str, Any]) -> None:
        impulse = float(info.get("collision_impulse_ns", 0.0))
        if math.isnan(impulse) or impulse < 0.0:
            raise SimulatorError(f"the simulator reports a collision impulse of {impulse} N s, which is none")
        if not np.isfinite(info["ego_pose"]).all():
            position = info["ego_pose"][:2, 3].tolist()
            raise SimulatorError(f"the simulator reports the vehicle at {position}, which is no place")
        frame, before = info.get("frame"), self._frame
        if frame is not None:
            if before is not None and frame != before + 1:
                raise SimulatorError(
                    f"the simulator answered a tick with frame {frame} after frame {before}: it does not wait for this "
                    "run alone, or was started anew"
                )
            self._frame = int(frame)


def _finite(key: str, value: npt.NDArray[Any]) -> None:
    if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
        raise SimulatorError(f"the simulator sent {key!r} with values that are not finite")


def _promised(key: str, value: npt.NDArray[Any], space: spaces.Space[Any]) -> None:
    """Shape, type, and of pictures that they show something and hold no unknown class."""
    if value.shape != space.shape or value.dtype != space.dtype:
        raise SimulatorError(
            f"the simulator sent {key!r} as {value.dtype} {value.shape}; promised is {space.dtype} {space.shape}"
        )
    if key == RGB and not (value[::8, ::8].any() or value.any()):
        raise SimulatorError(f"the simulator sent {key!r} all black: nothing was drawn")
    if key == LABELS and isinstance(space, spaces.Box) and value.max() > space.high.flat[0]:
        raise SimulatorError(
            f"the simulator sent {key!r} with the class {value.max()}; the last is {space.high.flat[0]}"
        )
