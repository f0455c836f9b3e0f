"""What a report is made of: the rows of a results folder with their records, looks and films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sim2real_bench.evaluation.film.choice import chosen_episodes, find_film
from sim2real_bench.evaluation.plan import EvaluationPlan, MethodRow
from sim2real_bench.evaluation.records import EpisodeRecord, Outcome
from sim2real_bench.evaluation.results import Results, read_results
from sim2real_bench.evaluation.table import BOUNDS, Table, TableRow, build_table

COLOURS = 7  # how many the style sheet has; further rows repeat them with dashed lines
OUTCOME_WORDS = {
    Outcome.HORIZON: "drove on to the end",
    Outcome.COLLISION: "collision",
    Outcome.OFF_ROAD: "off the road",
    Outcome.STUCK: "stuck",
    Outcome.AGENT_ERROR: "agent failed",
    Outcome.INFRASTRUCTURE_FAILURE: "simulator failed",
}
"""In the order in which outcomes are drawn."""


@dataclass(frozen=True)
class ReportRow:
    """One row of the table with everything the report shows of it.

    Attributes:
        number: place in the plan, from 0.
        row: of the plan.
        numbers: of the table.
        records: finished episodes in the order of the plan.
        chosen: ``worst``, ``median`` and ``best`` episode, as far as there are any.
        films: their films, as far as there are any.
        style: CSS classes that give its colour (``bound`` rows are grey, they compete with nobody).
    """

    number: int
    row: MethodRow
    numbers: TableRow
    records: tuple[EpisodeRecord, ...]
    chosen: dict[str, EpisodeRecord] = field(default_factory=dict)
    films: dict[str, Path] = field(default_factory=dict)
    style: str = ""

    @property
    def label(self) -> str:
        """As in the table."""
        return self.row.label

    @property
    def distances(self) -> list[float]:
        """Metres, one per record."""
        return [record.distance_m for record in self.records]

    @property
    def starts(self) -> list[int]:
        """Which start each record shares with those of the other controllers."""
        return [record.key.seed for record in self.records]


@dataclass(frozen=True)
class ReportContent:
    """A results folder, read and put in order."""

    folder: Path
    plan: EvaluationPlan
    table: Table
    rows: tuple[ReportRow, ...]
    records: tuple[EpisodeRecord, ...]

    @property
    def driven(self) -> tuple[ReportRow, ...]:
        """The rows with at least one finished episode."""
        return tuple(row for row in self.rows if row.records)

    @property
    def reach_m(self) -> float:
        """How far the charts reach: the distance of the horizon at target speed, or what was driven beyond it."""
        longest = max((distance for row in self.rows for distance in row.distances), default=0.0)
        return max(min(self.plan.configuration.reach_m, 1.25 * longest), longest, 1.0)


def read_content(folder: Path) -> ReportContent:
    """Read plan, records and the names of the films.

    Raises:
        RecordError: the folder holds no results, or they cannot be read.
    """
    return content_of(folder, read_results(folder))


def content_of(folder: Path, results: Results) -> ReportContent:
    """The content of a plan and its records; ``folder`` is where films are looked for."""
    plan = results.plan
    table = build_table(plan, results.records)
    styles = _styles(plan.configuration.rows)
    rows = []
    for number, (row, numbers, style) in enumerate(zip(plan.configuration.rows, table.rows, styles, strict=True)):
        driven = tuple(results.drives(row).values())
        chosen = chosen_episodes(driven)
        films = {role: film for role, record in chosen.items() if (film := find_film(folder, record)) is not None}
        rows.append(ReportRow(number, row, numbers, driven, chosen, films, style))
    return ReportContent(folder, plan, table, tuple(rows), tuple(results.records))


def _styles(rows: Sequence[MethodRow]) -> list[str]:
    """``bound`` for privileged rows, ``c0`` to ``c6`` for the others, ``dashed`` from the eighth on."""
    styles, used = [], 0
    for row in rows:
        if row.method in BOUNDS:
            styles.append("bound")
        else:
            styles.append(f"c{used % COLOURS}" + (" dashed" if used >= COLOURS else ""))
            used += 1
    return styles


def describe(record: EpisodeRecord) -> str:
    """An episode in one line, as tooltips and captions say it."""
    key = record.key
    hit = f" with {record.collided_with}" if record.collided_with else ""
    return (
        f"{record.distance_m:.0f} m in {record.sim_time_s:.0f} s, {OUTCOME_WORDS[record.outcome]}{hit}; "
        f"start {key.spawn_index}, controller {key.controller}, {key.weather}"
    )
