"""Point estimates: the paper's columns, completion rates, interquartile mean, probability of improvement, ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]


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


def group_means(values: npt.ArrayLike, groups: npt.ArrayLike) -> Float:
    """Mean of each group, in the order of the groups' ids.

    Args:
        values: (N,) one per episode.
        groups: (N,) ids: controllers, or starts.
    """
    _, places = np.unique(np.asarray(groups), return_inverse=True)
    return np.asarray(np.bincount(places, np.asarray(values, np.float64)) / np.bincount(places), np.float64)


def controller_means(distances_m: npt.ArrayLike, controllers: npt.ArrayLike) -> Float:
    """Mean distance of each controller, in the order of the controllers' ids.

    Args:
        distances_m: (N,) metres.
        controllers: (N,) ids.
    """
    return group_means(distances_m, controllers)


def distance_summary(distances_m: npt.ArrayLike, controllers: npt.ArrayLike) -> DistanceSummary:
    """Mean, population standard deviation, minimum and maximum over the per-controller means.

    Args:
        distances_m: (N,) metres, N >= 1.
        controllers: (N,) ids.
    """
    means = group_means(distances_m, controllers)
    return DistanceSummary(float(means.mean()), float(means.std(ddof=0)), float(means.min()), float(means.max()))


def completion_rate(distances_m: npt.ArrayLike, threshold_m: float) -> float:
    """Share of the episodes that came at least so far."""
    return float(np.mean(np.asarray(distances_m, np.float64) >= threshold_m))


def per_kilometre(events: int, metres: float) -> float | None:
    """Events per kilometre driven; None where nothing was driven."""
    return 1000.0 * events / metres if metres > 0 else None


def interquartile_mean(values: npt.ArrayLike) -> float:
    """Mean of the middle half of all episodes: a quarter is left out at each end, rounded down.

    Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (2021), section 4.3. One
    lucky or unlucky episode hardly moves it, unlike the mean; unlike the median it uses half of the data.

    Args:
        values: (N,) of all controllers together, N >= 1.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def probability_of_improvement(
    values: npt.ArrayLike, baseline: npt.ArrayLike, strata: npt.ArrayLike, baseline_strata: npt.ArrayLike
) -> float:
    """How probably an episode comes farther than an episode of the baseline under the same controller.

    All pairs are counted, ties as a half, and the controllers' shares averaged (Agarwal et al. 2021, section 4.3).

    Args:
        values: (N,) of the method.
        baseline: (M,) of the baseline.
        strata: (N,) controller ids of the method's episodes.
        baseline_strata: (M,) controller ids of the baseline's; the same controllers.
    """
    ours, theirs = np.asarray(strata), np.asarray(baseline_strata)
    a, b = np.asarray(values, np.float64), np.asarray(baseline, np.float64)
    shares = [wins(a[ours == label], b[theirs == label]).mean() for label in np.unique(ours)]
    return float(np.mean(shares))


def wins(values: Float, baseline: Float) -> Float:
    """(N, M): 1 where a value exceeds one of the baseline, 1/2 where they are equal, else 0."""
    return (values[:, None] > baseline) + 0.5 * (values[:, None] == baseline)


def ranks(scores: Sequence[float | None]) -> list[int | None]:
    """1 for the largest score; equal scores share a rank; None stays unranked."""
    known = [score for score in scores if score is not None]
    return [None if score is None else 1 + sum(other > score for other in known) for score in scores]
