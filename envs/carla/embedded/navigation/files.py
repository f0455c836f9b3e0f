"""The navigation mesh as a file that clients download and keep."""

import hashlib

from sim2real_bench.envs.carla.embedded.navigation.areas import walkable_areas
from sim2real_bench.envs.carla.embedded.navigation.detour import pack_mesh
from sim2real_bench.envs.carla.embedded.refusal import RefusedError
from sim2real_bench.envs.carla.embedded.scenery import Scenery
from sim2real_bench.envs.carla.embedded.town.store import stored_bytes

FOLDER = "Carla/Maps/Nav"
_PAVEMENT = 'type="sidewalk"'
_VERSION = "1"  # of the way meshes are made: clients keep files by name


class NavigationFiles:
    """Names and contents of the meshes; one is built when a client asks for it."""

    def __init__(self) -> None:
        self._built: dict[str, bytes] = {}

    def name(self, scenery: Scenery) -> str:
        """The file of a town; it changes with the town's map and obstacles."""
        town = scenery.town
        digest = hashlib.sha256(_VERSION.encode() + town.xodr.encode() + town.obstacles.boxes.tobytes())
        return f"{FOLDER}/{town.name}-{digest.hexdigest()[:12]}.bin"

    def names(self, scenery: Scenery) -> list[str]:
        """The files a client needs for a town's pedestrians; none where a town has no pavements."""
        return [self.name(scenery)] if _PAVEMENT in scenery.town.xodr else []

    def content(self, scenery: Scenery, name: str) -> bytes:
        """The bytes of a town's file.

        Raises:
            RefusedError: another name than that of the town's file.
            ConfigurationError: the town is too large for a mesh.
        """
        if name not in self.names(scenery):
            raise RefusedError(f"there is no file {name!r}; get_required_files() lists them")
        if name not in self._built:
            self._built = {name: stored_bytes("navigation", name.encode(), lambda: _mesh(scenery))}
        return self._built[name]


def _mesh(scenery: Scenery) -> bytes:
    return pack_mesh(*walkable_areas(scenery.town, scenery.map))
