"""Whole runs in processes of their own that tests may kill: forked from this one, which has imported everything."""

import contextlib
import os
import signal
import sys
import time
import traceback
import types

import psutil

from sim2real_bench.evaluation.runner import evaluate


class RunnerProcess:
    """An evaluation in a session of its own.

    Args:
        settings: of the run.
        log: what it prints.
    """

    def __init__(self, settings, log):
        self.pid = os.fork()
        if self.pid == 0:
            _be_a_runner(settings, log)
        self.status = None

    def ended(self):
        """Whether it has ended; then ``status`` holds its exit status, negative for a signal."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def wait(self, seconds=60.0):
        """Its exit status."""
        end = time.monotonic() + seconds
        while not self.ended():
            assert time.monotonic() < end, "the runner does not end"
            time.sleep(0.002)
        return self.status

    def send(self, number):
        """Send it a signal, if it still runs."""
        if not self.ended():
            os.kill(self.pid, number)

    def descendants(self):
        """Processes of its session, living without it or not."""
        own = [pid for pid in psutil.pids() if _session(pid) == self.pid]
        return [process for process in map(_process, own) if process is not None]

    def leaves_nothing(self, seconds=20.0):
        """Whether all its processes end."""
        end = time.monotonic() + seconds
        while self.descendants() and time.monotonic() < end:
            time.sleep(0.02)
        return self.descendants() == []


def _be_a_runner(settings, log):
    status = 99
    try:
        os.setsid()
        with log.open("ab", buffering=0) as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        sys.modules["__main__"] = types.ModuleType("__main__")  # spawned workers need not import pytest
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        status = 0 if evaluate(settings).complete else 1
    except KeyboardInterrupt as interruption:
        status = 128 + getattr(interruption, "number", signal.SIGINT)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _process(pid):
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _session(pid):
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
