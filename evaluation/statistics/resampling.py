"""The bootstrap: episodes resampled within strata (controllers), or whole clusters (starts) that share what they met.

A resample is a row of weights: how often each episode occurs in it. Every statistic is a function of such weights, so
one way of drawing serves them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from sim2real_bench.evaluation.statistics.summaries import Float, group_means

REPLICATES = 9_999
CURVE_REPLICATES = 1_999  # a curve is looked at, not cited to three digits
_WEIGHTS_AT_ONCE = 2_000_000
Statistic = Callable[[Float], Float]
"""(R, N) weights to (R,) or (R, M) values."""
Interval = tuple[float, float]


def resampled_interval(
    statistic: Statistic,
    strata: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    replicates: int = REPLICATES,
) -> tuple[Float, Float] | None:
    """Percentile bootstrap interval of any statistic of weighted episodes.

    Args:
        statistic: of (R, N) weights; NaN where a resample does not define it, which is left out.
        strata: (N,) ids; episodes (or clusters) are resampled within each. Constant within a cluster.
        clusters: (N,) which start an episode shares. Whole clusters are then resampled, within each stratum, and the
            percentiles are widened for few clusters (see ``few_clusters_tail``).
        seed: of the resampling.
        level: coverage.
        replicates: resamples.

    Returns:
        Lower and upper ends, shape () or (M,); None with fewer than two episodes or clusters in a stratum.
    """
    units, unit_strata = _units(np.asarray(strata), None if clusters is None else np.asarray(clusters))
    sizes = np.unique(unit_strata, return_counts=True)[1]
    if sizes.min() < 2:
        return None
    tail = (1.0 - level) / 2.0 if clusters is None else few_clusters_tail(level, int(sizes.min()))
    source = np.random.default_rng(seed)
    values = np.concatenate([statistic(w[:, units]) for w in _weights(unit_strata, replicates, len(units), source)])
    low, high = np.nanpercentile(values, [100.0 * tail, 100.0 * (1.0 - tail)], axis=0)
    return np.asarray(low, np.float64), np.asarray(high, np.float64)


def usable_strata(strata: npt.ArrayLike) -> npt.NDArray[np.generic]:
    """The strata, or one for all where a stratum has a single episode: there is nothing to resample within it."""
    ids = np.asarray(strata)
    _, sizes = np.unique(ids, return_counts=True)
    return ids if sizes.min() > 1 else np.zeros(len(ids), np.int64)


def few_clusters_tail(level: float, count: int) -> float:
    """The share to cut off each end of a bootstrap distribution of few clusters.

    Percentiles of few clusters make too narrow intervals. Hesterberg, "What Teachers Should Know About the Bootstrap"
    (2015), section 4.3 (expanded percentile interval): the tail is Phi(-sqrt(n / (n - 1)) t) with Student's t of
    n - 1 degrees of freedom.
    """
    from scipy import special  # a third of a second that workers need not spend

    quantile = special.stdtrit(count - 1, 0.5 + level / 2.0)
    return NormalDist().cdf(-math.sqrt(count / (count - 1)) * float(quantile))


def bootstrap_interval(
    values: npt.ArrayLike, strata: npt.ArrayLike, *, seed: int = 0, level: float = 0.95, replicates: int = REPLICATES
) -> Interval | None:
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
) -> Interval | None:
    """Interval of the mean when whole clusters are resampled: the stricter one, for starts shared by controllers.

    Five controllers driving from one start are not five independent episodes. Widened for few clusters, see
    ``few_clusters_tail``.

    Args:
        values: (N,) one per episode.
        clusters: (N,) which start it shares; clusters of equal size.
        seed: of the resampling.
        level: coverage.
        replicates: resamples.

    Returns:
        None with fewer than two clusters: one start says nothing about others.
    """
    means = group_means(values, clusters)
    count = len(means)
    if count < 2:
        return None
    tail = 100.0 * few_clusters_tail(level, count)
    source = np.random.default_rng(seed)
    resampled = means[source.integers(0, count, (replicates, count))].mean(axis=1)
    low, high = np.percentile(resampled, [tail, 100.0 - tail])
    return float(low), float(high)


def _units(
    strata: npt.NDArray[np.generic], clusters: npt.NDArray[np.generic] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.generic]]:
    """(N,) which unit of resampling an episode belongs to, and the stratum of each unit."""
    if clusters is None:
        return np.arange(len(strata)), strata
    pairs = np.rec.fromarrays([strata, clusters])
    _, first, units = np.unique(pairs, return_index=True, return_inverse=True)
    return np.asarray(units, np.int64), strata[first]


def _weights(
    strata: npt.NDArray[np.generic], replicates: int, episodes: int, source: np.random.Generator
) -> Iterator[Float]:
    """Batches of (R, units) weights: every stratum is redrawn with replacement to its own size."""
    batch = max(1, _WEIGHTS_AT_ONCE // max(episodes, 1))
    for done in range(0, replicates, batch):
        rows = min(batch, replicates - done)
        weights = np.zeros((rows, len(strata)))
        for label in np.unique(strata):
            members = np.flatnonzero(strata == label)
            drawn = source.integers(0, len(members), (rows, len(members)))
            flat = drawn + len(members) * np.arange(rows)[:, None]
            weights[:, members] = np.bincount(flat.ravel(), minlength=rows * len(members)).reshape(rows, -1)
        yield weights
