"""The towns of the server: built once each, with their obstacles and, while a camera needs it, their renderer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sim2real_bench.envs.carla.embedded.collisions import StaticField
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.render.renderer import Renderer
from sim2real_bench.envs.carla.embedded.sensors.ground import GroundSurface
from sim2real_bench.envs.carla.embedded.sensors.solids import Solids
from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES, Town, town_from_text
from sim2real_bench.envs.carla.embedded.town.probe import probe
from sim2real_bench.envs.carla.embedded.town.store import stored_town
from sim2real_bench.errors import ConfigurationError, UnknownNameError

MAP_FOLDER = "Carla/Maps"


@dataclass
class Scenery:
    """One town, ready to be driven in."""

    town: Town
    field: StaticField
    _make_renderer: Callable[[Town], Renderer]
    _renderer: Renderer | None = None

    @property
    def map_name(self) -> str:
        """As ``carla.Map.name`` has it."""
        return f"{MAP_FOLDER}/{self.town.name}"

    @cached_property
    def map(self) -> Any:
        """The town as a ``carla.Map``."""
        import carla

        return carla.Map(self.town.name, self.town.xodr)

    @cached_property
    def solids(self) -> Solids:
        """The obstacles as rays see them."""
        return Solids.of_field(self.field)

    @cached_property
    def ground(self) -> GroundSurface:
        """The ground as rays see it; drawn at the first use."""
        return GroundSurface.of_town(self.town)

    @property
    def spawn_points(self) -> list[Transform]:
        """The recommended spawn points, in order."""
        return [
            Transform(point.x, point.y, point.z, point.pitch_deg, point.yaw_deg, 0.0)
            for point in self.town.spawn_points
        ]

    @property
    def renderer(self) -> Renderer:
        """The renderer, made at the first call.

        Raises:
            MissingDependencyError: there is no OpenGL; driving without cameras works.
        """
        if self._renderer is None:
            self._renderer = self._make_renderer(self.town)
        return self._renderer

    def close(self) -> None:
        """Release the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


class SceneryLibrary:
    """All towns by name; each is built at its first use and kept, so that reloading costs neither time nor memory.

    A process holds one renderer at most (OpenGL contexts of one thread get into each other's way), so the one of a town
    that is left is closed.
    """

    def __init__(
        self,
        names: Sequence[str] = TOWN_NAMES,
        build: Callable[[str], Town] = stored_town,
        make_renderer: Callable[[Town], Renderer] = Renderer,
        build_text: Callable[[str, str], Town] = town_from_text,
    ) -> None:
        self.names = tuple(names)
        self._build = build
        self._build_text = build_text
        self._make_renderer = make_renderer
        self._built: dict[str, Scenery] = {}

    def maps(self) -> list[str]:
        """As ``Client.get_available_maps`` has it."""
        return [f"/Game/{MAP_FOLDER}/{name}" for name in self.names]

    def load(self, map_name: str) -> Scenery:
        """The scenery of a town name or map path.

        Raises:
            UnknownNameError: no such town.
        """
        name = map_name.rsplit("/", 1)[-1]
        if name not in self._built:
            if name not in self.names:
                raise UnknownNameError(f"map {map_name!r} not found; this server has {', '.join(self.names)}")
            self._built[name] = self._scenery(self._build(name))
        self._leave_others(name)
        return self._built[name]

    def load_text(self, name: str, xodr: str) -> Scenery:
        """The scenery around the roads of an OpenDRIVE text; ``load`` finds it again until the next text of that name.

        Raises:
            ConfigurationError: the text is no map, has no driving lanes, is too large or has bridges; or the name is
                that of a town.
        """
        if name in self.names:
            raise ConfigurationError(f"{name!r} is a town of this server; give the map of the text another name")
        try:
            xodr.encode()
        except UnicodeEncodeError as error:
            raise ConfigurationError(f"the OpenDRIVE text is not UTF-8 ({error}); save it as UTF-8") from error
        before = self._built.get(name)
        if before is None or before.town.xodr != xodr:
            probe(name, xodr)
            made = self._scenery(self._build_text(name, xodr))
            if before is not None:
                before.close()
            self._built[name] = made
        self._leave_others(name)
        return self._built[name]

    def _scenery(self, town: Town) -> Scenery:
        obstacles = town.obstacles
        field = StaticField(obstacles.boxes, obstacles.heights, obstacles.tags, obstacles.bases)
        return Scenery(town, field, self._make_renderer)

    def _leave_others(self, name: str) -> None:
        for other, scenery in self._built.items():
            if other != name:
                scenery.close()

    def close(self) -> None:
        """Release every renderer."""
        for scenery in self._built.values():
            scenery.close()
