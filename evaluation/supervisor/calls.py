"""Calls with a deadline that another process keeps: a client library that never returns cannot be ended from inside."""

from __future__ import annotations

import contextlib
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from sim2real_bench.errors import ConfigurationError, ConnectionLostError, StepTimeoutError

_MODULE = "sim2real_bench.evaluation.supervisor"
_POLL_S = 0.1
_TAIL_BYTES = 1000


class CallProcess:
    """A process that calls functions for this one, one at a time; killed when an answer is late, then made anew."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Start the process without waiting for it; ``call`` does so by itself."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self._errors = tempfile.TemporaryFile(prefix="sim2real-bench-calls-")  # noqa: SIM115
            # Its standard input is the lifeline: the kernel ends the process when this end of it is closed.
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, "call", str(theirs.fileno())], stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL, stderr=self._errors, pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        self._pipe = Connection(ours.detach())

    def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        timeout_s: float,
        first_timeout_s: float | None = None,
        interrupted: Callable[[], None] = lambda: None,
    ) -> Any:
        """What ``function(*arguments)`` answers there.

        Args:
            function: importable from a module (it travels by name).
            arguments: plain data.
            timeout_s: between two signs of life (see ``call_process.step``), and up to the answer.
            first_timeout_s: up to the first sign of life, if that may take longer.
            interrupted: asked while waiting; raises to give up. The process is then killed.

        Raises:
            ConfigurationError: function or arguments cannot be sent.
            StepTimeoutError: no sign of life in time.
            ConnectionLostError: the process died in the call.
            Exception: whatever the function raised.
        """
        try:
            message = pickle.dumps((function, arguments))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"the call of {function!r} cannot be sent to another process: {error}") from error
        self.start()
        assert self._pipe is not None
        try:
            self._pipe.send_bytes(message)
            return self._await_answer(timeout_s, first_timeout_s or timeout_s, interrupted)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise ConnectionLostError(f"the process of the call {self._death()}") from None
        except _RemoteError as error:
            raise error.cause from None
        except BaseException:
            self.close()
            raise

    def _await_answer(self, timeout_s: float, first_timeout_s: float, interrupted: Callable[[], None]) -> Any:
        assert self._pipe is not None
        doing, limit = "beginning", first_timeout_s
        deadline = time.monotonic() + limit
        while True:
            interrupted()
            if self._pipe.poll(_POLL_S):
                kind, value = self._pipe.recv()
                if kind == "result":
                    return value
                if kind == "error":
                    raise _RemoteError(value)
                doing, limit = value, timeout_s
                deadline = time.monotonic() + limit
            elif time.monotonic() > deadline:
                raise StepTimeoutError(f"{doing}: no answer within {limit:g} s")

    def _death(self) -> str:
        process = self._process
        assert process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        code = process.poll()
        if code is None:
            return "closed its pipe"
        self._errors.seek(max(0, self._errors.seek(0, 2) - _TAIL_BYTES))
        said = self._errors.read().decode(errors="replace").strip()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return f"{how}. The end of what it printed:\n{said}" if said else how

    def close(self) -> None:
        """End the process, whatever it does; safe twice."""
        process, self._process = self._process, None
        if process is None:
            return
        assert self._pipe is not None and process.stdin is not None
        process.kill()
        process.wait()
        process.stdin.close()
        self._pipe.close()
        self._errors.close()


class _RemoteError(Exception):
    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause
