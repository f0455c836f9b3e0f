"""What an owner and the guardian of its simulator tell each other, in lines of JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

LOG_TAIL_BYTES = 2000


@dataclass(frozen=True)
class Order:
    """What to start: the one thing the owner says.

    Attributes:
        command: with the placeholders of ``Launch``.
        environment: added to the guardian's.
        removal: command that removes what is not among its processes; same placeholders.
        log_folder: keeps the log; "" drops it.
        name: beginning of the log file's name.
        end_timeout_s: from SIGTERM to SIGKILL.
        owner: process id; the guardian ends with it.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    removal: tuple[str, ...]
    log_folder: str
    name: str
    end_timeout_s: float
    owner: int


@dataclass(frozen=True)
class Started:
    """It runs.

    Attributes:
        port: first of the leased ports.
        leader: process id of the simulator, and of its group.
        name: unique, also that of a container.
        log: what the simulator prints.
    """

    port: int
    leader: int
    name: str
    log: str


@dataclass(frozen=True)
class Ended:
    """It is gone, with everything that was its.

    Attributes:
        status: exit status of the simulator, negative: the signal that killed it.
        log_tail: the end of what it printed.
        complaint: what could not be removed.
    """

    status: int
    log_tail: str
    complaint: str


@dataclass(frozen=True)
class Failed:
    """It could not be started.

    Attributes:
        error: why.
        permanent: trying again would not help.
    """

    error: str
    permanent: bool


Answer = Started | Ended | Failed
_ANSWERS: dict[str, type[Answer]] = {kind.__name__: kind for kind in (Started, Ended, Failed)}


def packed(message: Order | Answer) -> bytes:
    """A line."""
    return json.dumps({"is": type(message).__name__, **asdict(message)}).encode() + b"\n"


def order_of(line: bytes) -> Order:
    """The order in a line."""
    fields = json.loads(line)
    del fields["is"]
    return Order(**fields)


def answer_of(line: bytes) -> Answer:
    """The answer in a line."""
    fields = json.loads(line)
    return _ANSWERS[fields.pop("is")](**fields)


def filled(text: str, values: Mapping[str, object]) -> str:
    """Replace ``{name}`` for the names that are known; other braces stay as they are."""
    return re.sub(r"\{(\w+)\}", lambda match: str(values.get(match[1], match[0])), text)


def log_tail(log: Path) -> str:
    """The end of a log; "" if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
