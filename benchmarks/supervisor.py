"""What supervision costs with the embedded server: ``python -m benchmarks.supervisor`` (about half a minute)."""

import statistics
import time
from collections.abc import Callable

import psutil

from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess
from sim2real_bench.evaluation.supervisor import Policy, Supervisor, embedded_carla

REPEATS = 3
CHECKS = 10


def main() -> None:
    bare, supervised, ends, checks = [], [], [], []
    with Supervisor(embedded_carla()) as warm_up:  # builds the town's cache, should it be missing
        warm_up.ready()
    for _ in range(REPEATS):
        bare.append(_bare_start_s())
        supervisor = Supervisor(embedded_carla(), Policy(memory_limit_mib=1e6))
        supervised.append(_seconds(supervisor.ready))
        for _ in range(CHECKS):
            supervisor.finished()
            checks.append(_seconds(supervisor.ready))
        memory = {process.cmdline()[3]: process.memory_full_info().pss for process in _helpers()}
        ends.append(_seconds(supervisor.close))
    print(f"start of a bare embedded server   {statistics.median(bare):6.2f} s")
    print(f"start until it is ready           {statistics.median(supervised):6.2f} s")
    print(f"check between two tasks           {1000 * statistics.median(checks):6.0f} ms")
    print(f"end                               {statistics.median(ends):6.2f} s")
    print(f"memory of the guardian            {memory['guard'] / 2**20:6.0f} MiB")
    print(f"memory of the process of calls    {memory['call'] / 2**20:6.0f} MiB")


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _bare_start_s() -> float:
    started = time.perf_counter()
    with EmbeddedServerProcess():
        return time.perf_counter() - started


def _helpers() -> list[psutil.Process]:
    """The guardian and the process of calls."""
    children = psutil.Process().children()
    return [child for child in children if "sim2real_bench.evaluation.supervisor" in child.cmdline()]


if __name__ == "__main__":
    main()
