"""The CARLA environment keeps the contract of every environment."""

from collections.abc import Iterator
from typing import Any

import pytest

from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess
from sim2real_bench.envs.carla.environment import CarlaDriveEnv
from sim2real_bench.envs.contract import DRIVING_INFO, EnvironmentContract


@pytest.mark.simulator
class TestCarlaContract(EnvironmentContract):
    """On one shared server: loading the town afresh is what each new environment begins with."""

    # Noise and rain follow the age of the camera, so an episode's pictures repeat on the same machine.
    differing_pixels = 0.0
    info_types = DRIVING_INFO | {
        "frame": int, "collision_impulse_ns": float, "collided_with": str, "spawn_index": int, "weather": str,
        "town": str, "reward_terms": dict,
    }  # fmt: skip

    @pytest.fixture(autouse=True, scope="class")
    def server(self, carla_embedded: None, request: pytest.FixtureRequest) -> Iterator[None]:
        with EmbeddedServerProcess(town="MiniTown02") as process:
            request.cls.address = {"host": process.host, "port": process.port}
            yield

    def make(self, observations: tuple[str, ...]) -> Any:
        return CarlaDriveEnv(backend="server", town="MiniTown02", observations=observations, **self.address)
