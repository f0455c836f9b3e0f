"""The table: a pure function of the plan and the records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sim2real_bench.evaluation.files import write_result_file
from sim2real_bench.evaluation.plan import Configuration, Episode, EvaluationPlan, MethodRow
from sim2real_bench.evaluation.records import RECORDS_FILE, EpisodeRecord, Outcome, episode_key, read_records
from sim2real_bench.evaluation.statistics import (
    bootstrap_interval,
    clustered_interval,
    completion_rate,
    distance_summary,
    per_kilometre,
    ranks,
)

BASELINE = "direct"
BOUNDS = ("reference", "expert")  # privileged: they bound a table from above and compete with nobody
TABLE_FILES = ("table.json", "table.csv", "table.md")


@dataclass(frozen=True)
class Distance:
    """Distances of one row, metres: the paper's columns, and the 95 % interval of the mean."""

    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    ci95: tuple[float, float] | None
    ci95_by_start: tuple[float, float] | None


@dataclass(frozen=True)
class TableRow:
    """One method.

    Attributes:
        method: registered name.
        proxy: ``map``, ``camera`` or None.
        rank: among the complete rows, best first; None for incomplete rows and privileged bounds.
        episodes_planned: in the plan.
        episodes_finished: with a result.
        distance_m: from positions at every tick.
        distance_2s_m: with the paper's odometer: the mean of the per-controller means.
        completion: threshold in metres to the share of episodes that came so far; None where the horizon ends an
            episode before.
        supervision: which data the method read.
        infractions_per_km: collisions, stuck, off the road for 30 s and agent errors per kilometre driven.
        off_road_share: share of the ticks with the vehicle off the road.
        outcomes: how many episodes ended in which way.
        infrastructure_failures: attempts that were repeated.
        realtime_factor: simulated seconds per second of wall time.
    """

    method: str
    proxy: str | None
    rank: int | None
    episodes_planned: int
    episodes_finished: int
    distance_m: Distance
    distance_2s_m: float | None
    completion: Mapping[str, float | None]
    supervision: str
    infractions_per_km: float | None
    off_road_share: float | None
    outcomes: Mapping[str, int]
    infrastructure_failures: int
    realtime_factor: float | None

    @property
    def label(self) -> str:
        """Name with the proxy in brackets."""
        return f"{self.method} ({self.proxy})" if self.proxy else self.method

    @property
    def complete(self) -> bool:
        """Every planned episode has its result."""
        return self.episodes_finished == self.episodes_planned


@dataclass(frozen=True)
class Difference:
    """Mean distance of a method minus that of the baseline over the episodes both finished, metres.

    Attributes:
        ci95: episodes resampled in pairs, within each controller.
        ci95_by_start: whole starts resampled (stricter: controllers share starts).
    """

    method: str
    proxy: str | None
    baseline: str
    pairs: int
    mean: float
    ci95: tuple[float, float] | None
    ci95_by_start: tuple[float, float] | None


