"""The thread of the run's process that serves one worker of a cluster, wherever it is."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sim2real_bench.errors import ClusterError
from sim2real_bench.evaluation.cluster.crew import Crew
from sim2real_bench.evaluation.execution.executors import Job
from sim2real_bench.evaluation.execution.work import VALUES, LastSign, WorkerLostError

_LOG = logging.getLogger(__name__)
_POLL_S = 0.25
_ASK_EVERY_S = 10.0  # whether an actor at work still answers
_RETRY_S = 2.0
_CLOSE_S = 30.0


class Seat(threading.Thread):
    """Serves one worker, wherever it is."""

    def __init__(self, number: int, crew: Crew, jobs: queue.PriorityQueue[Job], stopping: threading.Event) -> None:
        super().__init__(name=f"worker-{number}", daemon=True)
        self._number, self._crew, self._ray = number, crew, crew.ray
        self._jobs, self._stopping = jobs, stopping
        self._actor: Any = None
        self._pulse: _Pulse | None = None
        self._place = ""

    def run(self) -> None:
        """Serve until the executor stops; tasks are taken only when there is a worker for them."""
        try:
            while not self._stopping.is_set():
                try:
                    if self._actor is None:
                        self._come_up()
                except ClusterError as error:
                    self._next_job(partial(_refuse, error))
                else:
                    self._next_job(self._serve)
        except _Stopped:
            pass
        finally:
            self._end()

    def _next_job(self, action: Callable[[Job], None]) -> None:
        try:
            job = self._jobs.get(timeout=_POLL_S)
        except queue.Empty:
            self._look_idly()
        else:
            if job.future.set_running_or_notify_cancel():
                action(job)

    def _look_idly(self) -> None:
        """An idle worker must hear that its run goes on, and one that is lost is replaced before it has a task."""
        try:
            if self._pulse is not None:
                self._pulse()
        except (self._ray.exceptions.RayError, _SilentError) as error:
            _LOG.info("the idle worker on %s was lost: %s", self._place, _first_line(error))
            self._forget()

    def _come_up(self) -> None:
        """Get a worker on some machine, however long it takes while others have theirs.

        Raises:
            ClusterError: the machine holds other software, or there is no machine left for any worker.
        """
        while True:
            actor = self._crew.new_actor()
            try:
                place, versions = self._answer(actor.place.remote(), self._crew.require_hope)
                self._crew.require_same(place, versions)
                self._answer(self._crew.opened(actor), self._crew.require_hope)
            except self._ray.exceptions.RayError as error:  # it died again, or never lived
                _LOG.info("a worker could not be placed: %s", _first_line(error))
                self._kill(actor)
                self._crew.require_hope()
                if self._stopping.wait(_RETRY_S):
                    raise _Stopped from None
            except BaseException:
                self._kill(actor)
                raise
            else:
                self._actor, self._place, self._pulse = actor, place, _Pulse(self._ray, actor, self._crew)
                self._crew.has_worker(self._number, True)
                return

    def _serve(self, job: Job) -> None:
        try:
            succeeded, answer = self._answer(self._actor.run.remote(job.task), self._pulse or self._crew.require_hope)
        except _Stopped:
            job.future.set_exception(_lost("the run was ended"))
            raise
        except (self._ray.exceptions.RayError, _SilentError) as error:
            job.future.set_exception(_lost(f"the worker on {self._place} was lost: {_first_line(error)}"))
            self._forget()
        except Exception as error:  # a task that cannot be sent: the future carries it to the caller
            job.future.set_exception(error)
        else:
            if succeeded:
                job.future.set_result(answer)
            else:
                job.future.set_exception(answer)

    def _answer(self, reference: Any, look: Callable[[], None]) -> Any:
        """What a call answered, looking around at every poll."""
        while not self._ray.wait([reference], timeout=_POLL_S)[0]:
            if self._stopping.is_set():
                raise _Stopped
            look()
        return self._ray.get(reference)

    def _forget(self) -> None:
        """The actor is not trusted any more; what it may still answer is not read."""
        actor, self._actor, self._pulse = self._actor, None, None
        self._crew.has_worker(self._number, False)
        self._kill(actor)

    def _kill(self, actor: Any) -> None:
        with contextlib.suppress(Exception):  # it may be dead, or its machine unreachable
            self._ray.kill(actor)

    def _end(self) -> None:
        """Let the worker close its simulator, then end the actor."""
        if self._actor is not None:
            with contextlib.suppress(Exception):
                self._ray.get(self._actor.close.remote(), timeout=_CLOSE_S)
            self._forget()


class _Pulse:
    """Asks an actor every few seconds whether it is there: a frozen process is not dead for Ray.

    The actor hears from it that its run goes on.
    """

    def __init__(self, ray: Any, actor: Any, crew: Crew) -> None:
        self._ray, self._actor, self._deadline_s = ray, actor, crew.deadline_s
        self._question: Any = None
        self._asked = time.monotonic()

    def __call__(self) -> None:
        """Ask, or look for the answer.

        Raises:
            RayError: it is dead.
            _SilentError: no answer within the deadline.
        """
        passed_s = time.monotonic() - self._asked
        if self._question is None:
            if passed_s > _ASK_EVERY_S:
                self._question, self._asked = self._actor.alive.remote(), time.monotonic()
        elif self._ray.wait([self._question], timeout=0)[0]:
            question, self._question, self._asked = self._question, None, time.monotonic()
            self._ray.get(question)
        elif passed_s > self._deadline_s:
            raise _SilentError(f"it did not answer within {passed_s:.0f} s")


class _Stopped(Exception):  # noqa: N818 - not an error
    """The executor was told to end."""


class _SilentError(Exception):
    """An actor does not answer."""


def _refuse(error: ClusterError, job: Job) -> None:
    job.future.set_exception(error)


def _lost(message: str) -> WorkerLostError:
    return WorkerLostError(message, False, LastSign(0, (0.0,) * VALUES, 0.0))


def _first_line(error: Exception) -> str:
    """What Ray says in its first and most telling lines, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if ":" not in line.split(" ")[0]]
    return " ".join(telling[:3])[:300] or type(error).__name__
