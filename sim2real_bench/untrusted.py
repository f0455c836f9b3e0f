"""Reading what strangers wrote: bounded, strict, inside its folder, with errors that name file, line and field.

Plans, records, submissions, cards, manifests and controllers are shared between people. Whatever parses such a file
reads its bytes with ``read_bounded``, its JSON with ``parse_model``, and follows the names in it with ``contained``.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from sim2real_bench.errors import ForeignFileError

MAX_PROBLEMS = 50
"""Named per text; a file with more is not mended by hand."""
_SHOWN_CHARACTERS = 300
_LONG_LINE = 4000
_MAX_DIGITS = 20  # of an integer
_WALKED_CHARACTERS = 1 << 20  # beyond it an error names the line where the text begins
_BLANK = re.compile(r"[ \t\n\r]*")
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode categories that draw nothing or redraw the rest

Loc = tuple[str | int, ...]
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a file.

    Attributes:
        file: as the user named it.
        line: counted from 1; 0 where the whole file is meant.
        field: dotted path into the JSON text, "" where none is meant.
        message: what is wrong and, where it helps, what to do.
    """

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        place = ":".join([self.file, *([str(self.line)] if self.line else []), *([self.field] if self.field else [])])
        return printable(f"{place}: {self.message}")


def problems_error(problems: list[Problem]) -> ForeignFileError:
    """The error that holds these problems, one line each."""
    lines = tuple(str(problem) for problem in problems[:MAX_PROBLEMS])
    if len(problems) > MAX_PROBLEMS:
        lines += (f"... and {len(problems) - MAX_PROBLEMS} more problems",)
    return ForeignFileError(lines)


def printable(text: str, limit: int = _SHOWN_CHARACTERS) -> str:
    """A stranger's text made fit for a terminal: no control or direction characters, one line, cut at ``limit``."""
    shown = "".join(
        character
        if character == "\t" or unicodedata.category(character) not in _INVISIBLE
        else f"\\u{ord(character):04x}"
        for character in text[: limit + 1]
    )
    return shown if len(text) <= limit else shown[:limit] + "…"


def printable_lines(text: str) -> str:
    """The same for a text of several lines, which stay apart."""
    return "\n".join(printable(line, _LONG_LINE) for line in text.split("\n"))


def read_bounded(path: Path, limit: int, *, follow_links: bool = True) -> bytes:
    """All bytes of a regular file.

    Args:
        path: what to read.
        limit: largest size, bytes.
        follow_links: whether ``path`` itself may be a symbolic link.

    Raises:
        ForeignFileError: it is larger, a device, a pipe, a folder or a refused link.
        OSError: it cannot be opened or read.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow_links else os.O_NOFOLLOW)
    if not follow_links and path.is_symlink():
        _refuse(path, "is a symbolic link; put the file itself there")
    with os.fdopen(os.open(path, flags), "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            _refuse(path, "is not a regular file")
        data = stream.read(limit + 1) if found.st_size <= limit else b""
    size = max(found.st_size, len(data))  # it may grow while it is read
    if size > limit:
        _refuse(path, f"has {size:,} bytes; at most {limit:,} are read")
    return data


def contained(folder: Path, name: str) -> Path:
    """The file that a relative name in a foreign file means, inside ``folder``.

    Args:
        folder: what the foreign file belongs to.
        name: POSIX path; parts "..", absolute paths, drive letters and links that lead out are refused.

    Raises:
        ForeignFileError: it would leave the folder.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or ":" in parts[0]:
        _refuse(folder, f"names the file {name!r}; names are relative and stay inside the folder")
    found = folder.joinpath(*parts)
    if not found.resolve().is_relative_to(folder.resolve()):
        _refuse(folder, f"holds {name!r}, a link that leads out of the folder; put the file itself there")
    return found


def parse_model(model: type[_Model], data: bytes, file: str, first_line: int = 1) -> _Model:
    """A model from strict JSON.

    Stricter than JSON's habit: UTF-8 without a byte order mark, every key once, finite numbers, bounded depth.

    Args:
        model: what the text must be; its own rules are checked after the text's.
        data: the text.
        file: for the error.
        first_line: the line of ``file`` that ``data`` begins at (for JSON lines).

    Raises:
        ForeignFileError: one line for each problem, ``file:line:field: message``.
    """
    text = parse_text(data, file, first_line)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        every = error.errors(include_url=False, include_context=False, include_input=False)
        found = every[:MAX_PROBLEMS]
        lines = _lines_of(text, [item["loc"] for item in found], first_line)
        problems = [
            Problem(file, line, ".".join(str(part) for part in item["loc"]), item["msg"])
            for item, line in zip(found, lines, strict=True)
        ]
        raise problems_error(problems) from None


