"""The parent's end of a worker: starts it, talks to it with a time limit, and explains how it ended."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from sim2real_bench.envs.supertuxkart.assets import Assets, engine_environment
from sim2real_bench.envs.supertuxkart.protocol import (
    FAILED,
    MAX_PACKET,
    QUIT,
    SharedBlock,
    WorkerSettings,
)
from sim2real_bench.errors import (
    ConnectionLostError,
    MissingDependencyError,
    SimulatorError,
    StartupTimeoutError,
    StepTimeoutError,
)

_STARTUP_TIMEOUT_S = 120.0
_END_TIMEOUT_S = 5.0
_LOG_TAIL_BYTES = 2000


class WorkerProcess:
    """A running worker program and the memory shared with it.

    It ends with its parent, however that ends: the worker reads the end of its socket, or its own alarm ends it.

    Attributes:
        block: telemetry and array observations, valid after an answer.
        versions: what the worker said about its libraries, as JSON text.
    """

    def __init__(self, settings: WorkerSettings, assets: Assets, step_timeout_s: float) -> None:
        """Start the program and wait until the engine is up.

        Raises:
            MissingDependencyError: ``pystk2`` is not installed.
            StartupTimeoutError: the engine did not come up in time.
            SimulatorError: the program ended.
        """
        if importlib.util.find_spec("pystk2") is None:
            raise MissingDependencyError(
                "SuperTuxKart needs the Python package PySuperTuxKart2, which is not installed. "
                'Install it with: pip install "sim2real-bench[stk]" -c constraints.txt'
            )
        self._timeout_s = step_timeout_s
        self.block = SharedBlock(settings.observations, settings.width, settings.height)
        self._home = Path(tempfile.mkdtemp(prefix="sim2real-stk-"))
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 closed in close()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = self._start(settings, assets, theirs.fileno())
        try:
            self._channel.settimeout(_STARTUP_TIMEOUT_S)
            self.versions = self._answer(
                StartupTimeoutError, f"SuperTuxKart did not start within {_STARTUP_TIMEOUT_S} s"
            )
        except SimulatorError:
            self.close()
            raise

    def _start(self, settings: WorkerSettings, assets: Assets, channel: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sim2real_bench.envs.supertuxkart.worker"]
        command += ["--socket", str(channel), "--memory", str(self.block.descriptor)]
        command += ["--home", str(self._home), "--settings", settings.to_json()]
        return subprocess.Popen(
            command,
            env=os.environ | engine_environment(assets, self._home),
            pass_fds=(channel, self.block.descriptor),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    def send(self, packet: bytes) -> None:
        """Send a request.

        Raises:
            ConnectionLostError: the worker has ended.
        """
        try:
            self._channel.send(packet)
        except OSError as error:
            raise self._lost() from error

    def receive(self, timeout_s: float | None = None) -> None:
        """Wait for the answer to the request.

        Args:
            timeout_s: time limit in place of the usual one of a step.

        Raises:
            ConnectionLostError: the worker ended instead of answering.
            StepTimeoutError: no answer within the time limit; the worker has been ended.
            SimulatorError: the worker reports a failure.
        """
        limit = self._timeout_s if timeout_s is None else timeout_s
        self._channel.settimeout(limit)
        self._answer(StepTimeoutError, f"SuperTuxKart did not answer within {limit} s")

    def _answer(self, timeout_error: type[SimulatorError], timeout_message: str) -> str:
        try:
            packet = self._channel.recv(MAX_PACKET)
        except TimeoutError as error:
            self._process.kill()
            self.close()
            raise timeout_error(f"{timeout_message}; the worker was ended. Reset to start a new one") from error
        except OSError as error:
            raise self._lost() from error
        if not packet:
            raise self._lost()
        text = packet[1:].decode(errors="replace")
        if packet[:1] == FAILED:
            raise SimulatorError(f"SuperTuxKart's worker failed: {text}")
        return text

    def _lost(self) -> ConnectionLostError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT_S)
        status = self._process.returncode
        tail = self._log_tail()
        self.close()
        return ConnectionLostError(
            f"SuperTuxKart's worker ended with status {status} (negative: killed by that signal); "
            f"its last words: {tail or 'none'}. Reset to start a new one"
        )

    def _log_tail(self) -> str:
        if self._log.closed:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_TAIL_BYTES))
        return self._log.read().decode(errors="replace").strip()

    def close(self) -> None:
        """End the worker and remove what it left; safe to call again."""
        with contextlib.suppress(OSError):
            self._channel.settimeout(_END_TIMEOUT_S)
            self._channel.send(QUIT)
        self._channel.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self.block.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
