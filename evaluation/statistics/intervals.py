"""Intervals of rates, interquartile means and probabilities of improvement."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from sim2real_bench.evaluation.statistics.resampling import (
    REPLICATES,
    Interval,
    Statistic,
    resampled_interval,
    usable_strata,
)
from sim2real_bench.evaluation.statistics.summaries import Float, group_means, wins


def wilson_interval(successes: float, trials: float, *, level: float = 0.95) -> Interval | None:
    """Wilson's score interval of a rate, for independent episodes.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927). It stays within [0, 1] and
    keeps a width where all episodes succeeded or failed.

    Args:
        successes: how many succeeded.
        trials: how many there were; a fraction stands for an effective number.
        level: coverage.

    Returns:
        None without a trial.
    """
    if trials <= 0:
        return None
    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    rate = successes / trials
    centre = rate + z * z / (2.0 * trials)
    spread = z * math.sqrt(rate * (1.0 - rate) / trials + z * z / (4.0 * trials * trials))
    scale = 1.0 + z * z / trials
    low = 0.0 if successes <= 0 else (centre - spread) / scale
    high = 1.0 if successes >= trials else (centre + spread) / scale
    return float(low), float(high)


def clustered_wilson_interval(
    successes: npt.ArrayLike, clusters: npt.ArrayLike, *, level: float = 0.95
) -> Interval | None:
    """Wilson's interval of a rate with the effective number of episodes when controllers share starts.

    The effective number is that of independent episodes with the spread the starts' rates show, never less than the
    starts nor more than the episodes, and reduced for few starts by (z / t)^2: Korn and Graubard, "Confidence
    Intervals for Proportions with Small Expected Number of Positive Counts Estimated from Survey Data" (1998), with
    Wilson's formula in place of Clopper's and Pearson's. Where all episodes have one outcome the starts are counted.

    Args:
        successes: (N,) booleans.
        clusters: (N,) which start an episode shares.
        level: coverage.

    Returns:
        None with fewer than two starts.
    """
    from scipy import special

    outcomes = np.asarray(successes, np.float64)
    means = group_means(outcomes, clusters)
    count, episodes, rate = len(means), len(outcomes), float(outcomes.mean())
    if count < 2:
        return None
    if rate in (0.0, 1.0):
        return wilson_interval(rate * count, count, level=level)
    variance = float(means.var(ddof=1)) / count
    effective = rate * (1.0 - rate) / variance if variance > 0 else float(episodes)
    quantile = NormalDist().inv_cdf(0.5 + level / 2.0)
    reduced = (quantile / float(special.stdtrit(count - 1, 0.5 + level / 2.0))) ** 2
    effective = min(max(effective, count - 1.0), episodes) * reduced
    return wilson_interval(rate * effective, effective, level=level)


def iqm_interval(
    values: npt.ArrayLike,
    strata: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    replicates: int = REPLICATES,
) -> Interval | None:
    """Stratified bootstrap interval of the interquartile mean (Agarwal et al. 2021, section 4.1).

    Args:
        values: (N,) one per episode.
        strata: (N,) controller ids.
        clusters: (N,) starts: whole starts are resampled instead of episodes (stricter).
        seed: of the resampling.
        level: coverage.
        replicates: resamples.

    Returns:
        None with fewer than two episodes or starts.
    """
    numbers = np.asarray(values, np.float64)
    groups = usable_strata(strata) if clusters is None else np.zeros(len(numbers))
    return _pair(
        resampled_interval(weighted_iqm(numbers), groups, clusters, seed=seed, level=level, replicates=replicates)
    )


def improvement_interval(
    values: npt.ArrayLike,
    baseline: npt.ArrayLike,
    strata: npt.ArrayLike,
    baseline_strata: npt.ArrayLike,
    clusters: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    replicates: int = REPLICATES,
) -> Interval | None:
    """Stratified bootstrap interval of the probability of improvement (Agarwal et al. 2021, section 4.3).

    Args:
        values: (N,) of the method.
        baseline: (M,) of the baseline.
        strata: (N,) controller ids of the method's episodes.
        baseline_strata: (M,) controller ids of the baseline's.
        clusters: (N,) and (M,) starts: whole starts are resampled instead of episodes (stricter), a start that both
            drove in both at once.
        seed: of the resampling.
        level: coverage.
        replicates: resamples.

    Returns:
        None with fewer than two episodes or starts.
    """
    a, b = np.asarray(values, np.float64), np.asarray(baseline, np.float64)
    ours, theirs = np.asarray(strata), np.asarray(baseline_strata)
    statistic = weighted_improvement(a, b, ours, theirs)
    groups, both = _two_sides(ours, theirs, clusters)
    return _pair(resampled_interval(statistic, groups, both, seed=seed, level=level, replicates=replicates))


def difference_interval(
    first: Statistic,
    second: Statistic,
    strata: tuple[npt.ArrayLike, npt.ArrayLike],
    clusters: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
    replicates: int = REPLICATES,
) -> Interval | None:
    """Bootstrap interval of a statistic of one row minus a statistic of another.

    Args:
        first: of (R, N) weights, for example ``weighted_iqm(distances)``.
        second: of (R, M) weights; it is subtracted.
        strata: (N,) and (M,) controller ids.
        clusters: (N,) and (M,) starts: whole starts are resampled instead of episodes (stricter), a start that both
            drove in both at once.
        seed: of the resampling.
        level: coverage.
        replicates: resamples.

    Returns:
        None with fewer than two episodes or starts on a side.
    """
    ours, theirs = (np.asarray(part) for part in strata)

    def statistic(weights: Float) -> Float:
        return np.asarray(first(weights[:, : len(ours)]) - second(weights[:, len(ours) :]), np.float64)

    groups, both = _two_sides(ours, theirs, clusters)
    return _pair(resampled_interval(statistic, groups, both, seed=seed, level=level, replicates=replicates))


def weighted_controller_mean(values: Float, strata: npt.NDArray[np.generic]) -> Statistic:
    """The mean of the controllers' means as a function of weights; a controller without weight is left out."""
    members = (np.unique(strata)[:, None] == strata).T.astype(np.float64)

    def statistic(weights: Float) -> Float:
        count = weights @ members
        means = np.divide((weights * values) @ members, count, out=np.zeros_like(count), where=count > 0)
        return np.asarray(means.sum(axis=1) / (count > 0).sum(axis=1), np.float64)

    return statistic