def parse_text(data: bytes, file: str, first_line: int = 1) -> str:
    """The text of strict JSON, checked as for ``parse_model``.

    Raises:
        ForeignFileError: naming the line.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        raise problems_error([Problem(file, line, "", f"byte {error.start} is not UTF-8 text")]) from None
    try:
        json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded_int
        )
    except json.JSONDecodeError as error:
        problem = Problem(file, first_line + error.lineno - 1, "", f"not JSON at column {error.colno}: {error.msg}")
    except _RepeatedKeyError as error:
        offset = _repeated_key(text)
        problem = Problem(
            file, first_line + text.count("\n", 0, offset), error.key, "this key stands twice in its object"
        )
    except _NumberError as error:
        offset = _token(text, error.token)
        problem = Problem(file, first_line + text.count("\n", 0, offset), "", str(error))
    except RecursionError:
        problem = Problem(file, first_line, "", "arrays and objects are nested too deep")
    else:
        return text
    raise problems_error([problem]) from None


class _RepeatedKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class _NumberError(ValueError):
    def __init__(self, message: str, token: str) -> None:
        super().__init__(message)
        self.token = token


def _refuse(path: Path, message: str) -> NoReturn:
    raise problems_error([Problem(str(path), 0, "", message)])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _RepeatedKeyError(name)
            seen.add(name)
    return found


def _no_constant(token: str) -> NoReturn:
    raise _NumberError(f"{token} is not a number of JSON; numbers are finite", token)


def _finite(token: str) -> float:
    value = float(token)
    if math.isinf(value):
        raise _NumberError(f"the number {token[:20]} is too large", token)
    return value


def _bounded_int(token: str) -> int:
    if len(token) > _MAX_DIGITS:
        raise _NumberError(f"the number {token[:_MAX_DIGITS]}… has {len(token)} digits", token)
    return int(token)


def _token(text: str, token: str) -> int:
    """Where a number stands for the first time outside strings."""
    found = re.finditer(rf'"(?:[^"\\]|\\.)*+"|{re.escape(token)}', text)
    return next((match.start() for match in found if match.group() == token), 0)


def _repeated_key(text: str) -> int:
    """Where a key stands for the second time in its object; the text is valid JSON but for that."""
    pending = [_after_blank(text, 0)] if len(text) <= _WALKED_CHARACTERS else []
    while pending:
        seen: set[str | int] = set()
        for name, position in _members(text, pending.pop()):
            if name in seen:
                return position
            seen.add(name)
            pending.append(position)
    return 0


def _lines_of(text: str, places: list[Loc], first_line: int) -> list[int]:
    """The line of each place in a valid JSON text: where its value (or the nearest enclosing one) begins."""
    if "\n" not in text.strip() or len(text) > _WALKED_CHARACTERS:
        return [first_line + text[: len(text) - len(text.lstrip())].count("\n")] * len(places)
    return [first_line + text.count("\n", 0, _offset(text, place)) for place in places]


def _offset(text: str, loc: Loc) -> int:
    """Where the value at a path begins, walking only as far as the text follows the path."""
    position = _after_blank(text, 0)
    for part in loc:
        step = next((start for name, start in _members(text, position) if name == part), None)
        if step is None:
            break
        position = step
    return position


def _members(text: str, position: int) -> Iterator[tuple[str | int, int]]:
    """Name (or index) and beginning of every member of the object or array at a position."""
    decoder = json.JSONDecoder()
    opening = text[position]
    if opening not in "[{":
        return
    position, index = _after_blank(text, position + 1), 0
    while text[position] not in "]}":
        name: str | int = index
        if opening == "{":
            name, position = decoder.raw_decode(text, position)
            position = _after_blank(text, _after_blank(text, position) + 1)
        yield name, position
        _, position = decoder.raw_decode(text, position)
        position = _after_blank(text, position)
        if text[position] == ",":
            position = _after_blank(text, position + 1)
        index += 1


def _after_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position
