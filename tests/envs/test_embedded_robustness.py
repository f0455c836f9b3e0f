"""The embedded server outlives malformed bytes, dying clients and taken ports, and leaves nothing behind."""

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess
from sim2real_bench.errors import SimulatorError, StartupTimeoutError

pytestmark = pytest.mark.simulator

MODULE = "sim2real_bench.envs.carla.embedded"
WAIT_S = 30.0
METHODS = (
    "version", "tick_cue", "spawn_actor", "set_episode_settings", "apply_control_to_vehicle", "get_actors_by_id",
    "apply_batch", "load_new_episode", "set_weather_parameters", "get_sensor_token", "project_point", "cast_ray",
    "set_actor_transform", "add_traffic_manager_running", "get_telemetry_data", "no_such_method", "__init__",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(carla_embedded):
    with EmbeddedServerProcess("MiniTown01") as process:
        yield process


class Wire:
    """A bare connection that speaks msgpack."""

    def __init__(self, server):
        self.socket = socket.create_connection((server.host, server.port), timeout=WAIT_S)
        self.unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape")
        self.number = 0

    def call(self, name, *arguments):
        self.number += 1
        self.socket.sendall(msgpack.packb([0, self.number, name, [[False], *arguments]]))
        while True:
            for message in self.unpacker:
                if message[1] == self.number:
                    return message[2:]
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self.unpacker.feed(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def answers(server):
    with Wire(server) as wire:
        return wire.call("version") == [None, [[1, "0.9.16"]]]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=6), st.binary(max_size=6)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=6), max_leaves=8)


def malformed(generator):
    """Random bytes, a truncated request or a bent one."""
    good = msgpack.packb([0, 1, "set_episode_settings", [[False], [True, False, [True, 0.1]] + [0] * 8]])
    kind = generator.randrange(3)
    if kind == 0:
        return generator.randbytes(generator.randrange(1, 200))
    if kind == 1:
        return good[: generator.randrange(1, len(good))]
    bent = bytearray(good)
    for _ in range(generator.randrange(1, 4)):
        bent[generator.randrange(len(bent))] = generator.randrange(256)
    return bytes(bent)


def test_thousands_of_malformed_messages(server):
    """Each costs the sender its connection at most."""
    generator = random.Random(0)
    for _ in range(300):
        data = b"".join(malformed(generator) for _ in range(10))
        with socket.create_connection((server.host, server.port), timeout=WAIT_S) as connection:
            connection.sendall(data)
    assert answers(server)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(METHODS), st.lists(VALUES, max_size=4))
def test_wrong_arguments_are_answered_on_the_same_connection(server, name, arguments):
    with Wire(server) as wire:
        error, result = wire.call(name, *arguments)
        assert error is None or "method" in error
        assert (result is None) == (error is not None)
        assert wire.call("version") == [None, [[1, "0.9.16"]]]


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\xdc\x0f\xff" * 1100,
        b"GET / HTTP/1.1\r\n\r\n",
        msgpack.packb([2, "version", []]),
        msgpack.packb({"a": 1}),
        msgpack.packb([0, 1, "version", [[False]] + [0] * 5000]),
    ],
)
def test_what_is_no_request_ends_its_connection_only(server, data):
    with socket.create_connection((server.host, server.port), timeout=WAIT_S) as connection:
        connection.sendall(data)
        with contextlib.suppress(ConnectionResetError):  # closed with our bytes unread
            assert connection.recv(1) == b""
    assert answers(server)


def test_a_request_in_single_bytes_is_understood(server):
    with Wire(server) as wire:
        for byte in msgpack.packb([0, 1, "version", [[False]]]):
            wire.socket.sendall(bytes([byte]))
        wire.unpacker.feed(wire.socket.recv(4096))
        assert next(iter(wire.unpacker)) == [1, 1, None, [[1, "0.9.16"]]]


def test_stream_connections_may_send_anything(server):
    with Wire(server) as wire:
        _, result = wire.call("get_sensor_token", 1)
        token = result[0][1][0]
    port = struct.unpack_from("<H", token, 4)[0]
    generator = random.Random(1)
    for _ in range(50):
        with socket.create_connection((server.host, port), timeout=WAIT_S) as connection:
            connection.sendall(generator.randbytes(generator.randrange(0, 12)))
    assert answers(server)


