"""Plan or resume, drive what is missing, write the table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sim2real_bench.errors import RecordError, SimulatorError
from sim2real_bench.evaluation.driving import Phase
from sim2real_bench.evaluation.executors import ProcessExecutor, WorkerLostError
from sim2real_bench.evaluation.plan import (
    Configuration,
    Episode,
    EvaluationPlan,
    MethodRow,
    make_plan,
    read_plan,
    require_same,
    write_plan,
)
from sim2real_bench.evaluation.records import (
    EpisodeKey,
    EpisodeRecord,
    EpisodeResult,
    RecordLog,
    episode_key,
    make_record,
)
from sim2real_bench.evaluation.table import Table, build_table, write_table
from sim2real_bench.evaluation.worker import (
    DriveTask,
    DrivingContext,
    DrivingSetup,
    EnvironmentSpec,
    SpawnCountTask,
    agent_timeout,
    infrastructure_failure,
)

_LOG = logging.getLogger(__name__)
PLAN_FILE = "plan.json"


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
        failures_in_a_row: after this many infrastructure failures without one result in between the run gives up.
        deadline_s: a worker silent for longer is ended and replaced; a real server may take minutes to load a town.
    """

    configuration: Configuration
    out: Path
    workers: int = 1
    environment_options: dict[str, object] = field(default_factory=dict)
    checkpoints: dict[str, Path] = field(default_factory=dict)
    attempts: int = 3
    failures_in_a_row: int = 9
    deadline_s: float = 240.0


class Progress(Protocol):
    """Is told what happens."""

    def begin(self, plan: EvaluationPlan, finished: Sequence[EpisodeRecord]) -> None:
        """Driving begins; these episodes were finished by an earlier run."""

    def attempt(self, record: EpisodeRecord) -> None:
        """One attempt was recorded."""


class _Silent:
    def begin(self, plan: EvaluationPlan, finished: Sequence[EpisodeRecord]) -> None:
        pass

    def attempt(self, record: EpisodeRecord) -> None:
        pass


def evaluate(settings: RunSettings, progress: Progress | None = None) -> Table:
    """Drive every planned episode that has no result yet and write the tables.

    Resumes by itself: plan minus finished keys decides what is driven, nothing else. Infrastructure failures are
    repeated whatever the score, at most ``attempts`` times, and every attempt stays in the file.

    Returns:
        The table; its rows say how many of the planned episodes are finished.

    Raises:
        RecordError: the folder holds another plan, is in use, or cannot be written.
        SimulatorError: the simulator fails again and again.
    """
    configuration = settings.configuration
    environment = EnvironmentSpec(configuration.environment, dict(settings.environment_options))
    setup = DrivingSetup(environment, configuration.agents, dict(settings.checkpoints))
    with RecordLog(settings.out) as log, ProcessExecutor(setup, settings.workers, settings.deadline_s) as executor:
        plan = _plan(settings, executor)
        _require_planned(log, plan)
        run = _Run(settings, plan, log, executor, progress or _Silent())
        try:
            run.drive()
        finally:
            table = build_table(plan, log.records)
            write_table(table, settings.out)
    return table


def _plan(settings: RunSettings, executor: ProcessExecutor[DrivingContext]) -> EvaluationPlan:
    path = settings.out / PLAN_FILE
    if path.exists():
        plan = read_plan(path)
        require_same(path, plan.configuration, settings.configuration)
        return plan
    configuration = settings.configuration
    question = SpawnCountTask(configuration.town, configuration.rows[0], configuration.controllers[0])
    plan = make_plan(configuration, executor.submit(question).result())
    write_plan(path, plan)
    return plan


def _require_planned(log: RecordLog, plan: EvaluationPlan) -> None:
    planned = set(_planned_keys(plan))
    for number, record in enumerate(log.records, start=1):
        if record.key not in planned:
            raise RecordError(
                f"{log.path}:{number} belongs to another plan than {log.path.parent / PLAN_FILE} "
                f"({record.key.method!r}, spawn {record.key.spawn_index}); choose another folder with --out"
            )


def _planned_keys(plan: EvaluationPlan) -> dict[EpisodeKey, tuple[int, MethodRow, Episode]]:
    """Every key of the plan, row by row, with the row's number."""
    return {
        episode_key(plan.configuration, row, episode): (number, row, episode)
        for number, row in enumerate(plan.configuration.rows)
        for episode in plan.episodes
    }


@dataclass
class _Pending:
    key: EpisodeKey
    task: DriveTask
    row: int
    tries: int = 1

    @property
    def order(self) -> int:
        """Place in the queue."""
        # Rows one after the other: the environment is made anew only where the observations change. Repeated episodes
        # first: one bad start is not mistaken for a simulator that never works.
        return 2 * self.row - (self.tries > 1)


class _Run:
    """The loop over the episodes that are missing."""

    def __init__(
        self,
        settings: RunSettings,
        plan: EvaluationPlan,
        log: RecordLog,
        executor: ProcessExecutor[DrivingContext],
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._log = log
        self._executor = executor
        self._progress = progress
        self._pending: dict[Future[EpisodeResult], _Pending] = {}
        self._failures_in_a_row = 0

    def drive(self) -> None:
        """Drive everything that has no result."""
        self._progress.begin(self._plan, [record for record in self._log.records if record.finished])
        for key, (number, row, episode) in _planned_keys(self._plan).items():
            if not self._log.is_finished(key):
                self._submit(_Pending(key, DriveTask(row, episode, self._plan.configuration.limits), number))
        while self._pending:
            done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
            for future in done:
                self._record(self._pending.pop(future), future)

    def _submit(self, pending: _Pending) -> None:
        self._pending[self._executor.submit(pending.task, pending.order)] = pending

    def _record(self, pending: _Pending, future: Future[EpisodeResult]) -> None:
        try:
            result = future.result()
        except WorkerLostError as error:
            result = _lost_result(error, pending.task)
        attempt = self._log.attempts(pending.key) + 1
        record = make_record(result, pending.key, attempt, self._plan.configuration.backend)
        self._log.append(record)
        self._progress.attempt(record)
        if record.finished:
            self._failures_in_a_row = 0
        else:
            self._failed(pending, record)

    def _failed(self, pending: _Pending, record: EpisodeRecord) -> None:
        self._failures_in_a_row += 1
        _LOG.warning("infrastructure failure, try %d of %d: %s", pending.tries, self._settings.attempts, record.error)
        if self._failures_in_a_row >= self._settings.failures_in_a_row:
            raise SimulatorError(
                f"{self._failures_in_a_row} infrastructure failures in a row, the last: {record.error}. Finished "
                "episodes are kept; 'sim2real-bench doctor' tries the parts, then run the same command again"
            )
        if pending.tries < self._settings.attempts:
            self._submit(_Pending(pending.key, pending.task, pending.row, pending.tries + 1))


def _lost_result(error: WorkerLostError, task: DriveTask) -> EpisodeResult:
    """A worker that died is an infrastructure failure; one that hangs inside the agent is the agent's failure."""
    if error.hung and error.sign.phase == Phase.AGENT:
        return agent_timeout(error.sign.values, task.limits, error.sign.silent_s)
    return infrastructure_failure(str(error))
