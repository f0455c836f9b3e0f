"""How long a plan will take, from the episodes of a measured result."""

from __future__ import annotations

from dataclasses import dataclass

from sim2real_bench.evaluation.plan import Configuration, Limits
from sim2real_bench.evaluation.records import EpisodeRecord, Outcome
from sim2real_bench.evaluation.results import Results


@dataclass(frozen=True)
class RowForecast:
    """What a row of the plan will take; None where the result has no episode of the row.

    Attributes:
        label: of the row.
        episodes: planned.
        realtime_factor: measured simulated seconds per second of wall time.
        simulated_s: low and high end, of all episodes together. They differ where the plan's horizon is longer than the
            measured one: nobody knows how far the episodes that it ended would have come.
        wall_s: the same in wall time of one worker, without the starts of simulators.
        other_weights: it was measured with another checkpoint.
    """

    label: str
    episodes: int
    realtime_factor: float | None
    simulated_s: tuple[float, float] | None
    wall_s: tuple[float, float] | None
    other_weights: bool


def forecast(planned: Configuration, results: Results) -> tuple[RowForecast, ...]:
    """What every row of a plan will take.

    Args:
        planned: what is to be driven.
        results: measured on the machine in question, under the same row labels.
    """
    measured = {row.label: row for row in results.plan.configuration.rows}
    found = []
    episodes = planned.episodes_per_controller * len(planned.controllers)
    for row in planned.rows:
        known = measured.get(row.label)
        records = list(results.drives(known).values()) if known else []
        other = known is not None and known.checkpoint_hash != row.checkpoint_hash
        limits = (results.plan.configuration.limits, planned.limits)
        found.append(_row(row.label, episodes, records, limits, other))
    return tuple(found)


def total_wall_s(rows: tuple[RowForecast, ...], workers: int) -> tuple[float, float] | None:
    """Low and high end for all rows with so many workers at once; None where a row is not measured."""
    ends = [row.wall_s for row in rows if row.wall_s is not None]
    if len(ends) < len(rows):
        return None
    return sum(low for low, _ in ends) / workers, sum(high for _, high in ends) / workers


def _row(
    label: str, episodes: int, records: list[EpisodeRecord], limits: tuple[Limits, Limits], other: bool
) -> RowForecast:
    wall_s = sum(record.wall_time_s for record in records)
    if wall_s <= 0.0:
        return RowForecast(label, episodes, None, None, None, other)
    factor = sum(record.sim_time_s for record in records) / wall_s
    ends = [_simulated_s(record, *limits) for record in records]
    low, high = (episodes * sum(end[place] for end in ends) / len(ends) for place in (0, 1))
    return RowForecast(label, episodes, factor, (low, high), (low / factor, high / factor), other)


def _simulated_s(record: EpisodeRecord, measured: Limits, planned: Limits) -> tuple[float, float]:
    """How long an episode like this one lasts under the planned horizon, at least and at most."""
    horizon_s = planned.horizon_ticks * planned.tick_s
    if record.outcome is Outcome.HORIZON and horizon_s > measured.horizon_ticks * measured.tick_s:
        return record.sim_time_s, horizon_s
    return min(record.sim_time_s, horizon_s), min(record.sim_time_s, horizon_s)
