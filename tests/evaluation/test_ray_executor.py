"""Evaluations on a Ray cluster of two nodes: the same records, a node that dies, workers that die, what is refused."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from fake_driving import comparable, settings
from ray_nodes import loopback_only
from test_executors import Counting, Do, alive, wait_until

from sim2real_bench.errors import ClusterError, ConfigurationError, MissingDependencyError
from sim2real_bench.evaluation.cluster import connection, crew, seat
from sim2real_bench.evaluation.cluster.executor import RayExecutor
from sim2real_bench.evaluation.cluster.settings import RaySettings
from sim2real_bench.evaluation.execution.executors import WorkerLostError, open_executor
from sim2real_bench.evaluation.records import Outcome, read_records
from sim2real_bench.evaluation.runner import evaluate

FOLDER = Path(__file__).parent
EPISODES = 4  # of each controller and row: 60 in all


class Nodes:
    """The program that keeps the nodes."""

    def __init__(self, process):
        self._process = process
        self._read()

    def say(self, command):
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        self._read()

    def _read(self):
        told = json.loads(self._process.stdout.readline())
        self.ray, self.raylets = RaySettings(told["address"]), told["raylets"]


def with_this_folder():
    """Variables of a process that can import the fake environment."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture(scope="module")
def nodes():
    pytest.importorskip("ray", reason='Ray is not installed: pip install "sim2real-bench[cluster]"')
    from ray._private import ray_constants

    patch = pytest.MonkeyPatch()
    for name, value in loopback_only("/tmp").items():
        patch.setenv(name, value)
    patch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)  # read from the variable when Ray was imported
    environment = {**with_this_folder(), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, FOLDER / "ray_nodes.py", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip
    try:
        yield Nodes(process)
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
        patch.undo()


def on_ray(out, ray, **changes):
    return replace(settings(out, **changes), executor="ray", ray=ray)


def records_of(folder):
    return read_records(folder / "episodes.jsonl")


def finished(records):
    return [record for record in records if record.finished]


class NodeDies:
    """Ends a node after some records and adds another one after some more."""

    def __init__(self, nodes, kill_at, add_at):
        self._nodes, self._commands = nodes, {kill_at: "kill", add_at: "add"}
        self._count = 0

    def begin(self, plan, finished):
        pass

    def attempt(self, record):
        self._count += 1
        if self._count in self._commands:
            self._nodes.say(self._commands[self._count])


def raylet_of(pid, nodes):
    """Which node a process runs on."""
    (raylet,) = {parent.pid for parent in psutil.Process(pid).parents()} & set(nodes.raylets)
    return raylet


def test_workers_are_spread_over_the_nodes_and_end_with_the_run(nodes):
    with RayExecutor(Counting(), 2, settings=nodes.ray) as executor:
        futures = [executor.submit(Do("slow but alive")) for _ in range(2)]
        pids = [future.result()[0] for future in futures]
        assert sorted(raylet_of(pid, nodes) for pid in pids) == sorted(nodes.raylets)
        assert {future.result()[2] for future in futures} == {"1"}
        executor.submit(Do("hang"))
        time.sleep(0.5)
    wait_until(lambda: not any(map(alive, pids)))


def test_a_node_dies_and_its_episodes_are_done_elsewhere(tmp_path, nodes):
    (tmp_path / "pids").mkdir()
    options = {"folder": str(tmp_path / "pids"), "tick_sleep_s": 0.005}
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    before = set(nodes.raylets)
    table = evaluate(
        on_ray(broken, nodes.ray, workers=2, episodes=EPISODES, options=options), NodeDies(nodes, kill_at=12, add_at=24)
    )
    expected = evaluate(settings(whole, workers=1, episodes=EPISODES, options=options | {"tick_sleep_s": 0.0}))
    records = records_of(broken)
    lost = [record for record in records if not record.finished]
    assert before != set(nodes.raylets)
    assert [record.outcome for record in lost] == [Outcome.INFRASTRUCTURE_FAILURE] * len(lost)
    assert lost, "the node was not at work when it died"
    assert all("was lost" in record.error for record in lost)
    assert set(Counter(record.key for record in finished(records)).values()) == {1}
    again = [record for record in finished(records) if record.key in {record.key for record in lost}]
    assert {record.attempt for record in again} == {2}
    assert table.complete
    assert [row.distance_m for row in table.rows] == [row.distance_m for row in expected.rows]
    assert [same(record) for record in comparable(finished(records))] == [
        same(record) for record in comparable(records_of(whole))
    ]
    pids = [int(path.name.removeprefix("pid-")) for path in (tmp_path / "pids").glob("pid-*")]
    assert len(pids) == 1 + 3  # one of the run with processes; the two first, and one on the node that was added
    wait_until(lambda: not any(map(alive, pids)))


def same(record):
    """A comparable record without the number of the attempt."""
    return {name: value for name, value in record.items() if name != "attempt"}


def test_a_worker_dies_or_hangs_on_its_machine(nodes):
    with RayExecutor(Counting(), 1, deadline_s=1.5, settings=nodes.ray) as executor:
        pids = [executor.submit(Do("work")).result()[0]]
        with pytest.raises(WorkerLostError, match="killed by SIGKILL") as caught:
            executor.submit(Do("kill")).result()
        assert not caught.value.hung
        pids.append(executor.submit(Do("work")).result()[0])
        with pytest.raises(WorkerLostError, match="no sign of life") as caught:
            executor.submit(Do("hang")).result()
        assert caught.value.hung
        assert caught.value.sign.values[:2] == (4.0, 2.5)
        with pytest.raises(ConfigurationError, match="cannot be used"):
            executor.submit(Do("wrong usage")).result()
        pids.append(executor.submit(Do("work")).result()[0])
    assert len(set(pids)) == 3


def test_an_actor_dies_or_does_not_answer(monkeypatch, nodes):
    monkeypatch.setattr(seat, "_ASK_EVERY_S", 0.5)
    pids = []
    with RayExecutor(Counting(), 1, deadline_s=3.0, settings=nodes.ray) as executor:
        for number in (signal.SIGKILL, signal.SIGSTOP):
            pids.append(executor.submit(Do("work")).result()[0])
            future = executor.submit(Do("slow but alive"))
            time.sleep(0.3)
            psutil.Process(pids[-1]).parent().send_signal(number)
            with pytest.raises(WorkerLostError, match=r"worker on .* was lost"):
                future.result()
        pids.append(executor.submit(Do("work")).result()[0])
    assert len(set(pids)) == 3
    wait_until(lambda: not any(map(alive, pids)))


def test_only_the_raylet_dies_and_what_it_had_started_ends(nodes):
    with RayExecutor(Counting(), 2, settings=nodes.ray) as executor:
        pids = [future.result()[0] for future in [executor.submit(Do("slow but alive")) for _ in range(2)]]
        (pid,) = [pid for pid in pids if raylet_of(pid, nodes) == nodes.raylets[-1]]
        os.kill(nodes.raylets[-1], signal.SIGKILL)
        wait_until(lambda: not alive(pid))
        nodes.say("kill")
        nodes.say("add")


def test_a_worker_that_does_not_hear_of_its_run_ends(monkeypatch, nodes):
    monkeypatch.setattr(crew, "_FORSAKEN_S", 5.0)
    monkeypatch.setattr(seat, "_ASK_EVERY_S", 1.0)
    with RayExecutor(Counting(), 1, settings=nodes.ray) as executor:
        pid = executor.submit(Do("work")).result()[0]
        time.sleep(6.0)
        assert executor.submit(Do("work")).result()[0] == pid  # it has heard, idle as it was
        monkeypatch.setattr(seat, "_ASK_EVERY_S", 1000.0)
        # Its own executor ends first, and may still say so before the actor is gone.
        with pytest.raises(WorkerLostError, match=r"was lost|the run was ended"):
            executor.submit(Do("hang")).result()
        wait_until(lambda: not alive(pid))


RUN = """
import sys
from test_ray_executor import on_ray
from sim2real_bench.evaluation.cluster.settings import RaySettings
from sim2real_bench.evaluation.runner import evaluate
if __name__ == "__main__":
    out, pids, address = sys.argv[1:]
    options = {"folder": pids, "tick_sleep_s": 0.01}
    evaluate(on_ray(out, RaySettings(address), workers=2, episodes=4, options=options))
"""


def test_a_killed_run_leaves_nothing_on_the_nodes_and_is_resumed(tmp_path, nodes):
    out, pids = tmp_path / "out", tmp_path / "pids"
    pids.mkdir()

    def workers():
        return [int(path.name.removeprefix("pid-")) for path in pids.glob("pid-*")]

    run = subprocess.Popen([sys.executable, "-c", RUN, out, pids, nodes.ray.address], env=with_this_folder())
    try:
        wait_until(lambda: len(workers()) == 2 and (out / "episodes.jsonl").exists() and len(records_of(out)) >= 4, 60)
    finally:
        run.kill()
        run.wait()
    assert len(workers()) == 2
    wait_until(lambda: not any(map(alive, workers())))
    assert len(finished(records_of(out))) < 15 * EPISODES
    table = evaluate(on_ray(out, nodes.ray, workers=2, episodes=EPISODES, options={"folder": str(pids)}))
    assert table.complete
    assert set(Counter(record.key for record in finished(records_of(out))).values()) == {1}


def test_a_cluster_too_small_is_told_with_the_numbers(tmp_path, nodes):
    with pytest.raises(
        ClusterError, match=r"--workers 3 with 1 CPU each .* 2 nodes .*: 1, .* room for 2; use --workers 2"
    ):
        evaluate(on_ray(tmp_path, nodes.ray, workers=3))
    with pytest.raises(ClusterError, match=r"--workers 1 with 2 CPUs each .* room for 0"):
        evaluate(on_ray(tmp_path, RaySettings(nodes.ray.address, cpus_per_worker=2)))


def test_no_room_for_any_worker_ends_the_run(nodes):
    with (
        RayExecutor(Counting(), 2, settings=nodes.ray) as first,
        RayExecutor(Counting(), 1, settings=nodes.ray, patience_s=1.0) as second,
    ):
        busy = [first.submit(Do("slow but alive")) for _ in range(2)]
        assert all(future.result() for future in busy)
        with pytest.raises(ClusterError, match=r"1 free CPUs for a worker within .*ray status"):
            second.submit(Do("work")).result()


def test_a_node_with_other_software_is_refused(monkeypatch, nodes):
    here = crew.installed()
    monkeypatch.setattr(crew, "installed", lambda: here | {"numpy": "0.1", "torch": ""})
    with (
        RayExecutor(Counting(), 1, settings=nodes.ray) as executor,
        pytest.raises(ClusterError, match=rf"has numpy {here['numpy']} \(here 0.1\).*\(here not installed\)"),
    ):
        executor.submit(Do("work")).result()


def test_nobody_answers_at_the_address(tmp_path, nodes):
    with pytest.raises(ClusterError, match=r"no Ray cluster .*ray start --head"):
        evaluate(on_ray(tmp_path, RaySettings("127.0.0.1:9")))


@pytest.mark.parametrize("address", ["local", "ray://127.0.0.1:10001", "127.0.0.1", "host:port", ""])
def test_an_address_that_would_start_a_cluster_or_is_none_is_refused(address):
    with pytest.raises(ConfigurationError, match="write HOST:PORT"):
        RaySettings(address)


def test_the_environment_cannot_make_it_start_a_cluster(monkeypatch, tmp_path):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", set)
    with pytest.raises(ClusterError, match="ray start --head"):
        evaluate(on_ray(tmp_path, RaySettings()))


def test_without_ray_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install .sim2real-bench\[cluster\]"):
        connection.ClusterConnection(RaySettings())


def test_films_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="report DIR --film"):
        open_executor(replace(on_ray(tmp_path, RaySettings()), film=True), Counting())


