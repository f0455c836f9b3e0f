"""How verbs that run a chain of commands tell about it: a line for each step, and what it says now and then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sim2real_bench.cli.progress import duration

if TYPE_CHECKING:
    from sim2real_bench.evaluation.recipe.steps import Step

_EVERY_S = 60.0
_WIDTH = 140


class StepLines:
    """Writes to stderr.

    Args:
        total: number of steps.
    """

    def __init__(self, total: int) -> None:
        self._total, self._said, self._last = total, time.monotonic(), ""

    def found(self, number: int, step: Step) -> None:
        """Its result is there."""
        self._tell(f"{self._place(number)} {step.name}: found {step.result}")

    def begins(self, number: int, step: Step, log: Path) -> None:
        """Its command is started."""
        self._said, self._last = time.monotonic(), ""
        self._tell(f"{self._place(number)} {step.name}: begins, log {log}")

    def says(self, number: int, step: Step, line: str) -> None:
        """The last line of its log, once a minute and only if it is a new one."""
        if time.monotonic() - self._said >= _EVERY_S and line != self._last:
            self._said, self._last = time.monotonic(), line
            self._tell(f"{self._place(number)} {step.name}: {line[:_WIDTH]}")

    def finished(self, number: int, step: Step, seconds: float) -> None:
        """It left its result."""
        self._tell(f"{self._place(number)} {step.name}: finished in {duration(seconds)}")

    def _place(self, number: int) -> str:
        return f"[{number}/{self._total}]"

    def _tell(self, text: str) -> None:
        from sim2real_bench.untrusted import printable

        typer.echo(printable(text, limit=1000), err=True)


def listed(steps: Sequence[Step]) -> str:
    """All steps as a shell script: a comment with the name, then the command; those with a result are marked."""
    return "\n".join(f"# {step.name}{': found' if step.finished else ''}\n{step.command}" for step in steps)


def chosen(steps: Sequence[Step], names: str | None) -> list[Step]:
    """The steps of a comma-separated list of names, in the order of ``steps``; all where there is no list.

    Raises:
        UnknownNameError: a name that no step has, with the nearest names.
    """
    from sim2real_bench.cli.configuration import names_in
    from sim2real_bench.evaluation.benchmarks import choose

    known = [step.name for step in steps]
    wanted = known if names is None else [choose("step", name, known) for name in names_in(names)]
    return [step for step in steps if step.name in wanted]
