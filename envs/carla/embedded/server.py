"""The embedded server: two listeners, one world, one thread (an OpenGL context belongs to one)."""

import asyncio
import logging
import signal
import socket
from collections.abc import Coroutine
from typing import Any

import psutil

from sim2real_bench.envs.carla.embedded.connections import (
    BACKLOG,
    MAX_CALLERS,
    MAX_SUBSCRIBERS,
    listen,
    raise_descriptor_limit,
    warn_if_public,
)
from sim2real_bench.envs.carla.embedded.logs import announce
from sim2real_bench.envs.carla.embedded.rpc import RpcService
from sim2real_bench.envs.carla.embedded.scenery import SceneryLibrary
from sim2real_bench.envs.carla.embedded.streams import StreamHub
from sim2real_bench.envs.carla.embedded.world import World
from sim2real_bench.errors import ConfigurationError

_log = logging.getLogger(__name__)

PARENT_POLL_S = 0.5
MIN_PAUSE_S = 0.002
FAILURE_PAUSE_S = 1.0


def run(
    host: str = "127.0.0.1",
    port: int = 0,
    town: str = "MiniTown01",
    parent: int | None = None,
    library: SceneryLibrary | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; prints one line ``listening on HOST:PORT`` on stdout once it answers.

    Args:
        host: address to bind; anything but a loopback address opens the unauthenticated server to the network.
        port: for remote calls, 0 = any free one; streams use the next one, as in CARLA (any free one for 0).
        town: the first map.
        parent: process id; the server ends when that process does.
        library: other towns than the shipped ones.

    Raises:
        SimulatorError: the port is taken, or the host cannot be bound.
        ConfigurationError: the port or the town does not exist.
    """
    if not 0 <= port <= 65534:
        raise ConfigurationError(f"port {port} is out of range; choose 0 (any free port) or 1 to 65534")
    if parent is not None and parent < 1:
        raise ConfigurationError(f"{parent} is no process id")
    library = library or SceneryLibrary()
    streams = "(the port after the one for calls, for sensor streams)" if port else "for sensor streams"
    with (
        listen(host, port, "for calls") as rpc_socket,
        listen(host, port + 1 if port else 0, streams) as stream_socket,
    ):
        warn_if_public(rpc_socket)
        try:
            asyncio.run(_serve(rpc_socket, stream_socket, town, parent, library))
        finally:
            library.close()


async def _serve(
    rpc_socket: socket.socket, stream_socket: socket.socket, town: str, parent: int | None, library: SceneryLibrary
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    connections = raise_descriptor_limit()
    callers = min(MAX_CALLERS, connections // 2)
    hub = StreamHub(min(MAX_SUBSCRIBERS, connections - callers))
    world = World(library, hub, town)
    service = RpcService(world, callers)
    hub.port = stream_socket.getsockname()[1]
    world.tick()  # clients need a frame above zero
    rpc_server = await asyncio.start_server(service.serve, sock=rpc_socket, backlog=BACKLOG)
    stream_server = await asyncio.start_server(hub.serve, sock=stream_socket, backlog=BACKLOG)
    endings: list[Coroutine[Any, Any, object]] = [stop.wait(), _run_freely(world)]
    if parent is not None:
        endings.append(_watch(parent))
    tasks = [asyncio.create_task(ending) for ending in endings]
    host, port = rpc_socket.getsockname()[:2]
    announce(f"listening on {host}:{port}")
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    rpc_server.close()
    stream_server.close()
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


async def _run_freely(world: World) -> None:
    """Tick in real time while the world is asynchronous."""
    clock = asyncio.get_running_loop().time
    while True:
        await world.free_running.wait()
        started = clock()
        try:
            world.tick()
        except Exception:
            # A failing camera must not end the server: its clients can still remove it.
            _log.exception("a tick failed")
            await asyncio.sleep(FAILURE_PAUSE_S)
        # Even when ticks take longer than they simulate, requests get a turn.
        await asyncio.sleep(max(MIN_PAUSE_S, world.settings.delta - (clock() - started)))


async def _watch(parent: int) -> None:
    """Return when a process has ended."""
    try:
        process = psutil.Process(parent)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(PARENT_POLL_S)
    except psutil.NoSuchProcess:
        pass
    _log.info("process %d has ended, so the server ends too", parent)
