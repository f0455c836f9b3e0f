"""Writing the whole files of a results folder."""

import re
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


# What ``write_atomically`` leaves of a result file when its process is killed.
_HALF_WRITTEN = re.compile(r"\.(plan\.json|table\.(json|csv|md))\.\w{8}")


def sweep_result_files(folder: Path) -> None:
    """Remove half-written files of runs that were killed; for the one run that may write to the folder.

    Raises:
        OSError: the folder cannot be read or written.
    """
    for path in folder.iterdir():
        if _HALF_WRITTEN.fullmatch(path.name):
            path.unlink(missing_ok=True)
