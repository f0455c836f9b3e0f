"""What the executor does with the slots that keep its workers' simulators, and whom it blames for silence."""

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass, field

import psutil
import pytest

from sim2real_bench.errors import ConfigurationError, SimulatorError
from sim2real_bench.evaluation.execution.executors import ProcessExecutor, WorkerLostError
from sim2real_bench.evaluation.execution.slots import Endpoint


class Remembering:
    """A worker's context that remembers where its simulator was."""

    def __init__(self, heartbeat):
        self.heartbeat, self.attached = heartbeat, []

    def attach(self, endpoint):
        self.attached.append((endpoint.port, endpoint.generation))


@dataclass(frozen=True)
class Setup:
    @contextlib.contextmanager
    def open(self, heartbeat):
        yield Remembering(heartbeat)


@dataclass(frozen=True)
class Do:
    what: str = "work"

    def run(self, context):
        if self.what == "lose the simulator":
            raise SimulatorError("it went away")
        if self.what == "wrong usage":
            raise ConfigurationError("no such town")
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "agent hangs":
            context.heartbeat.beat(1)
            time.sleep(3600)
        if self.what == "agent works":
            context.heartbeat.beat(1)
            end = time.process_time() + 1.5
            while time.process_time() < end:
                pass
        return "failed" if self.what == "failed result" else (os.getpid(), list(context.attached))

    def failed(self, result):
        return result == "failed"


@dataclass
class FakeSlot:
    """Answers with a new generation after every failed task, or fails to start."""

    errors: list = field(default_factory=list)
    finishes: list = field(default_factory=list)
    generation: int = 1
    closed: threading.Event = field(default_factory=threading.Event)
    waits: bool = False
    ready_in: threading.Event = field(default_factory=threading.Event)

    def ready(self):
        self.ready_in.set()
        if self.waits:
            self.closed.wait(60)
        if self.closed.is_set():
            raise SimulatorError("closed")
        if self.errors:
            raise self.errors.pop(0)
        return Endpoint("127.0.0.1", 2000, self.generation)

    def finished(self, failed):
        self.finishes.append(failed)
        self.generation += failed

    def close(self):
        self.closed.set()


@dataclass
class Keeper:
    slots: dict = field(default_factory=dict)
    made: type = FakeSlot
    waits: bool = False

    def slot(self, number):
        self.slots[number] = FakeSlot(waits=self.waits)
        return self.slots[number]


def test_the_worker_is_told_where_its_simulator_is_and_the_slot_how_it_went():
    keeper = Keeper()
    with ProcessExecutor(Setup(), 1, keeper=keeper) as executor:
        slot = keeper.slots[0]
        _, first = executor.submit(Do()).result()
        assert first == [(2000, 1)]
        assert executor.submit(Do("failed result")).result() == "failed"
        with pytest.raises(SimulatorError, match="went away"):
            executor.submit(Do("lose the simulator")).result()
        with pytest.raises(ConfigurationError, match="no such town"):
            executor.submit(Do("wrong usage")).result()
        pid, attached = executor.submit(Do()).result()
        assert [generation for _, generation in attached] == [1, 1, 2, 3, 3]
        with pytest.raises(WorkerLostError, match="SIGKILL"):
            executor.submit(Do("kill")).result()
        other, attached = executor.submit(Do()).result()
    assert other != pid
    assert attached == [(2000, 4)]
    assert slot.finishes == [False, True, True, False, False, True, False]
    assert slot.closed.is_set()


def test_a_simulator_that_does_not_start_fails_the_task_and_not_the_worker():
    keeper = Keeper()
    with ProcessExecutor(Setup(), 1, keeper=keeper) as executor:
        pid, _ = executor.submit(Do()).result()
        keeper.slots[0].errors = [SimulatorError("no GPU"), ConfigurationError("no such program")]
        with pytest.raises(SimulatorError, match="no GPU"):
            executor.submit(Do()).result()
        with pytest.raises(ConfigurationError, match="no such program"):
            executor.submit(Do()).result()
        assert executor.submit(Do()).result()[0] == pid
        assert keeper.slots[0].finishes == [False, False]


def test_leaving_does_not_wait_for_a_simulator_that_starts():
    keeper = Keeper(waits=True)
    with ProcessExecutor(Setup(), 1, keeper=keeper) as executor:
        waiting, queued = executor.submit(Do()), executor.submit(Do())
        assert keeper.slots[0].ready_in.wait(30)
    with pytest.raises(SimulatorError, match="closed"):
        waiting.result(timeout=0)
    assert queued.cancelled()


def test_cancelled_tasks_are_not_done():
    with ProcessExecutor(Setup(), 1) as executor:
        first, second, third = (executor.submit(Do()) for _ in range(3))
        assert second.cancel()
        assert first.result() and third.result()
        assert second.cancelled()


def process_of(executor):
    return psutil.Process(executor.submit(Do()).result()[0])


def test_an_agent_that_sleeps_through_its_deadline_hangs():
    with ProcessExecutor(Setup(), 1, deadline_s=3.0) as executor:
        process_of(executor)
        with pytest.raises(WorkerLostError, match="no sign of life") as caught:
            executor.submit(Do("agent hangs")).result()
    assert (caught.value.hung, caught.value.sign.phase, caught.value.exit_status) == (True, 1, None)


def test_a_worker_that_is_stopped_for_longer_than_its_deadline_goes_on_afterwards():
    with ProcessExecutor(Setup(), 1, deadline_s=3.0) as executor:
        worker = process_of(executor)
        future = executor.submit(Do("agent works"))
        time.sleep(1.0)
        worker.suspend()
        time.sleep(5.0)
        worker.resume()
        assert future.result()[0] == worker.pid


def test_a_worker_that_never_gets_to_run_is_not_the_agents_fault():
    with ProcessExecutor(Setup(), 1, deadline_s=2.1) as executor:
        worker = process_of(executor)
        future = executor.submit(Do("agent hangs"))
        time.sleep(0.5)
        worker.suspend()
        with pytest.raises(WorkerLostError, match="most of that time it was stopped") as caught:
            future.result()
    assert not caught.value.hung
    assert not psutil.pid_exists(worker.pid)
