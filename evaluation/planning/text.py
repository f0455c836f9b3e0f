"""A plan, what it will take and what it can tell, as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim2real_bench.evaluation.plan import Episode
from sim2real_bench.evaluation.planning.forecast import total_wall_s
from sim2real_bench.evaluation.planning.power import Needed, PowerRow, PowerTable
from sim2real_bench.evaluation.planning.preview import Preview
from sim2real_bench.untrusted import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

MISSING = "–"
_STARTS_SHOWN = 10


def to_terminal(preview: Preview) -> RenderableType:
    """What ``plan`` prints."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(line) for line in _head(preview)]
    if preview.plan:
        parts.append(_starts_table(preview.starts))
    if preview.forecast:
        parts.append(_forecast_table(preview))
    if preview.power:
        parts.append(_power_table(preview.power))
    return Group(*parts, *(Text(f"• {printable(note, 1000)}") for note in preview.notes))


def _head(preview: Preview) -> list[str]:
    asked, horizon_s = preview.configuration, preview.horizon_s
    rows = [row.label for row in asked.rows]
    count = preview.episodes_per_row
    return [
        f"{asked.benchmark}, backend {asked.backend}, {asked.town}, preset {asked.preset}, seed {asked.seed}",
        f"{asked.episodes_per_controller} starts x {len(asked.controllers)} controllers = {count} episodes for each of "
        f"{len(rows)} rows ({', '.join(rows)}): {count * len(rows)} episodes",
        f"at most {horizon_s:g} s each, {_duration(count * len(rows) * horizon_s)} of simulated time together",
    ]


def _starts_table(starts: Sequence[Episode]) -> Table:
    shown = _table(["start", "spawn point", "weather", "seed"])
    for number, start in enumerate(starts[:_STARTS_SHOWN], start=1):
        shown.add_row(str(number), str(start.spawn_index), start.weather, str(start.seed))
    if len(starts) > _STARTS_SHOWN:
        shown.add_row("…", f"{len(starts) - _STARTS_SHOWN} more", "--json", "lists all")
    return shown


def _forecast_table(preview: Preview) -> Table:
    shown = _table(["row", "episodes", "times real time", "simulated", f"wall, {preview.workers} at once"])
    for row in preview.forecast:
        factor = MISSING if row.realtime_factor is None else f"{row.realtime_factor:.1f}"
        shown.add_row(
            row.label, str(row.episodes), factor, _range(row.simulated_s), _range(row.wall_s, preview.workers)
        )
    total = total_wall_s(preview.forecast, preview.workers)
    shown.add_row("together", str(preview.episodes_per_row * len(preview.forecast)), "", "", _range(total))
    return shown


def _power_table(table: PowerTable) -> Table:
    percent = f"{100 * table.question.difference:g} %"
    starts = table.question.planned_starts
    header = [f"to tell {percent} apart", "m", "same starts: starts", "episodes each", "own starts: starts"]
    shown = _table([*header, "episodes each", f"{starts} starts tell apart"])
    for row in table.rows:
        shown.add_row(*_power_cells(row))
    return shown


def _power_cells(row: PowerRow) -> list[str]:
    label = f"{row.a}, changed" if row.a == row.b else f"{row.a} | {row.b}"
    least = (row.paired or row.unpaired).detectable
    how = " (same starts)" if row.paired else " (own starts)"
    return [
        printable(label), f"{row.difference_m:.1f}", *_needed_cells(row.paired), *_needed_cells(row.unpaired),
        MISSING if least is None else f"{100 * least:.0f} %{how}",
    ]  # fmt: skip


def _needed_cells(needed: Needed | None) -> list[str]:
    if needed is None:
        return [MISSING, MISSING]
    ends = "" if needed.starts_range is None else f" [{', '.join(map(_count, needed.starts_range))}]"
    return [f"{_count(needed.starts)}{ends}", _count(needed.episodes)]


def _count(number: int | None) -> str:
    return "> 1,000,000" if number is None else f"{number:,}"


def _table(header: list[str]) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for place, name in enumerate(header):
        shown.add_column(name, justify="right" if place else "left", overflow="fold")
    return shown


def _range(ends_s: tuple[float, float] | None, workers: int = 1) -> str:
    if ends_s is None:
        return "not measured"
    low, high = (_duration(end / workers) for end in ends_s)
    return low if low == high else f"{low} to {high}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
