"""How much faster two local workers are than one: ``python -m benchmarks.scaling`` (about five minutes).

The same short episodes are driven, in turns, by one worker with all cores, one worker with one thread, two workers, and
two workers of a Ray cluster of this machine. A rate counts only the time in which all workers drive: not the start of
simulators, and not the end, when nothing is left for the second worker. The baseline is the faster of the two ways to
run one worker.

Nothing else may run meanwhile; what other programs took is printed. Processor seconds per tick tell how much work it
is, whatever the clock says.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import psutil

from sim2real_bench.evaluation.benchmarks import STK_CARLA_V1
from sim2real_bench.evaluation.cluster.settings import RaySettings
from sim2real_bench.evaluation.plan import Configuration, EvaluationPlan, resolve_configuration
from sim2real_bench.evaluation.records import EpisodeRecord
from sim2real_bench.evaluation.rows import controllers_hash, resolve_rows
from sim2real_bench.evaluation.runner import evaluate
from sim2real_bench.evaluation.settings import RunSettings
from sim2real_bench.evaluation.supervisor import SupervisorKeeper, embedded_carla

BACKEND = "embedded"
HORIZON_TICKS = 100
AIM = 1.8
CORES = os.cpu_count() or 1
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS")


@dataclass(frozen=True)
class Way:
    """One way to run the same episodes.

    Attributes:
        name: as printed.
        workers: at once.
        threads: of each worker and its simulator.
        executor: ``processes`` or ``ray``.
    """

    name: str
    workers: int
    threads: int
    executor: str = "processes"


ONE = Way(f"1 worker, {CORES} threads", 1, CORES)
ONE_THREAD = Way("1 worker, 1 thread", 1, 1)
TWO = Way("2 workers", 2, max(1, CORES // 2))
RAY = Way("2 workers of Ray", 2, max(1, CORES // 2), "ray")
WAYS = (ONE, ONE_THREAD, TWO, RAY)


@dataclass(frozen=True)
class Rate:
    """What was measured while all workers drove.

    Attributes:
        ticks: per second, all workers together.
        episodes: per minute.
        processor_ms: of all our processes, per tick.
        cores: our processes kept busy.
        others: cores that other programs kept busy.
    """

    ticks: float
    episodes: float
    processor_ms: float
    cores: float
    others: float


@dataclass(frozen=True)
class _Finished:
    """A finished episode, and the processor seconds used up to then by us and by all programs."""

    at_s: float
    began_s: float
    ticks: int
    ours_s: float
    all_s: float


class Stopwatch:
    """Is told of every record of a run."""

    def __init__(self) -> None:
        self.finished: list[_Finished] = []

    def begin(self, plan: EvaluationPlan, finished: Sequence[EpisodeRecord]) -> None:
        """See ``runner.Progress``."""

    def attempt(self, record: EpisodeRecord) -> None:
        """See ``runner.Progress``."""
        now = time.monotonic()
        if not record.finished:
            raise SystemExit(f"the simulator failed, so nothing can be measured: {record.error}")
        began = now - record.wall_time_s
        self.finished.append(_Finished(now, began, record.ticks, _our_processor_s(), _all_processor_s()))

    def rate(self, workers: int) -> Rate:
        """Over the time in which every worker drove and had driven its first episode."""
        first, last = self.finished[workers - 1], self.finished[-workers]
        seconds = last.at_s - first.at_s
        # An episode that lies only partly in that time counts by its part.
        shares = [
            max(0.0, min(each.at_s, last.at_s) - max(each.began_s, first.at_s)) / (each.at_s - each.began_s)
            for each in self.finished
        ]
        ticks = sum(share * each.ticks for share, each in zip(shares, self.finished, strict=True))
        ours = last.ours_s - first.ours_s
        mean_ticks = statistics.fmean(each.ticks for each in self.finished)
        return Rate(
            ticks=ticks / seconds,
            episodes=60.0 * ticks / seconds / mean_ticks,
            processor_ms=1e3 * ours / ticks,
            cores=ours / seconds,
            others=max(0.0, last.all_s - first.all_s - ours) / seconds,
        )


def _our_processor_s() -> float:
    """Of this process and all that came from it (those that have ended meanwhile are missing)."""
    total = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _all_processor_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


@contextmanager
def local_cluster() -> Iterator[None]:
    """A Ray cluster of this machine alone, bound to loopback; the executor finds this process connected."""
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # else Ray leaves one in the home
    import ray

    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        ray.init(
            address="local", num_cpus=2 * RAY.threads, include_dashboard=False, object_store_memory=100_000_000,
            log_to_driver=False, logging_level=logging.ERROR, _temp_dir=folder,
        )  # fmt: skip
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Workers inherit how many threads their libraries start."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ |= dict.fromkeys(_THREAD_VARIABLES, str(count))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def configuration(method: str, episodes: int) -> Configuration:
    """Short episodes of the benchmark's test town; ``episodes`` for each of the five controllers."""
    from sim2real_bench.evaluation.execution.worker import AGENTS

    return resolve_configuration(
        STK_CARLA_V1, backend=BACKEND, preset="quick", episodes_per_controller=episodes, horizon_ticks=HORIZON_TICKS,
        rows=resolve_rows([method], "map"), agents=AGENTS, controllers_hash=controllers_hash(),
    )  # fmt: skip


