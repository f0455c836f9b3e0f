"""The maps of the embedded server: OpenDRIVE texts, obstacles, spawn points, signals, relief and meshes."""

from sim2real_bench.envs.carla.embedded.town.model import Obstacles, ParkedCar, SpawnPoint, Town, TownMeshes

TOWN_NAMES = ("MiniTown01", "MiniTown02", "MiniTown03", "MiniHighway01")
"""``MiniTown01`` is for training, ``MiniTown02`` for testing; ``MiniTown03`` has wide streets and a hill."""

__all__ = ["TOWN_NAMES", "Obstacles", "ParkedCar", "SpawnPoint", "Town", "TownMeshes", "build_town", "town_from_text"]


def build_town(name: str) -> Town:
    """A town by name, always the same for the same name (about one second).

    Raises:
        UnknownNameError: not one of ``TOWN_NAMES``.
    """
    from sim2real_bench.envs.carla.embedded.town.build import build  # imports carla and shapely

    return build(name)


def town_from_text(name: str, xodr: str) -> Town:
    """A town around the roads of any OpenDRIVE text that ``carla.Map`` reads.

    Roads with sidewalks become streets, others motorways with guard rails.

    Raises:
        ConfigurationError: the text is no map, has no driving lanes, is too large, or has bridges.
    """
    from sim2real_bench.envs.carla.embedded.town.build import build_from_text  # imports carla and shapely

    return build_from_text(name, xodr)
