"""The server's log: bounded in rate, and written by a thread of its own, so that no log can stop or end the server."""

import logging
import os
import queue
import sys
import threading
import time
from dataclasses import dataclass

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
BURST = 20
REFILL_S = 5.0
CAPACITY = 1000
FLUSH_TIMEOUT_S = 1.0
STDERR = 2
_POLL_S = 0.005


@dataclass(slots=True)
class _Allowance:
    """What one place in the code may still log: ``BURST`` lines at once, then one per ``REFILL_S``."""

    lines: float = BURST
    since: float = 0.0
    left_out: int = 0

    def take(self, now: float) -> bool:
        """One more line may be written now."""
        self.lines = min(float(BURST), self.lines + (now - self.since) / REFILL_S)
        self.since = now
        if self.lines < 1.0:
            self.left_out += 1
            return False
        self.lines -= 1.0
        return True


class ServerLogHandler(logging.Handler):
    """Writes records to a file descriptor without ever waiting for it.

    A pipe that nobody reads, a full disk or a closed terminal cost log lines, never a tick. What one place in the code
    says again and again is thinned out, so that a hostile client cannot fill a disk; the records of level DEBUG, which
    only ``--verbose`` shows, are not.

    Attributes:
        lost: lines that could not be written so far.
    """

    def __init__(self, descriptor: int = STDERR) -> None:
        super().__init__()
        self.lost = 0
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes] = queue.Queue(CAPACITY)
        self._allowances: dict[tuple[str, int], _Allowance] = {}
        self.setFormatter(logging.Formatter(FORMAT))
        threading.Thread(target=self._write, name="server-log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record; a full queue loses it."""
        left_out = 0
        if record.levelno > logging.DEBUG:
            allowance = self._allowances.setdefault((record.pathname, record.lineno), _Allowance(since=record.created))
            if not allowance.take(record.created):
                return
            left_out, allowance.left_out = allowance.left_out, 0
        try:
            text = self.format(record) + (f" ({left_out} more like this left out)" if left_out else "")
            self._lines.put_nowait((text + "\n").encode(errors="backslashreplace"))
        except queue.Full:
            self.lost += 1

    def flush(self) -> None:
        """Wait, for a second at most, until the queue is written."""
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        while self._lines.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:  # full disk, closed pipe: there is nowhere left to say so
                self.lost += 1
            finally:
                self._lines.task_done()


def start_logging(level: int) -> None:
    """Send this process's log to stderr through a ``ServerLogHandler``, in place of any other handler of the root."""
    _occupy_standard_descriptors()
    logging.basicConfig(handlers=[ServerLogHandler()], level=level, force=True)


def announce(line: str) -> None:
    """Write a line to stdout; a reader that has gone is logged and not waited for."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError as error:
        logging.getLogger(__name__).warning("stdout cannot be written (%s); the server goes on", error)
        # What is left in the buffer would fail again, noisily, when the interpreter ends.
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 1)


def _occupy_standard_descriptors() -> None:
    """Open the closed ones among stdin, stdout and stderr, or a socket would get the number of stderr."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(descriptor)
