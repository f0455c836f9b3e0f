"""A comparison as text for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim2real_bench.evaluation.comparison.folders import Comparison
from sim2real_bench.evaluation.comparison.rows import BETTER, WORSE, Change, RowComparison
from sim2real_bench.evaluation.statistics import Interval
from sim2real_bench.untrusted import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

MISSING = "–"
_STYLES = {WORSE: "bold red", BETTER: "green"}


def to_terminal(comparison: Comparison) -> RenderableType:
    """What ``compare`` prints: distances, rates, and what to know when reading them."""
    from rich.console import Group
    from rich.text import Text

    place = f"{comparison.benchmark}, backend {comparison.backend}, {comparison.town}"
    title = f"{place}: B = {comparison.b} against A = {comparison.a}"
    return Group(
        Text(printable(title, 1000), style="italic"),
        _distances(comparison),
        _rates(comparison),
        *(Text(f"• {printable(note, 1000)}") for note in (*comparison.notes, _how_to_read(comparison))),
    )


def verdict_line(comparison: Comparison) -> str:
    """The answer in one sentence."""
    worse = [row.label for row in comparison.rows if row.verdict == WORSE]
    better = [row.label for row in comparison.rows if row.verdict == BETTER]
    by_more = f" by more than {comparison.tolerance_m:g} m" if comparison.tolerance_m else ""
    if worse:
        return printable(f"B is worse than A{by_more} beyond chance: {', '.join(worse)}", 1000)
    found = f"; better beyond chance: {', '.join(better)}" if better else ""
    return printable(f"B is not worse than A{by_more} beyond chance{found}", 1000)


def _how_to_read(comparison: Comparison) -> str:
    percent = f"{100 * comparison.level:g} %"
    return (
        f"[ ]: {percent} intervals. 'by start' resamples whole starts, since controllers share them; trust it rather "
        f"than the other. Verdict: worse where p worse is at most {1 - comparison.level:.3g}; one-sided, by start, "
        "corrected for all rows together. P(B > A): how probably an episode of B comes farther under the same "
        "controller."
    )


def _distances(comparison: Comparison) -> Table:
    percent = f"{100 * comparison.level:g} %"
    header = ["distance m", "episodes", "A", "B", "B − A", percent, "by start", "p worse", "p better", "verdict"]
    return _table(header, [(row, _distance_cells(row)) for row in comparison.rows])


def _distance_cells(row: RowComparison) -> list[str]:
    episodes = f"{row.episodes_a}" if row.episodes_a == row.episodes_b else f"{row.episodes_a}, {row.episodes_b}"
    mean = row.mean_m
    return [
        f"{episodes} of {row.starts} starts", f"{mean.a:.1f}", f"{mean.b:.1f}", f"{mean.difference:+.1f}",
        _interval(row.ci, 1), _interval(mean.ci_by_start, 1), f"{row.p_worse:.3g}", f"{row.p_better:.3g}", row.verdict,
    ]  # fmt: skip


def _rates(comparison: Comparison) -> Table:
    thresholds = list(comparison.rows[0].completion)
    header = ["B − A by start", "IQM m", "P(B > A)", *(f"≥ {m} m" for m in thresholds), "infractions /km"]
    return _table(header, [(row, _rate_cells(row, thresholds)) for row in comparison.rows])


def _rate_cells(row: RowComparison, thresholds: list[str]) -> list[str]:
    before, after = (
        MISSING if rate is None else f"{rate:.1f}" for rate in (row.infractions_per_km_a, row.infractions_per_km_b)
    )
    return [
        _change(row.iqm_m, 1),
        f"{row.probability_of_improvement:.2f} {_interval(row.probability_of_improvement_ci_by_start, 2)}",
        *(_change(row.completion[m], 2) for m in thresholds),
        f"{before} → {after}",
    ]


def _table(header: list[str], rows: list[tuple[RowComparison, list[str]]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for place, name in enumerate(header):
        shown.add_column(name, justify="right" if place else "left", overflow="fold")
    for row, cells in rows:
        shown.add_row(*map(Text, (printable(row.label), *cells)), style=_STYLES.get(row.verdict))
    return shown


def _change(change: Change, digits: int) -> str:
    return f"{change.difference:+.{digits}f} {_interval(change.ci_by_start, digits)}"


def _interval(interval: Interval | None, digits: int) -> str:
    return MISSING if interval is None else f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
