"""Blocks of ports, leased through lock files, and what a lease says about the processes that use it.

A lease is a file in the user's runtime folder, locked (``flock``) by the guardian of the simulator. The kernel releases
the lock when the guardian ends, however it ends; a file that can be locked by somebody else is stale. Its content then
tells what may still run: whoever leases next ends that first.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import shutil
import socket
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs
import psutil

from sim2real_bench.errors import ConfigurationError, SimulatorError

PORTS_PER_LEASE = 8
FIRST_PORT, LAST_PORT = 20000, 31999  # below the range from which Linux takes ports for outgoing connections
TOKEN_VARIABLE = "SIM2REAL_BENCH_LEASE"
FOLDER_PREFIX = "sim2real-bench-"
REMOVAL_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Occupant:
    """What uses a lease.

    Attributes:
        token: value of ``TOKEN_VARIABLE`` in the environment of each of its processes.
        folder: its temporary files.
        removal: command that removes what is not among its processes (a container).
        leader: process id of the first process, which is also its group; 0 before it was started.
        created: when that process was created, seconds since the epoch: tells it from a later one of the same id.
    """

    token: str
    folder: str
    removal: tuple[str, ...] = ()
    leader: int = 0
    created: float = 0.0


class Lease:
    """A block of consecutive ports that is ours until ``release`` or the end of this process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self.port = int(path.stem)

    def write(self, occupant: Occupant) -> None:
        """Say who uses it; replaces what was said before."""
        text = json.dumps(asdict(occupant)).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Remove the lock file; safe twice."""
        if self._descriptor >= 0:
            self._path.unlink(missing_ok=True)  # while it is locked: nobody can mistake it for a free one
            os.close(self._descriptor)
            self._descriptor = -1


def lease_folder() -> Path:
    """Where the lock files of this user are.

    Raises:
        ConfigurationError: somebody else owns it.
    """
    with warnings.catch_warnings():  # without a session of the desktop, it says that it falls back to /tmp
        warnings.simplefilter("ignore")
        folder = Path(platformdirs.user_runtime_path("sim2real-bench")) / "ports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for place in (folder, folder.parent, folder.parent.parent):
        if place.stat().st_uid != os.getuid():
            raise ConfigurationError(f"{place} belongs to another user; remove it, or set XDG_RUNTIME_DIR to your own")
    return folder


def lease_ports(folder: Path) -> Lease:
    """Take the first block, from a random one on, that nobody holds and whose ports are all free.

    Raises:
        SimulatorError: there is none.
    """
    blocks = range(FIRST_PORT, LAST_PORT - PORTS_PER_LEASE + 2, PORTS_PER_LEASE)
    start = random.SystemRandom().randrange(len(blocks))
    for port in (*blocks[start:], *blocks[:start]):
        lease = _take(folder / f"{port}.lock")
        if lease is None:
            continue
        if all(_is_free(number) for number in range(port, port + PORTS_PER_LEASE)):
            return lease
        lease.release()
    raise SimulatorError(f"no {PORTS_PER_LEASE} consecutive free ports from {FIRST_PORT} to {LAST_PORT}: end something")


def sweep(folder: Path) -> list[Occupant]:
    """End what the owners of stale leases left behind, and remove those leases; returns whom it found."""
    found = []
    for path in sorted(folder.glob("*.lock")):
        lease = _take(path, create=False)
        if lease is not None:
            occupant = occupant_of(path)
            if occupant is not None:
                evict(occupant)
                found.append(occupant)
            lease.release()
    return found


def evict(occupant: Occupant) -> None:
    """End everything of an occupant whose guardian is gone."""
    remove_outside(occupant.removal)
    for process in processes_of(occupant):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    remove_outside(occupant.removal)
    folder = Path(occupant.folder)
    if folder.name.startswith(FOLDER_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def remove_outside(removal: Sequence[str]) -> str:
    """Run the command that removes a container; returns why one may be left, "" if none is."""
    if not removal:
        return ""
    try:
        done = subprocess.run(removal, capture_output=True, text=True, timeout=REMOVAL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    gone = ("no such container", "already in progress")  # by itself, or about to be
    if done.returncode == 0 or any(words in done.stderr.lower() for words in gone):
        return ""
    return done.stderr.strip()


def _take(path: Path, create: bool = True) -> Lease | None:
    """Lock a lease file, unless another process holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between opening and locking, its last holder may have removed it: then it is the lock of nothing.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return Lease(path, descriptor)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def occupant_of(path: Path) -> Occupant | None:
    """Whom a lease file names; None for one that was never written to."""
    try:
        fields = json.loads(path.read_text())
        return Occupant(**{**fields, "removal": tuple(fields["removal"])})
    except (ValueError, TypeError, KeyError):
        return None


def processes_of(occupant: Occupant) -> Iterator[psutil.Process]:
    """What still runs of an occupant, whatever group or parent it has now."""
    for process in psutil.process_iter():
        try:
            if _belongs(process, occupant):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError):
            continue


def _belongs(process: psutil.Process, occupant: Occupant) -> bool:
    """By token; by id and time of creation, should the process have hidden its environment."""
    if process.pid == occupant.leader and abs(process.create_time() - occupant.created) < 0.01:
        return True
    return process.uids().real == os.getuid() and process.environ().get(TOKEN_VARIABLE) == occupant.token


def _is_free(port: int) -> bool:
    """Whether a server could listen at a port, on all addresses."""
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
