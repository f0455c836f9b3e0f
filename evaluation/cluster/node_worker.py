"""What runs on a machine of the cluster: an actor that holds one worker process with its simulator."""

from __future__ import annotations

from typing import Any


def node_worker_class() -> type:
    """The class of the actor.

    Ray sends a class made inside a function as code and not as an import, so that ``place`` also answers on a machine
    that holds another version of this package, or none.
    """

    class NodeWorker:
        """One worker process; the deadline, the supervisor and the simulator are beside it on its machine."""

        def place(self) -> tuple[str, dict[str, str]]:
            """Name of the machine, and the versions of what is installed there."""
            import platform

            try:
                from sim2real_bench.evaluation.cluster.versions import installed
            except ImportError:
                return platform.node(), {}
            return platform.node(), installed()

        def open(self, setup: Any, deadline_s: float, keeper: Any, threads: int, forsaken_s: float) -> None:
            """Begin; to be called once, before the rest."""
            import threading

            from sim2real_bench.evaluation.execution.executors import ProcessExecutor

            self._executor = ProcessExecutor(setup, 1, deadline_s, keeper, threads).__enter__()
            self.alive()
            threading.Thread(target=self._end_alone, args=(forsaken_s,), daemon=True).start()

        def run(self, task: Any) -> tuple[bool, Any]:
            """(True, result) or (False, exception)."""
            try:
                return True, self._executor.submit(task).result()
            except Exception as error:  # travels to the run's process, which decides
                return False, error

        def alive(self) -> bool:
            """This process answers, and hears that its run goes on."""
            import time

            self._heard = time.monotonic()
            return True

        def close(self) -> None:
            """End the worker and its simulator, also at work."""
            self._executor.shutdown()

        def _end_alone(self, forsaken_s: float) -> None:
            """End when the run is out of reach, or the raylet is gone that had started this process; Ray does neither.

            The run has found another worker long since.
            """
            import os
            import time

            raylet = os.getppid()
            while os.getppid() == raylet and time.monotonic() - self._heard < forsaken_s:
                time.sleep(1.0)
            self._executor.shutdown()
            os._exit(1)

    return NodeWorker
