"""Finds what a program leaves behind: processes, lock files, ports, temporary files."""

import os
import secrets
import socket
import time
from pathlib import Path

import psutil
import pytest

MARK = "SIM2REAL_TEST_MARK"


class Traces:
    """Everything that is started while it is in force carries its mark and uses its folders."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mark = secrets.token_hex(8)
        self.runtime, self.temporary = folder / "run", folder / "tmp"
        for place in (self.runtime, self.temporary):
            place.mkdir(mode=0o700)
        monkeypatch.setenv(MARK, self.mark)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(self.runtime))
        monkeypatch.setenv("TMPDIR", str(self.temporary))
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))

    def processes(self) -> list[psutil.Process]:
        """Those with the mark, but for this one and those that only wait to be collected by their parents."""
        return [process for process, _ in self._marked()]

    def _marked(self) -> list[tuple[psutil.Process, str]]:
        found = []
        for process in psutil.process_iter():
            try:
                marked = process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
                command = " ".join(process.cmdline())
            except (psutil.Error, ProcessLookupError):
                continue
            if marked and process.pid != os.getpid():
                found.append((process, command))
        return found

    def locks(self) -> list[Path]:
        """Leases."""
        return sorted(self.runtime.rglob("*.lock"))

    def left(self) -> list[str]:
        """All that is still there, in words."""
        processes = [f"process {process.pid}: {command}" for process, command in self._marked()]
        return processes + [str(path) for path in (*self.locks(), *self.temporary.iterdir())]

    def await_nothing(self) -> None:
        """Nothing may be left; what works without this process is given time."""
        deadline = time.monotonic() + 20.0
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not left, left


def is_free(port: int) -> bool:
    """Whether a server could use a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
