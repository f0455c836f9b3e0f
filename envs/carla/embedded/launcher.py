"""Starts an embedded server as a child process and takes it down again."""

import logging
import os
import selectors
import subprocess
import sys
import tempfile
import time
import weakref
from types import TracebackType
from typing import IO, Self

from sim2real_bench.errors import SimulatorError, StartupTimeoutError

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
TERMINATE_TIMEOUT_S = 5.0
LOG_TAIL_BYTES = 2000
_MODULE = "sim2real_bench.envs.carla.embedded"
_GREETING = "listening on "


class EmbeddedServerProcess:
    """An embedded server of one's own, on a free loopback port; it ends with its parent at the latest.

    Attributes:
        host: where it listens.
        port: for ``carla.Client``.
    """

    def __init__(self, town: str = "MiniTown01", startup_timeout_s: float = 60.0) -> None:
        """Start the server and wait until it answers.

        Args:
            town: its first map.
            startup_timeout_s: how long to wait.

        Raises:
            StartupTimeoutError: it did not answer in time.
            SimulatorError: it ended before it answered; the message holds the end of its log.
        """
        command = [sys.executable, "-m", _MODULE, "--host", HOST, "--port", "0", "--town", town]
        command += ["--parent", str(os.getpid())]
        self._log_file = tempfile.TemporaryFile(prefix="embedded-carla-", suffix=".log")  # noqa: SIM115
        # A session of its own keeps Ctrl-C in the terminal from ending the server before its client has cleaned up.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log_file, start_new_session=True
        )
        self._finalizer = weakref.finalize(self, _end, self._process, self._log_file)
        try:
            self.host, self.port = self._await_greeting(startup_timeout_s)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def alive(self) -> bool:
        """The process runs."""
        return self._process.poll() is None

    def exit_status(self) -> int | None:
        """How the process ended (negative: the signal that killed it); None while it runs."""
        return self._process.poll()

    def log_tail(self) -> str:
        """The end of what the server logged; "" after ``close``."""
        if self._log_file.closed:
            return ""
        size = os.fstat(self._log_file.fileno()).st_size
        tail = os.pread(self._log_file.fileno(), LOG_TAIL_BYTES, max(0, size - LOG_TAIL_BYTES))
        return tail.decode(errors="replace").strip()

    def close(self) -> None:
        """End the server; safe to call twice."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _await_greeting(self, timeout_s: float) -> tuple[str, int]:
        line = self._read_line(timeout_s).decode(errors="replace").strip()
        host, _, port = line.removeprefix(_GREETING).rpartition(":")
        if not (line.startswith(_GREETING) and port.isdigit()):
            raise SimulatorError(f"the embedded CARLA server said {line!r}, not where it listens{self._excerpt()}")
        return host, int(port)

    def _read_line(self, timeout_s: float) -> bytes:
        stream = self._process.stdout
        assert stream is not None
        deadline = time.monotonic() + timeout_s
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise StartupTimeoutError(
                        f"the embedded CARLA server did not answer within {timeout_s:g} s; "
                        f"give it more time (startup_timeout_s) or free the processor{self._excerpt()}"
                    )
                part = os.read(stream.fileno(), 4096)
                if not part:
                    status = self._process.wait()
                    raise SimulatorError(f"the embedded CARLA server ended with status {status}{self._excerpt()}")
                line += part
        return line

    def _excerpt(self) -> str:
        tail = self.log_tail()
        return f". The end of its log:\n{tail}" if tail else ""


def _end(process: "subprocess.Popen[bytes]", log_file: "IO[bytes]") -> None:
    """Terminate, then kill, and release what the process held."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(TERMINATE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _log.warning("the embedded CARLA server (process %d) ignores SIGTERM, killing it", process.pid)
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
    log_file.close()
