"""What was done in a recipe's folder: one line of JSON for each step begun or finished; one run at a time."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from sim2real_bench.errors import RecordError
from sim2real_bench.evaluation.recipe.steps import Step

JOURNAL_FILE = "steps.jsonl"


class Journal:
    """The journal of a folder, locked while it is open.

    Children that inherit ``descriptor`` keep the lock, so that a run whose parent was killed is not joined by another.

    Raises:
        RecordError: another run holds the folder, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL_FILE
        self.descriptor = -1
        self._commands: dict[str, str] = {}

    def __enter__(self) -> Self:
        import fcntl  # recipes can be printed where it does not exist

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._commands = _commands(self.path)
        except BlockingIOError as error:
            self.__exit__()
            raise RecordError(
                f"another run is at work in {self.path.parent}; wait until it ends, or choose another --out"
            ) from error
        except OSError as error:
            self.__exit__()
            raise RecordError(
                f"cannot write to {self.path}: {error.strerror or error}; choose another --out"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def require_same(self, step: Step) -> None:
        """Refuse a step whose work was begun here by another command.

        Raises:
            RecordError: with both commands.
        """
        there = self._commands.get(step.name, step.identity)
        if there != step.identity:
            raise RecordError(
                f"step {step.name!r} of {self.path.parent} was made by: {there}\nasked for now: {step.identity}\n"
                "Choose another folder with --out"
            )

    def begin(self, step: Step) -> None:
        """Note that a step begins."""
        self._write(step, {"event": "begun"})

    def finish(self, step: Step, seconds: float) -> None:
        """Note that a step left its result."""
        self._write(step, {"event": "finished", "seconds": round(seconds, 1)})

    def _write(self, step: Step, event: dict[str, object]) -> None:
        self._commands[step.name] = step.identity
        about = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "step": step.name, **event}
        line = json.dumps(about | {"command": step.identity}) + "\n"
        try:
            os.write(self.descriptor, line.encode())
            os.fsync(self.descriptor)
        except OSError as error:
            raise RecordError(f"cannot write to {self.path}: {error.strerror or error}; make room") from error


def _commands(path: Path) -> dict[str, str]:
    """The last command of every step; a line torn by a crash tells nothing."""
    found = {}
    for line in path.read_text().splitlines():
        try:
            event = json.loads(line)
            found[str(event["step"])] = str(event["command"])
        except (ValueError, KeyError, TypeError):
            continue
    return found
