"""The embedded server under clients that die, hang, flood or listen to nothing, and on a machine that runs out."""

import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgpack
import psutil
import pytest

from sim2real_bench.envs.carla.embedded import connections, server
from sim2real_bench.envs.carla.embedded.connections import Gate, listen, raise_descriptor_limit, warn_if_public
from sim2real_bench.envs.carla.embedded.fuzz.over_sockets import Caller
from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess
from sim2real_bench.errors import ConfigurationError, ConnectionLostError, SimulatorError

pytestmark = pytest.mark.simulator

MODULE = "sim2real_bench.envs.carla.embedded"
WAIT_S = 120.0
MALFORMED = b"\x94\x01\x02\x03\x04"


@pytest.fixture(scope="module")
def shared(carla_embedded):
    with EmbeddedServerProcess("MiniTown01") as process:
        yield process


@contextlib.contextmanager
def started(*arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, port=None, **options):
    """A server started by hand; yields the process and its port (``port``, where stdout does not tell it)."""
    command = [sys.executable, "-m", MODULE, *(("--port", str(port)) if port else ()), *arguments]
    process = subprocess.Popen(command, stdout=stdout, stderr=stderr, **options)
    try:
        if port is None:
            port = int(process.stdout.readline().rpartition(b":")[2])
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


class Address:
    host = "127.0.0.1"

    def __init__(self, port):
        self.port = port


def version(port, patience_s=WAIT_S):
    """What the server says to a polite caller; a refused connection is tried again."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            caller = Caller(Address(port))
            try:
                return caller.call("version")
            finally:
                caller.close()
        except (OSError, ConnectionLostError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def free_pair():
    """A free port whose successor is free as well."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = first.getsockname()[1]
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
                return port


VERSION = [[1, "0.9.16"]]


# -- clients ----------------------------------------------------------------------------------------------------------

DOOMED = """
import sys, carla
client = carla.Client("127.0.0.1", int(sys.argv[1]), 8); client.set_timeout(30)
world = client.get_world()
library = world.get_blueprint_library()
points = world.get_map().get_spawn_points()
print("in", flush=True)
while True:
    vehicle = world.try_spawn_actor(library.find("vehicle.audi.tt"), points[int(sys.argv[2])])
    sensor = world.spawn_actor(library.find("sensor.camera.rgb"), carla.Transform(carla.Location(z=9.0)))
    sensor.listen(lambda image: None)
    world.wait_for_tick()
    world.wait_for_tick()
    sensor.stop(); sensor.destroy()
    if vehicle: vehicle.destroy()
"""