def embedded_servers(nodes):
    """Process ids of the servers on the nodes."""
    module = "sim2real_bench.envs.carla.embedded"
    below = [process for raylet in nodes.raylets for process in psutil.Process(raylet).children(recursive=True)]
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process.pid for process in below if module in process.cmdline()]
    return embedded_servers(nodes)


@pytest.mark.simulator
def test_simulators_run_beside_their_workers_and_end_with_a_killed_run(carla_embedded, tmp_path, nodes):
    command = [
        sys.executable, "-m", "sim2real_bench", "evaluate", "--executor", "ray", "--ray-address", nodes.ray.address,
        "--workers", "2", "--methods", "reference", "--episodes", "1", "--horizon", "20", "--out", tmp_path,
    ]  # fmt: skip
    with (tmp_path / "first").open("w") as text:
        run = subprocess.Popen(command, stdout=text, stderr=text, env=with_this_folder())
        try:
            wait_until(lambda: (tmp_path / "episodes.jsonl").exists() and len(records_of(tmp_path)) >= 1, 120)
            servers = embedded_servers(nodes)
        finally:
            run.kill()
            run.wait()
    assert servers
    wait_until(lambda: not any(map(alive, servers)))
    done = subprocess.run(command, capture_output=True, text=True, env=with_this_folder(), check=True)
    assert "reference" in done.stdout
    assert "ray" not in done.stderr
    records = finished(records_of(tmp_path))
    assert len(records) == len({record.key for record in records}) == 5
    assert all(record.ticks > 0 for record in records)
    assert embedded_servers(nodes) == []
