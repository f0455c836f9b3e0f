"""Accepted results: folders in the repository, each with a plan, its records and who measured them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from sim2real_bench.agents.cards import MAX_CARD_BYTES
from sim2real_bench.errors import ForeignFileError, RecordError
from sim2real_bench.evaluation.benchmarks import choose
from sim2real_bench.evaluation.plan import MAX_PLAN_BYTES, Frozen
from sim2real_bench.evaluation.records import RECORDS_FILE
from sim2real_bench.evaluation.results import PLAN_FILE
from sim2real_bench.untrusted import Problem, parse_model, problems_error, read_bounded

RESULTS_FOLDER = Path(__file__).with_name("results")
SUBMISSION_FILE = "submission.json"
CARDS_FOLDER = "cards"
MAX_SUBMITTED_BYTES = 64 << 20
"""Of one file of a submission."""
MAX_FILES = 64
"""Of one submission."""
_MAX_MANIFEST_BYTES = 1 << 20
NAME_PATTERN = r"^[a-z0-9][a-z0-9.-]{0,63}$"


class SubmittedFile(Frozen):
    """What a file of a submission must be."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=MAX_SUBMITTED_BYTES)


class Submission(Frozen):
    """``submission.json``: who measured what, and the hash of every file.

    Attributes:
        name: of the submission and its folder.
        authors: who measured.
        contact: a link or an address.
        date: of the submission, YYYY-MM-DD.
        note: anything a reader must know.
        files: path in the folder to its size and hash; every file but this one.
    """

    format: Literal[1] = 1
    name: str = Field(pattern=NAME_PATTERN)
    authors: tuple[str, ...] = Field(min_length=1, max_length=50)
    contact: str = Field(min_length=1, max_length=300)
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    note: str = Field(default="", max_length=2000)
    files: dict[str, SubmittedFile] = Field(max_length=MAX_FILES)


def submission_folders(root: Path = RESULTS_FOLDER) -> Iterator[Path]:
    """The folders of all submissions below a folder, by name."""
    if root.is_dir():
        entries = (entry for entry in root.iterdir() if not (entry.name.startswith(".") or entry.is_symlink()))
        yield from sorted(entry for entry in entries if entry.is_dir())


def accepted_result(name: str = "stk-carla-v1-quick") -> Path:
    """The folder of a result that comes with the package; it holds ``plan.json`` and ``episodes.jsonl``.

    Raises:
        UnknownNameError: there is none of that name; the message names the nearest.
    """
    folders = {folder.name: folder for folder in submission_folders()}
    return folders[choose("accepted result", name, folders)]


def read_submission(folder: Path) -> Submission:
    """The manifest of a submission.

    Raises:
        RecordError: it is missing, damaged, or names another folder.
    """
    path = folder / SUBMISSION_FILE
    try:
        submission = parse_model(
            Submission, read_bounded(path, _MAX_MANIFEST_BYTES, follow_links=False), f"{folder.name}/{SUBMISSION_FILE}"
        )
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}; 'submit' makes it") from error
    except ForeignFileError as error:
        raise RecordError(f"{path} is not a submission's manifest: {error}") from error
    if submission.name != folder.name:
        raise RecordError(f"{path} is of {submission.name!r}: the folder must have that name")
    return submission


def submitted_bytes(folder: Path, name: str) -> bytes:
    """The content of one file of a folder that may come from a stranger; links are refused.

    Raises:
        ForeignFileError: it is missing, too large, or not a regular file inside the folder.
    """
    limit = {PLAN_FILE: MAX_PLAN_BYTES, RECORDS_FILE: MAX_SUBMITTED_BYTES}.get(name, MAX_CARD_BYTES)
    try:
        if (folder / name).parent.is_symlink():
            raise problems_error([Problem(name, 0, "", "lies in a folder that is a symbolic link")])
        return read_bounded(folder / name, limit, follow_links=False)
    except OSError as error:
        raise problems_error([Problem(name, 0, "", f"cannot be read: {error.strerror or error}")]) from None


def described(content: bytes) -> SubmittedFile:
    """Size and hash for the manifest."""
    return SubmittedFile(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def names_in(folder: Path) -> list[str]:
    """The files of a results folder that belong to a submission, the manifest excepted."""
    cards = sorted((folder / CARDS_FOLDER).glob("*.json")) if (folder / CARDS_FOLDER).is_dir() else []
    return [PLAN_FILE, RECORDS_FILE, *(f"{CARDS_FOLDER}/{card.name}" for card in cards)]