def test_clients_killed_at_random_moments_do_not_disturb_the_one_that_ticks(shared):
    generator = random.Random(0)
    steady = Caller(shared)
    steady.call("load_new_episode", "", True, 0)
    steady.call("set_episode_settings", [True, False, [True, 0.1], True, 0.01, 10, 0.0, True, 0.0, 0.0, True])
    process = psutil.Process(shared.pid)
    descriptors, frames = process.num_fds(), []
    for number in range(5):
        command = [sys.executable, "-c", DOOMED, str(shared.port), str(3 * number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as doomed:
            assert doomed.stdout.readline() == b"in\n"
            until = time.monotonic() + generator.uniform(0.05, 0.8)
            while time.monotonic() < until:
                frames.append(steady.call("tick_cue")[0][1])
            doomed.kill()
    frames += [steady.call("tick_cue")[0][1] for _ in range(20)]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    deadline = time.monotonic() + WAIT_S
    while process.num_fds() > descriptors and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.num_fds() == descriptors
    steady.call("load_new_episode", "", True, 0)
    steady.close()


def test_idle_and_half_sent_connections_cost_little_and_are_released(shared):
    process = psutil.Process(shared.pid)
    descriptors, memory = process.num_fds(), process.memory_info().rss
    with contextlib.ExitStack() as stack:
        for number in range(200):
            half_open = stack.enter_context(connect(shared.port))
            half_open.sendall(msgpack.packb([0, 1, "get_map_data", [[False]]])[: number % 10])
        assert version(shared.port) == VERSION
        assert process.memory_info().rss - memory < 32 * 2**20
    deadline = time.monotonic() + WAIT_S
    while process.num_fds() > descriptors and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.num_fds() <= descriptors


def test_headers_that_promise_much_hold_only_what_was_sent(shared):
    memory = psutil.Process(shared.pid).memory_info().rss
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            promising = stack.enter_context(connect(shared.port))
            promising.sendall(b"\x94\x00\x01\xa8tick_cue" + b"\xdc\x0f\xff" * 1000)
        assert version(shared.port) == VERSION
        assert psutil.Process(shared.pid).memory_info().rss - memory < 32 * 2**20


def test_unfinished_messages_of_all_clients_together_are_bounded(shared):
    process = psutil.Process(shared.pid)
    memory = process.memory_info().rss
    part = b"\x94\x00\x01\xa8tick_cue\xdb\x00\x7f\x00\x00" + bytes(7 * 2**20)
    with contextlib.ExitStack() as stack:
        for _ in range(14):
            greedy = stack.enter_context(connect(shared.port))
            with contextlib.suppress(ConnectionError):
                greedy.sendall(part)
        assert version(shared.port) == VERSION
        # 98 MB were sent; 64 may wait, and the reader keeps them twice.
        assert process.memory_info().rss - memory < 170 * 2**20
    assert version(shared.port) == VERSION


def test_more_clients_than_allowed_are_refused_and_the_others_served(shared):
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(connect(shared.port)) for _ in range(connections.MAX_CALLERS + 60)]
        callers[-1].sendall(msgpack.packb([0, 1, "version", [[False]]]))
        with contextlib.suppress(ConnectionResetError):
            assert callers[-1].recv(100) == b""
        callers[0].sendall(msgpack.packb([0, 1, "version", [[False]]]))
        assert callers[0].recv(100) == msgpack.packb([1, 1, None, VERSION])
    assert version(shared.port) == VERSION


def test_a_flood_of_calls_leaves_room_for_others(shared):
    ticks = msgpack.packb([0, 1, "get_actor_definitions", [[True]]]) * 3000
    with connect(shared.port) as flooding:
        flooding.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            flooding.send(ticks)
        assert version(shared.port) == VERSION


def test_too_many_camera_pixels_are_refused_by_name(shared):
    caller = Caller(shared)
    caller.call("load_new_episode", "", True, 0)
    size = [["image_size_x", 2, "2048"], ["image_size_y", 2, "2048"]]
    pose = [[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]]
    answers = [caller.call("spawn_actor", [0, "sensor.camera.rgb", size], pose)[0] for _ in range(40)]
    refused = [answer for answer in answers if answer[0] == 0]
    assert 0 < len(refused) < 40
    assert "pixels" in refused[0][1][0]
    caller.call("load_new_episode", "", True, 0)
    caller.close()


# -- the machine ------------------------------------------------------------------------------------------------------


def test_a_server_out_of_file_descriptors_lives_on(carla_embedded):
    def poor():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    with started(preexec_fn=poor) as (process, port):
        with contextlib.ExitStack() as stack:
            for _ in range(150):
                stack.enter_context(connect(port))
            time.sleep(0.3)
            assert process.poll() is None
        assert version(port) == VERSION


@pytest.mark.parametrize("verbose", [(), ("--verbose",)])
def test_a_log_that_nobody_reads_does_not_stop_the_server(carla_embedded, verbose):
    reading, writing = os.pipe()
    try:
        with started(*verbose, stderr=writing) as (_, port):
            for _ in range(100):
                with connect(port) as connection:
                    connection.sendall(MALFORMED)
            caller = Caller(Address(port))
            for _ in range(1500):  # far more than a pipe holds
                caller.call("destroy_actor", 4_000_000_000)
            caller.close()
            assert version(port) == VERSION
    finally:
        os.close(reading)
        os.close(writing)


def test_a_full_disk_does_not_stop_the_server(carla_embedded):
    with Path("/dev/full").open("wb") as full, started(stderr=full) as (_, port):
        for _ in range(50):
            with connect(port) as connection:
                connection.sendall(MALFORMED)
        assert version(port) == VERSION


@pytest.mark.parametrize("kind", ["closed", "full", "broken pipe"])
def test_a_server_without_stdout_serves(carla_embedded, kind):
    port = free_pair()
    with contextlib.ExitStack() as stack:
        if kind == "full":
            options = {"stdout": stack.enter_context(Path("/dev/full").open("wb"))}
        elif kind == "closed":
            options = {"stdout": None, "preexec_fn": lambda: (os.close(0), os.close(1), os.close(2))}
        else:
            reading, writing = os.pipe()
            os.close(reading)
            stack.callback(os.close, writing)
            options = {"stdout": writing}
        with started(port=port, **options) as (process, _):
            assert version(port) == VERSION
            process.terminate()
            assert process.wait(WAIT_S) == 0


def test_the_log_is_thinned_out(shared):
    with EmbeddedServerProcess("MiniTown01") as own:
        size = os.fstat(own._log_file.fileno()).st_size
        for _ in range(1000):
            with connect(own.port) as connection:
                connection.sendall(MALFORMED)
        assert version(own.port) == VERSION
        assert os.fstat(own._log_file.fileno()).st_size - size < 20_000
        assert "malformed" in own.log_tail()


# -- ports ------------------------------------------------------------------------------------------------------------


def test_a_taken_stream_port_is_told_with_the_remedy():
    port = free_pair()
    with socket.create_server(("127.0.0.1", port + 1)), pytest.raises(SimulatorError) as caught:
        server.run("127.0.0.1", port)
    assert f"127.0.0.1:{port + 1}" in str(caught.value)
    assert "sensor streams" in str(caught.value)
    assert "choose another port" in str(caught.value)


def test_two_servers_never_share_a_port():
    with listen("127.0.0.1", 0, "for calls") as first:
        port = first.getsockname()[1]
        with pytest.raises(SimulatorError, match="choose another port"):
            listen("127.0.0.1", port, "for calls")


@pytest.mark.parametrize(
    ("host", "advice"),
    [("no.such.host.invalid", "address of this machine"), ("192.0.2.1", "no address of")],
)
def test_a_host_that_cannot_be_bound_is_told(host, advice):
    with pytest.raises(SimulatorError, match=advice):
        listen(host, 0, "for calls")


@pytest.mark.parametrize(("port", "parent"), [(-1, None), (65535, None), (70000, None), (0, 0), (0, -5)])
def test_impossible_numbers_are_refused(port, parent):
    with pytest.raises(ConfigurationError):
        server.run(port=port, parent=parent)


@pytest.mark.parametrize(("host", "told"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
def test_a_server_that_others_can_reach_says_so(host, told, caplog):
    with listen(host, 0, "for calls") as listening:
        warn_if_public(listening)
    assert ("knows no passwords" in caplog.text) == told


def test_limits_of_this_process():
    assert raise_descriptor_limit() >= 32
    with pytest.raises(ConfigurationError, match="open files"):
        Gate(0, "clients")
