"""However the supervising process ends: no process, lock, port or temporary file of the simulator is left."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import stand_in_simulator as stand_in
from traces import Traces, is_free

from sim2real_bench.evaluation.supervisor import Policy, Supervisor

PROGRAM = str(Path(__file__).with_name("supervising_program.py"))
POLICY = Policy(end_timeout_s=0.5)


@pytest.fixture
def traces(tmp_path, monkeypatch):
    traces = Traces(tmp_path, monkeypatch)
    yield traces
    for process in traces.processes():
        process.kill()


def owner(part):
    """A process with a supervisor, and the port of its simulator."""
    process = subprocess.Popen([sys.executable, PROGRAM, part], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return process, int(process.stdout.readline())


def collect(process):
    if process.stdout is not None:
        process.stdout.close()
    return process.wait()


def guardian_of(traces):
    (guardian,) = [process for process in traces.processes() if process.cmdline()[-1] == "guard"]
    return guardian


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL, signal.SIGABRT])
def test_nothing_is_left_when_the_owner_is_killed(traces, number):
    process, port = owner("family")
    assert len(traces.processes()) >= 4 and traces.locks() != []
    process.send_signal(number)
    assert collect(process) != 0
    traces.await_nothing()
    assert is_free(port)


@pytest.mark.parametrize(("part", "status"), [("raises", 1), ("forgets", 0)])
def test_nothing_is_left_when_the_owner_raises_or_forgets_to_close(traces, part, status):
    process, port = owner(part)
    assert collect(process) == status
    traces.await_nothing()
    assert is_free(port)


def test_nothing_is_left_at_whatever_moment_the_owner_is_killed(traces):
    chance = random.Random(4)
    for _ in range(12):
        process = subprocess.Popen([sys.executable, PROGRAM, "family"], stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.1, 1.2))
        process.kill()
        collect(process)
    traces.await_nothing()


@pytest.mark.simulator
def test_nothing_is_left_of_the_embedded_server_when_its_owner_is_killed(traces, carla_embedded):
    process, port = owner("carla")
    assert any("sim2real_bench.envs.carla.embedded" in found.cmdline() for found in traces.processes())
    assert not is_free(port)
    process.kill()
    collect(process)
    traces.await_nothing()
    assert is_free(port) and is_free(port + 1)


def test_the_next_start_sweeps_up_after_owner_and_guardian_were_killed_together(traces):
    process, port = owner("family")
    guardian = guardian_of(traces)
    guardian.suspend()  # so that it cannot notice that its owner is gone
    process.kill()
    collect(process)
    guardian.kill()
    deadline = time.monotonic() + 20.0
    while len(traces.processes()) > 2 and time.monotonic() < deadline:
        time.sleep(0.05)  # the kernel ends the simulator itself; its children and its lease stay
    assert len(traces.processes()) == 2, traces.left()
    assert [lock.stem for lock in traces.locks()] == [str(port)]
    with Supervisor(stand_in.launch(), POLICY) as supervisor:
        supervisor.ready()
        assert len(traces.processes()) == 3 and len(traces.locks()) == 1
    traces.await_nothing()


def test_a_killed_guardian_costs_a_generation_and_leaves_nothing(traces):
    with Supervisor(stand_in.launch("family"), POLICY) as supervisor:
        first = supervisor.ready()
        guardian = guardian_of(traces)
        guardian.kill()
        while guardian.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert supervisor.ready().generation == first.generation + 1
        assert "guardian ended with -9" in supervisor.attempts[1].reason
        assert len(traces.locks()) == 1
    traces.await_nothing()


def test_a_stale_lease_does_not_cost_a_stranger_with_the_same_number_his_life(traces):
    process, _ = owner("well")
    guardian = guardian_of(traces)
    guardian.suspend()
    process.kill()
    collect(process)
    guardian.kill()
    (lock,) = traces.locks()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env={})
    try:
        lock.write_text(json.dumps({**json.loads(lock.read_text()), "leader": stranger.pid}))
        with Supervisor(stand_in.launch(), POLICY) as supervisor:
            supervisor.ready()
        assert psutil.Process(stranger.pid).is_running() and stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    traces.await_nothing()