def weighted_iqm(values: Float) -> Statistic:
    """The interquartile mean as a function of whole weights."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]

    def statistic(weights: Float) -> Float:
        reached = np.cumsum(weights[:, order], axis=1)
        total = reached[:, -1:]
        cut = np.floor(total / 4.0)
        kept = np.diff(np.clip(reached, cut, total - cut), axis=1, prepend=cut)
        return np.asarray(kept @ ordered / kept.sum(axis=1), np.float64)

    return statistic


def weighted_improvement(
    values: Float, baseline: Float, strata: npt.NDArray[np.generic], baseline_strata: npt.NDArray[np.generic]
) -> Statistic:
    """The probability of improvement as a function of weights, the method's first.

    A controller that a resample leaves out on one side is left out of the average.
    """
    places = [
        (np.flatnonzero(strata == label), np.flatnonzero(baseline_strata == label)) for label in np.unique(strata)
    ]
    tables = [(ours, theirs + len(values), wins(values[ours], baseline[theirs])) for ours, theirs in places]

    def statistic(weights: Float) -> Float:
        shares = []
        for ours, theirs, table in tables:
            a, b = weights[:, ours], weights[:, theirs]
            pairs = a.sum(axis=1) * b.sum(axis=1)
            won = ((a @ table) * b).sum(axis=1)
            shares.append(np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0))
        defined = np.isfinite(shares).sum(axis=0)
        return np.divide(np.nansum(shares, axis=0), defined, out=np.full(len(weights), np.nan), where=defined > 0)

    return statistic


def _two_sides(
    ours: npt.NDArray[np.generic],
    theirs: npt.NDArray[np.generic],
    clusters: tuple[npt.ArrayLike, npt.ArrayLike] | None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.generic] | None]:
    """Strata and clusters of both sides' episodes, ours first.

    Without clusters every controller of every side is a stratum. With clusters the sides are strata, unless they share
    starts: then a start is drawn in both at once.
    """
    sides = np.repeat([0, 1], [len(ours), len(theirs)])
    if clusters is None:
        codes = sides + 2 * np.unique(np.concatenate([ours, theirs]), return_inverse=True)[1]
        return (codes if np.bincount(codes)[codes].min() > 1 else sides), None
    first, second = (np.asarray(part) for part in clusters)
    shared = np.isin(first, second).any()
    return (0 if shared else 1) * sides, np.concatenate([first, second])


def _pair(ends: tuple[Float, Float] | None) -> Interval | None:
    return None if ends is None else (float(ends[0]), float(ends[1]))
