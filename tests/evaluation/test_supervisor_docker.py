"""CARLA in a container, played by a stand-in: what ``docker`` is told, and that no container is left."""

import itertools
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import stand_in_simulator as stand_in
from traces import Traces, is_free

from sim2real_bench.evaluation.supervisor import Policy, Supervisor, carla_docker

POLICY = Policy(end_timeout_s=0.5, back_off_s=0.0)
PROGRAM = Path(__file__).with_name("stand_in_docker.py")


def launch():
    """Docker's command as it is, with the probe of the stand-in."""
    return replace(carla_docker(), probe="stand_in_simulator:check", expects={})


@pytest.fixture
def traces(tmp_path, monkeypatch):
    """A daemon, and ``docker`` on the path."""
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "docker").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROGRAM}" "$@"\n')
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("STAND_IN_DOCKER", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, PROGRAM, "daemon"], stdout=subprocess.PIPE, env=environment, start_new_session=True
    ) as daemon:
        assert daemon.stdout.readline() == b"ready\n"
        traces = Traces(tmp_path, monkeypatch)
        traces.daemon = psutil.Process(daemon.pid)
        yield traces
        containers = traces.daemon.children()
        traces.daemon.kill()
        for container in containers:
            container.kill()


def test_a_container_is_run_measured_and_removed(traces):
    with Supervisor(launch(), replace(POLICY, memory_limit_mib=4096.0)) as supervisor:
        port = supervisor.ready().port
        (container,) = traces.daemon.children()
        assert stand_in.pid_of("127.0.0.1", port) == container.pid
        # The container is nobody's child here, yet counted.
        assert supervisor._simulator.memory_mib() > container.memory_info().rss / 2**20 / 2
        supervisor.finished()
        assert supervisor.ready().generation == 1
    assert traces.daemon.children() == [] and traces.left() == [] and is_free(port)


def test_a_container_that_dies_is_replaced(traces):
    with Supervisor(launch(), POLICY) as supervisor:
        supervisor.ready()
        (container,) = traces.daemon.children()
        container.kill()
        supervisor.finished()
        assert supervisor.ready().generation == 2
        assert len(traces.daemon.children()) == 1
    traces.await_nothing()


def test_no_container_is_left_when_the_owner_is_killed(traces, tmp_path):
    program = tmp_path / "owner.py"
    program.write_text(
        "import sys, time\nfrom test_supervisor_docker import POLICY, Supervisor, launch\n"
        "supervisor = Supervisor(launch(), POLICY)\nsys.stdout.write(f'{supervisor.ready().port}\\n')\n"
        "sys.stdout.flush()\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE) as owner:
        port = int(owner.stdout.readline())
        assert len(traces.daemon.children()) == 1
        owner.kill()
    traces.await_nothing()
    assert traces.daemon.children() == [] and is_free(port)


def test_no_container_is_left_when_docker_run_is_killed(traces):
    with Supervisor(launch(), POLICY) as supervisor:
        supervisor.ready()
        (run,) = [process for process in traces.processes() if "run" in process.cmdline()]
        run.kill()
        while supervisor._simulator.ended() is None:
            time.sleep(0.01)
        assert traces.daemon.children() == []
        assert supervisor.ready().generation == 2
        assert len(traces.daemon.children()) == 1
    assert traces.daemon.children() == []


def test_the_next_start_removes_the_container_of_a_killed_guardian(traces):
    with Supervisor(launch(), POLICY) as supervisor:
        supervisor.ready()
        (orphan,) = traces.daemon.children()
        (guardian,) = [process for process in traces.processes() if process.cmdline()[-1] == "guard"]
        guardian.kill()
        while guardian.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        supervisor.ready()
        (container,) = traces.daemon.children()
        assert container != orphan
    assert traces.daemon.children() == []


@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command is not installed")
def test_the_genuine_docker_client_knows_every_option():
    """Without a daemon it says so only after it has read its options, and complains about unknown ones before."""
    environment = {**os.environ, "DOCKER_HOST": "unix:///no/such/daemon.sock"}
    for command in (carla_docker().command, carla_docker().removal, carla_docker().inspection):
        filled = [part.format(port=2000, stream_port=2001, name="x") if "{{" not in part else part for part in command]
        done = subprocess.run(filled, capture_output=True, text=True, env=environment, check=False)
        assert "daemon" in done.stderr and "unknown" not in done.stderr, (filled, done.stderr)


def test_nothing_is_published_beyond_loopback():
    command = carla_docker(gpu=None, town="Town02").command
    published = [value for flag, value in itertools.pairwise(command) if flag == "--publish"]
    assert published == ["127.0.0.1:{port}:{port}", "127.0.0.1:{stream_port}:{stream_port}"]
    assert "--gpus" not in command and carla_docker(town="Town02").expects == {"town": "Town02"}
