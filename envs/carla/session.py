"""One connection to a CARLA server: version, town, settings, ticks, and every actor that was made through it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sim2real_bench.envs.carla.backends import CLIENT_VERSION, Backend
from sim2real_bench.envs.carla.weather import Weather
from sim2real_bench.errors import (
    ConfigurationError,
    ConnectionLostError,
    MissingDependencyError,
    SettingsChangedError,
    SimulatorError,
    StartupTimeoutError,
    StepTimeoutError,
)

TICK_S = 0.1

_LOG = logging.getLogger(__name__)
_LOAD_TIMEOUT_S = 180.0  # a large town takes a real server a minute
_CLEAN_UP_TIMEOUT_S = 3.0
# With few threads, callbacks of stopping sensors can starve the client into an abort.
_CLIENT_THREADS = 8
_SETTINGS: dict[str, bool | int | float] = {
    "synchronous_mode": True,
    "no_rendering_mode": False,
    "fixed_delta_seconds": TICK_S,
    "substepping": True,
    "max_substep_delta_time": 0.01,
    "max_substeps": 10,
}


class SpawnBlockedError(SimulatorError):
    """An actor cannot be made where another one stands."""


class Session:
    """A synchronous client of one server, connected when constructed.

    Args:
        backend: the server; the session closes it.
        timeout_s: longest wait for the connection, and for each answer.

    Raises:
        ConnectionLostError: nothing listens there.
        StartupTimeoutError: something listens but does not answer as CARLA.
        ConfigurationError: the server or the client library has another version.
    """

    def __init__(self, backend: Backend, timeout_s: float) -> None:
        self._carla = _client_library()
        self.backend = backend
        self.timeout_s = timeout_s
        self.town = ""
        self.world: Any = None
        self.map: Any = None
        self.map_loads = 0
        self._actors: list[Any] = []
        self._listening: list[Any] = []
        self._frame: int | None = None
        self._closed = False
        self.server_version = self._connect()

    # -- connecting ----------------------------------------------------------------------------------------------

    def _connect(self) -> str:
        """Wait for the server and check its version; a failure ends the backend that was started for us."""
        try:
            deadline = time.monotonic() + self.timeout_s
            self._await_port(deadline)
            self._client = self._carla.Client(self.backend.host, self.backend.port, _CLIENT_THREADS)
            self._client.set_timeout(max(deadline - time.monotonic(), 1.0))
            return self._checked_version()
        except BaseException:
            self._closed = True
            self.backend.close()
            raise

    def _await_port(self, deadline: float) -> None:
        while not self.backend.alive():
            if time.monotonic() > deadline:
                raise ConnectionLostError(
                    f"no CARLA server listens at {self.address} (tried for {self.timeout_s:g} s); {self.backend.remedy}"
                )
            time.sleep(0.2)

    def _checked_version(self) -> str:
        try:
            version = str(self._client.get_server_version())
        except RuntimeError as error:
            raise StartupTimeoutError(
                f"{self.address} accepts connections but did not answer as a CARLA server within "
                f"{self.timeout_s:g} s ({error}); {self.backend.remedy}"
            ) from error
        library = str(self._client.get_client_version())
        if version != CLIENT_VERSION or library != CLIENT_VERSION:
            raise ConfigurationError(
                f"CARLA {CLIENT_VERSION} is needed on both sides, but the server at {self.address} is {version} and "
                f"the Python package is {library}; start a {CLIENT_VERSION} server, or pip install carla=={CLIENT_VERSION}"
            )
        self._client.set_timeout(self.timeout_s)
        return version

    @property
    def address(self) -> str:
        """``host:port`` of the server."""
        return f"{self.backend.host}:{self.backend.port}"

    # -- town and settings ---------------------------------------------------------------------------------------

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
        _LOG.info("loading town %s on %s", name, self.address)
        with self._translated(f"loading town {name!r}", _LOAD_TIMEOUT_S):
            self.world = self._client.load_world(name)
            settings = self.world.get_settings()
            for field, value in _SETTINGS.items():
                setattr(settings, field, value)
            self.world.apply_settings(settings, _LOAD_TIMEOUT_S)
            self.map = self.world.get_map()
        self.town = name
        self.map_loads += 1
        self.assert_settings()

    def _available(self, town: str) -> str:
        with self._translated("listing the maps"):
            known = sorted(short_name(name) for name in self._client.get_available_maps())
        if short_name(town) not in known:
            raise ConfigurationError(
                f"town {town!r} is not on the server at {self.address}; it has: {', '.join(known)}"
            )
        return short_name(town)

    def assert_settings(self) -> None:
        """Check that the server holds our settings and the town we loaded; the next tick begins a new count of frames.

        Raises:
            SettingsChangedError: it does not.
        """
        with self._translated("reading the settings"):
            settings = self.world.get_settings()
        wrong = [
            f"{field}={getattr(settings, field)!r} instead of {value!r}"
            for field, value in _SETTINGS.items()
            if not _same(getattr(settings, field), value)
        ]
        if wrong:
            raise SettingsChangedError(
                f"the server at {self.address} runs with {'; '.join(wrong)}: another client changed it. "
                "Give each environment a server of its own"
            )
        self._frame = None

    def set_weather(self, weather: Weather) -> None:
        """Change the weather from the next tick on."""
        with self._translated("setting the weather"):
            self.world.set_weather(self._carla.WeatherParameters(**asdict(weather)))

    def spawn_points(self) -> list[Any]:
        """The town's spawn points (``carla.Transform``), in the server's order."""
        return list(self.map.get_spawn_points())

    # -- ticks ---------------------------------------------------------------------------------------------------

    def tick(self) -> Any:
        """Advance the world by one tick.

        Returns:
            The ``carla.WorldSnapshot`` of the new frame.

        Raises:
            StepTimeoutError, ConnectionLostError: no answer in time.
            SettingsChangedError: the tick was not the next one, or not of 0.1 s.
        """
        with self._translated("a tick"):
            frame = self.world.tick(self.timeout_s)
            snapshot = self.world.get_snapshot()
        delta = snapshot.timestamp.delta_seconds
        skipped = self._frame is not None and frame != self._frame + 1
        if skipped or snapshot.frame != frame or not _same(delta, TICK_S):
            raise SettingsChangedError(
                f"after frame {self._frame}, the tick gave frame {frame}, the world is at frame {snapshot.frame} with "
                f"steps of {delta:g} s (expected {TICK_S:g}): the server at {self.address} no longer waits for us alone"
            )
        self._frame = frame
        return snapshot

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
        with self._translated(f"spawning {blueprint!r}"):
            design = self._blueprint(blueprint)
            for name, value in attributes.items():
                if not design.has_attribute(name):
                    raise ConfigurationError(f"blueprint {blueprint!r} has no attribute {name!r}")
                design.set_attribute(name, value)
            actor = self.world.spawn_actor(design, transform, parent)
        self._actors.append(actor)
        return actor

    def _blueprint(self, name: str) -> Any:
        library = self.world.get_blueprint_library()
        found = [design for design in library.filter(name) if design.id == name]
        if not found:
            kind = name.split(".", maxsplit=1)[0]
            known = ", ".join(sorted(design.id for design in library.filter(f"{kind}.*")))
            raise ConfigurationError(f"the server has no blueprint {name!r}; it has: {known}")
        return found[0]

    def actors(self, identifiers: list[int]) -> list[Any]:
        """The actors of these ids that still live."""
        with self._translated("reading the actors"):
            return list(self.world.get_actors(identifiers))

    def bounding_box(self, vehicle: Any) -> Any:
        """The ``carla.BoundingBox`` of a vehicle in its own frame; every call asks the server."""
        with self._translated("reading a bounding box"):
            return vehicle.bounding_box

    def level_vehicle_boxes(self) -> list[Any]:
        """``carla.BoundingBox``, in the world frame, of the vehicles that are part of the town."""
        labels = self._carla.CityObjectLabel
        with self._translated("reading the town's parked vehicles"):
            found = [self.world.get_level_bbs(kind) for kind in (labels.Car, labels.Truck, labels.Bus)]
        return [box for boxes in found for box in boxes]

    def listen(self, sensor: Any, callback: Callable[[Any], None]) -> None:
        """Send a sensor's measurements to ``callback`` (on a thread of the client); once per sensor."""
        with self._translated(f"listening to {sensor.type_id}"):
            sensor.listen(callback)
        self._listening.append(sensor)

    def destroy_actors(self) -> None:
        """Stop and destroy every actor made here, sensors first; what a lost server still holds stays behind."""
        sensors, actors = self._listening, self._actors
        self._listening, self._actors = [], []
        for sensor in sensors:
            self._attempt("stopping a sensor", sensor.stop)
        if actors and self.backend.alive():
            # One batch: single destroy calls are refused for actors that have not lived through a tick.
            commands = [self._carla.command.DestroyActor(actor.id) for actor in reversed(actors)]
            self._attempt("destroying actors", lambda: self._client.apply_batch_sync(commands, False))

    # -- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Remove our actors, let a server that is not ours run freely again, and end one that is; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        try:
            self._client.set_timeout(_CLEAN_UP_TIMEOUT_S)
            self.destroy_actors()
            if self.backend.name == "server" and self.world is not None and self.backend.alive():
                self._attempt("restoring asynchronous settings", self._run_freely)
        finally:
            self.backend.close()

    def _run_freely(self) -> None:
        settings = self.world.get_settings()
        settings.synchronous_mode = False
        settings.fixed_delta_seconds = None
        self.world.apply_settings(settings)

    def _attempt(self, what: str, action: Callable[[], Any]) -> None:
        """Do a part of the clean-up; its failure is logged, so that the other parts are still done."""
        try:
            action()
        except RuntimeError as error:
            _LOG.warning("%s on %s failed: %s", what, self.address, error)

    @contextmanager
    def _translated(self, operation: str, timeout_s: float | None = None) -> Iterator[None]:
        """Turn the client's RuntimeErrors into ours, with a time limit of its own if given."""
        if timeout_s is not None:
            self._client.set_timeout(timeout_s)
        try:
            yield
        except RuntimeError as error:
            raise self._translation(operation, timeout_s or self.timeout_s, error) from error
        finally:
            if timeout_s is not None:
                self._client.set_timeout(self.timeout_s)

    def _translation(self, operation: str, timeout_s: float, error: RuntimeError) -> SimulatorError:
        if not self.backend.alive():
            return ConnectionLostError(f"{operation}: the server at {self.address} is gone; {self.backend.remedy}")
        if "time-out" in str(error):
            return StepTimeoutError(
                f"{operation}: the server at {self.address} did not answer within {timeout_s:g} s; "
                "look at its log, or raise timeout_s"
            )
        if "collision at spawn" in str(error):
            return SpawnBlockedError(f"{operation}: something stands at that place on {self.address}")
        return SimulatorError(f"{operation} failed on {self.address}: {error}")


def short_name(map_name: str) -> str:
    """``Town01`` of ``/Game/Carla/Maps/Town01``."""
    return map_name.rsplit("/", 1)[-1]


def _same(value: Any, expected: bool | int | float) -> bool:
    """Equality of settings; times travel as single-precision floats."""
    if isinstance(expected, float):
        return value is not None and math.isclose(value, expected, rel_tol=1e-5)
    return bool(value == expected)


def _client_library() -> Any:
    try:
        import carla
    except ImportError as error:
        raise MissingDependencyError(
            f"the CARLA client library cannot be imported ({error}). "
            'Install it with: pip install "sim2real-bench[carla]" -c constraints.txt'
        ) from error
    return carla
