"""A results folder as its readers need it: the plan, the records that belong to it, a row's finished drives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sim2real_bench.errors import RecordError
from sim2real_bench.evaluation.benchmarks import choose
from sim2real_bench.evaluation.plan import Episode, EvaluationPlan, MethodRow, read_plan
from sim2real_bench.evaluation.records import RECORDS_FILE, EpisodeKey, EpisodeRecord, episode_key, read_records

PLAN_FILE = "plan.json"
_MOST = {  # metres and seconds of one episode
    "distance_m": 1e6,
    "distance_2s_m": 1e6,
    "distance_driven_m": 1e6,
    "sim_time_s": 1e6,
    "wall_time_s": 1e9,
    "ticks": 1e9,
}
Drives = dict[Episode, EpisodeRecord]
"""Finished episodes of one row, in the order of the plan."""


@dataclass(frozen=True)
class Results:
    """A plan and all attempts at its episodes."""

    plan: EvaluationPlan
    records: Sequence[EpisodeRecord]

    def drives(self, row: MethodRow) -> Drives:
        """The finished episodes of a row."""
        keys = {episode: episode_key(self.plan.configuration, row, episode) for episode in self.plan.episodes}
        return {episode: self._finished[key] for episode, key in keys.items() if key in self._finished}

    def row(self, label: str) -> MethodRow:
        """The row of a label: ``method``, ``method (proxy)`` or ``method:proxy``.

        Raises:
            UnknownNameError: there is none, with the nearest labels.
        """
        rows = {row.label: row for row in self.plan.configuration.rows}
        return rows[choose("row", label_of(label), rows)]

    @cached_property
    def _finished(self) -> dict[EpisodeKey, EpisodeRecord]:
        return {record.key: record for record in self.records if record.finished}


def read_results(folder: Path) -> Results:
    """Read ``plan.json`` and ``episodes.jsonl`` of a results folder; nothing is written.

    Raises:
        RecordError: a file is missing or cannot be read, or a record belongs to another plan.
    """
    if not (folder / PLAN_FILE).is_file():
        raise RecordError(f"{folder} is no results folder (it holds no {PLAN_FILE}); name one that 'evaluate' wrote")
    plan = read_plan(folder / PLAN_FILE)
    records = read_records(folder / RECORDS_FILE) if (folder / RECORDS_FILE).exists() else []
    planned = {
        episode_key(plan.configuration, row, episode) for row in plan.configuration.rows for episode in plan.episodes
    }
    for number, record in enumerate(records, start=1):
        if record.key not in planned:
            raise RecordError(
                f"{folder / RECORDS_FILE}:{number} belongs to another plan than {folder / PLAN_FILE} "
                f"({record.key.method!r}, spawn {record.key.spawn_index}); the folder was put together by hand"
            )
    return Results(plan, records)


def read_measured_results(folder: Path) -> Results:
    """``read_results``, for statistics: numbers that no drive can give are refused. Submissions are held to far more.

    Raises:
        RecordError: as ``read_results``, or a distance or time is out of all bounds.
    """
    results = read_results(folder)
    for number, record in enumerate(results.records, start=1):
        for name, most in _MOST.items():
            value = float(getattr(record, name))
            if not 0.0 <= value <= most:
                raise RecordError(
                    f"{folder / RECORDS_FILE}:{number}: {name} is {value:g}, possible is 0 to {most:g}; mend or remove "
                    "the line"
                )
    return results


def label_of(text: str) -> str:
    """The label a user means: ``method:proxy`` is ``method (proxy)``."""
    method, _, proxy = text.partition(":")
    return MethodRow(method=method, proxy=proxy or None).label


def starts_of(drives: Drives) -> list[int]:
    """Which start of the plan each episode shares; starts are told apart by their seed."""
    return [episode.seed for episode in drives]


def controllers_of(drives: Drives) -> list[int]:
    """The controller of each episode."""
    return [episode.controller for episode in drives]


def distances_of(drives: Drives) -> list[float]:
    """The score of each episode, metres."""
    return [record.distance_m for record in drives.values()]
