"""What the seats of a cluster's executor share: how to make a worker's actor, and when to give up."""

from __future__ import annotations

import threading
import time
from typing import Any

from sim2real_bench.errors import ClusterError
from sim2real_bench.evaluation.cluster.connection import ClusterConnection
from sim2real_bench.evaluation.cluster.node_worker import node_worker_class
from sim2real_bench.evaluation.cluster.settings import RaySettings
from sim2real_bench.evaluation.cluster.versions import differences, installed
from sim2real_bench.evaluation.execution.slots import SlotKeeper
from sim2real_bench.evaluation.execution.work import Setup

_FORSAKEN_S = 600.0  # a worker that has not heard of its run for so long ends: its machine was cut off
_BESIDES = 3  # calls an actor serves at once: a task, whether it is alive, and its end


class Crew:
    """Makes actors, and knows since when no seat has one.

    Args:
        cluster: connected.
        settings: what a worker takes of it.
        setup: of the workers, as it can be sent.
        deadline_s: of a silent worker.
        keeper: of the simulators, or None.
        patience_s: this long without any worker, for lack of room, is too long.

    Attributes:
        ray: the library.
        deadline_s: of a silent worker.
    """

    def __init__(
        self,
        cluster: ClusterConnection,
        settings: RaySettings,
        setup: Setup[Any],
        deadline_s: float,
        keeper: SlotKeeper | None,
        patience_s: float,
    ) -> None:
        self.ray = cluster.ray
        self.deadline_s = deadline_s
        self._cluster, self._settings, self._patience_s = cluster, settings, patience_s
        self._setup, self._keeper = self.ray.put(setup), self.ray.put(keeper)  # sent to each machine once
        self._versions = installed()
        self._class = self.ray.remote(node_worker_class()).options(
            num_cpus=settings.cpus_per_worker,
            scheduling_strategy="SPREAD",
            max_restarts=0,  # a restarted actor would drive on with nobody watching; the seat makes a new one
            max_concurrency=_BESIDES,
        )
        self._lock = threading.Lock()
        self._up: set[int] = set()
        self._none_since = time.monotonic()

    def new_actor(self) -> Any:
        """An actor; Ray looks for a machine with room."""
        return self._class.remote()

    def opened(self, actor: Any) -> Any:
        """Begin the actor's work; the reference is ready when it has begun."""
        return actor.open.remote(
            self._setup, self.deadline_s, self._keeper, self._settings.cpus_per_worker, _FORSAKEN_S
        )

    def require_same(self, place: str, versions: dict[str, str]) -> None:
        """Refuse a machine with other software.

        Raises:
            ClusterError: with the differences.
        """
        found = differences(self._versions, versions)
        if found:
            raise ClusterError(
                f"the machine {place} has {', '.join(found)}: results would depend on where they were driven; install "
                "the same versions on every machine of the cluster, then run the same command again"
            )

    def has_worker(self, number: int, up: bool) -> None:
        """Told by a seat whether it has a worker."""
        with self._lock:
            if up:
                self._up.add(number)
            else:
                self._up.discard(number)
                self._none_since = time.monotonic()

    def require_hope(self) -> None:
        """Give up when no seat has found a machine for too long.

        Raises:
            ClusterError: with the machines that are left.
        """
        with self._lock:
            waited_s = 0.0 if self._up else time.monotonic() - self._none_since
        if waited_s > self._patience_s:
            left = ", ".join(f"{node.name} with {node.cpus} CPUs" for node in self._cluster.nodes()) or "none"
            raise ClusterError(
                f"no machine of the cluster had {self._settings.cpus_per_worker} free CPUs for a worker within "
                f"{waited_s:.0f} s; machines left: {left}. Finished episodes are kept: add machines, or wait for other "
                "jobs of the cluster to end ('ray status'), then run the same command again"
            )
