"""Malformed messages through real sockets to a real server process, and whether it is as well afterwards."""

import contextlib
import queue
import random as randoms
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgpack
import psutil

from sim2real_bench.envs.carla.embedded.fuzz.messages import Hostility, packed_call
from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess
from sim2real_bench.envs.carla.embedded.methods import Method
from sim2real_bench.errors import ConnectionLostError, SimulatorError

WAIT_S = 60.0
MESSAGES_PER_EPISODE = 400
_MOST_PER_CONNECTION = 20
_GLANCE_S = 0.02
_TOKEN = struct.Struct("<IH")
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, as a killed machine's successor does


@dataclass
class SocketReport:
    """What the server made of it.

    Attributes:
        calls: messages sent to the port for calls.
        streams: messages sent to the port for streams.
        connections: opened for both.
        memory: the server's resident bytes after each tenth.
        health: what worked afterwards, in words.
    """

    calls: int = 0
    streams: int = 0
    connections: int = 0
    memory: list[int] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


class Caller:
    """A connection of one's own that speaks the protocol correctly."""

    def __init__(self, server: EmbeddedServerProcess) -> None:
        self._socket = socket.create_connection((server.host, server.port), timeout=WAIT_S)
        self._unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape")

    def call(self, name: str, *arguments: Any) -> Any:
        """The wrapped result of one call.

        Raises:
            ConnectionLostError: the server closed the connection.
        """
        self._socket.sendall(packed_call(name, list(arguments)))
        while True:
            for message in self._unpacker:
                return message[3]
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionLostError(f"the server closed the connection during {name}")
            self._unpacker.feed(data)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def run(count: int, seed: int, methods: Mapping[str, Method], town: str = "MiniTown01") -> SocketReport:
    """Send messages to a fresh server and report; a tenth of them to its stream port.

    Raises:
        SimulatorError: the server ended, or no longer answers as it should.
    """
    report, random, hostility = SocketReport(), randoms.Random(seed), Hostility(methods)
    process_at = max(1, count // 10)
    with EmbeddedServerProcess(town) as server:
        process, stream_port = psutil.Process(server.pid), _stream_port(server)
        steps = episodes = 0
        while (done := report.calls + report.streams) < count:
            report.connections += 1
            if random.randrange(4) == 0:
                report.streams += _stream_connection(server.host, stream_port, random)
            else:
                report.calls += _call_connection(server, hostility, random)
            if done // MESSAGES_PER_EPISODE >= episodes:
                episodes += 1
                _fresh_episode(server)
            if done // process_at >= steps:
                steps += 1
                report.memory.append(process.memory_info().rss)
        report.memory.append(process.memory_info().rss)
        report.health = check_health(server)
    return report


def _fresh_episode(server: EmbeddedServerProcess) -> None:
    caller = Caller(server)
    caller.call("load_new_episode", "", True, 0)
    caller.close()


def _stream_port(server: EmbeddedServerProcess) -> int:
    caller = Caller(server)
    token: bytes = caller.call("get_sensor_token", 1)[0][1][0]
    caller.close()
    return int(_TOKEN.unpack_from(token)[1])


def _call_connection(server: EmbeddedServerProcess, hostility: Hostility, random: randoms.Random) -> int:
    """Several messages through one connection, which then ends in one of several ways; returns how many."""
    messages = [hostility.message(random) for _ in range(random.randrange(1, _MOST_PER_CONNECTION))]
    address = (server.host, server.port)
    with socket.create_connection(address, timeout=WAIT_S) as connection, contextlib.suppress(ConnectionError):
        for message in messages:
            connection.sendall(message)
        _end(connection, random)
    return len(messages)


def _stream_connection(host: str, port: int, random: randoms.Random) -> int:
    """A subscription to a known, an unknown or half a stream, followed by what nobody asked for."""
    head = struct.pack("<I", random.choice((0, 1, random.randrange(2, 200), 2**32 - 1)))
    with socket.create_connection((host, port), timeout=WAIT_S) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(head[: random.randrange(5)] + random.randbytes(random.choice((0, 0, 3, 500, 20_000))))
        _end(connection, random)
    return 1


def _end(connection: socket.socket, random: randoms.Random) -> None:
    kind = random.randrange(4)
    if kind == 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    elif kind == 1:
        with contextlib.suppress(OSError):  # the server may have closed its end already
            connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    elif kind == 2:
        connection.settimeout(_GLANCE_S)
        with contextlib.suppress(TimeoutError):
            connection.recv(random.randrange(1, 100))


def check_health(server: EmbeddedServerProcess) -> list[str]:
    """Use the server as a genuine client does: load, spawn, tick, look.

    Raises:
        SimulatorError: something of it fails.
    """
    import carla

    if not server.alive():
        raise SimulatorError(f"the server ended with status {server.exit_status()}: {server.log_tail()}")
    client = carla.Client(server.host, server.port, 8)
    client.set_timeout(WAIT_S)
    world = client.load_world("MiniTown01")
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.1
    world.apply_settings(settings)
    library = world.get_blueprint_library()
    vehicle = world.spawn_actor(library.find("vehicle.audi.tt"), world.get_map().get_spawn_points()[0])
    mount = carla.Transform(carla.Location(1.5, 0.0, 1.6))
    camera = world.spawn_actor(library.find("sensor.camera.rgb"), mount, attach_to=vehicle)
    images: queue.Queue[Any] = queue.Queue()
    camera.listen(images.put)
    vehicle.apply_control(carla.VehicleControl(throttle=0.7))
    frames = [world.tick() for _ in range(10)]
    seen = [images.get(timeout=WAIT_S).frame for _ in frames]
    speed = vehicle.get_velocity().length()
    camera.stop()
    camera.destroy()
    vehicle.destroy()
    if seen != frames or not speed > 0.5:
        raise SimulatorError(f"after the messages: ticks {frames}, images {seen}, speed {speed:.2f} m/s")
    return [f"10 ticks, 10 images with the same frames, the vehicle went {speed:.1f} m/s"]