def test_a_client_that_never_reads_does_not_stop_the_others(server):
    with Wire(server) as deaf:
        request = msgpack.packb([0, 1, "get_map_data", [[False]]])
        deaf.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(20_000):
                deaf.socket.send(request)
        assert answers(server)


def test_a_camera_nobody_reads_neither_blocks_nor_fills_the_server(server):
    import psutil

    with Wire(server) as wire:
        wire.call("load_new_episode", "", True, 0)
        wire.call("set_episode_settings", [True, False, [True, 0.1], True, 0.01, 10, 0.0, True, 0.0, 0.0, True])
        size = [["image_size_x", 2, "800"], ["image_size_y", 2, "600"]]
        pose = [[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]]
        _, result = wire.call("spawn_actor", [0, "sensor.camera.rgb", size], pose)
        token = result[0][1][5]
        stream, port = struct.unpack_from("<IH", token)
        with socket.create_connection((server.host, port), timeout=WAIT_S) as deaf:
            deaf.sendall(struct.pack("<I", stream))
            for _ in range(6):
                wire.call("tick_cue")
            process = psutil.Process(server.pid)
            before = process.memory_info().rss
            frames = [wire.call("tick_cue")[1][0][1] for _ in range(25)]
            assert frames == list(range(frames[0], frames[0] + 25))
            assert process.memory_info().rss - before < 12 * 2**20  # of 48 MB of pictures
        wire.call("load_new_episode", "", True, 0)


KILLED_CLIENT = """
import os, signal, sys, carla
client = carla.Client("127.0.0.1", int(sys.argv[1])); client.set_timeout(30)
world = client.load_world("MiniTown01")
settings = world.get_settings(); settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.1
world.apply_settings(settings)
library = world.get_blueprint_library()
vehicle = world.spawn_actor(library.find("vehicle.audi.tt"), world.get_map().get_spawn_points()[0])
sensor = world.spawn_actor(library.find("sensor.camera.rgb"), carla.Transform(), attach_to=vehicle)
sensor.listen(lambda image: None)
for _ in range(3):
    world.tick()
print("driving", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_new_client_goes_on_after_one_was_killed(server):
    import carla

    killed = subprocess.run(
        [sys.executable, "-c", KILLED_CLIENT, str(server.port)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (killed.returncode, killed.stdout.strip()) == (-signal.SIGKILL, "driving"), killed.stderr
    client = carla.Client(server.host, server.port)
    client.set_timeout(WAIT_S)
    world = client.get_world()
    assert world.get_settings().synchronous_mode
    world.tick()
    assert len(world.get_actors().filter("vehicle.*")) == 1
    fresh = client.load_world("MiniTown01")
    assert len(fresh.get_actors().filter("vehicle.*")) == 0
    assert not fresh.get_settings().synchronous_mode


def gone(pid):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_the_launcher_ends_its_server(carla_embedded):
    process = EmbeddedServerProcess("MiniTown02")
    assert process.alive()
    assert answers(process)
    pid = process.pid
    process.close()
    assert process.exit_status() == 0
    process.close()
    assert not process.alive()
    assert gone(pid)


def test_a_server_that_cannot_start_says_why(carla_embedded):
    with pytest.raises(SimulatorError, match="Atlantis"):
        EmbeddedServerProcess("Atlantis")
    with pytest.raises(StartupTimeoutError, match="within"):
        EmbeddedServerProcess("MiniTown01", startup_timeout_s=0.01)


ORPHAN = """
import os, signal
from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess
server = EmbeddedServerProcess()
print(server.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_server_ends_with_its_parent(carla_embedded):
    parent = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=120, check=False)
    assert gone(int(parent.stdout))


def test_ctrl_c_ends_the_server_cleanly(carla_embedded):
    command = [sys.executable, "-m", MODULE, "--town", "MiniTown02"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("listening on 127.0.0.1:")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert output == ""
    assert "Traceback" not in errors


def test_a_taken_port_is_one_clear_error(carla_embedded):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        command = [sys.executable, "-m", MODULE, "--port", str(port)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert str(port) in errors[0]
    assert "Traceback" not in ended.stderr
