"""Adding a result to the leaderboard: checked, copied into a folder of its own, all of it or nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from sim2real_bench.agents.cards import MAX_CARD_BYTES, CheckpointCard, card_path, parse_card, with_parts
from sim2real_bench.errors import ConfigurationError, ForeignFileError, RecordError
from sim2real_bench.evaluation.leaderboard.checks import Checked, check_results, check_submission
from sim2real_bench.evaluation.leaderboard.submissions import (
    CARDS_FOLDER,
    RESULTS_FOLDER,
    SUBMISSION_FILE,
    Submission,
    described,
    read_submission,
)
from sim2real_bench.evaluation.plan import problem_of
from sim2real_bench.untrusted import read_bounded


@dataclass(frozen=True)
class SubmissionRequest:
    """What a submitter says.

    Attributes:
        folder: what ``evaluate`` wrote, or a submission somebody sent.
        name: of the submission.
        authors: who measured.
        contact: a link or an address.
        date: YYYY-MM-DD.
        note: anything a reader must know.
        checkpoints: paths of checkpoints or cards whose cards shall stand beside the result.
    """

    folder: Path
    name: str
    authors: tuple[str, ...]
    contact: str
    date: str
    note: str = ""
    checkpoints: tuple[Path, ...] = ()


def default_destination() -> Path:
    """The repository's folder of accepted results.

    Raises:
        ConfigurationError: this package is installed, not checked out.
    """
    repository = Path(__file__).parents[2]
    if not (repository / ".git").exists():
        raise ConfigurationError(
            "this is no checkout of the repository: say where the result shall go with --to FOLDER"
        )
    return RESULTS_FOLDER


def check_folder(folder: Path) -> Checked:
    """Every problem of a results folder; of a submission's manifest, too, where the folder has one.

    Raises:
        RecordError: there is no such folder.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder} is no folder; name one that 'evaluate' wrote")
    return check_submission(folder)[0] if (folder / SUBMISSION_FILE).exists() else check_results(folder)


def submit(request: SubmissionRequest, destination: Path, *, replace: bool = False) -> Path:
    """Add a result to a folder of accepted results.

    Returns:
        The new folder, ``destination/name``.

    Raises:
        ForeignFileError: something is wrong with it; ``problems`` holds one line each. Nothing was written.
        ConfigurationError: a name, author, contact or date that cannot be used, or the name is taken.
        RecordError: it could not be written; what was there is untouched.
    """
    checked = check_folder(request.folder)
    if checked.problems:
        raise ForeignFileError(tuple(checked.problems))
    contents = {**checked.contents, **_cards(request.checkpoints, checked)}
    try:
        submission = Submission(
            name=request.name, authors=request.authors, contact=request.contact, date=request.date, note=request.note,
            files={name: described(content) for name, content in sorted(contents.items())},
        )  # fmt: skip
    except ValidationError as error:
        raise ConfigurationError(f"this submission cannot be made: {problem_of(error)}") from error
    manifest = (submission.model_dump_json(indent=2) + "\n").encode()
    target = destination / submission.name
    if target.exists() and not replace:
        raise ConfigurationError(f"{target} is there already; choose another --name, or give --replace")
    try:
        _place(target, {**contents, SUBMISSION_FILE: manifest})
    except OSError as error:
        raise RecordError(f"cannot write {target}: {error.strerror or error}; nothing was submitted") from error
    return target


def resubmitted(folder: Path) -> Submission | None:
    """The manifest of a folder that was submitted before; None where there is none.

    Raises:
        RecordError: it is damaged.
    """
    return read_submission(folder) if (folder / SUBMISSION_FILE).exists() else None


def _cards(paths: Sequence[Path], checked: Checked) -> dict[str, bytes]:
    """Name in the submission to text of the cards beside the given checkpoints, and of those of their parts."""
    hashes = {row.checkpoint_hash for row in checked.plan.configuration.rows} if checked.plan else set()
    found: dict[str, bytes] = {}
    for path in paths:
        where = path if path.suffix == ".json" else card_path(path)
        _, card = _card(where)
        if card.weights_sha256 not in hashes:
            raise ConfigurationError(f"{where}: its weights, {card.weights_sha256[:12]}, are of no row of this result")
        for member in with_parts(where.with_suffix(".safetensors")):
            content, card = _card(card_path(member))
            found[f"{CARDS_FOLDER}/{card.weights_sha256[:16]}.json"] = content
    return found


def _card(where: Path) -> tuple[bytes, CheckpointCard]:
    try:
        content = read_bounded(where, MAX_CARD_BYTES)
    except OSError as error:
        raise ConfigurationError(f"cannot read the card {where}: {error.strerror or error}") from error
    return content, parse_card(content, where.name)


def _place(target: Path, contents: dict[str, bytes]) -> None:
    """Write a folder beside its place and rename it into it, so that a reader sees all of it or nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    fresh, old = (target.with_name(f".{target.name}.{token}.{word}") for word in ("new", "old"))
    try:
        for name, content in contents.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        if target.exists():
            target.rename(old)
        try:
            fresh.rename(target)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                old.rename(target)
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
