"""Tests of differences: exact where the number of rearrangements allows it, by a seeded sample of them elsewhere.

Episodes of one start are not independent, so the tests to conclude from take one number per start.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from sim2real_bench.evaluation.statistics.resampling import REPLICATES
from sim2real_bench.evaluation.statistics.summaries import Float

Alternative = Literal["two-sided", "less", "greater"]
_ROUNDING = 1e-9  # of the largest statistic: equal rearrangements must count as equal


def sign_flip_p(differences: npt.ArrayLike, *, alternative: Alternative = "two-sided", seed: int = 0) -> float:
    """Paired permutation test of the mean difference: in every pair the two sides may as well be swapped.

    Exact with up to 13 pairs (all 2^N ways are counted), else from 9,999 random ways and the observed one.

    Args:
        differences: (N,) one per start (or per episode, where episodes are independent).
        alternative: ``less``: the mean difference is below 0.
        seed: of the random ways.
    """
    return float(step_down_p(np.asarray(differences, np.float64)[:, None], alternative=alternative, seed=seed)[0])


def step_down_p(differences: npt.ArrayLike, *, alternative: Alternative = "two-sided", seed: int = 0) -> Float:
    """Paired permutation tests of several methods that share their starts, corrected for their number.

    Westfall and Young, "Resampling-Based Multiple Testing" (1993), the step-down maxT procedure: Holm's with the joint
    distribution of the statistics in place of Bonferroni's bound. The two sides of a start are swapped for all methods
    at once, so nothing is assumed about how the methods depend on each other, and five starts are enough for a p of
    1/32 however many methods there are.

    Args:
        differences: (N, M), one row per start, one column per method; NaN where a method lacks the start.
        alternative: ``less``: the mean difference is below 0.
        seed: of the random ways.

    Returns:
        (M,) p-values, each at least that of the method tested alone.
    """
    table = np.nan_to_num(np.asarray(differences, np.float64), nan=0.0)
    size = np.sqrt((table**2).sum(axis=0))
    standard = np.divide(table, size, out=np.zeros_like(table), where=size > 0)
    statistics = _oriented(_signs(len(table), seed) @ standard, alternative)
    observed = statistics[0]
    p_values = np.empty(len(observed))
    order = np.argsort(-observed, kind="stable")
    least = 0.0
    for place, method in enumerate(order):
        largest = statistics[:, order[place:]].max(axis=1)
        least = max(least, float(np.mean(largest >= observed[method] - _ROUNDING)))
        p_values[method] = least
    return p_values


def shuffle_p(
    first: npt.ArrayLike, second: npt.ArrayLike, *, alternative: Alternative = "two-sided", seed: int = 0
) -> float:
    """Permutation test of the difference of two unpaired means, first minus second.

    Exact where there are at most 9,999 ways to divide the pool, else from 9,999 random ones and the observed one.

    Args:
        first: (N,) one per start.
        second: (M,) one per start of the other side.
        alternative: ``less``: the first mean is smaller.
        seed: of the random ways.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    pool = np.concatenate([a, b])
    pool -= pool.mean()
    chosen = _divisions(len(a), len(pool), seed)
    statistics = _oriented(chosen @ pool, alternative)
    return float(np.mean(statistics >= statistics[0] - _ROUNDING * np.abs(pool).sum()))


def wilcoxon_p(differences: npt.ArrayLike, *, alternative: Alternative = "two-sided") -> float:
    """Wilcoxon's signed-rank test of paired differences (SciPy's, zeros dropped); 1 where all are zero.

    Args:
        differences: (N,) one per pair of independent episodes or per start.
        alternative: ``less``: the differences lie below 0.
    """
    from scipy import stats

    numbers = np.asarray(differences, np.float64)
    numbers = numbers[numbers != 0.0]
    return float(stats.wilcoxon(numbers, alternative=alternative).pvalue) if len(numbers) else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number: Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected = [0.0] * len(p_values)
    least = 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = least
    return corrected


def _oriented(statistics: Float, alternative: Alternative) -> Float:
    """Turned so that large means far from the hypothesis."""
    if alternative == "two-sided":
        return np.abs(statistics)
    return statistics if alternative == "greater" else -statistics


def _signs(count: int, seed: int) -> Float:
    """(ways, count) of 1 and -1, the observed way first."""
    if 2**count <= REPLICATES:
        return np.array(list(itertools.product([1.0, -1.0], repeat=count)))
    drawn = np.random.default_rng(seed).choice([-1.0, 1.0], size=(REPLICATES, count))
    return np.vstack([np.ones(count), drawn])


def _divisions(size: int, total: int, seed: int) -> Float:
    """(ways, total) of 1 where a value belongs to the first side, the observed way first."""
    if math.comb(total, size) <= REPLICATES:
        chosen = np.array(list(itertools.combinations(range(total), size)))
    else:
        source = np.random.default_rng(seed)
        chosen = np.argsort(source.random((REPLICATES, total)), axis=1)[:, :size]
        chosen = np.vstack([np.arange(size), chosen])
    ways = np.zeros((len(chosen), total))
    np.put_along_axis(ways, chosen, 1.0, axis=1)
    return ways
