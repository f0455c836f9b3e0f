"""A step of a recipe: one command of the package, and the file that says whether its result is there."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "sim2real-bench"


@dataclass(frozen=True)
class Step:
    """One command of the package.

    Attributes:
        name: told apart from the other steps by it; also the name of the log.
        words: the command's words after the program that decide its result.
        result: the last file it writes; a JSON file that says ``"complete": false``, or an evaluation's table with
            missing episodes, is no result yet.
        aside: further words, which change nothing in the result (threads, workers).
    """

    name: str
    words: tuple[str, ...]
    result: Path
    aside: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """The command without the words that change nothing."""
        return shlex.join((PROGRAM, *self.words))

    @property
    def command(self) -> str:
        """The whole command, to be pasted into a shell."""
        return shlex.join((PROGRAM, *self.words, *self.aside))

    @property
    def finished(self) -> bool:
        """Whether the result is there, whoever made it."""
        return self.result.is_file() and (self.result.suffix != ".json" or _complete(_document(self.result)))


def _document(path: Path) -> dict[str, object]:
    """A JSON object of our own; damaged text means that it has to be written anew."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _complete(document: dict[str, object]) -> bool:
    rows = document.get("rows", [])
    if not document.get("complete", bool(document)) or not isinstance(rows, list):
        return False
    return all(isinstance(row, dict) and row.get("episodes_finished") == row.get("episodes_planned") for row in rows)
