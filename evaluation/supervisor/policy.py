"""When a simulator is given up, replaced or restarted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from sim2real_bench.errors import ConfigurationError

MAX_BACK_OFF_S = 60.0


@dataclass(frozen=True)
class Policy:
    """The limits a supervisor keeps; None means that this limit is not kept.

    Attributes:
        start_timeout_s: from the start of the process to its first answer.
        call_timeout_s: for every later answer (map, tick, frame, or a ``Supervisor.call``).
        start_attempts: how often a start is tried before an error is raised.
        back_off_s: pause before the second attempt; doubled before each further one, at most a minute.
        recycle_after: a new process after this many tasks.
        memory_limit_mib: a new process once all its processes together hold more (mebibytes).
        slow_fraction: a new process once it ticks slower than this fraction of its first rate. By the wall clock: on a
            machine whose load changes it would condemn healthy simulators.
        end_timeout_s: from SIGTERM to SIGKILL.
        log_folder: keeps what simulators print, one file per start; None keeps it only while the simulator lives.

    Raises:
        ConfigurationError: a value that cannot be kept.
    """

    start_timeout_s: float = 120.0
    call_timeout_s: float = 60.0
    start_attempts: int = 3
    back_off_s: float = 1.0
    recycle_after: int | None = None
    memory_limit_mib: float | None = None
    slow_fraction: float | None = None
    end_timeout_s: float = 5.0
    log_folder: Path | None = None

    def __post_init__(self) -> None:
        for name in ("start_timeout_s", "call_timeout_s", "memory_limit_mib"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigurationError(f"{name}={value!r}: give a finite number above 0")
        for name in ("start_attempts", "recycle_after"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"{name}={value!r}: give a whole number from 1 on")
        for name in ("back_off_s", "end_timeout_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigurationError(f"{name}={value!r}: give a finite number from 0 on")
        if self.slow_fraction is not None and not 0 < self.slow_fraction < 1:
            raise ConfigurationError(f"slow_fraction={self.slow_fraction!r}: give a number between 0 and 1")

    def pause_s(self, attempt: int) -> float:
        """The pause before an attempt, counted from 1."""
        return 0.0 if attempt == 1 else min(MAX_BACK_OFF_S, self.back_off_s * 2.0 ** (attempt - 2))


@dataclass(frozen=True)
class StartAttempt:
    """One try to start a simulator, whatever came of it.

    Attributes:
        number: counted from 1, over all generations.
        reason: why a new simulator was needed.
        started_at: UTC, ISO 8601.
        seconds: until it answered, or until it was given up.
        port: first port of its lease; 0 if it did not come so far.
        version: what it calls itself, once it answered.
        ticks_per_s: its first tick rate, without cameras.
        error: why it was given up; "" when it answered.
        log_tail: the end of what it printed, when it was given up.
    """

    number: int
    reason: str
    started_at: str
    seconds: float
    port: int = 0
    version: str = ""
    ticks_per_s: float = 0.0
    error: str = ""
    log_tail: str = ""
