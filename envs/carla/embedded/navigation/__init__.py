"""Where pedestrians may walk, as the client's own crowd simulation wants to have it: a Detour navigation mesh."""

from sim2real_bench.envs.carla.embedded.navigation.areas import AreaKind, walkable_areas
from sim2real_bench.envs.carla.embedded.navigation.detour import MeshPolygon, pack_mesh
from sim2real_bench.envs.carla.embedded.navigation.files import NavigationFiles

__all__ = ["AreaKind", "MeshPolygon", "NavigationFiles", "pack_mesh", "walkable_areas"]
