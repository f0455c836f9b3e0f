"""The table as text: JSON, Markdown and CSV files, and rich for the terminal."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sim2real_bench.evaluation.files import write_result_file
from sim2real_bench.evaluation.table.model import Difference, Table, TableRow
from sim2real_bench.evaluation.table.ratios import Ratio

if TYPE_CHECKING:
    from rich.console import RenderableType

TABLE_FILES = ("table.json", "table.csv", "table.md")
MISSING = "–"
_SUPERVISION = "supervision"
_WIDE = 140
_WIDE_ONLY = ("IQM m", "min", "max", "2 s odometer m", "retained")


def write_table(table: Table, folder: Path) -> None:
    """Write ``table.json``, ``table.csv`` and ``table.md``, each in one step."""
    texts = (table.to_json(), to_csv(table), to_markdown(table))
    for name, text in zip(TABLE_FILES, texts, strict=True):
        write_result_file(folder / name, text)


def to_markdown(table: Table) -> str:
    """Text of ``table.md``."""
    header, *rows = _cells(table)
    lines = [f"# {_title(table)}", "", _line(header), _line(["---"] + ["---:"] * (len(header) - 2) + ["---"])]
    lines += [_line(row) for row in rows]
    lines += ["", *(f"* {text}" for text in (*_sentences(table), *table.notes)), ""]
    return "\n".join(lines)


def to_csv(table: Table) -> str:
    """Text of ``table.csv``: one line a row, unrounded numbers, empty cells where nothing was measured."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    flat = [_flat(table, row) for row in table.rows]
    writer.writerow(flat[0])
    writer.writerows(list(row.values()) for row in flat)
    return text.getvalue()


def to_terminal(table: Table, width: int) -> RenderableType:
    """What ``evaluate`` prints: the table, then what to know when reading it.

    Args:
        table: what to print.
        width: of the terminal, characters; a narrow one gets fewer columns.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    header, *rows = _cells(table)
    kept = [place for place, name in enumerate(header) if width >= _WIDE or name not in _WIDE_ONLY]
    kept = [place for place in kept if header[place] != _SUPERVISION and (width >= _WIDE or _measured(rows, place))]
    shown = RichTable(
        title=_title(table), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for place in kept:
        justify: Literal["left", "right"] = "left" if place == 0 else "right"
        shown.add_column(header[place], justify=justify, no_wrap=place == 0, overflow="fold")
    for row, source in zip(rows, table.rows, strict=True):
        shown.add_row(*(Text(row[place]) for place in kept), style=None if source.complete else "dim")
    supervision = [f"{row.label} reads {row.supervision}" for row in table.rows if row.supervision]
    return Group(shown, *(Text(f"• {text}") for text in (*_sentences(table), *supervision, *table.notes)))


def _measured(rows: list[list[str]], place: int) -> bool:
    return any(row[place] != MISSING for row in rows)


def _title(table: Table) -> str:
    backend = table.backend_version or table.backend
    return f"{table.benchmark}, backend {backend}, {table.town}, preset {table.preset}"


def _cells(table: Table) -> list[list[str]]:
    thresholds = list(table.rows[0].completion)
    header = ["method", "rank", "episodes", "distance m", "95 %", "2 s odometer m", "IQM m", "min", "max"]
    header += [*(f"≥ {m} m" for m in thresholds), "infractions /km", "off road", "retained", _SUPERVISION]
    return [header, *(_row_cells(row, thresholds) for row in table.rows)]


def _row_cells(row: TableRow, thresholds: list[str]) -> list[str]:
    distance = row.distance_m
    mean = MISSING if distance.mean is None else f"{distance.mean:.1f} ± {distance.std:.1f}"
    return [
        row.label,
        MISSING if row.rank is None else str(row.rank),
        f"{row.episodes_finished}/{row.episodes_planned}",
        mean,
        _interval(distance.ci95),
        _number(row.distance_2s_m, 1),
        _number(row.iqm_m, 1),
        _number(distance.min, 1),
        _number(distance.max, 1),
        *(_number(row.completion[m], 2) for m in thresholds),
        _number(row.infractions_per_km, 1),
        _number(row.off_road_share, 2),
        _number(row.retained_fraction, 2),
        row.supervision,
    ]


def _sentences(table: Table) -> list[str]:
    return [*_difference_lines(table), *map(_ratio_line, table.ratios)]


def _ratio_line(item: Ratio) -> str:
    parts = [f"{item.row} / {item.over}: {_number(item.distance, 2)} times the distance"]
    parts[0] += f", 95 % by start {_interval(item.distance_ci95_by_start, 2)}"
    if item.printed is not None:
        parts.append(f"the paper's is {item.printed:.2f}")
    parts.append(
        f"{_number(item.infractions, 2)} times the infractions per kilometre, "
        f"{_interval(item.infractions_ci95_by_start, 2)}"
    )
    return f"{'; '.join(parts)} ({item.pairs} paired episodes)"


def _difference_lines(table: Table) -> list[str]:
    return [
        f"{_label(item)} − {item.baseline}: {item.mean:+.1f} m, 95 % {_interval(item.ci95)}, "
        f"by start {_interval(item.ci95_by_start)} ({item.pairs} paired episodes); "
        f"p by start {item.p_by_start:.3g}, corrected for {len(table.differences)} methods {item.p_by_start_holm:.3g}; "
        f"farther with probability {item.probability_of_improvement:.2f}"
        for item in table.differences
    ]


def _label(item: Difference) -> str:
    return f"{item.method} ({item.proxy})" if item.proxy else item.method


def _flat(table: Table, row: TableRow) -> dict[str, object]:
    distance = row.distance_m
    low, high = distance.ci95 or (None, None)
    iqm_low, iqm_high = row.iqm_ci95 or (None, None)
    return {
        "benchmark": table.benchmark, "backend": table.backend, "method": row.method, "proxy": row.proxy,
        "rank": row.rank, "episodes_planned": row.episodes_planned, "episodes_finished": row.episodes_finished,
        "distance_mean_m": distance.mean, "distance_std_m": distance.std, "distance_min_m": distance.min,
        "distance_max_m": distance.max, "distance_ci95_low_m": low, "distance_ci95_high_m": high,
        "iqm_m": row.iqm_m, "iqm_ci95_low_m": iqm_low, "iqm_ci95_high_m": iqm_high,
        "distance_2s_mean_m": row.distance_2s_m,
        **{f"completion_{m}": value for m, value in row.completion.items()},
        "infractions_per_km": row.infractions_per_km, "off_road_share": row.off_road_share,
        "source_distance_m": row.source_distance_m, "retained_fraction": row.retained_fraction,
        "supervision": row.supervision,
    }  # fmt: skip


def _interval(interval: tuple[float, float] | None, digits: int = 1) -> str:
    return MISSING if interval is None else f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def _number(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
