"""Does the product of accuracies put the rows in the order in which they drove?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sim2real_bench.evaluation.analysis.shares import Estimate
from sim2real_bench.evaluation.results import Drives, Results, controllers_of, distances_of, starts_of
from sim2real_bench.evaluation.statistics import bootstrap_interval, clustered_interval, distance_summary


class Verdict(StrEnum):
    """Of a pair of rows: the signs of both differences, where their intervals exclude zero."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Pair:
    """Two rows, the one with the larger product first.

    Attributes:
        better: label of the row with the larger product.
        worse: label of the other.
        predicted: difference of the products.
        measured_m: difference of the mean distances over the episodes both finished, metres; whole starts resampled.
        verdict: whether the two differences have one sign.
    """

    better: str
    worse: str
    predicted: Estimate
    measured_m: Estimate
    verdict: Verdict


def distances(results: Results, labels: Sequence[str]) -> dict[str, Estimate]:
    """Mean distance of each row that has finished episodes, metres, with the interval of the table."""
    found = {}
    for label in labels:
        drives = _drives(results, label)
        if drives:
            values, controllers = distances_of(drives), controllers_of(drives)
            mean = distance_summary(values, controllers).mean
            found[label] = Estimate(mean, bootstrap_interval(values, controllers))
    return found


def pairs_of(differences: Mapping[tuple[str, str], Estimate], results: Results) -> list[Pair]:
    """All pairs of rows that finished episodes in common, the clearest predictions first.

    Args:
        differences: of the products of two labels, first minus second.
        results: of the rows.
    """
    found = []
    for (first, second), difference in differences.items():
        better, worse, predicted = (first, second, difference)
        if difference.value < 0:
            better, worse, predicted = (second, first, difference.negated)
        measured = _measured(_drives(results, better), _drives(results, worse))
        if measured is not None:
            found.append(Pair(better, worse, predicted, measured, verdict(predicted, measured)))
    return sorted(found, key=lambda pair: -pair.predicted.value)


def verdict(predicted: Estimate, measured: Estimate) -> Verdict:
    """What two differences say about each other."""
    signs = _sign(predicted) * _sign(measured)
    return {1: Verdict.AGREES, -1: Verdict.CONTRADICTS, 0: Verdict.UNDECIDED}[signs]


def rank_correlation(pairs: Sequence[Pair]) -> float | None:
    """Kendall's tau-a of products and distances over the pairs: 1 = one order, -1 = the reverse; None without pairs.

    Values alone, without intervals; a tie counts as neither.
    """
    if not pairs:
        return None
    same = sum(pair.predicted.value * pair.measured_m.value > 0 for pair in pairs)
    reversed_ = sum(pair.predicted.value * pair.measured_m.value < 0 for pair in pairs)
    return (same - reversed_) / len(pairs)


def _drives(results: Results, label: str) -> Drives:
    rows = {row.label: row for row in results.plan.configuration.rows}
    return results.drives(rows[label]) if label in rows else {}


def _measured(better: Drives, worse: Drives) -> Estimate | None:
    shared = [episode for episode in better if episode in worse]
    if not shared:
        return None
    ours, theirs = ({episode: drives[episode] for episode in shared} for drives in (better, worse))
    gains = [own - other for own, other in zip(distances_of(ours), distances_of(theirs), strict=True)]
    mean = distance_summary(gains, controllers_of(ours)).mean
    return Estimate(mean, clustered_interval(gains, starts_of(ours)))


def _sign(estimate: Estimate) -> int:
    """1 or -1 where the interval excludes zero, else 0."""
    if estimate.ci95 is None:
        return 0
    low, high = estimate.ci95
    return (low > 0) - (high < 0)
