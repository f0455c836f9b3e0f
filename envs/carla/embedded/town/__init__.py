"""The two towns of the embedded server: OpenDRIVE maps, obstacles, spawn points and meshes."""

from sim2real_bench.envs.carla.embedded.town.model import Obstacles, ParkedCar, SpawnPoint, Town, TownMeshes

TOWN_NAMES = ("MiniTown01", "MiniTown02")
"""``MiniTown01`` is for training, ``MiniTown02`` for testing."""

__all__ = ["TOWN_NAMES", "Obstacles", "ParkedCar", "SpawnPoint", "Town", "TownMeshes", "build_town"]


def build_town(name: str) -> Town:
    """A town by name, always the same for the same name (about one second).

    Raises:
        UnknownNameError: not one of ``TOWN_NAMES``.
    """
    from sim2real_bench.envs.carla.embedded.town.build import build  # imports carla and shapely

    return build(name)