@dataclass(frozen=True)
class Table:
    """All rows of one evaluation, and what to know when reading them."""

    benchmark: str
    backend: str
    backend_version: str
    town: str
    preset: str
    horizon_s: float
    plan_sha256: str
    rows: tuple[TableRow, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Every row is complete."""
        return all(row.complete for row in self.rows)

    def to_json(self) -> str:
        """Text of ``table.json``."""
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"


_Finished = dict[Episode, EpisodeRecord]


def build_table(plan: EvaluationPlan, records: Sequence[EpisodeRecord]) -> Table:
    """The table of a plan and its records."""
    configuration = plan.configuration
    by_key = {record.key: record for record in records if record.finished}
    drives: dict[str, _Finished] = {}
    for row in configuration.rows:
        keys = {episode: episode_key(configuration, row, episode) for episode in plan.episodes}
        drives[row.label] = {episode: by_key[key] for episode, key in keys.items() if key in by_key}
    failures = Counter((r.key.method, r.key.proxy) for r in records if not r.finished)
    places = ranks([_score(row, drives[row.label], len(plan.episodes)) for row in configuration.rows])
    return Table(
        benchmark=configuration.benchmark,
        backend=configuration.backend,
        backend_version=", ".join(sorted({r.versions.get("simulator", "") for r in by_key.values()} - {""})),
        town=configuration.town,
        preset=configuration.preset,
        horizon_s=configuration.limits.horizon_ticks * configuration.limits.tick_s,
        plan_sha256=plan.sha256,
        rows=tuple(
            _row(configuration, row, drives[row.label], len(plan.episodes), rank, failures[row.method, row.proxy])
            for row, rank in zip(configuration.rows, places, strict=True)
        ),
        differences=_differences(configuration, drives),
        notes=_notes(plan),
    )


def table_of(folder: Path, plan: EvaluationPlan) -> Table:
    """The table of a results folder."""
    return build_table(plan, read_records(folder / RECORDS_FILE))


def write_table(table: Table, folder: Path) -> None:
    """Write ``table.json``, ``table.csv`` and ``table.md``, each in one step."""
    from sim2real_bench.evaluation.table_text import to_csv, to_markdown

    texts = (table.to_json(), to_csv(table), to_markdown(table))
    for name, text in zip(TABLE_FILES, texts, strict=True):
        write_result_file(folder / name, text)


def _score(row: MethodRow, drives: _Finished, planned: int) -> float | None:
    if row.method in BOUNDS or len(drives) < planned:
        return None
    return distance_summary(_distances(drives), _controllers(drives)).mean


def _row(
    configuration: Configuration, row: MethodRow, drives: _Finished, planned: int, rank: int | None, failures: int
) -> TableRow:
    records = list(drives.values())
    outcomes = Counter(str(record.outcome) for record in records)
    metres = sum(record.distance_driven_m for record in records)
    ticks = sum(record.ticks for record in records)
    wall_s = sum(record.wall_time_s for record in records)
    sampled = [record.distance_2s_m for record in records]
    reachable = {m: m <= configuration.reach_m for m in configuration.completion_m}
    return TableRow(
        method=row.method,
        proxy=row.proxy,
        rank=rank,
        episodes_planned=planned,
        episodes_finished=len(records),
        distance_m=_distance(drives),
        distance_2s_m=distance_summary(sampled, _controllers(drives)).mean if records else None,
        completion={
            str(m): completion_rate(_distances(drives), m) if records and reachable[m] else None for m in reachable
        },
        supervision=row.supervision,
        infractions_per_km=per_kilometre(len(records) - outcomes[Outcome.HORIZON], metres),
        off_road_share=sum(r.off_road_share * r.ticks for r in records) / ticks if ticks else None,
        outcomes=dict(sorted(outcomes.items())),
        infrastructure_failures=failures,
        realtime_factor=sum(record.sim_time_s for record in records) / wall_s if wall_s > 0 else None,
    )


def _distance(drives: _Finished) -> Distance:
    if not drives:
        return Distance(None, None, None, None, None, None)
    distances, controllers = _distances(drives), _controllers(drives)
    summary = distance_summary(distances, controllers)
    return Distance(
        **asdict(summary),
        ci95=bootstrap_interval(distances, controllers),
        ci95_by_start=clustered_interval(distances, _starts(drives)),
    )


def _differences(configuration: Configuration, drives: Mapping[str, _Finished]) -> tuple[Difference, ...]:
    if not drives.get(BASELINE):
        return ()
    baseline = drives[BASELINE]
    found = []
    for row in configuration.rows:
        shared = {episode: record for episode, record in drives[row.label].items() if episode in baseline}
        if row.label == BASELINE or not shared:
            continue
        gains = [record.distance_m - baseline[episode].distance_m for episode, record in shared.items()]
        controllers = _controllers(shared)
        found.append(
            Difference(
                method=row.method,
                proxy=row.proxy,
                baseline=BASELINE,
                pairs=len(gains),
                mean=distance_summary(gains, controllers).mean,
                ci95=bootstrap_interval(gains, controllers),
                ci95_by_start=clustered_interval(gains, _starts(shared)),
            )
        )
    return tuple(found)


def _notes(plan: EvaluationPlan) -> tuple[str, ...]:
    configuration = plan.configuration
    horizon_s = configuration.limits.horizon_ticks * configuration.limits.tick_s
    notes = [
        f"{configuration.episodes_per_controller} starts x {len(configuration.controllers)} controllers in "
        f"{configuration.town}, the same for every row; preset {configuration.preset}."
    ]
    beyond = [str(m) for m in configuration.completion_m if m > configuration.reach_m]
    if beyond:
        notes.append(
            f"An episode ends after {horizon_s:g} s, which is {configuration.reach_m:.0f} m at "
            f"{configuration.target_speed_kmh:g} km/h: distances are capped there, and the completion rates at "
            f"{', '.join(beyond)} m cannot be measured."
        )
    notes.append(
        "Distance: mean of the per-controller means ± their population standard deviation; [ ]: 95 % bootstrap "
        "interval, episodes resampled within each controller. table.json also holds the stricter interval that "
        "resamples whole starts, since controllers share them."
    )
    return tuple(notes)


def _distances(drives: _Finished) -> list[float]:
    return [record.distance_m for record in drives.values()]


def _controllers(drives: _Finished) -> list[int]:
    return [episode.controller for episode in drives]


def _starts(drives: _Finished) -> list[int]:
    """Which start of the plan each episode shares; starts are told apart by their seed."""
    return [episode.seed for episode in drives]
