"""Plan or resume, drive what is missing, write the table."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from sim2real_bench.agents.controllers import ControllerChoice
from sim2real_bench.errors import RecordError, SimulatorError
from sim2real_bench.evaluation.driving import Phase
from sim2real_bench.evaluation.execution.executors import open_executor
from sim2real_bench.evaluation.execution.interruption import ended_in_order
from sim2real_bench.evaluation.execution.work import Executor, WorkerLostError
from sim2real_bench.evaluation.execution.worker import (
    DriveTask,
    DrivingContext,
    DrivingSetup,
    EnvironmentSpec,
    SpawnCountTask,
    agent_failure,
    infrastructure_failure,
)
from sim2real_bench.evaluation.film.choice import film_path, keep_chosen_films, remove_torn_films
from sim2real_bench.evaluation.plan import (
    Episode,
    EvaluationPlan,
    Limits,
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
from sim2real_bench.evaluation.settings import RunSettings
from sim2real_bench.evaluation.table import Table, build_table, write_table

_LOG = logging.getLogger(__name__)
PLAN_FILE = "plan.json"


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
    setup = driving_setup(settings)
    if settings.film:
        from sim2real_bench.evaluation.film.stream import find_encoder

        find_encoder()  # told now, not after the first episode
    with ended_in_order(), RecordLog(settings.out) as log, open_executor(settings, setup) as executor:
        remove_torn_films(settings.out)
        plan = _plan(settings, executor)
        _require_planned(log, plan)
        run = _Run(settings, plan, log, executor, progress or _Silent())
        try:
            run.drive()
        except BaseException:
            with contextlib.suppress(RecordError):  # the first error is the one to show
                _write_table(plan, log, settings.out)
            raise
        keep_chosen_films(settings.out, plan, log.records)
        return _write_table(plan, log, settings.out)


def driving_setup(settings: RunSettings) -> DrivingSetup:
    """What each worker of a run needs to know."""
    configuration = settings.configuration
    environment = EnvironmentSpec(configuration.environment, dict(settings.environment_options))
    controllers = ControllerChoice(
        configuration.controller_set, configuration.target_speed_kmh / 3.6, configuration.limits.tick_s
    )
    return DrivingSetup(environment, configuration.agents, dict(settings.checkpoints), controllers)


def _write_table(plan: EvaluationPlan, log: RecordLog, folder: Path) -> Table:
    table = build_table(plan, log.records)
    write_table(table, folder)
    return table


def _plan(settings: RunSettings, executor: Executor[DrivingContext]) -> EvaluationPlan:
    path = settings.out / PLAN_FILE
    if path.exists():
        plan = read_plan(path)
        require_same(path, plan.configuration, settings.configuration)
        return plan
    plan = make_plan(settings.configuration, _spawn_count(settings, executor))
    write_plan(path, plan)
    return plan


def _spawn_count(settings: RunSettings, executor: Executor[DrivingContext]) -> int:
    configuration = settings.configuration
    question = SpawnCountTask(configuration.town, configuration.rows[0], configuration.controllers[0])
    for attempt in range(1, settings.attempts + 1):
        try:
            return executor.submit(question).result()
        except SimulatorError as error:
            last = error
            _LOG.warning("asking for the spawn points, try %d of %d: %s", attempt, settings.attempts, error)
    raise SimulatorError(
        f"the simulator did not tell its spawn points in {settings.attempts} tries, so nothing could be planned; the "
        f"last: {last}. 'sim2real-bench doctor' tries the parts"
    )


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
        executor: Executor[DrivingContext],
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._log = log
        self._executor = executor
        self._progress = progress
        self._pending: dict[Future[EpisodeResult], _Pending] = {}
        # Not concurrent.futures.wait: a signal in it can leave the futures locked, and their workers with them.
        self._done: SimpleQueue[Future[EpisodeResult]] = SimpleQueue()
        self._failures_in_a_row = 0
        self._suspicions_in_a_row = 0  # those of them in which the agent was at work when its worker died
        self._given_up: set[int] = set()  # rows

    def drive(self) -> None:
        """Drive everything that has no result."""
        self._progress.begin(self._plan, [record for record in self._log.records if record.finished])
        for key, (number, row, episode) in _planned_keys(self._plan).items():
            if not self._log.is_finished(key):
                self._submit(_Pending(key, DriveTask(row, episode, self._plan.configuration.limits), number))
        while self._pending:
            future = self._done.get()
            pending = self._pending.pop(future, None)
            if pending is not None:  # its row was not given up meanwhile
                self._record(pending, future)

    def _submit(self, pending: _Pending) -> None:
        task = pending.task
        if self._settings.film:
            path = film_path(self._settings.out, pending.key, self._next_attempt(pending))
            task = replace(task, film=path.absolute())
        future = self._executor.submit(task, pending.order)
        self._pending[future] = pending
        future.add_done_callback(self._done.put)

    def _next_attempt(self, pending: _Pending) -> int:
        return self._log.attempts(pending.key) + 1

    def _record(self, pending: _Pending, future: Future[EpisodeResult]) -> None:
        suspicious = False
        try:
            result = future.result()
        except SimulatorError as error:
            result = _failed_result(error, pending.task.limits)
            suspicious = _agent_was_at_work(error)
        record = make_record(result, pending.key, self._next_attempt(pending), self._plan.configuration.backend)
        self._log.append(record)
        self._progress.attempt(record)
        if record.finished:
            self._failures_in_a_row = self._suspicions_in_a_row = 0
        else:
            self._failed(pending, record, suspicious)

    def _failed(self, pending: _Pending, record: EpisodeRecord, suspicious: bool) -> None:
        self._failures_in_a_row += 1
        self._suspicions_in_a_row = self._suspicions_in_a_row + 1 if suspicious else 0
        _LOG.warning("infrastructure failure, try %d of %d: %s", pending.tries, self._settings.attempts, record.error)
        if self._suspicions_in_a_row >= self._settings.patience:
            self._give_up(pending.row, record.error)
            return
        if self._failures_in_a_row >= self._settings.patience:
            raise SimulatorError(
                f"{self._failures_in_a_row} infrastructure failures in a row, the last: {record.error}. Finished "
                "episodes are kept; 'sim2real-bench doctor' tries the parts, then run the same command again"
            )
        if pending.tries < self._settings.attempts and pending.row not in self._given_up:
            self._submit(_Pending(pending.key, pending.task, pending.row, pending.tries + 1))

    def _give_up(self, row: int, error: str) -> None:
        """Leave a row whose agent, as it seems, takes its worker along each time; the others are not to suffer."""
        left = [future for future, pending in self._pending.items() if pending.row == row and future.cancel()]
        for future in left:
            del self._pending[future]
        self._given_up.add(row)
        _LOG.error(
            "%s is given up: %d times in a row its worker died while the agent was at work, the last time: %s",
            self._plan.configuration.rows[row].label, self._suspicions_in_a_row, error,
        )  # fmt: skip
        self._failures_in_a_row = self._suspicions_in_a_row = 0


def _agent_was_at_work(error: SimulatorError) -> bool:
    return isinstance(error, WorkerLostError) and error.sign.phase == Phase.AGENT


def _failed_result(error: SimulatorError, limits: Limits) -> EpisodeResult:
    """What an attempt without a result means.

    The agent's failures are two: silence, and ending the process by an exit, which nobody else does while the agent is
    at work. A signal may come from anywhere (the system short of memory, a crash in the simulator's client library).
    """
    if isinstance(error, WorkerLostError) and _agent_was_at_work(error):
        if error.hung:
            return agent_failure(error.sign, limits, f"the agent did not answer within {error.sign.silent_s:.0f} s")
        if error.exit_status is not None and error.exit_status >= 0:
            return agent_failure(error.sign, limits, f"the agent ended its process with status {error.exit_status}")
    return infrastructure_failure(str(error))
