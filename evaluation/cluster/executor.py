"""Workers on the machines of a Ray cluster, behind the interface of the workers of one machine.

One thread of this process serves one worker, as in ``ProcessExecutor``. The worker process, its deadline, its
supervisor and its simulator are beside each other on one machine, held there by an actor of Ray; tasks and results
travel, pictures never do. An actor that is lost (it died, its machine died, or it does not answer) is forgotten for
good: whatever it may still do reaches nobody. Its task gets a ``WorkerLostError``, and its place is taken by a new
actor wherever there is room.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sim2real_bench.evaluation.cluster.checkpoints import carried
from sim2real_bench.evaluation.cluster.connection import ClusterConnection
from sim2real_bench.evaluation.cluster.crew import Crew
from sim2real_bench.evaluation.cluster.seat import Seat
from sim2real_bench.evaluation.cluster.settings import RaySettings
from sim2real_bench.evaluation.execution.executors import QueuedExecutor
from sim2real_bench.evaluation.execution.slots import SlotKeeper
from sim2real_bench.evaluation.execution.work import Context, Setup

_PATIENCE_S = 180.0  # without any worker, for a place in the cluster


class RayExecutor(QueuedExecutor[Context]):
    """Runs tasks in ``workers`` processes spread over the machines of a Ray cluster that runs already.

    Args:
        setup: what each worker keeps; its checkpoints are brought to the machines.
        workers: processes, all machines together.
        deadline_s: a worker silent for longer while it has a task is ended.
        keeper: keeps one simulator for each worker, on the worker's machine.
        settings: where the cluster is and what a worker takes of it; None: the one this machine is a node of.
        patience_s: this long without any worker, because the cluster has no room left, ends the run.
    """

    def __init__(
        self,
        setup: Setup[Context],
        workers: int,
        deadline_s: float = 240.0,
        keeper: SlotKeeper | None = None,
        settings: RaySettings | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        super().__init__()
        self._setup, self._workers, self._deadline_s, self._keeper = setup, workers, deadline_s, keeper
        self._settings, self._patience_s = settings or RaySettings(), patience_s
        self._cluster: ClusterConnection | None = None
        self._seats: list[Seat] = []

    def __enter__(self) -> Self:
        """Connect and begin to place the workers.

        Raises:
            MissingDependencyError: Ray is not installed.
            ClusterError: no cluster can be reached, or it is too small for the workers.
            CheckpointError: a checkpoint cannot be read.
        """
        setup = carried(self._setup)
        self._cluster = ClusterConnection(self._settings)
        try:
            self._cluster.require_room(self._workers, self._settings.cpus_per_worker)
            crew = Crew(self._cluster, self._settings, setup, self._deadline_s, self._keeper, self._patience_s)
            self._seats = [Seat(number, crew, self._jobs, self._stopping) for number in range(self._workers)]
        except BaseException:
            self._cluster.close()
            raise
        for seat in self._seats:
            seat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def shutdown(self) -> None:
        """End all workers and their simulators, also those at work; returns when they are gone. Safe twice.

        Tasks that nobody began are cancelled.
        """
        self._stopping.set()
        for seat in self._seats:
            if seat.ident is not None:
                seat.join()
        self._cancel_rest()
        if self._cluster is not None:
            self._cluster.close()
