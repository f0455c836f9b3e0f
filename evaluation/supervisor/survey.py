"""Reads what the leases on this machine say, without taking, ending or removing anything."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from sim2real_bench.evaluation.supervisor.leases import occupant_of, processes_of


@dataclass(frozen=True)
class LeaseState:
    """One lease.

    Attributes:
        port: the first of its block.
        held: its guardian runs; a lease that nobody holds is stale.
        processes: ids of the processes that a stale lease's owner left behind.
    """

    port: int
    held: bool
    processes: tuple[int, ...] = ()


def survey(folder: Path) -> list[LeaseState]:
    """The leases in a folder (see ``lease_folder``), in the order of their ports."""
    return [state for path in sorted(folder.glob("*.lock")) if (state := _state(path)) is not None]


def _state(path: Path) -> LeaseState | None:
    """None for a lease that was given back while it was looked at."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # released with the descriptor
    except BlockingIOError:
        return LeaseState(int(path.stem), held=True)
    finally:
        os.close(descriptor)
    occupant = occupant_of(path)
    left = () if occupant is None else tuple(process.pid for process in processes_of(occupant))
    return LeaseState(int(path.stem), held=False, processes=left)
