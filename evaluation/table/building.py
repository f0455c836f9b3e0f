"""The table: a pure function of the plan and the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from sim2real_bench.evaluation.plan import STANDARD_CONTROLLERS, Configuration, EvaluationPlan, MethodRow
from sim2real_bench.evaluation.records import RECORDS_FILE, EpisodeRecord, Outcome, read_records
from sim2real_bench.evaluation.results import Drives, Results, controllers_of, distances_of, starts_of
from sim2real_bench.evaluation.statistics import (
    Interval,
    bootstrap_interval,
    clustered_interval,
    clustered_wilson_interval,
    completion_rate,
    distance_summary,
    group_means,
    holm,
    improvement_interval,
    interquartile_mean,
    iqm_interval,
    per_kilometre,
    probability_of_improvement,
    ranks,
    sign_flip_p,
    wilson_interval,
)
from sim2real_bench.evaluation.table.model import BASELINE, BOUNDS, Difference, Distance, Table, TableRow
from sim2real_bench.evaluation.table.ratios import ratios_of

SOURCE_HORIZON_S = 240.0  # of the drives that source distances are measured on


def build_table(plan: EvaluationPlan, records: Sequence[EpisodeRecord]) -> Table:
    """The table of a plan and its records."""
    configuration = plan.configuration
    results = Results(plan, records)
    drives = {row.label: results.drives(row) for row in configuration.rows}
    failures = Counter((r.key.method, r.key.proxy) for r in records if not r.finished)
    places = ranks([_score(row, drives[row.label], len(plan.episodes)) for row in configuration.rows])
    return Table(
        benchmark=configuration.benchmark,
        backend=configuration.backend,
        backend_version=", ".join(sorted({r.versions.get("simulator", "") for r in records if r.finished} - {""})),
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
        ratios=ratios_of(configuration.rows, drives),
    )


def table_of(folder: Path, plan: EvaluationPlan) -> Table:
    """The table of a results folder."""
    return build_table(plan, read_records(folder / RECORDS_FILE))


def _score(row: MethodRow, drives: Drives, planned: int) -> float | None:
    if row.method in BOUNDS or len(drives) < planned:
        return None
    return distance_summary(distances_of(drives), controllers_of(drives)).mean


def _row(
    configuration: Configuration, row: MethodRow, drives: Drives, planned: int, rank: int | None, failures: int
) -> TableRow:
    records = list(drives.values())
    outcomes = Counter(str(record.outcome) for record in records)
    metres = sum(record.distance_driven_m for record in records)
    ticks = sum(record.ticks for record in records)
    wall_s = sum(record.wall_time_s for record in records)
    sampled = [record.distance_2s_m for record in records]
    measured = [m for m in configuration.completion_m if records and m <= configuration.reach_m]
    distance = _distance(drives)
    came_so_far = {m: [record.distance_m >= m for record in records] for m in measured}
    return TableRow(
        method=row.method,
        proxy=row.proxy,
        rank=rank,
        episodes_planned=planned,
        episodes_finished=len(records),
        distance_m=distance,
        distance_2s_m=distance_summary(sampled, controllers_of(drives)).mean if records else None,
        completion={
            str(m): completion_rate(distances_of(drives), m) if m in measured else None
            for m in configuration.completion_m
        },
        supervision=row.supervision,
        infractions_per_km=per_kilometre(len(records) - outcomes[Outcome.HORIZON], metres),
        off_road_share=sum(r.off_road_share * r.ticks for r in records) / ticks if ticks else None,
        outcomes=dict(sorted(outcomes.items())),
        infrastructure_failures=failures,
        realtime_factor=sum(record.sim_time_s for record in records) / wall_s if wall_s > 0 else None,
        iqm_m=interquartile_mean(distances_of(drives)) if records else None,
        iqm_ci95=iqm_interval(distances_of(drives), controllers_of(drives)) if records else None,
        iqm_ci95_by_start=_iqm_by_start(drives) if records else None,
        completion_ci95={str(m): wilson_interval(sum(far), len(far)) for m, far in came_so_far.items()},
        completion_ci95_by_start={
            str(m): clustered_wilson_interval(far, starts_of(drives)) for m, far in came_so_far.items()
        },
        source_distance_m=row.source_distance_m,
        retained_fraction=_retained(configuration, row, distance),
    )


def _retained(configuration: Configuration, row: MethodRow, distance: Distance) -> float | None:
    """Drives that may last less long than those in the source would retain less, whatever the method."""
    horizon_s = configuration.limits.horizon_ticks * configuration.limits.tick_s
    if distance.mean is None or not row.source_distance_m or horizon_s != SOURCE_HORIZON_S:
        return None
    return distance.mean / row.source_distance_m


def _distance(drives: Drives) -> Distance:
    if not drives:
        return Distance(None, None, None, None, None, None)
    distances, controllers = distances_of(drives), controllers_of(drives)
    summary = distance_summary(distances, controllers)
    return Distance(
        **asdict(summary),
        ci95=bootstrap_interval(distances, controllers),
        ci95_by_start=clustered_interval(distances, starts_of(drives)),
    )


def _iqm_by_start(drives: Drives) -> Interval | None:
    return iqm_interval(distances_of(drives), controllers_of(drives), starts_of(drives))


def _differences(configuration: Configuration, drives: Mapping[str, Drives]) -> tuple[Difference, ...]:
    baseline = drives.get(BASELINE, {})
    found = []
    for row in configuration.rows:
        shared = {episode: record for episode, record in drives[row.label].items() if episode in baseline}
        if row.label != BASELINE and shared:
            found.append(_difference(row, shared, {episode: baseline[episode] for episode in shared}))
    corrected = holm([item.p_by_start for item in found])
    return tuple(replace(item, p_by_start_holm=p) for item, p in zip(found, corrected, strict=True))


def _difference(row: MethodRow, drives: Drives, baseline: Drives) -> Difference:
    """Of the same episodes, with a p not yet corrected for the number of methods."""
    ours, theirs = distances_of(drives), distances_of(baseline)
    gains = [own - other for own, other in zip(ours, theirs, strict=True)]
    controllers, starts = controllers_of(drives), starts_of(drives)
    p_value = sign_flip_p(group_means(gains, starts))
    return Difference(
        method=row.method,
        proxy=row.proxy,
        baseline=BASELINE,
        pairs=len(gains),
        mean=distance_summary(gains, controllers).mean,
        ci95=bootstrap_interval(gains, controllers),
        ci95_by_start=clustered_interval(gains, starts),
        probability_of_improvement=probability_of_improvement(ours, theirs, controllers, controllers),
        probability_of_improvement_ci95=improvement_interval(ours, theirs, controllers, controllers),
        probability_of_improvement_ci95_by_start=improvement_interval(
            ours, theirs, controllers, controllers, (starts, starts)
        ),
        p_by_start=p_value,
        p_by_start_holm=p_value,
    )


def _notes(plan: EvaluationPlan) -> tuple[str, ...]:
    configuration = plan.configuration
    horizon_s = configuration.limits.horizon_ticks * configuration.limits.tick_s
    notes = [
        f"{configuration.episodes_per_controller} starts x {len(configuration.controllers)} controllers in "
        f"{configuration.town}, the same for every row; preset {configuration.preset}."
    ]
    if configuration.controller_set != STANDARD_CONTROLLERS:
        notes.append(
            f"Driven by the controllers {configuration.controller_set!r}, not {STANDARD_CONTROLLERS!r}: not to be "
            "compared with results of other controllers."
        )
    beyond = [str(m) for m in configuration.completion_m if m > configuration.reach_m]
    if beyond:
        notes.append(
            f"An episode ends after {horizon_s:g} s, which is {configuration.reach_m:.0f} m at "
            f"{configuration.target_speed_kmh:g} km/h: distances are capped there, and the completion rates at "
            f"{', '.join(beyond)} m cannot be measured."
        )
    if any(row.source_distance_m is not None for row in configuration.rows):
        notes.append(
            "Retained: mean distance over that of the same agent (the policy that was carried over) in the source "
            f"simulator, on held-out tracks with the same controllers and speed, in at most {SOURCE_HORIZON_S:g} s."
        )
    notes.append(
        "Distance: mean of the per-controller means ± their population standard deviation; [ ]: 95 % bootstrap "
        "interval, episodes resampled within each controller. table.json also holds the stricter interval that "
        "resamples whole starts, since controllers share them. IQM: mean of the middle half of all episodes."
    )
    return tuple(notes)
