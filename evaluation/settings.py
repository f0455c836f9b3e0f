"""How an evaluation is carried out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.cluster.settings import RaySettings
from sim2real_bench.evaluation.execution.slots import SlotKeeper
from sim2real_bench.evaluation.plan import Configuration

EXECUTORS = ("processes", "ray")


@dataclass(frozen=True)
class RunSettings:
    """How an evaluation is carried out; nothing here changes its results.

    Attributes:
        configuration: what is evaluated.
        out: results folder; what it holds already is kept and completed.
        workers: simulator processes at once.
        environment_options: keyword arguments of the environment (``backend``, ``host``, ``port`` ...).
        checkpoints: row label to weights, for rows that do not use the shipped ones.
        attempts: how often one run tries an episode that the infrastructure fails.
        failures_in_a_row: after this many infrastructure failures without one result in between the run gives up; with
            many workers, after three for each of them.
        deadline_s: a worker silent for longer is ended and replaced; a real server may take minutes to load a town.
        keeper: keeps one simulator for each worker; None: the environment starts or finds its own.
        executor: ``processes`` (this machine) or ``ray`` (a cluster).
        ray: where the cluster is and what a worker takes of it.
        film: keep a video of the worst, the median and the best episode of each row.
    """

    configuration: Configuration
    out: Path
    workers: int = 1
    environment_options: dict[str, object] = field(default_factory=dict)
    checkpoints: dict[str, Path] = field(default_factory=dict)
    attempts: int = 3
    failures_in_a_row: int = 9
    deadline_s: float = 240.0
    keeper: SlotKeeper | None = None
    executor: str = "processes"
    ray: RaySettings = field(default_factory=RaySettings)
    film: bool = False

    def __post_init__(self) -> None:
        if self.executor not in EXECUTORS:
            raise ConfigurationError(
                f"executor {self.executor!r} is unknown; choose {' or '.join(map(repr, EXECUTORS))}"
            )
        if self.film and self.executor != "processes":
            raise ConfigurationError(
                f"--film with --executor {self.executor}: films are written beside the worker, on whatever machine it "
                "is; film with 'sim2real-bench report DIR --film' afterwards"
            )

    @property
    def patience(self) -> int:
        """Infrastructure failures in a row that end the run: one lost machine may fail all its workers at once."""
        return max(self.failures_in_a_row, 3 * self.workers)
