"""Workers on one machine: spawned processes that live as long as the run, each watched from outside.

The interface is that of ``concurrent.futures``: ``submit`` answers with a future, leaving the context ends everything.
One thread of this process serves one worker process: it gives it one task at a time and ends it when it shows no sign
of life for too long. A worker that died is replaced, and the future of its task gets a ``WorkerLostError``.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import FrameType, TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from sim2real_bench.errors import Sim2RealError, SimulatorError

_LOG = logging.getLogger(__name__)
_POLL_S = 0.25
_GRACE_S = 8.0
_STARTUP_S = 180.0  # a new process imports its libraries, on a busy machine, before it takes a task
_VALUES = 4
# Libraries that start one thread per core each; read when they are loaded, so set before a worker imports anything.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS")

Context = TypeVar("Context")
Result = TypeVar("Result")
Context_contra = TypeVar("Context_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True)
class LastSign:
    """What a worker said last before it was lost.

    Attributes:
        phase: the task's own number for what it was doing.
        values: the task's own numbers of how far it was.
        silent_s: seconds since then, when the worker was given up.
    """

    phase: int
    values: tuple[float, ...]
    silent_s: float


class WorkerLostError(SimulatorError):
    """A worker process died or hung; its task has no result.

    Attributes:
        hung: it was alive but gave no sign of life within the deadline.
        sign: the last sign of life.
    """

    def __init__(self, message: str, hung: bool, sign: LastSign) -> None:
        super().__init__(message)
        self.hung = hung
        self.sign = sign


class Heartbeat:
    """Signs of life in memory shared by a worker and this process."""

    def __init__(self, context: multiprocessing.context.SpawnContext) -> None:
        self._cells = context.RawArray("d", 2 + _VALUES)

    def beat(self, phase: int = 0, values: Sequence[float] = ()) -> None:
        """Say that something was achieved, what comes next, and up to four numbers."""
        self._cells[1] = phase
        for place, value in enumerate(values, start=2):
            self._cells[place] = value
        self._cells[0] = time.monotonic()

    def last(self) -> LastSign:
        """What was said last."""
        cells = list(self._cells)
        return LastSign(int(cells[1]), tuple(cells[2:]), time.monotonic() - cells[0])


class Setup(Protocol[Result_co]):
    """Describes, in a form that can be sent to another process, what a worker keeps between tasks."""

    def open(self, heartbeat: Heartbeat) -> contextlib.AbstractContextManager[Result_co]:
        """Called once in the worker, before its first task."""


class Task(Protocol[Context_contra, Result_co]):
    """One piece of work; sent to a worker, so its fields are plain data."""

    def run(self, context: Context_contra) -> Result_co:
        """Do it; runs in the worker."""


@dataclass(order=True)
class _Job:
    order: tuple[int, int]
    task: Any
    future: Any


class ProcessExecutor(Generic[Context]):
    """Runs tasks in ``workers`` spawned processes.

    Args:
        setup: what each worker keeps; anything that can be pickled.
        workers: processes.
        deadline_s: a worker silent for longer while it has a task is ended.
    """

    def __init__(self, setup: Setup[Context], workers: int, deadline_s: float = 240.0) -> None:
        self._setup = setup
        self._workers = workers
        self._deadline_s = deadline_s
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._serve, name=f"worker-{i}", daemon=True) for i in range(workers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def submit(self, task: Task[Context, Result], order: int = 0) -> Future[Result]:
        """Queue a task; tasks of a lower order run first."""
        future: Future[Result] = Future()
        self._jobs.put(_Job((order, next(self._numbers)), task, future))
        return future

    def shutdown(self) -> None:
        """End all workers and their simulators, also those at work; returns when they are gone. Safe twice."""
        self._stopping.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _serve(self) -> None:
        worker: _Worker | None = None
        try:
            while not self._stopping.is_set():
                try:
                    job = self._jobs.get(timeout=_POLL_S)
                except queue.Empty:
                    continue
                if worker is None:
                    worker = _Worker(self._setup, max(1, (os.cpu_count() or 1) // self._workers))
                if not self._work(worker, job):
                    worker.end(patient=False)
                    worker = None
        finally:
            if worker is not None:
                worker.end(patient=True)

    def _work(self, worker: _Worker, job: _Job) -> bool:
        """Run one job; False if the worker cannot be used any more."""
        try:
            succeeded, answer = worker.ask(job.task, self._deadline_s, self._stopping)
        except Exception as error:  # lost worker, or a task that cannot be sent: the future carries it to the caller
            job.future.set_exception(error)
            return False
        if succeeded:
            job.future.set_result(answer)
        else:
            job.future.set_exception(answer)
        return True


class _Worker:
    """One process and this side's end of its pipe."""

    def __init__(self, setup: Any, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._heartbeat = Heartbeat(context)
        self._heartbeat.beat()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_worker_main, args=(theirs, setup, self._heartbeat, threads), name="sim2real-bench-worker"
        )
        self._process.start()
        theirs.close()
        self._ready = False

    def ask(self, task: Any, deadline_s: float, stopping: threading.Event) -> tuple[bool, Any]:
        """Send a task and wait for its answer: (True, result) or (False, exception)."""
        if not self._ready:
            self._answer(_STARTUP_S, stopping)
            self._ready = True
        self._heartbeat.beat(values=(0.0,) * _VALUES)
        try:
            self._pipe.send(task)
        except (BrokenPipeError, ConnectionResetError):
            raise self._lost() from None
        return self._answer(deadline_s, stopping)

    def _answer(self, deadline_s: float, stopping: threading.Event) -> tuple[bool, Any]:
        while not stopping.is_set():
            # A worker may answer and die at once: the pipe is read first, then the death noticed.
            ready = wait([self._pipe, self._process.sentinel], timeout=_POLL_S)
            if self._pipe in ready:
                try:
                    answer: tuple[bool, Any] = self._pipe.recv()
                except (EOFError, ConnectionResetError):
                    raise self._lost() from None
                return answer
            if ready:
                raise self._lost()
            sign = self._heartbeat.last()
            if sign.silent_s > deadline_s:
                message = f"worker {self._process.pid} gave no sign of life for {sign.silent_s:.0f} s and was ended"
                raise WorkerLostError(message, True, sign)
        raise WorkerLostError("the run was ended", False, self._heartbeat.last())

    def end(self, patient: bool) -> None:
        """Ask the process to end, then terminate it, then kill it."""
        with contextlib.suppress(OSError):
            self._pipe.close()  # an idle worker sees the end of the pipe and closes its simulator
        if patient:
            self._process.join(_GRACE_S)
        for stop, patience_s in ((self._process.terminate, _GRACE_S), (self._process.kill, _GRACE_S)):
            if self._process.exitcode is None:
                stop()
                self._process.join(patience_s)

    def _lost(self) -> WorkerLostError:
        self._process.join(_GRACE_S)
        code = self._process.exitcode
        how = f"was killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with {code}"
        return WorkerLostError(f"worker {self._process.pid} {how}", False, self._heartbeat.last())


def _worker_main(pipe: Connection, setup: Setup[Any], heartbeat: Heartbeat, threads: int) -> None:
    """The program of a worker process."""
    for name in _THREAD_VARIABLES:
        os.environ.setdefault(name, str(threads))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process in order
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with setup.open(heartbeat) as context:
        pipe.send((True, "ready"))
        for task in _tasks(pipe):
            try:
                answer = (True, task.run(context))
            except Exception as error:  # travels to the parent, which decides
                answer = (False, _sendable(error))
            pipe.send(answer)


def _tasks(pipe: Connection) -> Iterator[Task[Any, Any]]:
    with contextlib.suppress(EOFError, ConnectionResetError):
        while True:
            yield pipe.recv()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # the main thread may sit in a call that never returns


def _sendable(error: Exception) -> Exception:
    """Our own errors as they are; others, which may not survive pickling, as text with their type."""
    if isinstance(error, Sim2RealError) and type(error).__reduce__ is BaseException.__reduce__:
        return error
    _LOG.error("a task failed unexpectedly", exc_info=error)
    return Sim2RealError(f"{type(error).__name__}: {error}")
