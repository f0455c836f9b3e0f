"""The program that is the parent of one simulator, and ends all of it.

Every end takes the same way: the owner closes this program's standard input, and so does the kernel when the owner dies
of whatever cause. The guardian then ends each process that came from the simulator (as a "child subreaper" it inherits
those whose parents died, so none gets out of sight, whatever group it moved to), removes its container, its temporary
files and its port lease, and ends.

It is told what to start in one line on standard input and answers in lines on standard output (see ``orders``).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

import psutil

from sim2real_bench.errors import ConfigurationError, Sim2RealError
from sim2real_bench.evaluation.supervisor.leases import (
    FOLDER_PREFIX,
    TOKEN_VARIABLE,
    Lease,
    Occupant,
    lease_folder,
    lease_ports,
    remove_outside,
    sweep,
)
from sim2real_bench.evaluation.supervisor.orders import (
    Answer,
    Ended,
    Failed,
    Order,
    Started,
    filled,
    log_tail,
    order_of,
    packed,
)

_POLL_S = 0.1
_END_POLL_S = 0.02
_SET_CHILD_SUBREAPER, _SET_PARENT_DEATH_SIGNAL = 36, 1  # numbers of prctl(2)


class _Guardian:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._asked = False
        self._status: int | None = None
        self._leader = 0

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._ask)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)
        leases = lease_folder()
        sweep(leases)
        token = secrets.token_hex(8)
        folder = Path(tempfile.gettempdir()) / f"{FOLDER_PREFIX}{token}"
        with contextlib.ExitStack() as stack:
            lease = lease_ports(leases)
            stack.callback(lease.release)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            self._guard(lease, token, folder)

    def _guard(self, lease: Lease, token: str, folder: Path) -> None:
        order = self._order
        values = {
            "port": lease.port, "stream_port": lease.port + 1, "name": folder.name, "folder": folder,
            "python": sys.executable,
        }  # fmt: skip
        removal = tuple(filled(part, values) for part in order.removal)
        occupant = Occupant(token, str(folder), removal)
        lease.write(occupant)  # before anything is made that somebody might have to clear away
        folder.mkdir(mode=0o700)
        log = Path(order.log_folder or folder) / f"{order.name}-{token}.log"
        try:
            self._start([filled(part, values) for part in order.command], token, folder, log)
            lease.write(replace(occupant, leader=self._leader, created=psutil.Process(self._leader).create_time()))
            _tell(Started(lease.port, self._leader, folder.name, str(log)))
            self._wait()
        finally:
            complaint = self._end(removal)
        _tell(Ended(self._status or 0, log_tail(log), complaint))

    def _start(self, command: Sequence[str], token: str, folder: Path, log: Path) -> None:
        variables = {**os.environ, **self._order.environment, TOKEN_VARIABLE: token, "TMPDIR": str(folder)}
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            # Kept: the library would otherwise wait for it behind our back, and its exit status would be lost.
            self._process = subprocess.Popen(
                command, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=_prepare,  # noqa: PLW1509  (this program has one thread)
            )  # fmt: skip
        self._leader = self._process.pid

    def _wait(self) -> None:
        """Until somebody wants the end or the simulator ended by itself."""
        while not self._asked and os.getppid() == self._order.owner:
            self._reap()
            if self._status is not None:
                return
            if select.select([0], [], [], _POLL_S)[0]:
                return  # nothing is ever said after the order, so this is the end of the pipe

    def _end(self, removal: Sequence[str]) -> str:
        """End everything; returns what could not be removed."""
        remove_outside(removal)
        deadline = time.monotonic() + self._order.end_timeout_s
        self._signal(signal.SIGTERM)
        while self._reap():
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
            time.sleep(_END_POLL_S)
        # Once more: a command that died while it made its container may have left one.
        return remove_outside(removal)

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group at once, and to those who left it."""
        if self._leader and self._status is None:  # not reaped: the group is certainly ours
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._leader, number)
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError):
                if number == signal.SIGKILL or os.getpgid(process.pid) != self._leader or self._status is not None:
                    process.send_signal(number)

    def _reap(self) -> bool:
        """Collect those that ended; False once nothing is left that came from the simulator."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self._leader:
                    self._status = os.waitstatus_to_exitcode(status)
        return False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True


def _prepare() -> None:
    """In the simulator's process, before its program: it dies with the guardian and hears signals as usual."""
    # Should even the guardian be killed, the kernel kills the simulator; its lease then tells what else is left.
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _tell(answer: Answer) -> None:
    with contextlib.suppress(OSError):  # the owner is gone
        os.write(1, packed(answer))


def _read_order() -> Order | None:
    """The first line of standard input; read without a buffer, so that the end of the pipe can be waited for."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            return None
        line += part
    return order_of(line)


def guard() -> int:
    """Guard one simulator; returns the exit status."""
    order = _read_order()
    if order is None:
        return 0
    try:
        _Guardian(order).run()
    except (Sim2RealError, OSError) as error:
        permanent = isinstance(error, ConfigurationError | FileNotFoundError | PermissionError)
        _tell(Failed(str(error), permanent))
        return 1
    return 0
