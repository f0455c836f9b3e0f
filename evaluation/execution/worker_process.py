"""One worker process, seen from both sides: the program it runs, and the handle of whoever watches it.

A worker is ended when it is silent for longer than its deadline. The time counts only while the machine would have let
it run: not while it or its watcher is stopped (Ctrl-Z, a suspended machine), waits for a disk or a network file system,
or is ready to run but gets no processor. Who is to blame for a silence depends on it.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

import psutil

from sim2real_bench.errors import Sim2RealError, SimulatorError
from sim2real_bench.evaluation.execution.slots import Endpoint
from sim2real_bench.evaluation.execution.work import VALUES, Heartbeat, LastSign, Setup, Task, WorkerLostError

_LOG = logging.getLogger(__name__)
_POLL_S = 0.25
_LOOK_AFTER_S = 2.0  # a worker silent for less is not looked at
_STARVED_FACTOR = 3.0  # a worker that could not run at all is given up after so many deadlines
_GRACE_S = 8.0
_STARTUP_S = 180.0  # a new process imports its libraries, on a busy machine, before it takes a task
# Libraries that start one thread per core each; read when they are loaded, so set before a worker imports anything.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS")
_HELD_UP = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_DISK_SLEEP)


class WorkerProcess:
    """One process and the watcher's end of its pipe.

    Args:
        setup: what it keeps between tasks.
        threads: for numerical libraries.
    """

    def __init__(self, setup: Setup[Any], threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._heartbeat = Heartbeat(context)
        self._heartbeat.beat()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_worker_main, args=(theirs, setup, self._heartbeat, threads), name="sim2real-bench-worker"
        )
        try:
            self._process.start()
        except OSError as error:  # out of memory, processes or files
            raise SimulatorError(f"cannot start a worker process: {error}; use fewer --workers") from error
        theirs.close()
        self._ready = False

    def ask(
        self, task: Task[Any, Any], endpoint: Endpoint | None, deadline_s: float, stopping: threading.Event
    ) -> tuple[bool, Any]:
        """Send a task and wait for its answer: (True, result) or (False, exception).

        Raises:
            WorkerLostError: the process is no more, or must be ended now.
        """
        if not self._ready:
            self._answer(_STARTUP_S, stopping)
            self._ready = True
        self._heartbeat.beat(values=(0.0,) * VALUES)
        try:
            self._pipe.send((task, endpoint))
        except (BrokenPipeError, ConnectionResetError):
            raise self._lost() from None
        return self._answer(deadline_s, stopping)

    def _answer(self, deadline_s: float, stopping: threading.Event) -> tuple[bool, Any]:
        silence = _Silence(self._process.pid)
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
            silence.look(sign)
            if silence.able_s > deadline_s or sign.silent_s > _STARVED_FACTOR * deadline_s:
                raise self._silent(sign, silence.able_s > deadline_s)
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
                self._continue()
                self._process.join(patience_s)

    def _continue(self) -> None:
        """A process that somebody stopped would not notice that it is to end."""
        if self._process.pid is not None and self._process.exitcode is None:
            os.kill(self._process.pid, signal.SIGCONT)

    def _silent(self, sign: LastSign, able: bool) -> WorkerLostError:
        message = f"worker {self._process.pid} gave no sign of life for {sign.silent_s:.0f} s and was ended"
        if not able:
            message += "; most of that time it was stopped, or waited for a disk or a processor"
        return WorkerLostError(message, able, sign)

    def _lost(self) -> WorkerLostError:
        self._process.join(_GRACE_S)
        code = self._process.exitcode
        how = f"was killed by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with {code}"
        return WorkerLostError(f"worker {self._process.pid} {how}", False, self._heartbeat.last(), code)


class _Silence:
    """How long a worker has been silent although it could have run.

    Attributes:
        able_s: seconds.
    """

    def __init__(self, pid: int | None) -> None:
        self.able_s = 0.0
        self._pid = pid
        self._looked = time.monotonic()
        self._used_s: float | None = None

    def look(self, sign: LastSign) -> None:
        """Count the time since the last look; to be called at every poll."""
        now = time.monotonic()
        # A watcher that was itself held up for longer has not watched.
        passed_s, self._looked = min(now - self._looked, 2 * _POLL_S), now
        if sign.silent_s < _LOOK_AFTER_S:
            self.able_s, self._used_s = sign.silent_s, None
        else:
            self.able_s += self._able_part(passed_s)

    def _able_part(self, passed_s: float) -> float:
        try:
            process = psutil.Process(self._pid)
            state, times = process.status(), process.cpu_times()
        except psutil.Error:  # it has just ended: the sentinel tells
            return passed_s
        used_s, before = times.user + times.system, self._used_s
        self._used_s = used_s
        if state in _HELD_UP:
            return 0.0
        if state == psutil.STATUS_RUNNING and before is not None:
            return min(passed_s, used_s - before)
        return passed_s


class _Terminated(BaseException):
    """SIGTERM in a worker; no agent can mistake it for an error of its own."""


def _worker_main(pipe: Connection, setup: Setup[Any], heartbeat: Heartbeat, threads: int) -> None:
    """The program of a worker process."""
    for name in _THREAD_VARIABLES:
        os.environ.setdefault(name, str(threads))
    for number in (signal.SIGINT, signal.SIGHUP):  # of a terminal: for the runner, which ends this process in order
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminated)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        with setup.open(heartbeat) as context:
            pipe.send((True, "ready"))
            for task, endpoint in _tasks(pipe):
                pipe.send(_done(task, endpoint, context))
    except _Terminated:  # its simulator is closed; now end by the signal, not by an exit of anybody's choice
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _done(task: Task[Any, Any], endpoint: Endpoint | None, context: Any) -> tuple[bool, Any]:
    try:
        if endpoint is not None:
            context.attach(endpoint)
        return True, task.run(context)
    except Exception as error:  # travels to the watcher, which decides
        return False, _sendable(error)


def _tasks(pipe: Connection) -> Iterator[tuple[Task[Any, Any], Endpoint | None]]:
    with contextlib.suppress(EOFError, ConnectionResetError):
        while True:
            yield pipe.recv()


def _terminated(number: int, frame: FrameType | None) -> None:
    raise _Terminated


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
