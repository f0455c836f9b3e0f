"""What a check is, and what its trial can find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "weak", "absent", "failed"]
"""Works; works, with something to know; is not there; is there and does not work."""
Need = Literal["main", "part", "service"]
"""The main job needs it; one part of the program needs it; it may rightly not be there or not run."""


@dataclass(frozen=True)
class Settings:
    """Where to look for simulators that somebody else started.

    Attributes:
        carla_host: of a CARLA server.
        carla_port: its RPC port; the two after it belong to it.
        coppelia_host: of a CoppeliaSim.
        coppelia_port: of its ZeroMQ remote API.
    """

    carla_host: str = "127.0.0.1"
    carla_port: int = 2000
    coppelia_host: str = "127.0.0.1"
    coppelia_port: int = 23000


@dataclass(frozen=True)
class Finding:
    """What a trial found: its state, one line that says so, and the command that mends it ("" where none is due)."""

    state: State
    found: str
    remedy: str = ""


def works(found: str) -> Finding:
    """It was tried and works."""
    return Finding("ok", found)


def weak(found: str, remedy: str) -> Finding:
    """It works, but something about it will trouble the user."""
    return Finding("weak", found, remedy)


def absent(found: str, remedy: str) -> Finding:
    """It is not there."""
    return Finding("absent", found, remedy)


def broken(found: str, remedy: str) -> Finding:
    """It is there and does not work."""
    return Finding("failed", found, remedy)


def _no_remedy() -> str:
    return ""


@dataclass(frozen=True)
class Check:
    """One trial.

    Attributes:
        name: what a user types after ``--only``.
        group: what it belongs to.
        what: what is tried, for ``--list``.
        trial: does it, in a process of its own. What it raises is a failure.
        need: who cannot do without it.
        remedy: the command for a trial that raised, crashed or never answered; where it is "" the error's own words
            are the remedy.
        deadline_s: how long the trial may take.
    """

    name: str
    group: str
    what: str
    trial: Callable[[Settings], Finding]
    need: Need = "part"
    remedy: Callable[[], str] = _no_remedy
    deadline_s: float = 30.0


@dataclass(frozen=True)
class Result:
    """What a check came to; the fields of the JSON that ``doctor --json`` prints for it.

    Attributes:
        name: of the check.
        group: of the check.
        need: "main", "part" or "service", see ``Need``.
        state: "ok", "weak", "absent" or "failed", see ``State``.
        ok: the state is "ok" or "weak": what was tried works.
        found: one line.
        remedy: what to do, "" where nothing is to be done.
        seconds: how long the trial took.
    """

    name: str
    group: str
    need: Need
    state: State
    ok: bool
    found: str
    remedy: str
    seconds: float


def result_of(check: Check, finding: Finding, seconds: float) -> Result:
    """A finding under the name of its check."""
    fine = finding.state in ("ok", "weak")
    return Result(
        check.name, check.group, check.need, finding.state, fine, finding.found, finding.remedy, round(seconds, 2)
    )
