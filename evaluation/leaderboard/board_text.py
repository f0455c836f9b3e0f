"""Boards for the terminal and as Markdown; every string of a submission is made harmless for either."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim2real_bench.evaluation.leaderboard.board import Board
from sim2real_bench.evaluation.leaderboard.grids import MISSING, Grid, grids_of, sources_of, submissions_of
from sim2real_bench.evaluation.leaderboard.published import Published
from sim2real_bench.untrusted import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~&])")
READING = (
    "Rows marked *measured* are recomputed from the episode records of accepted results; they are ranked only with "
    "rows that drove the very same episodes on the same simulator. Rows marked *published* are the papers' own "
    "figures, from other simulators and protocols: they stand beside ours and are never ranked with them."
)
_CHARACTERS_A_COLUMN = 11
_WIDE = 160
_WIDE_ONLY = ("95 %", "2 s odometer m", "off road", "printed as", "min", "max")


def to_terminal(boards: Sequence[Board], published: Published, width: int) -> RenderableType:
    """What ``leaderboard`` prints.

    Args:
        boards: which.
        published: for the names of columns and papers.
        width: of the terminal, characters.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for board in boards:
        parts.append(Text(f"\n{title_of(board)}", style="bold"))
        parts += [_rich_table(grid, width) for grid in grids_of(board, published)]
        if not board.groups:
            parts.append(Text("measured: nothing yet", style="dim"))
        parts += [Text(f"• {printable(note, 2000)}") for note in _notes(board, published)]
    return Group(*parts)


def to_markdown(boards: Sequence[Board], published: Published) -> str:
    """Text of a Markdown file."""
    lines = ["# Leaderboard", "", READING, ""]
    for board in boards:
        lines += [f"## {_escaped(title_of(board))}", ""]
        for grid in grids_of(board, published):
            lines += [f"### {_escaped(grid.title)}", "", *_markdown_table(grid), ""]
            lines += [f"* {_escaped(note)}" for note in grid.notes] + [""]
        lines += [f"* {_escaped(note)}" for note in _notes(board, published, of_grids=False)] + [""]
    return "\n".join(lines)


def title_of(board: Board) -> str:
    """Name and what it is."""
    return f"{board.name}: {board.track.title}, {board.track.task}" if board.track else board.name


def _notes(board: Board, published: Published, *, of_grids: bool = True) -> list[str]:
    notes = [note for grid in grids_of(board, published) for note in grid.notes] if of_grids else []
    if of_grids:
        rows = [entry.row for group in board.groups for entry in group.entries]
        notes += [f"{row.label} reads {row.supervision}" for row in rows if row.supervision]
    if board.track:
        notes += [*board.track.notes, *(f"published: {source}" for source in sources_of(board.track, published))]
    notes += [
        f"measured by {', '.join(item.authors)} ({item.contact}), {item.date}, as {item.name}. {item.note}".strip()
        for item in submissions_of(board)
    ]
    return list(dict.fromkeys(notes))


def _rich_table(grid: Grid, width: int) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        title=printable(grid.title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    kept = _kept_columns(grid, width)
    for place in kept:
        words = place == 0 or _is_words(grid, place)
        shown.add_column(grid.header[place], justify="left" if words else "right", no_wrap=not words or place == 0)
    for row in grid.rows:
        shown.add_row(*(Text(printable(row[place])) for place in kept), style="dim" if grid.published else None)
    return shown


def _kept_columns(grid: Grid, width: int) -> list[int]:
    """Columns that fit: what was measured, without the words that stand below the table, the last classes left out."""
    left_out = ("reads",) if width >= _WIDE else ("reads", *_WIDE_ONLY)
    kept = [place for place, name in enumerate(grid.header) if name not in left_out]
    kept = [place for place in kept if any(row[place] != MISSING for row in grid.rows)]
    room = width // _CHARACTERS_A_COLUMN
    if len(kept) > room:
        kept = [*kept[: room - 1], *(place for place in kept[room - 1 :] if grid.header[place] == "printed in")]
    return kept


def _is_words(grid: Grid, place: int) -> bool:
    return grid.header[place] in ("reads", "submission", "network", "printed in", "printed as")


def _markdown_table(grid: Grid) -> list[str]:
    rule = ["---" if place == 0 or _is_words(grid, place) else "---:" for place in range(len(grid.header))]
    return [_line(grid.header), f"| {' | '.join(rule)} |", *(_line(row) for row in grid.rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", printable(text, 2000))
