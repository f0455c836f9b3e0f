"""One row of result B against one of result A: differences with the intervals that say how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim2real_bench.evaluation.comparison.matching import Contest
from sim2real_bench.evaluation.records import Outcome
from sim2real_bench.evaluation.results import Drives, controllers_of, distances_of, starts_of
from sim2real_bench.evaluation.statistics import (
    Float,
    Interval,
    bootstrap_interval,
    difference_interval,
    distance_summary,
    improvement_interval,
    interquartile_mean,
    per_kilometre,
    probability_of_improvement,
    weighted_controller_mean,
    weighted_iqm,
    wilcoxon_p,
)

WORSE, BETTER, NO_WORSE = "worse", "better", "no worse"


@dataclass(frozen=True)
class Change:
    """A number in A and in B, and B minus A with the interval that resamples whole starts."""

    a: float
    b: float
    difference: float
    ci_by_start: Interval | None


@dataclass(frozen=True)
class RowComparison:
    """One row of B against one of A; intervals have the comparison's level.

    Attributes:
        a: label in A.
        b: label in B.
        checkpoint_a: SHA-256 of the weights in A, "" without a network.
        checkpoint_b: of those in B.
        episodes_a: compared.
        episodes_b: compared; the same ones where the comparison is paired.
        starts: that the tests count; of the side with fewer, where the comparison is not paired.
        mean_m: mean of the per-controller means, metres.
        ci: of the difference of means, episodes resampled (in pairs, if paired) within each controller.
        iqm_m: interquartile mean, metres.
        completion: threshold in metres to the share of episodes that came so far.
        probability_of_improvement: that an episode of B comes farther than one of A under the same controller.
        probability_of_improvement_ci_by_start: whole starts resampled.
        infractions_per_km_a: collisions, stuck, off the road for 30 s and agent errors per kilometre driven.
        infractions_per_km_b: in B.
        p_worse: chance of starts as bad as these if B were not worse (one-sided, by start, corrected for all rows).
        p_better: the same with better for worse, without tolerance.
        p_by_episode: two-sided Wilcoxon signed-rank test that takes paired episodes for independent: too small where
            controllers share starts; None if not paired.
        verdict: ``worse``, ``better`` or ``no worse``, from ``p_worse`` and ``p_better``.
    """

    a: str
    b: str
    checkpoint_a: str
    checkpoint_b: str
    episodes_a: int
    episodes_b: int
    starts: int
    mean_m: Change
    ci: Interval | None
    iqm_m: Change
    completion: Mapping[str, Change]
    probability_of_improvement: float
    probability_of_improvement_ci_by_start: Interval | None
    infractions_per_km_a: float | None
    infractions_per_km_b: float | None
    p_worse: float
    p_better: float
    p_by_episode: float | None
    verdict: str

    @property
    def label(self) -> str:
        """The row's name, or both names where they differ."""
        return self.a if self.a == self.b else f"{self.a} → {self.b}"


def compare_row(
    contest: Contest, thresholds_m: Sequence[int], paired: bool, level: float, p_worse: float, p_better: float
) -> RowComparison:
    """All numbers of one row.

    Args:
        contest: the rows and their episodes.
        thresholds_m: of the completion rates, metres.
        paired: the episodes of both sides are the same, in the same order.
        level: of the intervals.
        p_worse: of the test over all rows.
        p_better: of the opposite test.
    """
    a, b = _Side(contest.drives_a), _Side(contest.drives_b)
    chance = 1.0 - level + 1e-12
    return RowComparison(
        a=contest.a.label,
        b=contest.b.label,
        checkpoint_a=contest.a.checkpoint_hash,
        checkpoint_b=contest.b.checkpoint_hash,
        episodes_a=len(contest.drives_a),
        episodes_b=len(contest.drives_b),
        starts=min(len(np.unique(side.starts)) for side in (a, b)),
        mean_m=_mean_change(a, b, a.distances, b.distances, level),
        ci=_episode_interval(a, b, paired, level),
        iqm_m=_iqm_change(a, b, level),
        completion={str(m): _completion_change(a, b, m, level) for m in thresholds_m},
        probability_of_improvement=probability_of_improvement(b.distances, a.distances, b.controllers, a.controllers),
        probability_of_improvement_ci_by_start=improvement_interval(
            b.distances, a.distances, b.controllers, a.controllers, (b.starts, a.starts), level=level
        ),
        infractions_per_km_a=_infractions_per_km(contest.drives_a),
        infractions_per_km_b=_infractions_per_km(contest.drives_b),
        p_worse=p_worse,
        p_better=p_better,
        p_by_episode=wilcoxon_p(b.distances - a.distances) if paired else None,
        verdict=WORSE if p_worse <= chance else BETTER if p_better <= chance else NO_WORSE,
    )


class _Side:
    """The episodes of one row of one result as arrays."""

    def __init__(self, drives: Drives) -> None:
        self.distances = np.asarray(distances_of(drives))
        self.controllers = np.asarray(controllers_of(drives))
        self.starts = np.asarray(starts_of(drives))


def _mean_change(a: _Side, b: _Side, before: Float, after: Float, level: float) -> Change:
    """Of the means of the controllers' means."""
    ends = difference_interval(
        weighted_controller_mean(after, b.controllers), weighted_controller_mean(before, a.controllers),
        (b.controllers, a.controllers), (b.starts, a.starts), level=level,
    )  # fmt: skip
    means = distance_summary(before, a.controllers).mean, distance_summary(after, b.controllers).mean
    return Change(*means, means[1] - means[0], ends)


def _episode_interval(a: _Side, b: _Side, paired: bool, level: float) -> Interval | None:
    """Of the difference of means; episodes resampled, in pairs where there are pairs."""
    if paired:
        return bootstrap_interval(b.distances - a.distances, a.controllers, level=level)
    before, after = (weighted_controller_mean(side.distances, side.controllers) for side in (a, b))
    return difference_interval(after, before, (b.controllers, a.controllers), level=level)


def _iqm_change(a: _Side, b: _Side, level: float) -> Change:
    ends = difference_interval(
        weighted_iqm(b.distances), weighted_iqm(a.distances),
        (b.controllers, a.controllers), (b.starts, a.starts), level=level,
    )  # fmt: skip
    before, after = interquartile_mean(a.distances), interquartile_mean(b.distances)
    return Change(before, after, after - before, ends)


def _completion_change(a: _Side, b: _Side, threshold_m: int, level: float) -> Change:
    """Of the share of episodes that came so far; of the controllers' shares, where one lacks episodes."""
    before, after = ((side.distances >= threshold_m).astype(np.float64) for side in (a, b))
    return _mean_change(a, b, before, after, level)


def _infractions_per_km(drives: Drives) -> float | None:
    events = sum(record.outcome is not Outcome.HORIZON for record in drives.values())
    return per_kilometre(events, sum(record.distance_driven_m for record in drives.values()))
