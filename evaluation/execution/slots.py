"""What an executor asks of whatever keeps its simulators: one slot per worker, answering with where to connect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Endpoint:
    """Where a simulator answers.

    Attributes:
        host: address.
        port: its first port.
        generation: changes with every new simulator process of the slot, so that clients know when to connect anew.
    """

    host: str
    port: int
    generation: int

    def options(self) -> dict[str, Any]:
        """Keyword arguments of the environment."""
        return {"host": self.host, "port": self.port}


class SimulatorSlot(Protocol):
    """Keeps one simulator for one worker; used from one thread of the process that keeps the worker."""

    def ready(self) -> Endpoint:
        """A simulator that answers: started, checked or replaced first if need be.

        Raises:
            SimulatorError: none could be started.
        """

    def finished(self, failed: bool) -> None:
        """A task on it ended; after a failed one the simulator is not trusted and ``ready`` makes a new one."""

    def close(self) -> None:
        """End the simulator and give back its ports; safe twice."""


class SlotKeeper(Protocol):
    """Makes slots; plain data, so that it can be sent to another machine and used there."""

    def slot(self, number: int) -> SimulatorSlot:
        """The slot of a worker; nothing is started yet."""
