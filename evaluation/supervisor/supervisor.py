"""Keeps one simulator alive and trusted: started, checked, replaced, and ended with everything that came from it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from sim2real_bench.envs.health import Health
from sim2real_bench.errors import ConnectionLostError, SimulatorError
from sim2real_bench.evaluation.execution.slots import Endpoint
from sim2real_bench.evaluation.supervisor import call_process
from sim2real_bench.evaluation.supervisor.calls import CallProcess
from sim2real_bench.evaluation.supervisor.launch import Launch
from sim2real_bench.evaluation.supervisor.policy import Policy, StartAttempt
from sim2real_bench.evaluation.supervisor.simulator import HOST, SimulatorProcess

_LOG = logging.getLogger(__name__)
_TICKS = 5  # of which the fastest counts


class Supervisor:
    """One simulator at a time, for one client at a time; a context manager that leaves nothing behind.

    Nothing is started before the first ``ready``. Between two tasks ``ready`` checks the simulator and replaces it when
    it ended, failed, does not answer, holds too much memory, became slow, or did as many tasks as it should.

    Args:
        launch: what to start.
        policy: the limits.

    Attributes:
        attempts: every start that was tried, in order.
    """

    def __init__(self, launch: Launch, policy: Policy | None = None) -> None:
        self._launch = launch.in_slot(0)  # as it is where a keeper filled in the number
        self._policy = policy or Policy()
        self._calls = CallProcess()
        self._closing = threading.Event()
        self._busy = threading.RLock()
        self._simulator: SimulatorProcess | None = None
        self._generation = 0
        self._tasks = 0
        self._doubt = ""
        self._rates: dict[tuple[str, ...], float] = {}
        self.attempts: tuple[StartAttempt, ...] = ()

    def ready(self) -> Endpoint:
        """A simulator that answers: started, checked or replaced first if need be.

        Raises:
            SimulatorError: none could be started within the policy's attempts, or the supervisor was closed.
            Sim2RealError: none ever will be: wrong version, no such program, missing client library.
        """
        with self._busy:
            self._interrupted()
            reason = self._reason_to_replace()
            if reason:
                self._replace(reason)
            assert self._simulator is not None
            return Endpoint(HOST, self._simulator.port, self._generation)

    def finished(self, failed: bool = False) -> None:
        """A task on the simulator ended; after a failed one the simulator is not trusted any more."""
        self._tasks += 1
        if failed:
            self._doubt = "a task on it failed"

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What ``function(host, port, *arguments)`` answers, called in another process that is killed when it is late.

        Args:
            function: importable from a module; it should close what it opens.
            arguments: plain data.

        Raises:
            StepTimeoutError: no answer within the policy's ``call_timeout_s``; the simulator is then not trusted.
            ConnectionLostError: that process, or the simulator, died meanwhile.
            Exception: whatever the function raised.
        """
        with self._busy:
            endpoint = self.ready()
            try:
                return self._calls.call(
                    function, endpoint.host, endpoint.port, *arguments,
                    timeout_s=self._policy.call_timeout_s, interrupted=self._interrupted_or_ended,
                )  # fmt: skip
            except SimulatorError as error:
                self._doubt = f"a call on it failed: {error}"
                raise

    def close(self) -> None:
        """End the simulator and give back its ports; safe twice and from any thread (a waiting ``ready`` gives up)."""
        self._closing.set()
        with self._busy:
            self._end()
            self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- between two tasks ---------------------------------------------------------------------------------------

    def _reason_to_replace(self) -> str:
        """Why the simulator cannot be used as it is; "" if it can."""
        policy, simulator = self._policy, self._simulator
        if simulator is None:
            return "it is the first" if not self.attempts else "the last one could not be started"
        ended = simulator.ended()
        if ended:
            return ended
        if self._doubt:
            return self._doubt
        if self._tasks == 0:
            return ""  # it was checked when it started
        if policy.recycle_after is not None and self._tasks >= policy.recycle_after:
            return f"it did {self._tasks} tasks"
        return self._unhealthy(simulator)

    def _unhealthy(self, simulator: SimulatorProcess) -> str:
        limit = self._policy.memory_limit_mib
        try:
            if limit is not None and (memory := simulator.memory_mib()) > limit:
                return f"it holds {memory:.0f} MiB, more than {limit:g}"
            if self._policy.slow_fraction is None:
                self._probe(simulator, frame=False, ticks=0)
                return ""
            return self._slow(self._probe(simulator, frame=False, ticks=_TICKS), self._policy.slow_fraction)
        except SimulatorError as error:
            self._interrupted()
            return f"it does not answer: {error}"

    def _slow(self, health: Health, fraction: float) -> str:
        """Compared with the first rate under the same sensors: they are part of a tick's work."""
        if not health.ticks_per_s:
            return ""  # it was not a time to tick
        first = self._rates.setdefault(health.sensors, health.ticks_per_s)
        if health.ticks_per_s >= fraction * first:
            return ""
        return f"it makes {health.ticks_per_s:.3g} ticks/s, less than {fraction:g} of the {first:.3g} at first"

    # -- starting and ending -------------------------------------------------------------------------------------

    def _replace(self, reason: str) -> None:
        """End the old one and start a new one; the number of attempts is bounded, and no score is ever looked at."""
        if self._simulator is not None:
            _LOG.info("%s is replaced: %s", self._launch.name, reason)
        self._end()
        for number in range(1, self._policy.start_attempts + 1):
            self._closing.wait(self._policy.pause_s(number))
            self._interrupted()
            attempt = self._attempt(reason)
            if not attempt.error:
                return
            _LOG.warning(
                "%s, start %d of %d failed: %s", self._launch.name, number, self._policy.start_attempts, attempt.error
            )
            reason = "the last one could not be started"
        excerpt = f". The end of its log:\n{attempt.log_tail}" if attempt.log_tail else ""
        raise SimulatorError(
            f"{self._launch.name} did not start in {self._policy.start_attempts} attempts, the last: "
            f"{attempt.error}{excerpt}"
        )

    def _attempt(self, reason: str) -> StartAttempt:
        """Try one start; recorded whatever comes of it, also an error that ends everything."""
        record = _Record(len(self.attempts) + 1, reason)
        try:
            self._calls.start()  # imports its libraries while the simulator starts
            self._simulator = SimulatorProcess(self._launch, self._policy, self._interrupted)
            record.port = self._simulator.port
            record.health = self._probe(self._simulator, frame=True, ticks=_TICKS)
        except BaseException as error:
            record.error = f"{type(error).__name__}: {error}"
            record.log_tail = self._end()
            if not isinstance(error, SimulatorError) or self._closing.is_set():
                raise
        else:
            self._generation += 1
            self._rates = {record.health.sensors: record.health.ticks_per_s}
        finally:
            attempt = record.finished()
            self.attempts += (attempt,)
        return attempt

    def _probe(self, simulator: SimulatorProcess, frame: bool, ticks: int) -> Health:
        policy = self._policy
        first_timeout_s = policy.start_timeout_s if frame else policy.call_timeout_s
        limits = {
            "frame": frame, "ticks": ticks, "start_timeout_s": first_timeout_s, "timeout_s": policy.call_timeout_s
        }  # fmt: skip
        try:
            health: Health = self._calls.call(
                call_process.probe, self._launch.probe, HOST, simulator.port, limits, self._launch.expects,
                timeout_s=policy.call_timeout_s, first_timeout_s=first_timeout_s,
                interrupted=self._interrupted_or_ended,
            )  # fmt: skip
        except OSError as error:  # of a probe that uses sockets itself
            raise ConnectionLostError(f"{self._launch.name} at {HOST}:{simulator.port}: {error}") from error
        return health

    def _interrupted(self) -> None:
        if self._closing.is_set():
            raise SimulatorError(f"the supervisor of {self._launch.name} was closed")

    def _interrupted_or_ended(self) -> None:
        self._interrupted()
        ended = self._simulator.ended() if self._simulator is not None else None
        if ended:
            raise ConnectionLostError(f"{self._launch.name}: {ended}")

    def _end(self) -> str:
        """End the simulator; returns the end of its log."""
        simulator, self._simulator = self._simulator, None
        self._tasks, self._doubt = 0, ""
        if simulator is None:
            return ""
        complaint = simulator.close()
        if complaint:
            _LOG.error("%s: %s", self._launch.name, complaint)
        return simulator.log_tail()


@dataclass
class _Record:
    """A start attempt while it is made."""

    number: int
    reason: str
    port: int = 0
    health: Health = field(default_factory=lambda: Health(""))
    error: str = ""
    log_tail: str = ""

    def __post_init__(self) -> None:
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()

    def finished(self) -> StartAttempt:
        seconds = round(time.monotonic() - self._started, 3)
        return StartAttempt(
            self.number, self.reason, self._started_at.isoformat(timespec="seconds"), seconds, self.port,
            self.health.version, round(self.health.ticks_per_s, 3), self.error, self.log_tail,
        )  # fmt: skip


@dataclass(frozen=True)
class SupervisorKeeper:
    """Makes a supervisor for each slot of an executor; plain data, so that it can be used on another machine.

    Attributes:
        launch: what each slot starts.
        policy: the limits of each.
    """

    launch: Launch
    policy: Policy = field(default_factory=Policy)

    def slot(self, number: int) -> Supervisor:
        """The supervisor of a slot; nothing is started yet."""
        return Supervisor(self.launch.in_slot(number), self.policy)
