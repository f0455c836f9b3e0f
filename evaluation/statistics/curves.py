"""Curves over distance with pointwise intervals: the survival curve and the performance profile."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim2real_bench.evaluation.statistics.resampling import (
    CURVE_REPLICATES,
    Statistic,
    resampled_interval,
    usable_strata,
)
from sim2real_bench.evaluation.statistics.summaries import Float


class Curve(NamedTuple):
    """A curve and its pointwise interval; equal to the share where there are too few episodes for an interval.

    Attributes:
        x: (M,) metres, increasing.
        share: (M,) in [0, 1].
        low: (M,) lower end of the interval.
        high: (M,) upper end.
    """

    x: Float
    share: Float
    low: Float
    high: Float


def survival(
    distances_m: npt.ArrayLike,
    censored: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
    replicates: int = CURVE_REPLICATES,
) -> Curve:
    """Share of the episodes still driving after each distance, by Kaplan and Meier's estimator.

    An episode that the horizon ended is censored: nothing is known but that it came so far, so it leaves those at risk
    without counting as an end. Collisions, stuck vehicles, those off the road and the agent's errors are ends. The
    curve is a step function: ``share[i]`` holds from ``x[i]`` up to ``x[i + 1]``; it begins at 0 m with 1.

    The interval is Greenwood's on the log-log scale (Kalbfleisch and Prentice, "The Statistical Analysis of Failure
    Time Data", 2nd edition 2002, section 1.4), for independent episodes; with clusters whole starts are resampled.

    Args:
        distances_m: (N,) metres, N >= 1.
        censored: (N,) booleans, True where the horizon ended the episode.
        clusters: (N,) which start an episode shares (stricter).
        level: coverage.
        seed: of the resampling.
        replicates: resamples.
    """
    distances, alive = np.asarray(distances_m, np.float64), np.asarray(censored, bool)
    x = np.unique(np.concatenate([[0.0], distances]))
    ended = (distances[:, None] == x) & ~alive[:, None]
    at_risk = distances[:, None] >= x
    statistic = _kaplan_meier(ended.astype(np.float64), at_risk.astype(np.float64))
    share = statistic(np.ones((1, len(distances))))[0]
    if clusters is None:
        return Curve(x, share, *_greenwood(share, ended.sum(axis=0), at_risk.sum(axis=0), level))
    groups = np.zeros(len(distances))
    return _curve(x, share, statistic, groups, clusters, level, seed, replicates)


def performance_profile(
    distances_m: npt.ArrayLike,
    strata: npt.ArrayLike,
    thresholds_m: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
    replicates: int = CURVE_REPLICATES,
) -> Curve:
    """Share of the episodes that came farther than each threshold (Agarwal et al. 2021, section 4.2).

    Unlike the survival curve it says nothing about what the horizon cut off: beyond the distance that can be driven
    before the horizon it is 0.

    Args:
        distances_m: (N,) metres, N >= 1.
        strata: (N,) controller ids; episodes are resampled within each for the interval.
        thresholds_m: (M,) metres, increasing.
        clusters: (N,) starts: whole starts are resampled instead (stricter).
        level: coverage.
        seed: of the resampling.
        replicates: resamples.
    """
    distances, x = np.asarray(distances_m, np.float64), np.asarray(thresholds_m, np.float64)
    beyond = (distances[:, None] > x).astype(np.float64)

    def statistic(weights: Float) -> Float:
        return np.asarray(weights @ beyond / weights.sum(axis=1, keepdims=True), np.float64)

    share = statistic(np.ones((1, len(distances))))[0]
    groups = usable_strata(strata) if clusters is None else np.zeros(len(distances))
    return _curve(x, share, statistic, groups, clusters, level, seed, replicates)


def _curve(
    x: Float,
    share: Float,
    statistic: Statistic,
    strata: npt.NDArray[np.generic],
    clusters: npt.ArrayLike | None,
    level: float,
    seed: int,
    replicates: int,
) -> Curve:
    ends = resampled_interval(statistic, strata, clusters, seed=seed, level=level, replicates=replicates)
    low, high = ends or (share, share)
    return Curve(x, share, low, high)


def _kaplan_meier(ended: Float, at_risk: Float) -> Statistic:
    """Survival at every place as a function of weights; where nobody is left at risk it stays as it is."""

    def statistic(weights: Float) -> Float:
        risk = weights @ at_risk
        hazard = np.divide(weights @ ended, risk, out=np.zeros_like(risk), where=risk > 0)
        return np.asarray(np.cumprod(1.0 - hazard, axis=1), np.float64)

    return statistic


def _greenwood(
    share: Float, ended: npt.NDArray[np.int64], at_risk: npt.NDArray[np.int64], level: float
) -> tuple[Float, Float]:
    """Ends of the interval; a point where the share is 1 or 0, as the log-log scale has no width there."""
    inside = (share > 0.0) & (share < 1.0)
    left = np.where(at_risk > ended, at_risk - ended, 1)
    variance = np.cumsum(np.where(at_risk > ended, ended / (np.maximum(at_risk, 1) * left), 0.0))
    logarithm = np.log(np.where(inside, share, 0.5))
    spread = NormalDist().inv_cdf(0.5 + level / 2.0) * np.sqrt(variance) / logarithm
    low = np.where(inside, np.exp(logarithm * np.exp(-spread)), share)
    high = np.where(inside, np.exp(logarithm * np.exp(spread)), share)
    return low, high
