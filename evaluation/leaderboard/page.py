"""The leaderboard as one HTML file that needs nothing else; every string in it is escaped."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sim2real_bench.evaluation.leaderboard.board import Board
from sim2real_bench.evaluation.leaderboard.board_text import title_of
from sim2real_bench.evaluation.leaderboard.grids import MISSING, Bar, Grid, grids_of, sources_of, submissions_of
from sim2real_bench.evaluation.leaderboard.published import KINDS, Published
from sim2real_bench.evaluation.leaderboard.submissions import Submission
from sim2real_bench.untrusted import printable

_FOLDER = Path(__file__).parent
_WORD_COLUMNS = ("network", "printed in")
_BELOW_THE_METHOD = ("submission", "reads", "printed as")
_TICKS = 4  # marks on the scale of the bars


@dataclass(frozen=True)
class _Cell:
    """Text, where it is a number what to sort by, and for percentages how dark (0 to 1)."""

    text: str
    sort: str
    shade: str


@dataclass(frozen=True)
class _Column:
    name: str
    words: bool
    upright: bool


@dataclass(frozen=True)
class _Bar:
    """A drawn distance, percent of the scale."""

    left: str
    width: str
    dot: str


@dataclass(frozen=True)
class _Row:
    """A row: its cells, the lines that stand small below the method's name, and its bar."""

    cells: tuple[_Cell, ...]
    below: tuple[str, ...]
    bar: _Bar | None


@dataclass(frozen=True)
class _TableView:
    """One grid ready for the template."""

    title: str
    published: bool
    columns: tuple[_Column, ...]
    rows: tuple[_Row, ...]
    scale_m: float | None
    percent: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _BoardView:
    """One section of the page."""

    name: str
    kind: str
    title: str
    task: str
    tables: tuple[_TableView, ...]
    measured: bool
    notes: tuple[str, ...]
    sources: tuple[str, ...]
    submissions: tuple[Submission, ...]


def to_html(boards: Sequence[Board], published: Published) -> str:
    """The text of the page."""
    import jinja2

    style, script = ((_FOLDER / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shown"] = lambda text: printable(str(text), 2000)
    template = environment.from_string((_FOLDER / "page.html").read_text(encoding="utf-8"))
    views = [_board_view(board, published) for board in boards]
    return template.render(
        boards=views,
        kinds=[kind for kind in KINDS if any(view.kind == kind for view in views)],
        style=style,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _board_view(board: Board, published: Published) -> _BoardView:
    track = board.track
    return _BoardView(
        name=board.name,
        kind=track.kind if track else "driving",
        title=track.title if track else title_of(board),
        task=track.task if track else "",
        tables=tuple(_table_view(grid) for grid in grids_of(board, published)),
        measured=bool(board.groups),
        notes=track.notes if track else (),
        sources=tuple(sources_of(track, published)) if track else (),
        submissions=tuple(submissions_of(board)),
    )


def _table_view(grid: Grid) -> _TableView:
    percent = [name.endswith(" %") and name != "95 %" for name in grid.header]
    crowded = sum(percent) > 8
    measured = [any(row[place] != MISSING for row in grid.rows) for place in range(len(grid.header))]
    kept = [place for place, name in enumerate(grid.header) if name not in _BELOW_THE_METHOD and measured[place]]
    below = [grid.header.index(name) for name in _BELOW_THE_METHOD if name in grid.header]
    columns = tuple(
        _Column(
            grid.header[place].removesuffix(" %" if crowded else "").replace("≥ ", "≥\u00a0").replace(" m", "\u00a0m"),
            words=place == 0 or grid.header[place] in _WORD_COLUMNS,
            upright=crowded and percent[place],
        )
        for place in kept
    )
    reach = max((bar.high for bar in grid.bars if bar), default=0.0)
    scale_m = _round_up(reach) if reach > 0 else None
    rows = tuple(
        _Row(
            cells=tuple(_cell(row[place], percent[place] and crowded) for place in kept),
            below=tuple(row[place] for place in below),
            bar=_drawn(bar, scale_m),
        )
        for row, bar in zip(grid.rows, grid.bars or (None,) * len(grid.rows), strict=True)
    )
    kind, _, rest = grid.title.partition(": ")
    title = rest if kind in ("measured", "published") else grid.title
    return _TableView(title, grid.published, columns, rows, scale_m, crowded, grid.notes)


def _cell(text: str, shaded: bool) -> _Cell:
    number = _leading_number(text)
    shade = f"{min(max(number / 100.0, 0.0), 1.0):.3f}" if shaded and number is not None else ""
    return _Cell(text, "" if number is None else f"{number:g}", shade)


def _leading_number(text: str) -> float | None:
    if text == MISSING:
        return None
    try:
        return float(text.lstrip("[").split(" ")[0].split(",")[0].split("/")[0])
    except ValueError:
        return None


def _drawn(bar: Bar | None, scale_m: float | None) -> _Bar | None:
    if bar is None or not scale_m:
        return None
    low, middle, high = (100.0 * metres / scale_m for metres in (bar.low, bar.middle, bar.high))
    return _Bar(left=f"{low:.2f}", width=f"{max(high - low, 0.0):.2f}", dot=f"{middle:.2f}")


def _round_up(metres: float) -> float:
    """The end of a scale: the next round number with four equal parts."""
    step = 10.0 ** math.floor(math.log10(metres / _TICKS))
    part = next(step * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if step * factor * _TICKS >= metres)
    return part * _TICKS
