"""Connection and session against a server that misbehaves on purpose: a small stand-in for the ``carla`` module."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from sim2real_bench.envs.carla.backends import AttachedEmbeddedBackend, ServerBackend, backend_factory
from sim2real_bench.envs.carla.connection import Connection, SpawnBlockedError
from sim2real_bench.envs.carla.session import Session, short_name
from sim2real_bench.envs.carla.start import Draw, StartOptions, spawn_order
from sim2real_bench.envs.carla.weather import WEATHERS, weather_named
from sim2real_bench.errors import (
    ConfigurationError,
    ConnectionLostError,
    SettingsChangedError,
    SimulatorError,
    StartupTimeoutError,
    StepTimeoutError,
)

DEFAULTS = {
    "synchronous_mode": False,
    "no_rendering_mode": False,
    "fixed_delta_seconds": None,
    "substepping": True,
    "max_substep_delta_time": 0.01,
    "max_substeps": 10,
}


class FakeBackend:
    """A backend that lives until told otherwise."""

    name, host, port, remedy = "server", "127.0.0.1", 2000, "start it"

    def __init__(self) -> None:
        self.running, self.closed = True, 0

    def alive(self) -> bool:
        return self.running

    def ended(self) -> bool:
        return False

    def version(self, protocol: str) -> str:
        return protocol

    def close(self) -> None:
        self.closed += 1


class FakeBlueprint(SimpleNamespace):
    def has_attribute(self, name: str) -> bool:
        return name in ("role_name",)

    def set_attribute(self, name: str, value: str) -> None:
        self.values[name] = value


class FakeActor:
    def __init__(self, server: "FakeServer", identifier: int, type_id: str) -> None:
        self.server, self.id, self.type_id = server, identifier, type_id

    def listen(self, callback: Any) -> None:
        self.server.log.append(f"listen {self.id}")

    def stop(self) -> None:
        self.server.log.append(f"stop {self.id}")
        if self.server.stop_fails:
            raise RuntimeError("no such stream")


class FakeServer:
    """Client, world and map in one; attributes choose the misbehaviour."""

    def __init__(self) -> None:
        self.version = "0.9.16"
        self.settings = SimpleNamespace(**DEFAULTS)
        self.kept = set(DEFAULTS)  # settings it really takes over
        self.frame, self.state_lag, self.frame_step, self.delta = 10, 0, 1, 0.1
        self.failure = ""
        self.log: list[str] = []
        self.actors: dict[int, FakeActor] = {}
        self.town, self.timeout, self.stop_fails = "Town01", 0.0, False

    def fail(self) -> None:
        if self.failure:
            raise RuntimeError(self.failure)

    # carla.Client
    def set_timeout(self, seconds: float) -> None:
        self.timeout = seconds

    def get_server_version(self) -> str:
        self.fail()
        return self.version

    def get_client_version(self) -> str:
        return "0.9.16"

    def get_available_maps(self) -> list[str]:
        return ["/Game/Carla/Maps/Town02", "/Game/Carla/Maps/Town01"]

    def load_world(self, name: str) -> "FakeServer":
        self.town, self.settings = name, SimpleNamespace(**DEFAULTS)
        return self

    def apply_batch_sync(self, commands: list[int], tick: bool) -> list[Any]:
        assert not tick
        self.fail()
        self.log += [f"destroy {identifier}" for identifier in commands]
        for identifier in commands:
            del self.actors[identifier]
        return []

    # carla.World
    def get_settings(self) -> Any:
        self.fail()
        return SimpleNamespace(**vars(self.settings))

    def apply_settings(self, settings: Any, seconds: float = 0.0) -> int:
        for name in self.kept:
            setattr(self.settings, name, getattr(settings, name))
        return self.frame

    def get_map(self) -> Any:
        return SimpleNamespace(name=f"Carla/Maps/{self.town}", get_spawn_points=lambda: ["a", "b"])

    def tick(self, seconds: float) -> int:
        self.fail()
        self.frame += self.frame_step
        return self.frame

    def get_snapshot(self) -> Any:
        return SimpleNamespace(frame=self.frame + self.state_lag, timestamp=SimpleNamespace(delta_seconds=self.delta))

    def get_blueprint_library(self) -> Any:
        designs = [FakeBlueprint(id=name, values={}) for name in ("vehicle.a", "vehicle.ab", "sensor.camera.rgb")]
        return SimpleNamespace(
            filter=lambda pattern: [design for design in designs if design.id.startswith(pattern.rstrip("*"))]
        )

    def spawn_actor(self, design: Any, transform: Any, parent: Any) -> FakeActor:
        self.fail()
        actor = FakeActor(self, 100 + len(self.log), design.id)
        self.log.append(f"spawn {actor.id}")
        self.actors[actor.id] = actor
        return actor


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    server = FakeServer()
    library = SimpleNamespace(
        Client=lambda host, port, threads: server,
        command=SimpleNamespace(DestroyActor=lambda identifier: identifier),
    )
    monkeypatch.setitem(sys.modules, "carla", library)
    return server


@pytest.fixture
def session(server: FakeServer) -> Session:
    session = Session(Connection(FakeBackend(), 0.5))
    session.load_town("/Game/Carla/Maps/Town01")
    return session


def test_nothing_listens(server: FakeServer) -> None:
    backend = FakeBackend()
    backend.running = False
    with pytest.raises(ConnectionLostError, match=r"no CARLA server listens at 127.0.0.1:2000 .*start it"):
        Connection(backend, 0.1)
    assert backend.closed == 1


def test_something_else_listens(server: FakeServer) -> None:
    server.failure = "time-out of 500ms while waiting for the simulator"
    backend = FakeBackend()
    with pytest.raises(StartupTimeoutError, match="did not answer as a CARLA server"):
        Connection(backend, 0.1)
    assert backend.closed == 1


def test_another_version_is_refused(server: FakeServer) -> None:
    server.version = "0.9.13"
    with pytest.raises(ConfigurationError, match=r"0\.9\.16 is needed on both sides, but the server .* is 0\.9\.13"):
        Connection(FakeBackend(), 0.1)


def test_the_settings_are_applied_and_asserted(session: Session, server: FakeServer) -> None:
    assert server.settings.synchronous_mode and server.settings.fixed_delta_seconds == 0.1
    session.assert_settings()


@pytest.mark.parametrize("ignored", ["synchronous_mode", "fixed_delta_seconds"])
def test_a_server_that_ignores_a_setting_is_found_after_the_load(server: FakeServer, ignored: str) -> None:
    server.kept.discard(ignored)
    with pytest.raises(SettingsChangedError, match=ignored):
        Session(Connection(FakeBackend(), 0.5)).load_town("Town01")


@pytest.mark.parametrize(
    ("field", "value"), [("synchronous_mode", False), ("fixed_delta_seconds", 0.05), ("max_substeps", 1)]
)
def test_settings_changed_by_somebody_else(session: Session, server: FakeServer, field: str, value: Any) -> None:
    setattr(server.settings, field, value)
    with pytest.raises(SettingsChangedError, match=f"{field}={value!r} instead of"):
        session.assert_settings()


@pytest.mark.parametrize(("field", "value"), [("max_substeps", 1), ("no_rendering_mode", True)])
def test_settings_changed_in_mid_episode(session: Session, server: FakeServer, field: str, value: Any) -> None:
    session.tick()
    session.await_events()
    setattr(server.settings, field, value)
    with pytest.raises(SettingsChangedError, match=f"{field}={value!r} instead of"):
        session.await_events()


def test_a_town_loaded_by_somebody_else(session: Session, server: FakeServer) -> None:
    server.town = "Town02"
    with pytest.raises(SettingsChangedError, match="town 'Town02' instead of 'Town01'"):
        session.assert_settings()


def test_single_precision_does_not_look_like_a_change(session: Session, server: FakeServer) -> None:
    server.settings.fixed_delta_seconds = 0.10000000149011612
    session.assert_settings()


def test_an_unknown_town_names_the_known_ones(session: Session) -> None:
    with pytest.raises(ConfigurationError, match=r"town 'Town9' is not on the server .* has: Town01, Town02"):
        session.load_town("Town9")


def test_ticks_follow_each_other(session: Session) -> None:
    assert [session.tick().frame for _ in range(3)] == [11, 12, 13]


@pytest.mark.parametrize(("attribute", "value"), [("frame_step", 2), ("state_lag", 1), ("delta", 0.05)])
def test_a_tick_that_is_not_the_next_one(session: Session, server: FakeServer, attribute: str, value: Any) -> None:
    session.tick()
    setattr(server, attribute, value)
    with pytest.raises(SettingsChangedError, match="does not wait for this environment alone"):
        session.tick()


def test_a_tick_without_an_answer(session: Session, server: FakeServer) -> None:
    server.failure = "time-out of 500ms while waiting for the simulator"
    with pytest.raises(StepTimeoutError, match=r"a tick: .* did not answer within 0\.5 s"):
        session.tick()


def test_a_tick_on_a_server_that_is_gone(session: Session, server: FakeServer) -> None:
    server.failure = "time-out of 500ms while waiting for the simulator"
    session.connection.backend.running = False  # type: ignore[attr-defined]
    with pytest.raises(ConnectionLostError, match=r"a tick: the server at 127.0.0.1:2000 is gone; start it"):
        session.tick()


def test_other_refusals_keep_their_text(session: Session, server: FakeServer) -> None:
    server.failure = "bad weather"
    with pytest.raises(SimulatorError, match="bad weather"):
        session.tick()
    server.failure = "Spawn failed because of collision at spawn position"
    with pytest.raises(SpawnBlockedError):
        session.spawn("vehicle.a", {}, None)


def test_blueprints_are_matched_exactly(session: Session) -> None:
    assert session.spawn("vehicle.a", {"role_name": "hero"}, None).type_id == "vehicle.a"
    with pytest.raises(ConfigurationError, match=r"no blueprint 'vehicle.x'; it has: vehicle.a, vehicle.ab"):
        session.spawn("vehicle.x", {}, None)
    with pytest.raises(ConfigurationError, match="no attribute 'wings'"):
        session.spawn("vehicle.a", {"wings": "2"}, None)


def with_a_sensor(session: Session, server: FakeServer) -> tuple[int, int]:
    vehicle = session.spawn("vehicle.a", {}, None)
    sensor = session.spawn("sensor.camera.rgb", {}, None, vehicle)
    session.listen(sensor, print)
    server.log.clear()
    return vehicle.id, sensor.id


def test_sensors_stop_before_anything_is_destroyed(session: Session, server: FakeServer) -> None:
    vehicle, sensor = with_a_sensor(session, server)
    session.destroy_actors()
    assert server.log == [f"stop {sensor}", f"destroy {sensor}", f"destroy {vehicle}"]
    session.destroy_actors()
    assert len(server.log) == 3


def test_a_sensor_that_will_not_stop_does_not_keep_the_others(session: Session, server: FakeServer) -> None:
    with_a_sensor(session, server)
    server.stop_fails = True
    session.destroy_actors()
    assert server.actors == {}


def test_close_cleans_up_and_lets_the_server_run_freely(session: Session, server: FakeServer) -> None:
    with_a_sensor(session, server)
    session.close()
    session.close()
    assert server.actors == {}
    assert server.settings.synchronous_mode is False and server.settings.fixed_delta_seconds is None
    assert session.connection.backend.closed == 1  # type: ignore[attr-defined]


def test_close_on_a_server_that_is_gone_stops_the_sensors_only(session: Session, server: FakeServer) -> None:
    _, sensor = with_a_sensor(session, server)
    session.connection.backend.running = False  # type: ignore[attr-defined]
    session.close()
    assert server.log == [f"stop {sensor}"]


def test_close_survives_a_server_that_fails(session: Session, server: FakeServer) -> None:
    with_a_sensor(session, server)
    server.failure = "time-out"
    session.close()
    assert session.connection.backend.closed == 1  # type: ignore[attr-defined]


def test_backends() -> None:
    backend = backend_factory("server", "127.0.0.1", None)("Town01")
    assert isinstance(backend, ServerBackend)
    assert backend.port == 2000 and backend.version("0.9.16") == "server 0.9.16"
    with pytest.raises(ConfigurationError, match="choose 'embedded' or 'server'"):
        backend_factory("cloud", "127.0.0.1", None)
    attached = backend_factory("embedded", "127.0.0.1", 2001)("Town01")
    assert isinstance(attached, AttachedEmbeddedBackend)
    assert attached.port == 2001 and attached.version("0.9.16").startswith("embedded ")


def test_start_options_are_checked() -> None:
    assert StartOptions.parse({"spawn_index": 3, "weather": "rain"}) == StartOptions(3, "rain", None)
    assert StartOptions.parse(None) == StartOptions()
    with pytest.raises(ConfigurationError, match="'wether' is unknown"):
        StartOptions.parse({"wether": "rain"})
    with pytest.raises(ConfigurationError, match="'hail' is unknown; choose one of noon"):
        StartOptions.parse({"weather": "hail"})


def test_a_given_spawn_point_is_the_only_one_tried() -> None:
    assert spawn_order("Town01", 5, 4, seed=1) == (4,)
    assert sorted(spawn_order("Town01", 5, None, seed=1)) == [0, 1, 2, 3, 4]
    assert spawn_order("Town01", 50, None, seed=1) == spawn_order("Town01", 50, None, seed=1)
    assert spawn_order("Town01", 50, None, seed=1) != spawn_order("Town01", 50, None, seed=2)
    with pytest.raises(ConfigurationError, match="Town01 has the spawn points 0 to 4"):
        spawn_order("Town01", 5, 5, seed=1)


def test_every_weather_can_be_drawn() -> None:
    import numpy as np

    generator = np.random.default_rng(0)
    assert {Draw.sample(generator).weather for _ in range(200)} == set(WEATHERS)
    for name in WEATHERS:
        assert len(weather_named(name).values()) == 14


def test_short_names() -> None:
    assert short_name("/Game/Carla/Maps/Town01") == short_name("Town01") == "Town01"
