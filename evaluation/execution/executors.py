"""Workers on one machine: spawned processes that live as long as the run, each watched from outside.

One thread of this process serves one worker process and, where simulators are kept by slots, its slot: it gives the
worker one task at a time, told where the simulator answers, and ends a worker that shows no sign of life for too long.
A worker that died is replaced, and the future of its task gets a ``WorkerLostError``.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self

from sim2real_bench.errors import SimulatorError
from sim2real_bench.evaluation.execution.slots import Endpoint, SimulatorSlot, SlotKeeper
from sim2real_bench.evaluation.execution.work import (
    Context,
    Executor,
    Heartbeat,
    LastSign,
    Result,
    Setup,
    Task,
    WorkerLostError,
)
from sim2real_bench.evaluation.execution.worker_process import WorkerProcess
from sim2real_bench.evaluation.settings import RunSettings

__all__ = [
    "Executor",
    "Heartbeat",
    "Job",
    "LastSign",
    "ProcessExecutor",
    "QueuedExecutor",
    "Setup",
    "Task",
    "WorkerLostError",
    "open_executor",
]

_POLL_S = 0.25


def open_executor(settings: RunSettings, setup: Setup[Context]) -> Executor[Context]:
    """The executor that the settings name, not yet started."""
    if settings.executor == "ray":
        from sim2real_bench.evaluation.cluster.executor import RayExecutor

        return RayExecutor(setup, settings.workers, settings.deadline_s, settings.keeper, settings.ray)
    return ProcessExecutor(setup, settings.workers, settings.deadline_s, settings.keeper)


@dataclass(order=True)
class Job:
    """A task in the queue and the future that its caller holds."""

    order: tuple[int, int]
    task: Any
    future: Any


class QueuedExecutor(Generic[Context]):
    """The queue of an executor: tasks of a lower order first, those of one order as they came."""

    def __init__(self) -> None:
        self._jobs: queue.PriorityQueue[Job] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._stopping = threading.Event()

    def submit(self, task: Task[Context, Result], order: int = 0) -> Future[Result]:
        """Queue a task; tasks of a lower order run first."""
        future: Future[Result] = Future()
        self._jobs.put(Job((order, next(self._numbers)), task, future))
        return future

    def _cancel_rest(self) -> None:
        """Nobody will begin what is still queued."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait().future.cancel()


class ProcessExecutor(QueuedExecutor[Context]):
    """Runs tasks in ``workers`` spawned processes.

    Args:
        setup: what each worker keeps; anything that can be pickled.
        workers: processes.
        deadline_s: a worker silent for longer while it has a task is ended.
        keeper: keeps one simulator for each worker; None: the workers see to their simulators themselves.
        threads: of a worker's numerical libraries, where the environment does not say; None: an equal share of the
            cores.
    """

    def __init__(
        self,
        setup: Setup[Context],
        workers: int,
        deadline_s: float = 240.0,
        keeper: SlotKeeper | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__()
        share = threads or max(1, (os.cpu_count() or 1) // workers)
        self._seats = [
            _Seat(number, setup, share, deadline_s, keeper, self._jobs, self._stopping) for number in range(workers)
        ]

    def __enter__(self) -> Self:
        for seat in self._seats:
            seat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def shutdown(self) -> None:
        """End all workers and their simulators, also those at work; returns when they are gone. Safe twice.

        Tasks that nobody began are cancelled.
        """
        self._stopping.set()
        for seat in self._seats:
            seat.stop_waiting()
        for seat in self._seats:
            if seat.ident is not None:
                seat.join()
        self._cancel_rest()


class _Seat(threading.Thread):
    """Serves one worker and its simulator."""

    def __init__(
        self,
        number: int,
        setup: Setup[Any],
        threads: int,
        deadline_s: float,
        keeper: SlotKeeper | None,
        jobs: queue.PriorityQueue[Job],
        stopping: threading.Event,
    ) -> None:
        super().__init__(name=f"worker-{number}", daemon=True)
        self._setup, self._threads, self._deadline_s = setup, threads, deadline_s
        self._jobs, self._stopping = jobs, stopping
        self._slot: SimulatorSlot | None = keeper.slot(number) if keeper is not None else None
        self._waiting = False  # for a simulator
        self._worker: WorkerProcess | None = None

    def run(self) -> None:
        """Serve until the executor stops."""
        try:
            while not self._stopping.is_set():
                try:
                    job = self._jobs.get(timeout=_POLL_S)
                except queue.Empty:
                    continue
                if job.future.set_running_or_notify_cancel():
                    self._serve(job)
        finally:
            self._end_worker(patient=True)  # before its simulator: it takes its actors along
            if self._slot is not None:
                self._slot.close()

    def stop_waiting(self) -> None:
        """From another thread: a simulator that is just being started is not waited for."""
        if self._waiting and self._slot is not None:
            self._slot.close()

    def _serve(self, job: Job) -> None:
        try:
            succeeded, answer = self._asked(job.task)
        except Exception as error:  # whatever it is, the future carries it to the caller
            job.future.set_exception(error)
        else:
            if succeeded:
                job.future.set_result(answer)
            else:
                job.future.set_exception(answer)

    def _asked(self, task: Any) -> tuple[bool, Any]:
        """The answer of the worker; its slot is told whether the simulator can still be trusted."""
        if self._worker is None:
            self._worker = WorkerProcess(self._setup, self._threads)  # imports while the simulator starts
        endpoint = self._endpoint()
        failed = True
        try:
            succeeded, answer = self._worker.ask(task, endpoint, self._deadline_s, self._stopping)
            failed = task.failed(answer) if succeeded else isinstance(answer, SimulatorError)
            return succeeded, answer
        except Exception:  # lost, or a task that cannot be sent: the process cannot be used any more
            self._end_worker(patient=False)
            raise
        finally:
            if self._slot is not None:
                self._slot.finished(failed)

    def _endpoint(self) -> Endpoint | None:
        if self._slot is None:
            return None
        self._waiting = True
        try:
            if self._stopping.is_set():  # it may have been set before anybody could see that this thread waits
                raise SimulatorError("the run was ended")
            return self._slot.ready()
        finally:
            self._waiting = False

    def _end_worker(self, patient: bool) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end(patient)
