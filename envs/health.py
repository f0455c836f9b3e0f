"""What a simulator shows of itself when it is asked whether it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Health:
    """The answers of a simulator that works.

    Attributes:
        version: what it calls itself.
        place: the loaded map or scene; "" if it was not asked.
        ticks_per_s: by the fastest of the ticks that were tried, so that a busy machine does not look like a slow
            simulator; 0 if none was.
        sensors: types of the sensors that other clients have in it, sorted: rates are comparable between equal ones.
    """

    version: str
    place: str = ""
    ticks_per_s: float = 0.0
    sensors: tuple[str, ...] = ()


class Probe(Protocol):
    """Asks a simulator; one function per kind of simulator, called in a process of its own that keeps the deadline."""

    def __call__(
        self,
        host: str,
        port: int,
        step: Callable[[str], None],
        *,
        frame: bool,
        ticks: int,
        start_timeout_s: float,
        timeout_s: float,
    ) -> Health:
        """Connect, compare versions and, if asked to, check the map, tick and wait for one frame.

        Leaves the simulator as it found it. What a launch expects comes as further keyword arguments.

        Args:
            host: where it listens.
            port: likewise.
            step: told what comes next, before each question.
            frame: check the map and take one picture.
            ticks: how many to try.
            start_timeout_s: longest wait for the first answer.
            timeout_s: longest wait for each further answer.

        Raises:
            SimulatorError: it does not work (any more).
            Sim2RealError: it never will: wrong version, missing client library.
        """
