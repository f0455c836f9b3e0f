"""How many episodes it takes to tell methods apart, from the spread between the starts of a measured result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.results import Drives, Results
from sim2real_bench.evaluation.statistics import Float
from sim2real_bench.evaluation.statistics.power import Spread, detectable_difference, spread_range, starts_needed
from sim2real_bench.evaluation.table import BOUNDS


@dataclass(frozen=True)
class PowerQuestion:
    """What is asked.

    Attributes:
        difference: share of the larger mean that is to be told apart, above 0.
        level: of the two-sided t-test over starts: 1 minus the chance to find a difference where there is none.
        power: wanted chance to find the difference.
        controllers: that share a start.
        planned_starts: of the plan in question.
    """

    difference: float = 0.1
    level: float = 0.95
    power: float = 0.8
    controllers: int = 5
    planned_starts: int = 25

    def __post_init__(self) -> None:
        for name, value, most in (
            ("difference", self.difference, 10.0), ("level", self.level, 1.0), ("power", self.power, 1.0),
        ):  # fmt: skip
            if not 0.0 < value < most:
                raise ConfigurationError(f"{name} {value:g}: choose one above 0 and below {most:g}")


@dataclass(frozen=True)
class Needed:
    """What one way of driving needs and gives.

    Attributes:
        starts: that find the difference with the wanted power; None: more than a million.
        starts_range: the same if the true spread lies at the ends of its interval; the measured one is an estimate.
        episodes: of each method: starts times controllers.
        detectable: smallest difference, as a share, that the planned number of starts finds with that power.
    """

    starts: int | None
    starts_range: tuple[int | None, int | None] | None
    episodes: int | None
    detectable: float | None


@dataclass(frozen=True)
class PowerRow:
    """Two methods, or one against a changed version of itself.

    Attributes:
        a: label.
        b: label; the same as ``a``: two versions of one method.
        mean_a_m: measured mean distance, metres.
        mean_b_m: of the other.
        difference_m: the difference to find: the wanted share of the larger mean.
        spread_a_m: standard deviation between starts of the mean over the controllers, metres.
        spread_b_m: of the other.
        correlation: of the two methods over the starts; None where it cannot be measured.
        starts_measured: that the spreads were measured from.
        paired: both drive the same starts; None for a method against itself: how alike its versions drive is not known.
        unpaired: each drives its own starts.
    """

    a: str
    b: str
    mean_a_m: float
    mean_b_m: float
    difference_m: float
    spread_a_m: float
    spread_b_m: float
    correlation: float | None
    starts_measured: int
    paired: Needed | None
    unpaired: Needed


@dataclass(frozen=True)
class PowerTable:
    """The answer of ``plan --power``: method by method, then pair by pair."""

    question: PowerQuestion
    rows: tuple[PowerRow, ...]


def power_table(results: Results, question: PowerQuestion) -> PowerTable:
    """How many starts and episodes tell the methods of a result apart.

    Starts count, not episodes: controllers that share a start meet the same things. Privileged bounds are left out.

    Args:
        results: measured; starts that lack an episode are left out.
        question: what is to be told apart, and how surely.

    Raises:
        ConfigurationError: another number of controllers was measured, or fewer than two complete starts.
    """
    controllers = len(results.plan.configuration.controllers)
    if controllers != question.controllers:
        raise ConfigurationError(
            f"this result was measured with {controllers} controllers a start, the plan has {question.controllers}; "
            "name a result of the same controllers with --results"
        )
    labelled = [
        (row.label, _start_means(results.drives(row), controllers))
        for row in results.plan.configuration.rows
        if row.method not in BOUNDS
    ]
    measured = [(label, means) for label, means in labelled if len(means) >= 2]
    if not measured:
        raise ConfigurationError("this result has no row with two complete starts: drive more, or name another result")
    alone = [_alone(label, np.array(list(means.values())), question) for label, means in measured]
    pairs = [
        row
        for place, first in enumerate(measured)
        for second in measured[place + 1 :]
        if (row := _pair(first, second, question)) is not None
    ]
    return PowerTable(question, (*alone, *pairs))


def _start_means(drives: Drives, controllers: int) -> dict[int, float]:
    """Mean distance of every start that all controllers finished, metres."""
    found: dict[int, list[float]] = {}
    for episode, record in drives.items():
        found.setdefault(episode.seed, []).append(record.distance_m)
    return {start: sum(m) / controllers for start, m in found.items() if len(m) == controllers}


def _alone(label: str, means: Float, question: PowerQuestion) -> PowerRow:
    mean, spread = float(means.mean()), float(means.std(ddof=1))
    return PowerRow(
        a=label,
        b=label,
        mean_a_m=mean,
        mean_b_m=mean,
        difference_m=question.difference * mean,
        spread_a_m=spread,
        spread_b_m=spread,
        correlation=None,
        starts_measured=len(means),
        paired=None,
        unpaired=_needed(Spread(spread, spread), mean, len(means), question),
    )


def _pair(
    first: tuple[str, dict[int, float]], second: tuple[str, dict[int, float]], question: PowerQuestion
) -> PowerRow | None:
    """None where the two share fewer than two starts."""
    shared = [start for start in first[1] if start in second[1]]
    if len(shared) < 2:
        return None
    a, b = (np.array([means[start] for start in shared]) for _, means in (first, second))
    larger = float(max(a.mean(), b.mean()))
    spreads = float(a.std(ddof=1)), float(b.std(ddof=1))
    return PowerRow(
        a=first[0],
        b=second[0],
        mean_a_m=float(a.mean()),
        mean_b_m=float(b.mean()),
        difference_m=question.difference * larger,
        spread_a_m=spreads[0],
        spread_b_m=spreads[1],
        correlation=float(np.corrcoef(a, b)[0, 1]) if min(spreads) > 0 else None,
        starts_measured=len(shared),
        paired=_needed(Spread(float((a - b).std(ddof=1))), larger, len(shared), question),
        unpaired=_needed(Spread(*spreads), larger, len(shared), question),
    )


def _needed(spread: Spread, mean: float, measured: int, question: PowerQuestion) -> Needed:
    """What a spread asks for; ``mean`` is what the wanted difference is a share of."""
    difference = question.difference * mean
    if difference <= 0.0:
        return Needed(None, None, None, None)

    def starts(factor: float) -> int | None:
        return starts_needed(difference, spread.scaled(factor), level=question.level, power=question.power)

    ends = spread_range(measured, level=question.level)
    fewest = starts(1.0)
    detectable = detectable_difference(spread, question.planned_starts, level=question.level, power=question.power)
    return Needed(
        starts=fewest,
        starts_range=None if ends is None else (starts(ends[0]), starts(ends[1])),
        episodes=None if fewest is None else fewest * question.controllers,
        detectable=None if detectable is None else detectable / mean,
    )
