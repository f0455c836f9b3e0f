"""Runs each trial in a process of its own, so that a driver that crashes or hangs takes nothing else down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict
from typing import IO

import psutil

from sim2real_bench.cli.doctor.check import Check, Finding, Result, Settings, broken, result_of

_MODULE = "sim2real_bench.cli.doctor.trial"
_AT_ONCE = 4
_EXCERPT_BYTES = 4000
_EXCERPT_CHARS = 160


class Trials:
    """Tries checks, a few at once.

    Args:
        settings: where to look for running simulators.
        deadline_s: for each trial, instead of its own.
        at_once: how many trials run side by side; at most 4 and one a core when absent.
    """

    def __init__(self, settings: Settings, deadline_s: float | None = None, at_once: int | None = None) -> None:
        self._settings = settings
        self._deadline_s = deadline_s
        self._at_once = at_once or min(_AT_ONCE, os.cpu_count() or 1)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, checks: Sequence[Check], show: Callable[[Result], None] = lambda result: None) -> list[Result]:
        """Try all; ``show`` is called as each ends. The results come in the order of the checks."""
        longest_first = sorted(checks, key=lambda check: -check.deadline_s)
        with ThreadPoolExecutor(self._at_once) as pool:
            futures = {check.name: pool.submit(self._result, check) for check in longest_first}
            try:
                for future in as_completed(futures.values()):
                    show(future.result())
            except BaseException:
                self._stop()
                raise
        return [futures[check.name].result() for check in checks]

    def _stop(self) -> None:
        """End what runs, and start nothing more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                end_group(process)

    def _result(self, check: Check) -> Result:
        started = time.monotonic()
        finding = self._tried(check, check.deadline_s if self._deadline_s is None else self._deadline_s)
        return result_of(check, finding, time.monotonic() - started)

    def _tried(self, check: Check, deadline_s: float) -> Finding:
        with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as output:
            process = self._started(check, answer, output, deadline_s)
            if process is None:
                return broken("interrupted", "")
            try:
                status = process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                return broken(f"no answer within {deadline_s:g} s{_last_line(output)}", check.remedy() or _LONGER)
            finally:
                end_group(process)
                with self._lock:
                    self._running.discard(process)
            answer.seek(0)
            text = answer.read()
            if status or not text:
                return broken(f"{_ending(status)}{_last_line(output)}", check.remedy() or _REPORT)
            return Finding(**json.loads(text))

    def _started(
        self, check: Check, answer: IO[bytes], output: IO[bytes], deadline_s: float
    ) -> subprocess.Popen[bytes] | None:
        handle = answer.fileno()
        command = [sys.executable, "-m", _MODULE, check.name, str(handle), f"{deadline_s:g}"]
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                [*command, json.dumps(asdict(self._settings))],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=(handle,), start_new_session=True,
            )  # fmt: skip
            self._running.add(process)
        return process


_LONGER = "give it longer with --deadline SECONDS, or look at what the machine is doing"
_REPORT = "run the check alone (--only NAME); if it ends the same way, please report it"


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a trial and whatever it started, in its own group or in groups of their own."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its session began with it, so the group has its number
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()


def _ending(status: int) -> str:
    if status >= 0:
        return f"its process ended with status {status}"
    try:
        return f"its process crashed ({signal.Signals(-status).name})"
    except ValueError:
        return f"its process was ended by signal {-status}"


def _last_line(output: IO[bytes]) -> str:
    size = os.fstat(output.fileno()).st_size
    tail = os.pread(output.fileno(), _EXCERPT_BYTES, max(0, size - _EXCERPT_BYTES)).decode(errors="replace")
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return f": {lines[-1][:_EXCERPT_CHARS]}" if lines else ""
