"""What is known about films that were made by driving an episode again: kept beside them in ``replays.json``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sim2real_bench.errors import ForeignFileError, RecordError
from sim2real_bench.evaluation.files import write_result_file
from sim2real_bench.evaluation.film.choice import VIDEOS_FOLDER
from sim2real_bench.untrusted import read_bounded

_FILE = "replays.json"
_LARGEST_BYTES = 4 << 20


@dataclass(frozen=True)
class Replay:
    """What came of driving an episode again.

    Attributes:
        film: name of its film, without folder and suffix.
        note: in words, how it compares with the record.
        agrees: same outcome and distance as the record.
    """

    film: str
    note: str
    agrees: bool


_REPLAYS = TypeAdapter(tuple[Replay, ...])


def read_replays(folder: Path) -> dict[str, Replay]:
    """What is known, by the name of the film.

    Raises:
        RecordError: the file cannot be read.
    """
    path = folder / VIDEOS_FOLDER / _FILE
    try:
        known = _REPLAYS.validate_json(read_bounded(path, _LARGEST_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ForeignFileError, ValidationError) as error:
        raise RecordError(f"cannot read {path}: {error}; remove it, the films stay") from error
    return {replay.film: replay for replay in known}


def remember_replays(folder: Path, replays: Iterable[Replay]) -> None:
    """Add to what is known.

    Raises:
        RecordError: it cannot be written.
    """
    known = read_replays(folder) | {replay.film: replay for replay in replays}
    text = _REPLAYS.dump_json(tuple(known.values()), indent=2).decode()
    write_result_file(folder / VIDEOS_FOLDER / _FILE, text + "\n")
