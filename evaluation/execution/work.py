"""What a run, its executor and its workers say to each other: tasks, signs of life, and how a worker was lost.

The interface is that of ``concurrent.futures``: ``submit`` answers with a future, leaving the context ends everything.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from sim2real_bench.errors import SimulatorError
from sim2real_bench.evaluation.execution.slots import Endpoint

VALUES = 4

Context = TypeVar("Context")
Result = TypeVar("Result")
Context_co = TypeVar("Context_co", covariant=True)
Context_contra = TypeVar("Context_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True)
class LastSign:
    """What a worker said last before it was lost.

    Attributes:
        phase: the task's own number for what it was doing.
        values: the task's own numbers of how far it was.
        silent_s: seconds since then.
    """

    phase: int
    values: tuple[float, ...]
    silent_s: float


class WorkerLostError(SimulatorError):
    """A worker process died or hung; its task has no result.

    Attributes:
        hung: it gave no sign of life within the deadline although the machine let it run.
        sign: the last sign of life.
        exit_status: what it ended with, negative for the number of a signal, None if it had to be ended.
    """

    def __init__(self, message: str, hung: bool, sign: LastSign, exit_status: int | None = None) -> None:
        super().__init__(message)
        self.hung = hung
        self.sign = sign
        self.exit_status = exit_status

    def __reduce__(self) -> tuple[Any, ...]:
        """Arrive complete in another process."""
        return type(self), (str(self), self.hung, self.sign, self.exit_status)


class Heartbeat:
    """Signs of life in memory shared by a worker and the process that watches it."""

    def __init__(self, context: SpawnContext) -> None:
        self._cells = context.RawArray("d", 2 + VALUES)

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


class Attachable(Protocol):
    """A worker's context whose simulator is kept by a slot."""

    def attach(self, endpoint: Endpoint) -> None:
        """Told before every task where the simulator answers; a new generation is another simulator."""


class Setup(Protocol[Result_co]):
    """Describes, in a form that can be sent to another process, what a worker keeps between tasks.

    Where simulators are kept by slots, the context is ``Attachable``.
    """

    def open(self, heartbeat: Heartbeat) -> contextlib.AbstractContextManager[Result_co]:
        """Called once in the worker, before its first task."""


class Task(Protocol[Context_contra, Result]):
    """One piece of work; sent to a worker, so its fields are plain data."""

    def run(self, context: Context_contra) -> Result:
        """Do it; runs in the worker."""

    def failed(self, result: Result) -> bool:
        """Whether this result says that the simulator failed; a slot then replaces it."""


class Executor(Protocol[Context_co]):
    """Runs tasks in worker processes, wherever they are."""

    def __enter__(self) -> Self:
        """Start."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As ``shutdown``."""

    def submit(self, task: Task[Context_co, Result], order: int = 0) -> Future[Result]:
        """Queue a task; tasks of a lower order run first.

        The future gets the result, the error the task raised, a ``WorkerLostError``, or the error of a simulator that
        could not be started.
        """

    def shutdown(self) -> None:
        """End all workers and their simulators, also those at work; returns when they are gone. Safe twice."""
