"""Is result B worse than result A, beyond chance? Two results folders compared row by row, in pairs where they can be.

Episodes that share a start are not independent: what decides is one number per start. If nothing changed, the two
results of a start may as well be swapped; B is worse if hardly any way of swapping looks as bad as what was found. All
rows are swapped together, which corrects for their number (``statistics.step_down_p``). Results without a common start
are compared by shuffling the starts between the sides, with Holm's correction.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.comparison.matching import REFUSE, Contest, match_results
from sim2real_bench.evaluation.comparison.rows import WORSE, RowComparison, compare_row
from sim2real_bench.evaluation.results import Drives, distances_of, read_measured_results, starts_of
from sim2real_bench.evaluation.statistics import Alternative, Float, group_means, holm, shuffle_p, step_down_p


@dataclass(frozen=True)
class Comparison:
    """Two results, row by row.

    Attributes:
        a: folder of the first.
        b: folder of the second.
        benchmark: of both.
        backend: of both.
        town: of both.
        paired: both drove the same episodes.
        level: of the intervals; the chance that equal results are called worse is at most 1 minus it.
        tolerance_m: B may be so many metres worse.
        rows: one for each pair of rows.
        notes: how the two were compared.
    """

    a: str
    b: str
    benchmark: str
    backend: str
    town: str
    paired: bool
    level: float
    tolerance_m: float
    rows: tuple[RowComparison, ...]
    notes: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Some row of B is worse than A's beyond chance."""
        return any(row.verdict == WORSE for row in self.rows)

    def to_json(self) -> str:
        """All numbers as JSON text."""
        return json.dumps({**asdict(self), "worse": self.worse}, indent=2, allow_nan=False) + "\n"


def compare(
    folder_a: Path | str,
    folder_b: Path | str,
    *,
    rows: Sequence[tuple[str, str]] = (),
    level: float = 0.95,
    tolerance_m: float = 0.0,
    incomplete: str = REFUSE,
) -> Comparison:
    """Compare two results folders; nothing is driven or written.

    Args:
        folder_a: the first result, for example of the last release.
        folder_b: the second.
        rows: labels (``method`` or ``method:proxy``) of A and of B; empty: all rows that both have.
        level: of the intervals and the verdict, from 0.5 to below 1.
        tolerance_m: B may be so many metres worse on average before it is called worse.
        incomplete: ``refuse`` rows that lack episodes, or compare the ``common`` ones.

    Raises:
        RecordError: a folder cannot be read.
        ConfigurationError: the two cannot be compared, or a value cannot be used.
    """
    if not 0.5 <= level < 1.0:
        raise ConfigurationError(f"level {level:g}: choose one from 0.5 to below 1, for example 0.95")
    if not (math.isfinite(tolerance_m) and tolerance_m >= 0.0):
        raise ConfigurationError(f"tolerance {tolerance_m:g} m: choose 0 or more metres")
    a, b = read_measured_results(Path(folder_a)), read_measured_results(Path(folder_b))
    matching = match_results(a, b, rows, incomplete)
    configuration = a.plan.configuration
    thresholds = [m for m in configuration.completion_m if m <= configuration.reach_m]
    tests = _paired_tests if matching.paired else _unpaired_tests
    p_worse = tests(matching.contests, "less", tolerance_m)
    p_better = tests(matching.contests, "greater", 0.0)
    compared = tuple(
        compare_row(contest, thresholds, matching.paired, level, worse, better)
        for contest, worse, better in zip(matching.contests, p_worse, p_better, strict=True)
    )
    return Comparison(
        a=str(folder_a),
        b=str(folder_b),
        benchmark=configuration.benchmark,
        backend=configuration.backend,
        town=configuration.town,
        paired=matching.paired,
        level=level,
        tolerance_m=tolerance_m,
        rows=compared,
        notes=(*matching.notes, *_too_few(matching.contests, matching.paired, level)),
    )


def _paired_tests(contests: Sequence[Contest], alternative: Alternative, tolerance_m: float) -> list[float]:
    """One p for each contest: the two sides of a start are swapped, in all contests at once."""
    starts = sorted({start for contest in contests for start in starts_of(contest.drives_a)})
    gains = np.full((len(starts), len(contests)), np.nan)
    for column, contest in enumerate(contests):
        means = [_start_means(drives) for drives in (contest.drives_a, contest.drives_b)]
        for start in means[0]:
            gains[starts.index(start), column] = means[1][start] - means[0][start] + tolerance_m
    return [float(p) for p in step_down_p(gains, alternative=alternative)]


def _unpaired_tests(contests: Sequence[Contest], alternative: Alternative, tolerance_m: float) -> list[float]:
    """One p for each contest: starts are shuffled between the sides; corrected by Holm's procedure."""
    sides = [[list(_start_means(drives).values()) for drives in (one.drives_b, one.drives_a)] for one in contests]
    return holm([shuffle_p(np.add(after, tolerance_m), before, alternative=alternative) for after, before in sides])


def _start_means(drives: Drives) -> dict[int, float]:
    """Mean distance of each start over the controllers, metres."""
    starts = starts_of(drives)
    means: Float = group_means(distances_of(drives), starts)
    return dict(zip(sorted(set(starts)), map(float, means), strict=True))


def _too_few(contests: Sequence[Contest], paired: bool, level: float) -> list[str]:
    """Says so where no result whatever could be called worse."""
    counts = [[len(set(starts_of(drives))) for drives in (one.drives_a, one.drives_b)] for one in contests]
    least = min(0.5**ours if paired else len(contests) / math.comb(ours + theirs, ours) for ours, theirs in counts)
    if least <= 1.0 - level:
        return []
    return [
        f"Too few starts: even if B were worse in every one, p would be {min(least, 1.0):.3g}, above "
        f"{1.0 - level:.3g}. Drive more with --episodes."
    ]
