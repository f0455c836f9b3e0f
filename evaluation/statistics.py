"""The numbers of the table: pure functions of arrays, no state, explicit seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

REPLICATES = 9_999


@dataclass(frozen=True)
class DistanceSummary:
    """Distances of one row as the task-distillation paper prints them (Zhou et al., tables 1 and 2), metres.

    Attributes:
        mean: mean of the per-controller means.
        std: population standard deviation (ddof 0) of the per-controller means.
        min: smallest per-controller mean.
        max: largest per-controller mean.
    """

    mean: float
    std: float
    min: float
    max: float


def controller_means(distances_m: npt.ArrayLike, controllers: npt.ArrayLike) -> Float:
    """Mean distance of each controller, in the order of the controllers' ids.

    Args:
        distances_m: (N,) metres.
        controllers: (N,) ids.
    """
    distances, ids = np.asarray(distances_m, np.float64), np.asarray(controllers)
    _, groups = np.unique(ids, return_inverse=True)
    return np.asarray(np.bincount(groups, distances) / np.bincount(groups), np.float64)


def distance_summary(distances_m: npt.ArrayLike, controllers: npt.ArrayLike) -> DistanceSummary:
    """Mean, population standard deviation, minimum and maximum over the per-controller means.

    Args:
        distances_m: (N,) metres, N >= 1.
        controllers: (N,) ids.
    """
    means = controller_means(distances_m, controllers)
    return DistanceSummary(float(means.mean()), float(means.std(ddof=0)), float(means.min()), float(means.max()))


def completion_rate(distances_m: npt.ArrayLike, threshold_m: float) -> float:
    """Share of the episodes that came at least so far."""
    return float(np.mean(np.asarray(distances_m, np.float64) >= threshold_m))


def per_kilometre(events: int, metres: float) -> float | None:
    """Events per kilometre driven; None where nothing was driven."""
    return 1000.0 * events / metres if metres > 0 else None


def bootstrap_interval(
    values: npt.ArrayLike, strata: npt.ArrayLike, *, seed: int = 0, level: float = 0.95, replicates: int = REPLICATES
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the mean of the per-stratum means, resampling episodes within each stratum.

    With the episodes' paired differences as values it is the interval of the difference of two methods. Where a
    stratum has a single episode there is nothing to resample within it; all episodes then form one stratum.

    Args:
        values: (N,) one per episode.
        strata: (N,) controller ids.
        seed: of the resampling.
        level: coverage.
        replicates: resamples.

    Returns:
        None with fewer than two episodes.
    """
    numbers, ids = np.asarray(values, np.float64), np.asarray(strata)
    if len(numbers) < 2:
        return None
    labels, sizes = np.unique(ids, return_counts=True)
    groups = [numbers[ids == label] for label in labels] if sizes.min() > 1 else [numbers]
    source = np.random.default_rng(seed)
    total = np.zeros(replicates)
    for group in groups:
        total += group[source.integers(0, len(group), (replicates, len(group)))].mean(axis=1)
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(total / len(groups), [tail, 100.0 - tail])
    return float(low), float(high)


def clustered_interval(
    values: npt.ArrayLike, clusters: npt.ArrayLike, *, seed: int = 0, level: float = 0.95, replicates: int = REPLICATES
) -> tuple[float, float] | None:
    """Interval of the mean when whole clusters are resampled: the stricter one, for starts shared by controllers.

    Five controllers driving from one start are not five independent episodes. The percentiles are widened for few
    clusters as in Hesterberg, "What Teachers Should Know About the Bootstrap" (2015), section 4.3 (expanded
    percentile interval): the tail is Phi(-sqrt(n / (n - 1)) t) with Student's t of n - 1 degrees of freedom.

    Args:
        values: (N,) one per episode.
        clusters: (N,) which start it shares; clusters of equal size.
        seed: of the resampling.
        level: coverage.
        replicates: resamples.

    Returns:
        None with fewer than two clusters: one start says nothing about others.
    """
    from scipy import special  # a third of a second that workers need not spend

    means = controller_means(values, clusters)
    count = len(means)
    if count < 2:
        return None
    quantile = special.stdtrit(count - 1, 0.5 + level / 2.0)
    tail = 100.0 * float(special.ndtr(-np.sqrt(count / (count - 1)) * quantile))
    source = np.random.default_rng(seed)
    resampled = means[source.integers(0, count, (replicates, count))].mean(axis=1)
    low, high = np.percentile(resampled, [tail, 100.0 - tail])
    return float(low), float(high)


def ranks(scores: Sequence[float | None]) -> list[int | None]:
    """1 for the largest score; equal scores share a rank; None stays unranked."""
    known = [score for score in scores if score is not None]
    return [None if score is None else 1 + sum(other > score for other in known) for score in scores]
