"""The environment contract, on the real SuperTuxKart engine."""

from collections.abc import Mapping

import pytest

from sim2real_bench.envs.contract import DRIVING_INFO, Environment, EnvironmentContract
from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv

STK_INFO: Mapping[str, type] = {
    **DRIVING_INFO,
    "distance_down_track_m": float,
    "progress_m": float,
    "track_length_m": float,
    "lateral_m": float,
    "reward_terms": dict,
    "laps": int,
    "rescued": bool,
    "termination": str,
}


@pytest.mark.simulator
@pytest.mark.usefixtures("stk")
class TestSuperTuxKart(EnvironmentContract):
    differing_pixels = 0.02  # items turn and plants sway by the clock on the wall
    info_types = STK_INFO

    def make(self, observations: tuple[str, ...]) -> Environment:
        return SuperTuxKartEnv("hacienda", observations=observations, width=96, height=64)
