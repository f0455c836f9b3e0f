"""Ask a CARLA server, embedded or real, whether it works: version, map, ticks, one frame."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sim2real_bench.envs.carla.backends import ServerBackend
from sim2real_bench.envs.carla.connection import Connection
from sim2real_bench.envs.carla.session import TICK_S, short_name
from sim2real_bench.envs.health import Health
from sim2real_bench.errors import SimulatorError, StepTimeoutError

_CAMERA = "sensor.camera.rgb"
_CAMERA_ATTRIBUTES = {"image_size_x": "64", "image_size_y": "36"}
_CAMERA_HEIGHT_M = 2.5


def check(
    host: str,
    port: int,
    step: Callable[[str], None],
    *,
    frame: bool,
    ticks: int,
    start_timeout_s: float,
    timeout_s: float,
    town: str | None = None,
) -> Health:
    """See ``envs.health.Probe``.

    Args:
        host: where it listens.
        port: of its remote calls.
        step: told what comes next.
        frame: check the map and take one picture.
        ticks: how many to try.
        start_timeout_s: longest wait for the first answer.
        timeout_s: longest wait for each further answer.
        town: the map that must be loaded, with ``frame``; it is loaded if another one is.
    """
    step(f"asking {host}:{port} for its version")
    connection = Connection(ServerBackend(host, port), start_timeout_s)
    connection.timeout_s = timeout_s
    connection.client.set_timeout(timeout_s)
    if not (frame or ticks):
        return Health(connection.version)
    world, place = _world(connection, step, town if frame else None)
    with _synchronous(connection, world):
        step(f"ticking {place} at {connection.address}")
        with connection.translated("a tick"):
            rate = max((1.0 / _tick_s(world, timeout_s) for _ in range(ticks)), default=0.0)
            # Only now: a client learns of the actors from ticks.
            sensors = tuple(sorted(actor.type_id for actor in world.get_actors().filter("sensor.*")))
        if frame:
            step(f"waiting for a frame of {place} at {connection.address}")
            with connection.translated("a frame"):
                _take_picture(connection, world)
    return Health(connection.version, place, rate, sensors)


def map_name(host: str, port: int, timeout_s: float = 20.0) -> str:
    """Short name of the map that a server shows."""
    connection = Connection(ServerBackend(host, port), timeout_s)
    with connection.translated("reading the map"):
        return short_name(connection.client.get_world().get_map().name)


def _world(connection: Connection, step: Callable[[str], None], town: str | None) -> tuple[Any, str]:
    step(f"asking {connection.address} for its map")
    with connection.translated("reading the map"):
        world = connection.client.get_world()
        place = short_name(world.get_map().name)
    if town is not None and place != short_name(town):
        step(f"loading {town!r} at {connection.address}")
        with connection.translated(f"loading town {town!r}"):
            world = connection.client.load_world(short_name(town))
            place = short_name(world.get_map().name)
        if place != short_name(town):
            raise SimulatorError(f"{connection.address} shows the map {place!r} after {town!r} was loaded")
    return world, place


@contextmanager
def _synchronous(connection: Connection, world: Any) -> Iterator[None]:
    """Let ticks wait for us while we look, then give the settings back."""
    with connection.translated("changing the settings"):
        before = world.get_settings()
        if before.synchronous_mode:
            settings = None
        else:
            settings = world.get_settings()
            settings.synchronous_mode, settings.fixed_delta_seconds = True, TICK_S
            world.apply_settings(settings, connection.timeout_s)
    try:
        yield
    finally:
        if settings is not None:
            connection.attempt("restoring the settings", lambda: world.apply_settings(before, connection.timeout_s))


def _tick_s(world: Any, timeout_s: float) -> float:
    """Seconds of one tick."""
    before = world.get_snapshot().frame
    started = time.perf_counter()
    frame = world.tick(timeout_s)
    seconds = time.perf_counter() - started
    if frame <= before:
        raise SimulatorError(f"a tick went from frame {before} to {frame}")
    return seconds


def _take_picture(connection: Connection, world: Any) -> None:
    library = connection.library
    blueprint = world.get_blueprint_library().find(_CAMERA)
    for name, value in _CAMERA_ATTRIBUTES.items():
        blueprint.set_attribute(name, value)
    points = world.get_map().get_spawn_points()
    pose = points[0] if points else library.Transform()
    pose.location.z += _CAMERA_HEIGHT_M
    images: queue.SimpleQueue[Any] = queue.SimpleQueue()
    camera = world.spawn_actor(blueprint, pose)
    try:
        camera.listen(images.put)
        world.tick(connection.timeout_s)
        try:
            image = images.get(timeout=connection.timeout_s)
        except queue.Empty:
            raise StepTimeoutError(f"no frame came within {connection.timeout_s:g} s") from None
        if not len(image.raw_data):
            raise SimulatorError("an empty frame came")
    finally:
        connection.attempt("stopping the camera", camera.stop)
        connection.attempt("removing the camera", camera.destroy)