def _loops(seconds: float) -> float:
    """Plain Python loops per second; keeps one core busy."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        count += sum(range(1000)) > 0
    return count / seconds


def machine_ratio(seconds: float = 3.0) -> float:
    """How much more two plain loops do than one: what the machine itself allows (2 where its cores are whole)."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(_loops, [0.2, 0.2]))
        one = max(pool.submit(_loops, seconds).result() for _ in range(2))
        return sum(pool.map(_loops, [seconds, seconds])) / one


def measure(way: Way, wanted: Configuration) -> Rate:
    """Drive all episodes one way."""
    town = wanted.town
    stopwatch = Stopwatch()
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder, _threads(way.threads):
        settings = RunSettings(
            configuration=wanted,
            out=Path(folder),
            workers=way.workers,
            environment_options={"backend": BACKEND, "town": town},
            keeper=SupervisorKeeper(embedded_carla(town, threads=way.threads)),
            executor=way.executor,
            ray=RaySettings(cpus_per_worker=way.threads),
        )
        evaluate(settings, stopwatch)
    return stopwatch.rate(way.workers)


def run(method: str = "direct", episodes: int = 4, rounds: int = 3) -> dict[str, list[Rate]]:
    """Measure all ways in turns and print the ratios."""
    wanted = configuration(method, episodes)
    rates: dict[str, list[Rate]] = {way.name: [] for way in WAYS}
    print(f"{method}: {5 * episodes} episodes of at most {HORIZON_TICKS} ticks in {wanted.town}; {CORES} cores")
    print(f"two plain Python loops at once do {machine_ratio():.2f} times what one does", flush=True)
    with local_cluster():
        for number in range(1, rounds + 1):
            for way in WAYS:
                rate = measure(way, wanted)
                rates[way.name].append(rate)
                print(
                    f"round {number} of {rounds}, {way.name:20} {rate.episodes:6.1f} episodes/min {rate.ticks:6.1f} "
                    f"ticks/s {rate.processor_ms:5.1f} processor ms/tick, {rate.cores:.2f} cores busy "
                    f"(others: {rate.others:.2f})",
                    flush=True,
                )
    show(rates)
    return rates


def show(rates: dict[str, list[Rate]]) -> None:
    """The ratios, each of rates of one round; the median of the rounds and all of them."""
    base = [
        max(pair, key=lambda rate: rate.ticks) for pair in zip(rates[ONE.name], rates[ONE_THREAD.name], strict=True)
    ]
    print("\nepisodes per minute, as ratios of the faster way to run one worker in the same round:")
    for way in (TWO, RAY):
        ratios = [rate.ticks / one.ticks for rate, one in zip(rates[way.name], base, strict=True)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"  {way.name:20} {statistics.median(ratios):.2f} (rounds: {each}; aim: {AIM})")
    print("processor time per tick, as ratios of one worker with one thread (1: nothing is wasted by sharing):")
    for way in (ONE, TWO, RAY):
        ratios = [
            rate.processor_ms / one.processor_ms
            for rate, one in zip(rates[way.name], rates[ONE_THREAD.name], strict=True)
        ]
        print(f"  {way.name:20} {statistics.median(ratios):.2f}")
    busiest = max(rate.others for each in rates.values() for rate in each)
    if busiest > 0.1:
        print(f"other programs kept up to {busiest:.2f} cores busy: repeat this on a quiet machine")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="direct", help="what drives; methods with a proxy use the map")
    parser.add_argument("--episodes", type=int, default=4, help="of each of the five controllers")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    run(chosen.method, chosen.episodes, chosen.rounds)


if __name__ == "__main__":
    main()
