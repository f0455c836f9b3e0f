"""Progress on stderr: a bar on a terminal, a plain line now and then everywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY_S = 10.0
EVERY_SHARE = 0.05

Update = Callable[[int, str], None]
"""(done so far, a short note such as a running mean) -> None."""


@contextmanager
def progress_display(
    title: str, total: int, unit: str, done: int = 0, stream: TextIO | None = None
) -> Iterator[Update]:
    """Show how far a long job is, and about how long it will take.

    Args:
        title: what is done.
        total: how much there is to do.
        unit: plural of what is counted.
        done: what an earlier run did; the estimate leaves it out.
        stream: where to; stderr when absent.
    """
    target = stream or sys.stderr
    if target.isatty():
        with _bar(title, total, unit, done, target) as update:
            yield update
    else:
        lines = PlainLines(title, total, unit, done, target)
        lines.update(done, "")
        yield lines.update


class PlainLines:
    """One line every ten seconds or twentieth of the work, whichever comes first.

    Args:
        title: what is done.
        total: how much there is to do.
        unit: plural of what is counted.
        done: what an earlier run did.
        stream: where to.
        clock: seconds.
    """

    def __init__(
        self, title: str, total: int, unit: str, done: int, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._title, self._total, self._unit, self._stream, self._clock = title, total, unit, stream, clock
        self._first_done, self._started = done, clock()
        self._last_done, self._last_time = -total, clock()

    def update(self, done: int, note: str) -> None:
        """Print a line if one is due."""
        now = self._clock()
        due = done - self._last_done >= EVERY_SHARE * self._total or now - self._last_time >= EVERY_S
        if not due and done < self._total:
            return
        self._last_done, self._last_time = done, now
        elapsed = now - self._started
        parts = [f"{done}/{self._total} {self._unit}", f"{duration(elapsed)} so far"]
        remaining = remaining_s(done - self._first_done, self._total - done, elapsed)
        if remaining is not None and done < self._total:
            parts.append(f"about {duration(remaining)} left")
        print(f"{self._title}: {', '.join(parts)}{f'; {note}' if note else ''}", file=self._stream, flush=True)


def remaining_s(done: int, left: int, elapsed_s: float) -> float | None:
    """Seconds the rest will take at the pace so far; None before anything was done."""
    return left * elapsed_s / done if done > 0 else None


def duration(seconds: float) -> str:
    """``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def _bar(title: str, total: int, unit: str, done: int, stream: TextIO) -> Iterator[Update]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn(unit),
        TimeElapsedColumn(), TextColumn("{task.fields[left]}"), TextColumn("[dim]{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(file=stream)) as progress:
        task = progress.add_task(title, total=total, completed=done, left="", note="")
        yield _bar_update(progress, task, total, done)


def _bar_update(progress: Progress, task: TaskID, total: int, first_done: int) -> Update:
    started = time.monotonic()

    def update(done: int, note: str) -> None:
        remaining = remaining_s(done - first_done, total - done, time.monotonic() - started)
        left = "" if remaining is None or done >= total else f"about {duration(remaining)} left"
        progress.update(task, completed=done, left=left, note=note)

    return update
