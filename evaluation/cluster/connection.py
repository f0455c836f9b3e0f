"""The connection to a Ray cluster that runs already: found, checked and quiet. Never starts a cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sim2real_bench.errors import ClusterError, MissingDependencyError
from sim2real_bench.evaluation.cluster.settings import RaySettings

_REACH_S = 5.0
_INSTALL = 'install it on every machine of the cluster: pip install "sim2real-bench[cluster]" -c constraints.txt'
_START = (
    "start one with 'ray start --head' here and 'ray start --address=HOST:6379' on the other machines, or name the "
    "head of a running one with --ray-address HOST:PORT; one with token authentication also wants RAY_AUTH_MODE=token "
    "and its ~/.ray/auth_token here"
)


@dataclass(frozen=True)
class Node:
    """A machine of the cluster.

    Attributes:
        identity: Ray's.
        name: host name and address.
        cpus: it offers, used or not.
    """

    identity: str
    name: str
    cpus: int


class ClusterConnection:
    """This process as a driver of the cluster.

    A connection that the process has already is used and left open.

    Args:
        settings: where the cluster is.

    Raises:
        MissingDependencyError: Ray is not installed.
        ClusterError: no cluster can be reached.
    """

    def __init__(self, settings: RaySettings) -> None:
        self.ray: Any = _quiet_ray()
        self._ours = not self.ray.is_initialized()
        if self._ours:
            self._connect(settings)

    def nodes(self) -> list[Node]:
        """The machines that are up."""
        return [
            Node(
                str(entry["NodeID"]),
                f"{entry['NodeManagerHostname']} ({entry['NodeManagerAddress']})",
                int(entry["Resources"].get("CPU", 0)),
            )
            for entry in self.ray.nodes()
            if entry["Alive"]
        ]

    def require_room(self, workers: int, cpus_per_worker: int) -> None:
        """Refuse more workers than the cluster can ever hold.

        Raises:
            ClusterError: with the numbers.
        """
        nodes = self.nodes()
        room = sum(node.cpus // cpus_per_worker for node in nodes)
        if room < workers:
            listed = ", ".join(f"{node.name}: {node.cpus}" for node in nodes)
            raise ClusterError(
                f"--workers {workers} with {cpus_per_worker} CPU{'s' * (cpus_per_worker > 1)} each do not fit the "
                f"cluster: it has {len(nodes)} node{'s' * (len(nodes) > 1)} with CPUs {listed}, which is room for "
                f"{room}; use --workers {room or 1} or fewer --ray-cpus, or add machines with 'ray start --address'"
            )

    def close(self) -> None:
        """Leave the cluster; it ends the actors of this process. Safe twice."""
        if self._ours:
            self.ray.shutdown()

    def _connect(self, settings: RaySettings) -> None:
        try:
            address = _resolved(settings.address)
            _require_answer(address)
            with _signals_left_alone():
                self.ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        except (OSError, RuntimeError, ValueError) as error:  # not reached, or of another version of Ray or Python
            raise ClusterError(
                f"no Ray cluster can be used at {settings.address!r}: {' '.join(str(error).split())}; {_START}"
            ) from error


@contextlib.contextmanager
def _signals_left_alone() -> Iterator[None]:
    """Ray takes SIGTERM for itself; a run has its own way to end at it."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _quiet_ray() -> ModuleType:
    """Ray, told to send no statistics and to leave the terminal alone."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        from ray._private import worker
    except ImportError as error:
        raise MissingDependencyError(f"--executor ray needs Ray, which cannot be imported ({error}); {_INSTALL}") from (
            error
        )
    # Ray prints the death of a node to stdout, where the table goes; we log it. There is no public switch.
    worker._worker_logs_enabled = False
    return ray


def _resolved(address: str) -> str:
    """``HOST:PORT`` as Ray will use it; ``ray.init`` alone would start a cluster where ``RAY_ADDRESS`` says "local"."""
    from ray._private.services import canonicalize_bootstrap_address_or_die

    return str(canonicalize_bootstrap_address_or_die(address))


def _require_answer(address: str) -> None:
    """Ray itself tries for many minutes to reach a head that is no more."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S):
        pass
