"""One synchronous session on a CARLA server: town, settings, ticks, and every actor that was made through it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from sim2real_bench.envs.carla.connection import Connection
from sim2real_bench.envs.carla.weather import Weather
from sim2real_bench.errors import ConfigurationError, SettingsChangedError

TICK_S = 0.1

_LOG = logging.getLogger(__name__)
_LOAD_TIMEOUT_S = 180.0  # a large town takes a real server a minute
_SPAWN_TIMEOUT_S = 60.0  # with the first camera, the embedded server makes its renderer
_CLEAN_UP_TIMEOUT_S = 3.0
_SETTINGS: dict[str, bool | int | float] = {
    "synchronous_mode": True,
    "no_rendering_mode": False,
    "fixed_delta_seconds": TICK_S,
    "substepping": True,
    "max_substep_delta_time": 0.01,
    "max_substeps": 10,
}


class Session:
    """What the environment does on a server.

    Args:
        connection: to the server; the session closes it.

    Attributes:
        town: short name of the loaded map, "" before the first.
        map: its ``carla.Map``.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.town = ""
        self.map: Any = None
        self._world: Any = None
        self._actors: list[Any] = []
        self._listening: list[Any] = []
        self._frame: int | None = None
        self._closed = False

    # -- town, settings, weather ---------------------------------------------------------------------------------

    def load_town(self, town: str) -> None:
        """Load a town afresh (leftovers of a client that died go with the old one) and apply the settings.

        Args:
            town: short or long map name.

        Raises:
            ConfigurationError: the server does not have it.
            SettingsChangedError: the server does not hold the settings.
        """
        name = self._available(town)
        self.destroy_actors()
        _LOG.info("loading town %s on %s", name, self.connection.address)
        with self.connection.translated(f"loading town {name!r}", _LOAD_TIMEOUT_S):
            self._world = self.connection.client.load_world(name)
            settings = self._world.get_settings()
            for field, value in _SETTINGS.items():
                setattr(settings, field, value)
            self._world.apply_settings(settings, _LOAD_TIMEOUT_S)
            self.map = self._world.get_map()
        self.town = name
        self.assert_settings()

    def _available(self, town: str) -> str:
        with self.connection.translated("listing the maps"):
            known = sorted(short_name(name) for name in self.connection.client.get_available_maps())
        if short_name(town) not in known:
            raise ConfigurationError(
                f"town {town!r} is not on the server at {self.connection.address}; it has: {', '.join(known)}"
            )
        return short_name(town)

    def assert_settings(self) -> None:
        """Check that the server still holds our settings and town; the next tick begins a new count of frames.

        Raises:
            SettingsChangedError: it does not.
        """
        with self.connection.translated("reading the settings"):
            settings = self._world.get_settings()
            town = short_name(self._world.get_map().name)
        wrong = _differences(settings)
        if town != self.town:
            wrong.append(f"town {town!r} instead of {self.town!r}")
        self._refuse(wrong)
        self._frame = None

    def _refuse(self, wrong: list[str]) -> None:
        if wrong:
            raise SettingsChangedError(
                f"the server at {self.connection.address} runs with {'; '.join(wrong)}: another client changed it. "
                "Give each environment a server of its own"
            )

    def set_weather(self, weather: Weather) -> None:
        """Change the weather from the next tick on."""
        parameters = self.connection.library.WeatherParameters(**asdict(weather))
        with self.connection.translated("setting the weather"):
            self._world.set_weather(parameters)

    def restart_traffic_lights(self) -> None:
        """Begin all lights anew: an episode does not depend on what was driven before it."""
        with self.connection.translated("restarting the traffic lights"):
            self._world.reset_all_traffic_lights()

    def spawn_points(self) -> list[Any]:
        """The town's spawn points (``carla.Transform``), in the server's order."""
        return list(self.map.get_spawn_points())

    def town_vehicle_boxes(self) -> list[Any]:
        """``carla.BoundingBox``, in the world frame, of the vehicles that are part of the town."""
        labels = self.connection.library.CityObjectLabel
        with self.connection.translated("reading the town's parked vehicles"):
            found = [self._world.get_level_bbs(kind) for kind in (labels.Car, labels.Truck, labels.Bus)]
        return [box for boxes in found for box in boxes]

    # -- ticks ---------------------------------------------------------------------------------------------------

    def tick(self) -> Any:
        """Advance the world by one tick.

        Returns:
            The ``carla.WorldSnapshot`` of the new frame.

        Raises:
            StepTimeoutError, ConnectionLostError: no answer in time.
            SettingsChangedError: the tick was not the next one, or not of 0.1 s.
        """
        with self.connection.translated("a tick"):
            frame = self._world.tick(self.connection.timeout_s)
            snapshot = self._world.get_snapshot()
        delta = snapshot.timestamp.delta_seconds
        skipped = self._frame is not None and frame != self._frame + 1
        if skipped or snapshot.frame != frame or not _same(delta, TICK_S):
            raise SettingsChangedError(
                f"after frame {self._frame}, the tick gave frame {frame}, the world is at frame {snapshot.frame} with "
                f"steps of {delta:g} s (expected {TICK_S:g}): the server at {self.connection.address} does not wait "
                "for this environment alone. Give each environment a server of its own"
            )
        self._frame = frame
        return snapshot

    def await_events(self) -> None:
        """Give events of the last tick time to arrive: the server sent them before it answers this question.

        Nothing tells a client that a tick had no event, and they travel on connections of their own. The question is
        one whose answer is worth having: whether the server still holds our settings.

        Raises:
            SettingsChangedError: it does not.
        """
        with self.connection.translated("a question after a tick"):
            settings = self._world.get_settings()
        self._refuse(_differences(settings))

    # -- actors --------------------------------------------------------------------------------------------------

    def spawn(self, blueprint: str, attributes: Mapping[str, str], transform: Any, parent: Any | None = None) -> Any:
        """Make an actor and remember it for the clean-up.

        Args:
            blueprint: its exact id.
            attributes: values of the blueprint's attributes; those it does not have are an error.
            transform: ``carla.Transform``, relative to ``parent`` if there is one.
            parent: the actor it is fixed to.

        Raises:
            SpawnBlockedError: something stands there.
            ConfigurationError: the server has no such blueprint or attribute.
        """
        with self.connection.translated(f"spawning {blueprint!r}", max(_SPAWN_TIMEOUT_S, self.connection.timeout_s)):
            design = self._blueprint(blueprint)
            for name, value in attributes.items():
                if not design.has_attribute(name):
                    raise ConfigurationError(f"blueprint {blueprint!r} has no attribute {name!r}")
                design.set_attribute(name, value)
            actor = self._world.spawn_actor(design, transform, parent)
        self._actors.append(actor)
        return actor

    def _blueprint(self, name: str) -> Any:
        library = self._world.get_blueprint_library()
        found = [design for design in library.filter(name) if design.id == name]
        if not found:
            kind = name.split(".", maxsplit=1)[0]
            known = ", ".join(sorted(design.id for design in library.filter(f"{kind}.*")))
            raise ConfigurationError(f"the server has no blueprint {name!r}; it has: {known}")
        return found[0]

    def listen(self, sensor: Any, callback: Callable[[Any], None]) -> None:
        """Send a sensor's measurements to ``callback`` (on a thread of the client); once per sensor."""
        with self.connection.translated(f"listening to {sensor.type_id}"):
            sensor.listen(callback)
        self._listening.append(sensor)

    def actors(self, identifiers: list[int]) -> list[Any]:
        """The actors of these ids that still live."""
        with self.connection.translated("reading the actors"):
            return list(self._world.get_actors(identifiers))

    def bounding_box(self, vehicle: Any) -> Any:
        """The ``carla.BoundingBox`` of a vehicle in its own frame; every call asks the server."""
        with self.connection.translated("reading a bounding box"):
            return vehicle.bounding_box

    def destroy_actors(self) -> None:
        """Stop and destroy every actor made here, sensors first; what a lost server still holds stays behind."""
        sensors, actors = self._listening, self._actors
        self._listening, self._actors = [], []
        for sensor in sensors:
            self.connection.attempt("stopping a sensor", sensor.stop)
        if actors and self.connection.backend.alive():
            # One batch: single destroy calls are refused for actors that have not lived through a tick.
            destroy = self.connection.library.command.DestroyActor
            commands = [destroy(actor.id) for actor in reversed(actors)]
            client = self.connection.client
            self.connection.attempt("destroying actors", lambda: client.apply_batch_sync(commands, False))

    # -- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Remove our actors, let a server that is not ours run freely again, end one that is; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        backend = self.connection.backend
        try:
            self.connection.client.set_timeout(_CLEAN_UP_TIMEOUT_S)
            self.destroy_actors()
            if backend.name == "server" and self._world is not None and backend.alive():
                self.connection.attempt("restoring asynchronous settings", self._run_freely)
        finally:
            backend.close()

    def _run_freely(self) -> None:
        settings = self._world.get_settings()
        settings.synchronous_mode = False
        settings.fixed_delta_seconds = None
        self._world.apply_settings(settings)


def _differences(settings: Any) -> list[str]:
    """Where a ``carla.WorldSettings`` is not what an episode depends on."""
    return [
        f"{field}={getattr(settings, field)!r} instead of {value!r}"
        for field, value in _SETTINGS.items()
        if not _same(getattr(settings, field), value)
    ]


def short_name(map_name: str) -> str:
    """``Town01`` of ``/Game/Carla/Maps/Town01``."""
    return map_name.rsplit("/", 1)[-1]


def _same(value: Any, expected: bool | int | float) -> bool:
    """Equality of settings; times travel as single-precision floats."""
    if isinstance(expected, float):
        return value is not None and math.isclose(value, expected, rel_tol=1e-5)
    return bool(value == expected)
