"""What can be made to go wrong on purpose, what a run does about it, and what its user reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sim2real_bench.errors import ConfigurationError


class Place(StrEnum):
    """Whose fault it is."""

    SIMULATOR = "simulator"
    ADAPTER = "adapter"
    AGENT = "agent"


class Consequence(StrEnum):
    """What a run does about it."""

    REPEATED = "driven again"
    NOTHING = "nothing: the result stands"
    SCORED = "agent_error, which counts"


@dataclass(frozen=True)
class Kind:
    """One way to fail.

    Attributes:
        name: as it is written in a ``Fault``.
        place: whose fault it is.
        does: what happens.
        consequence: what a run does about the episode.
        message: regular expression that the record's ``error`` matches.
    """

    name: str
    place: Place
    does: str
    consequence: Consequence
    message: str = ""


_SIMULATOR, _ADAPTER, _AGENT = Place.SIMULATOR, Place.ADAPTER, Place.AGENT
_REPEATED, _NOTHING, _SCORED = Consequence.REPEATED, Consequence.NOTHING, Consequence.SCORED

KINDS = (
    Kind("segfault", _SIMULATOR, "crashes (SIGSEGV)", _REPEATED, "ConnectionLostError: .* the fake simulator is gone"),
    Kind("killed", _SIMULATOR, "is killed (SIGKILL)", _REPEATED, "ConnectionLostError: .* the fake simulator is gone"),
    Kind("exit", _SIMULATOR, "exits with status 3", _REPEATED, "ConnectionLostError: .* the fake simulator is gone"),
    Kind("hang", _SIMULATOR, "never answers again", _REPEATED, "StepTimeoutError: .* did not answer within"),
    Kind("late", _SIMULATOR, "answers 0.3 s late", _NOTHING),
    Kind("leak", _SIMULATOR, "keeps 64 MiB more", _NOTHING),
    Kind("settings", _SIMULATOR, "ticks of 0.05 s", _REPEATED, "SettingsChangedError: .* ticks of 0.05 s"),
    Kind("free-running", _SIMULATOR, "ticks by itself", _REPEATED, "SettingsChangedError: .* frame .* after frame"),
    Kind("garbage", _SIMULATOR, "answers in another protocol", _REPEATED, "SimulatorError: .* is no answer of its"),
    Kind("nan-pose", _SIMULATOR, "reports NaN as position", _REPEATED, "SimulatorError: .* which is no place"),
    Kind("nan-impulse", _SIMULATOR, "reports NaN as impulse", _REPEATED, "SimulatorError: .* collision impulse"),
    Kind("nan-speed", _SIMULATOR, "sends NaN as observation", _REPEATED, "SimulatorError: .* 'speed' .* not finite"),
    Kind("black", _SIMULATOR, "sends a black picture", _REPEATED, "SimulatorError: .* 'rgb' .* black"),
    Kind("shape", _SIMULATOR, "sends a smaller picture", _REPEATED, r"SimulatorError: .* 'rgb' .* \(16, 64, 3\)"),
    Kind("bug", _ADAPTER, "raises an unexpected error", _REPEATED, "ZeroDivisionError: a defect in the adapter"),
    Kind("stuck", _ADAPTER, "never returns", _REPEATED, "worker .* gave no sign of life for .* s and was ended"),
    Kind("worker-killed", _ADAPTER, "its process is killed (SIGKILL)", _REPEATED, "worker .* was killed by SIGKILL"),
    Kind("worker-crash", _ADAPTER, "its process crashes (SIGSEGV)", _REPEATED, "worker .* was killed by SIGSEGV"),
    Kind("raises", _AGENT, "raises an error", _SCORED, "ValueError: the network is confused"),
    Kind("reset-raises", _AGENT, "raises an error in reset", _SCORED, "ValueError: no memory of the last episode"),
    Kind("nan", _AGENT, "answers NaN", _SCORED, "the agent answered .* expected 2 finite numbers"),
    Kind("wrong-shape", _AGENT, "answers three numbers", _SCORED, r"of shape \(3,\); expected 2 finite numbers"),
    Kind("text", _AGENT, "answers a text", _SCORED, "the agent answered 'left', which is not an action"),
    Kind("never", _AGENT, "never returns", _SCORED, "the agent did not answer within .* s"),
    Kind("sys-exit", _AGENT, "calls sys.exit", _SCORED, "SystemExit: enough"),
    Kind("os-exit", _AGENT, "ends its process with status 7", _SCORED, "the agent ended its process with status 7"),
    Kind("agent-crash", _AGENT, "crashes its process (SIGSEGV)", _REPEATED, "worker .* was killed by SIGSEGV"),
)


def kind_named(name: str) -> Kind:
    """The kind of a name.

    Raises:
        ConfigurationError: there is none.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise ConfigurationError(f"fault {name!r} is unknown; known: {', '.join(kind.name for kind in KINDS)}")


@dataclass(frozen=True)
class Fault:
    """A fault at a place and time, written ``KIND@TICK``, ``KIND@TICK*TIMES`` or ``KIND@TICK*TIMES#SEED``.

    Attributes:
        kind: name of a ``Kind``.
        tick: of the episode, counted from 1 after a reset (the standing vehicle's ticks count).
        times: how often altogether, or 0 for always.
        seed: only in the episode of this seed, or None.
    """

    kind: str
    tick: int
    times: int = 1
    seed: int | None = None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """The fault of a text.

        Raises:
            ConfigurationError: another form, or an unknown kind.
        """
        found = re.fullmatch(r"(?P<kind>[a-z-]+)@(?P<tick>\d+)(\*(?P<times>\d+))?(#(?P<seed>\d+))?", text)
        if found is None:
            raise ConfigurationError(f"fault {text!r}: write KIND@TICK, KIND@TICK*TIMES or KIND@TICK*TIMES#SEED")
        seed = found["seed"]
        return cls(
            kind_named(found["kind"]).name, int(found["tick"]), int(found["times"] or 1), int(seed) if seed else None
        )

    @property
    def text(self) -> str:
        """The form that ``parse`` reads."""
        return f"{self.kind}@{self.tick}*{self.times}" + (f"#{self.seed}" if self.seed is not None else "")


class FaultCounter:
    """Says when a fault is due, and counts how often it was.

    Args:
        texts: faults.
        folder: keeps the counts for all processes; None: this process counts for itself.
    """

    def __init__(self, texts: Sequence[str], folder: Path | None) -> None:
        self._faults = tuple(map(Fault.parse, texts))
        self._folder = folder
        self._counts: dict[Fault, int] = {}

    def due(self, places: Sequence[Place], tick: int, seed: int) -> str | None:
        """The name of the fault of these places that happens now, if any; it is counted."""
        for fault in self._faults:
            matches = fault.tick == tick and fault.seed in (None, seed) and kind_named(fault.kind).place in places
            if matches and (fault.times == 0 or self._taken(fault)):
                return fault.kind
        return None

    def _taken(self, fault: Fault) -> bool:
        if self._folder is None:
            self._counts[fault] = self._counts.get(fault, 0) + 1
            return self._counts[fault] <= fault.times
        for number in range(fault.times):
            try:
                (self._folder / f"{fault.text}-{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return True
        return False
