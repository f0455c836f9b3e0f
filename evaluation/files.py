"""Writing the whole files of a results folder."""

from pathlib import Path

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.errors import RecordError


def write_result_file(path: Path, text: str) -> None:
    """Replace a file's text in one step: a reader sees the old text or the new one.

    Raises:
        RecordError: it could not be written; the old file is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError as error:
        raise RecordError(
            f"cannot write {path}: {error.strerror or error}; make room, or choose another folder with --out"
        ) from error
