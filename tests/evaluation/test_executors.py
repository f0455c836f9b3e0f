"""Workers that die, hang or answer with errors, and what is left when it is over."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from sim2real_bench.errors import ConfigurationError, Sim2RealError
from sim2real_bench.evaluation.execution.executors import ProcessExecutor, WorkerLostError


@dataclass(frozen=True)
class Counting:
    """Keeps the number of tasks a worker has done."""

    @contextlib.contextmanager
    def open(self, heartbeat):
        yield {"heartbeat": heartbeat, "tasks": 0}


@dataclass(frozen=True)
class Do:
    """Does what its name says."""

    what: str
    argument: float = 0.0

    def run(self, context):
        context["tasks"] += 1
        if self.what == "wrong usage":
            raise ConfigurationError("a value that cannot be used")
        if self.what == "defect":
            raise ZeroDivisionError("who divides by zero?")
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "exit":
            os._exit(3)
        if self.what == "hang":
            context["heartbeat"].beat(1, (4.0, 2.5))
            time.sleep(3600)
        if self.what == "slow but alive":
            for _ in range(10):
                time.sleep(0.2)
                context["heartbeat"].beat()
        return os.getpid(), context["tasks"], os.environ["OMP_NUM_THREADS"]

    def failed(self, result):
        return self.what == "failed"


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


def test_a_worker_lives_as_long_as_the_run_and_ends_with_it(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with ProcessExecutor(Counting(), workers=1) as executor:
        answers = [executor.submit(Do("work")).result() for _ in range(3)]
    assert len({pid for pid, _, _ in answers}) == 1
    assert [tasks for _, tasks, _ in answers] == [1, 2, 3]
    assert {threads for _, _, threads in answers} == {str(os.cpu_count())}
    assert not alive(answers[0][0])


def test_tasks_of_a_lower_order_come_first():
    with ProcessExecutor(Counting(), workers=1) as executor:
        first = executor.submit(Do("slow but alive"))
        late, early = executor.submit(Do("work"), order=2), executor.submit(Do("work"), order=1)
        assert first.result()[1] == 1
        assert (early.result()[1], late.result()[1]) == (2, 3)


def test_errors_come_back_and_the_worker_goes_on():
    with ProcessExecutor(Counting(), workers=1) as executor:
        pid, _, _ = executor.submit(Do("work")).result()
        with pytest.raises(ConfigurationError, match="cannot be used"):
            executor.submit(Do("wrong usage")).result()
        with pytest.raises(Sim2RealError, match="ZeroDivisionError: who"):
            executor.submit(Do("defect")).result()
        assert executor.submit(Do("work")).result()[:2] == (pid, 4)


@pytest.mark.parametrize(("what", "text"), [("kill", "killed by SIGKILL"), ("exit", "ended with 3")])
def test_a_dead_worker_is_replaced(what, text):
    with ProcessExecutor(Counting(), workers=1) as executor:
        pid, _, _ = executor.submit(Do("work")).result()
        with pytest.raises(WorkerLostError, match=text) as caught:
            executor.submit(Do(what)).result()
        assert not caught.value.hung
        other, tasks, _ = executor.submit(Do("work")).result()
    assert other != pid
    assert tasks == 1


def test_a_silent_worker_is_ended_and_its_last_sign_kept():
    with ProcessExecutor(Counting(), workers=1, deadline_s=1.5) as executor:
        pid, _, _ = executor.submit(Do("work")).result()
        with pytest.raises(WorkerLostError, match="no sign of life") as caught:
            executor.submit(Do("hang")).result()
        assert executor.submit(Do("work")).result()[0] != pid
    assert caught.value.hung
    assert caught.value.sign.phase == 1
    assert caught.value.sign.values[:2] == (4.0, 2.5)
    assert not alive(pid)


def test_a_slow_worker_that_shows_life_is_left_alone():
    with ProcessExecutor(Counting(), workers=1, deadline_s=1.0) as executor:
        executor.submit(Do("work")).result()
        assert executor.submit(Do("slow but alive")).result()[1] == 2


def test_leaving_ends_workers_in_the_middle_of_their_tasks():
    with ProcessExecutor(Counting(), workers=2) as executor:
        pids = {executor.submit(Do("slow but alive")).result()[0] for _ in range(2)}
        executor.submit(Do("hang"))
        executor.submit(Do("hang"))
        time.sleep(0.5)
    assert not any(map(alive, pids))


PARENT = """
import sys
from test_executors import Counting, Do
from sim2real_bench.evaluation.execution.executors import ProcessExecutor
if __name__ == "__main__":
    with ProcessExecutor(Counting(), workers=1) as executor:
        print(executor.submit(Do("work")).result()[0], flush=True)
        executor.submit(Do("hang")).result()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_do_not_outlive_their_parent(tmp_path, number):
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    parent = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    try:
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.send_signal(number)
        parent.wait(30)
        wait_until(lambda: not alive(worker))
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
