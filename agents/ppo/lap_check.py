"""Judging a driver in training by whole laps of the training tracks: the best one is kept, not the last one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from sim2real_bench.agents.kart_drives import KartDrive, drive_kart
from sim2real_bench.agents.ppo.policy import PpoAgent
from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv
from sim2real_bench.envs.supertuxkart.tracks import Track

_LIMIT_S = 240.0  # at 12 m/s the longest training track takes 120 s


@dataclass(frozen=True, order=True)
class LapCheck:
    """How a driver fared on the training tracks; the greater, the better.

    Attributes:
        laps_finished: whole laps without a failure.
        lap_share: mean share of the lap that was driven.
        metres_per_second: mean progress, over all tracks.
    """

    laps_finished: float
    lap_share: float
    metres_per_second: float

    @classmethod
    def of(cls, drives: Sequence[KartDrive]) -> Self:
        """Of one lap of every track."""
        shares = [min(drive.track_share, 1.0) for drive in drives]
        speeds = [drive.progress_m / drive.driven_s for drive in drives]
        finished = sum(drive.finished for drive in drives)
        return cls(float(finished), round(float(np.mean(shares)), 4), round(float(np.mean(speeds)), 4))


def drive_laps(driver: PpoAgent, tracks: Sequence[Track], seed: int) -> list[KartDrive]:
    """Drive one lap of every track from the starting grid.

    Raises:
        SimulatorError: the engine failed.
    """
    drives: list[KartDrive] = []
    with SuperTuxKartEnv(observations=driver.observations, random_start=False) as env:
        for track in tracks:
            drives.append(drive_kart(env, driver, track, duration_s=_LIMIT_S, seed=seed, one_lap=True))
    return drives
