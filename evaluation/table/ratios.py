"""How many times as far one method drives as another: the pairs the paper compares, and ours over its best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim2real_bench.evaluation.plan import MethodRow
from sim2real_bench.evaluation.records import Outcome
from sim2real_bench.evaluation.results import Drives, distances_of, starts_of
from sim2real_bench.evaluation.statistics import Float, Interval, resampled_interval
from sim2real_bench.evaluation.statistics.resampling import Statistic

PRINTED_M = {
    "direct": 22.4,
    "cycada": 24.0,
    "cycada-raw-control": 26.7,
    "modular-predicted (camera)": 89.9,
    "modular (camera)": 110.4,
    "task-distillation (camera)": 164.6,
    "modular-predicted (map)": 49.9,
    "modular (map)": 135.3,
    "task-distillation (map)": 260.5,
}
"""Average distances that table 1 of the task-distillation paper prints (SuperTuxKart to CARLA), metres."""

_CLAIMED = (
    ("task-distillation (map)", "modular (map)"),
    ("task-distillation (camera)", "modular (camera)"),
    ("task-distillation (map)", "direct"),
    ("task-distillation (camera)", "direct"),
    ("modular (map)", "direct"),
    ("modular (camera)", "direct"),
)
_BEST_PRINTED = "task-distillation (map)"
_BEYOND = "task-distillation-"  # begins the names of methods that go beyond the paper's


@dataclass(frozen=True)
class Ratio:
    """Mean distance of one row over that of another, on the episodes both finished.

    Attributes:
        row: label of the row.
        over: label of the row it is divided by.
        pairs: episodes.
        distance: ratio of the mean distances; None where the other one never moved.
        distance_ci95_by_start: whole starts resampled.
        infractions: ratio of the infractions per kilometre; None where the other one had none.
        infractions_ci95_by_start: whole starts resampled; None where a resample has no infractions to divide by.
        printed: the ratio of the distances that the paper prints; None for rows it does not have.
    """

    row: str
    over: str
    pairs: int
    distance: float | None
    distance_ci95_by_start: Interval | None
    infractions: float | None
    infractions_ci95_by_start: Interval | None
    printed: float | None


def ratios_of(rows: Sequence[MethodRow], drives: Mapping[str, Drives]) -> tuple[Ratio, ...]:
    """The ratios between the rows of a table that are there and share finished episodes."""
    labels = [row.label for row in rows]
    beyond = [(row.label, _BEST_PRINTED) for row in rows if row.method.startswith(_BEYOND)]
    wanted = [pair for pair in (*_CLAIMED, *beyond) if set(pair) <= set(labels)]
    found = (_ratio(row, over, drives[row], drives[over]) for row, over in wanted)
    return tuple(ratio for ratio in found if ratio is not None)


def _ratio(row: str, over: str, ours: Drives, theirs: Drives) -> Ratio | None:
    shared = [episode for episode in ours if episode in theirs]
    if not shared:
        return None
    own, other = ({episode: drives[episode] for episode in shared} for drives in (ours, theirs))
    distances = (np.array(distances_of(own)), np.array(distances_of(other)))
    rates = (*_infractions(own), *_infractions(other))
    every = np.ones((1, len(shared)))
    return Ratio(
        row=row,
        over=over,
        pairs=len(shared),
        distance=_number(_quotient(every @ distances[0], every @ distances[1])),
        distance_ci95_by_start=_interval(lambda w: _quotient(w @ distances[0], w @ distances[1]), own),
        infractions=_number(_rate_quotient(every, *rates)),
        infractions_ci95_by_start=_interval(lambda w: _rate_quotient(w, *rates), own),
        printed=PRINTED_M[row] / PRINTED_M[over] if {row, over} <= PRINTED_M.keys() else None,
    )


def _infractions(drives: Drives) -> tuple[Float, Float]:
    """(N,) whether each episode ended in an infraction, and its metres driven."""
    ended = [float(record.outcome != Outcome.HORIZON) for record in drives.values()]
    return np.array(ended), np.array([record.distance_driven_m for record in drives.values()])


def _rate_quotient(weights: Float, ends: Float, metres: Float, other_ends: Float, other_metres: Float) -> Float:
    ours, theirs = _quotient(weights @ ends, weights @ metres), _quotient(weights @ other_ends, weights @ other_metres)
    return _quotient(ours, theirs)


def _quotient(above: Float, below: Float) -> Float:
    """NaN where it is not defined."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _number(values: Float) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])


def _interval(statistic: Statistic, drives: Drives) -> Interval | None:
    def complete(weights: Float) -> Float:
        values = statistic(weights)
        undefined.append(bool(np.isnan(values).any()))
        return values

    if np.isnan(statistic(np.ones((1, len(drives))))[0]):
        return None
    undefined: list[bool] = []
    found = resampled_interval(complete, np.zeros(len(drives)), starts_of(drives))
    return None if found is None or any(undefined) else (float(found[0]), float(found[1]))
