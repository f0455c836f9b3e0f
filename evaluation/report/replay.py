"""Drives the worst, median and best episode of each row again, filmed, and compares each with its record."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sim2real_bench.errors import ConfigurationError, SimulatorError
from sim2real_bench.evaluation.benchmarks import benchmark_named
from sim2real_bench.evaluation.execution.executors import open_executor
from sim2real_bench.evaluation.execution.worker import AGENTS, DriveTask
from sim2real_bench.evaluation.film.choice import chosen_episodes, film_path, find_film
from sim2real_bench.evaluation.film.stream import find_encoder
from sim2real_bench.evaluation.plan import Configuration, Episode, MethodRow
from sim2real_bench.evaluation.records import EpisodeRecord, EpisodeResult, Outcome, RecordLog
from sim2real_bench.evaluation.report.replays import Replay, remember_replays
from sim2real_bench.evaluation.results import Results, read_results
from sim2real_bench.evaluation.rows import resolve_rows
from sim2real_bench.evaluation.runner import driving_setup
from sim2real_bench.evaluation.settings import RunSettings

EQUAL_M = 0.05
"""Two drives whose distances differ by less are the same drive."""
_LOG = logging.getLogger(__name__)
_Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class _Drive:
    row: MethodRow
    episode: Episode
    record: EpisodeRecord


def require_known(configuration: Configuration, checkpoints: dict[str, Path]) -> None:
    """Refuse to drive what this machine cannot drive the same way, or what a stranger's plan must not choose.

    Raises:
        ConfigurationError: the plan names another environment or other agents than its benchmark does, or a row was
            driven with other weights than those at hand.
    """
    benchmark = benchmark_named(configuration.benchmark)
    if (configuration.environment, configuration.agents) != (benchmark.environment_path, AGENTS):
        raise ConfigurationError(
            f"this plan is driven by {configuration.agents!r} in {configuration.environment!r}, which is not what "
            f"{configuration.benchmark} names; its episodes are not driven again"
        )
    methods = list(dict.fromkeys(row.method for row in configuration.rows))
    here = {row.label: row.checkpoint_hash for row in resolve_rows(methods, checkpoints=checkpoints)}
    for row in configuration.rows:
        found = here.get(row.label, "")
        if found != row.checkpoint_hash:
            raise ConfigurationError(
                f"{row.label} was driven with weights {row.checkpoint_hash[:12] or 'none'}, here are "
                f"{found[:12] or 'none'}; name the right ones with --checkpoint METHOD=PATH"
            )


def film_chosen(settings: RunSettings, progress: _Progress | None = None) -> tuple[Replay, ...]:
    """Film the chosen episodes that have no film yet; records and table stay as they are.

    Args:
        settings: ``out`` is the results folder, ``configuration`` that of its plan.
        progress: told how many are done, and what came of the last one.

    Raises:
        MissingDependencyError: there is no ffmpeg.
        RecordError: the folder holds no results, or another run is writing to it.
    """
    find_encoder()
    folder = settings.out
    drives = _unfilmed(folder, read_results(folder))
    replays: list[Replay] = []
    if drives:
        with RecordLog(folder), open_executor(settings, driving_setup(settings)) as executor:
            tasks = [_task(folder, drive, settings.configuration) for drive in drives]
            futures = [executor.submit(task, order) for order, task in enumerate(tasks)]
            for drive, future in zip(drives, futures, strict=True):
                try:
                    replays.append(_compared(folder, drive, future.result()))
                except SimulatorError as error:
                    replays.append(_failed(folder, drive, str(error)))
                if progress is not None:
                    progress(len(replays), replays[-1].note)
        remember_replays(folder, replays)
    return tuple(replays)


def unfilmed_count(folder: Path) -> int:
    """How many chosen episodes have no film."""
    return len(_unfilmed(folder, read_results(folder)))


def _unfilmed(folder: Path, results: Results) -> list[_Drive]:
    found = []
    for row in results.plan.configuration.rows:
        drives = results.drives(row)
        episodes = {record.key: episode for episode, record in drives.items()}
        for record in chosen_episodes(list(drives.values())).values():
            if find_film(folder, record) is None:
                found.append(_Drive(row, episodes[record.key], record))
    return found


def _task(folder: Path, drive: _Drive, configuration: Configuration) -> DriveTask:
    path = film_path(folder, drive.record.key, drive.record.attempt)
    return DriveTask(drive.row, drive.episode, configuration.limits, film=path.absolute())


def _compared(folder: Path, drive: _Drive, result: EpisodeResult) -> Replay:
    record = drive.record
    if result.outcome is Outcome.INFRASTRUCTURE_FAILURE:
        return _failed(folder, drive, result.error)
    agrees = result.outcome is record.outcome and abs(result.distance_m - record.distance_m) < EQUAL_M
    if agrees:
        note = "filmed when driven again, as in the record"
    else:
        note = (
            f"filmed when driven again, and it differs: {result.outcome} after {result.distance_m:.1f} m, "
            f"in the record {record.outcome} after {record.distance_m:.1f} m"
        )
    return Replay(_name(folder, record), note, agrees)


def _failed(folder: Path, drive: _Drive, reason: str) -> Replay:
    _LOG.warning("%s, start %d could not be filmed: %s", drive.row.label, drive.record.key.spawn_index, reason)
    return Replay(_name(folder, drive.record), f"could not be driven again: {reason}", False)


def _name(folder: Path, record: EpisodeRecord) -> str:
    return film_path(folder, record.key, record.attempt).stem
