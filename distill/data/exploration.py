"""Steering disturbances while data are recorded, so that recoveries are seen and not only the middle of the road."""

from dataclasses import dataclass

import numpy as np

from sim2real_bench.errors import ConfigurationError


@dataclass(frozen=True)
class PushSettings:
    """Short pushes of the steering.

    Attributes:
        every_ticks: mean time between two pushes, ticks of 0.1 s; 0 = never.
        ticks: shortest and longest push.
        steer: weakest and strongest push, share of the full steering range.
    """

    every_ticks: float = 40.0
    ticks: tuple[int, int] = (3, 8)
    steer: tuple[float, float] = (0.2, 0.6)

    def __post_init__(self) -> None:
        ordered = 1 <= self.ticks[0] <= self.ticks[1] and 0.0 <= self.steer[0] <= self.steer[1] <= 2.0
        if self.every_ticks < 0 or not ordered:
            raise ConfigurationError(
                f"pushes every {self.every_ticks} ticks for {self.ticks} ticks of steer {self.steer}: "
                "durations must be at least 1 tick, the steer between 0 and 2, and each range in increasing order"
            )

    def words(self) -> str:
        """For the manifest."""
        if self.every_ticks == 0:
            return "none"
        return (
            f"steering pushes every {self.every_ticks:g} ticks on average, {self.ticks[0]}-{self.ticks[1]} ticks of "
            f"{self.steer[0]:g}-{self.steer[1]:g}"
        )


class SteeringPushes:
    """Draws pushes tick by tick; half to the left, half to the right."""

    def __init__(self, settings: PushSettings, random: np.random.Generator) -> None:
        self._settings, self._random = settings, random
        self._left, self._steer = 0, 0.0

    def step(self) -> float:
        """What to add to the steering at this tick; 0.0 outside pushes."""
        settings = self._settings
        if self._left > 0:
            self._left -= 1
            return self._steer
        if settings.every_ticks and self._random.random() < 1.0 / settings.every_ticks:
            self._left = int(self._random.integers(settings.ticks[0], settings.ticks[1] + 1)) - 1
            self._steer = float(self._random.choice((-1.0, 1.0)) * self._random.uniform(*settings.steer))
            return self._steer
        return 0.0
