"""One simulator process under its guardian, as its owner sees it."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from sim2real_bench.errors import ConfigurationError, SimulatorError, StartupTimeoutError
from sim2real_bench.evaluation.supervisor.launch import Launch
from sim2real_bench.evaluation.supervisor.leases import REMOVAL_TIMEOUT_S, lease_folder, sweep
from sim2real_bench.evaluation.supervisor.orders import (
    Answer,
    Ended,
    Failed,
    Order,
    Started,
    answer_of,
    filled,
    log_tail,
    packed,
)
from sim2real_bench.evaluation.supervisor.policy import Policy

HOST = "127.0.0.1"
_MODULE = "sim2real_bench.evaluation.supervisor"
_POLL_S = 0.1
_GUARDIAN_END_S = 2.0


class SimulatorProcess:
    """A started simulator; whether it answers is another question.

    Args:
        launch: what to start.
        policy: its limits.
        interrupted: asked while waiting; raises to give up.

    Attributes:
        port: first of its ports.
        pid: process id of its first process.

    Raises:
        SimulatorError: it could not be started; nothing is left of it.
        ConfigurationError: its command cannot be run.
    """

    def __init__(self, launch: Launch, policy: Policy, interrupted: Callable[[], None]) -> None:
        self._launch = launch
        self._policy = policy
        self._unread = b""
        self._ended: Ended | None = None
        order = Order(
            launch.command, launch.environment, launch.removal, str(policy.log_folder.resolve())
            if policy.log_folder else "", launch.name, policy.end_timeout_s, os.getpid(),
        )  # fmt: skip
        # A session of its own: Ctrl-C in the terminal is for the owner, which ends this one in order.
        self._guardian = subprocess.Popen(
            [sys.executable, "-m", _MODULE, "guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._send(order)
            self._started = self._await_start(interrupted)
        except BaseException:
            self.close()
            raise
        self.port, self.pid = self._started.port, self._started.leader

    def _send(self, order: Order) -> None:
        assert self._guardian.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # its answer will say why
            self._guardian.stdin.write(packed(order))
            self._guardian.stdin.flush()

    def _await_start(self, interrupted: Callable[[], None]) -> Started:
        deadline = time.monotonic() + self._policy.start_timeout_s
        while True:
            interrupted()
            answer = self._answer(_POLL_S)
            if isinstance(answer, Started):
                return answer
            if isinstance(answer, Failed):
                message = f"{self._launch.name} could not be started: {answer.error}"
                raise (ConfigurationError if answer.permanent else SimulatorError)(message)
            if self._guardian.poll() is not None:
                raise SimulatorError(f"the guardian of {self._launch.name} ended with {self._guardian.returncode}")
            if time.monotonic() > deadline:
                raise StartupTimeoutError(
                    f"{self._launch.name} was not even started within {self._policy.start_timeout_s:g} s"
                )

    def ended(self) -> str | None:
        """How the simulator ended; None while it runs."""
        while self._ended is None and (answer := self._answer(0.0)) is not None:
            if isinstance(answer, Ended):
                self._ended = answer
        if self._ended is not None:
            return _how(self._ended.status)
        if self._guardian.poll() is not None:
            return f"its guardian ended with {self._guardian.returncode}"
        return None

    def log_tail(self) -> str:
        """The end of what it printed."""
        self.ended()
        return self._ended.log_tail if self._ended is not None else log_tail(Path(self._started.log))

    def memory_mib(self) -> float:
        """Memory of all its processes together, mebibytes; what several of them share counts once."""
        with contextlib.suppress(psutil.NoSuchProcess):
            roots = psutil.Process(self._guardian.pid).children(recursive=True)
            outside = self._outside()
            if outside is not None:
                roots += [outside, *outside.children(recursive=True)]
            return sum(_memory(process) for process in {process.pid: process for process in roots}.values()) / 2**20
        return 0.0

    def _outside(self) -> psutil.Process | None:
        """The first process of a container.

        Raises:
            SimulatorError: there is no such container any more.
            ConfigurationError: its processes cannot be seen from here.
        """
        if not self._launch.inspection:
            return None
        command = [filled(part, {"name": self._started.name}) for part in self._launch.inspection]
        limit = self._policy.call_timeout_s
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
            pid = int(done.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise SimulatorError(
                f"{shlex.join(command)} did not tell where {self._launch.name} runs: {error}"
            ) from error
        if pid < 1:
            raise SimulatorError(f"the container of {self._launch.name} has stopped")
        try:
            return psutil.Process(pid)
        except psutil.NoSuchProcess as error:
            raise ConfigurationError(
                f"the processes of {self._launch.name} (a container; first process {pid}) cannot be seen from here, so "
                "memory_limit_mib cannot be kept; leave it out and use recycle_after"
            ) from error

    def close(self) -> str:
        """End it and all that came from it; returns what could not be removed. Safe twice."""
        assert self._guardian.stdin is not None and self._guardian.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._guardian.stdin.close()
        self._guardian.terminate()  # should a forked process hold the pipe open, it hears this
        patience = self._policy.end_timeout_s + _GUARDIAN_END_S + (2 * REMOVAL_TIMEOUT_S if self._launch.removal else 0)
        try:
            self._guardian.wait(patience)
        except subprocess.TimeoutExpired:
            return f"{self._launch.name} (guardian {self._guardian.pid}) does not end, not even by SIGKILL"
        self.ended()
        self._guardian.stdout.close()
        if self._guardian.returncode < 0:  # killed, so it could not clean up
            sweep(lease_folder())
        return self._ended.complaint if self._ended is not None else ""

    def _answer(self, timeout_s: float) -> Answer | None:
        """The guardian's next answer, if it comes in time."""
        assert self._guardian.stdout is not None
        if self._guardian.stdout.closed:
            return None
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            descriptor = self._guardian.stdout.fileno()
            if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            part = os.read(descriptor, 65536)
            if not part:
                return None
            self._unread += part
        line, self._unread = self._unread.split(b"\n", 1)
        return answer_of(line)


def _how(status: int) -> str:
    return f"it was killed by {signal.Signals(-status).name}" if status < 0 else f"it ended with status {status}"


def _memory(process: psutil.Process) -> int:
    """Bytes of one process: its proportional share where that may be read, else its resident set."""
    try:
        try:
            return int(process.memory_full_info().pss)
        except psutil.AccessDenied:
            return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
