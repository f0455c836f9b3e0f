"""Run the steps of a recipe one after the other, each in a process of its own that writes to its own log."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from sim2real_bench.errors import StepFailedError
from sim2real_bench.evaluation.execution.interruption import ended_in_order
from sim2real_bench.evaluation.recipe.journal import Journal
from sim2real_bench.evaluation.recipe.steps import Step

LOG_FOLDER = "logs"
_WRONG_USAGE = 2
_LOOK_EVERY_S = 2.0
_GRACE_S = 20.0  # for a command to end in order; half of it where it may wait for one of its own
_TAIL_BYTES = 4096
Launch = Callable[[Sequence[str]], Sequence[str]]


class StepProgress(Protocol):
    """Is told what happens to the steps, which are counted from 1."""

    def found(self, number: int, step: Step) -> None:
        """Its result is there."""

    def begins(self, number: int, step: Step, log: Path) -> None:
        """Its command is started."""

    def says(self, number: int, step: Step, line: str) -> None:
        """The last line of its log; called every two seconds."""

    def finished(self, number: int, step: Step, seconds: float) -> None:
        """It left its result."""


def own_program(words: Sequence[str]) -> list[str]:
    """The words that start this package's program."""
    return [sys.executable, "-m", "sim2real_bench", *words]


def run_steps(
    steps: Sequence[Step], folder: Path, progress: StepProgress, *, attempts: int = 2, launch: Launch = own_program
) -> None:
    """Run what is missing, in order. Every command resumes what an earlier run of it left.

    Args:
        steps: of the recipe.
        folder: of the journal ``steps.jsonl`` and of ``logs/NAME.log``.
        progress: told what happens.
        attempts: how often a failing command is started; wrong usage is not tried again.
        launch: the words after the program's name to those of a process.

    Raises:
        StepFailedError: a command failed, or left no result.
        RecordError: the folder belongs to another recipe or run, or cannot be written.
    """
    with ended_in_order(), Journal(folder) as journal:
        for step in steps:
            journal.require_same(step)
        for number, step in enumerate(steps, start=1):
            if step.finished:
                progress.found(number, step)
                continue
            journal.begin(step)
            began = time.monotonic()
            _attempted(number, step, journal, progress, attempts, launch)
            journal.finish(step, time.monotonic() - began)
            progress.finished(number, step, time.monotonic() - began)


def _attempted(
    number: int, step: Step, journal: Journal, progress: StepProgress, attempts: int, launch: Launch
) -> None:
    log = journal.path.parent / LOG_FOLDER / f"{step.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, attempts + 1):
        progress.begins(number, step, log)
        status = _run(number, step, log, journal, progress, launch)
        if status == 0 and step.finished:
            return
        if status in (0, _WRONG_USAGE) or attempt == attempts:
            what = f"ended with status {status}" if status else f"left no finished {step.result}"
            raise StepFailedError(
                f"step {step.name!r} {what}; the end of {log}:\n{_end_of(log)}\nMend that and run the same command "
                "again: it goes on from here"
            )


def _run(number: int, step: Step, log: Path, journal: Journal, progress: StepProgress, launch: Launch) -> int:
    with log.open("a") as file:
        file.write(f"$ {step.command}\n")
        file.flush()
        process = subprocess.Popen(
            launch((*step.words, *step.aside)), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            pass_fds=[journal.descriptor],
        )  # fmt: skip
    try:
        while True:
            try:
                return process.wait(_LOOK_EVERY_S)
            except subprocess.TimeoutExpired:
                progress.says(number, step, _end_of(log, lines=1))
    except BaseException as error:
        _end(process, told=type(error) is KeyboardInterrupt)
        raise


def _end(process: subprocess.Popen[bytes], told: bool) -> None:
    """Let a command end in order, so that it can be continued: as Ctrl-C does, or else by SIGTERM, or at last by force.

    Args:
        process: of the command.
        told: by the terminal, which sends Ctrl-C to both of us; a second one would disturb its clean-up.
    """
    if not told:
        process.send_signal(signal.SIGINT)
    for patience_s in (_GRACE_S / 2 if told else _GRACE_S, _GRACE_S):
        try:
            process.wait(patience_s)
            return
        except subprocess.TimeoutExpired:
            process.terminate()
    process.kill()
    process.wait()


def _end_of(log: Path, lines: int = 12) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(text.strip().splitlines()[-lines:])
