"""Boards as grids of text, the same for the terminal, Markdown and HTML."""

from __future__ import annotations

from dataclasses import dataclass

from sim2real_bench.evaluation.leaderboard.board import Board, Entry, Group
from sim2real_bench.evaluation.leaderboard.published import (
    Metric,
    Published,
    PublishedRow,
    Track,
    figure_text,
    printed_number,
)
from sim2real_bench.evaluation.leaderboard.submissions import Submission

MISSING = "–"


@dataclass(frozen=True)
class Bar:
    """A distance with its range, metres: measured rows' 95 % interval by start, published rows' min to max."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Attributes:
        title: above it.
        header: names of the columns; the first is the method.
        rows: cells.
        notes: below it.
        published: printed by a paper, not measured here.
        bars: to draw, one for each row; None where there is no distance.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    published: bool
    bars: tuple[Bar | None, ...] = ()


def grids_of(board: Board, published: Published) -> list[Grid]:
    """The measured groups of a board, then what the papers print."""
    grids = [measured_grid(group) for group in board.groups]
    return [*grids, *published_grids(board.track, published)] if board.track else grids


def measured_grid(group: Group) -> Grid:
    """One group of measured rows."""
    thresholds = list(group.entries[0].row.completion)
    rates = [f"≥ {metres} m" for metres in thresholds]
    header = ("method", "rank", "distance m", "95 %", "95 % by start", "2 s odometer m", *rates, "infractions /km",
              "off road", "episodes", "reads", "submission")  # fmt: skip
    rows = tuple(_measured_cells(entry, thresholds) for entry in group.entries)
    bars = tuple(_measured_bar(entry) for entry in group.entries)
    return Grid(f"measured: {group.title}", header, rows, _measured_notes(group), published=False, bars=bars)


def published_grids(track: Track, published: Published) -> list[Grid]:
    """The papers' tables of a track, then the claims in their texts."""
    grids = []
    for word, rows in (
        ("printed in the papers' tables", tuple(row for row in track.rows if not row.claim)),
        ("said in the papers' texts", tuple(row for row in track.rows if row.claim)),
    ):
        if rows:
            grids.append(_published_grid(f"published: {word}", rows, track, published))
    return grids


def sources_of(track: Track, published: Published) -> list[str]:
    """Which papers the rows of a track are from."""
    return [published.paper(name).citation for name in dict.fromkeys(row.paper for row in track.rows)]


def submissions_of(board: Board) -> list[Submission]:
    """Who measured the rows of a board."""
    return list({e.submission.name: e.submission for group in board.groups for e in group.entries}.values())


def _measured_cells(entry: Entry, thresholds: list[str]) -> tuple[str, ...]:
    row, distance = entry.row, entry.row.distance_m
    mean = MISSING if distance.mean is None else f"{distance.mean:.1f} ± {distance.std:.1f}"
    return (
        row.label,
        MISSING if entry.rank is None else str(entry.rank),
        mean,
        _interval(distance.ci95),
        _interval(distance.ci95_by_start),
        _number(row.distance_2s_m, 1),
        *(_number(row.completion.get(metres), 2) for metres in thresholds),
        _number(row.infractions_per_km, 1),
        _number(row.off_road_share, 2),
        f"{row.episodes_finished}/{row.episodes_planned}",
        row.supervision or MISSING,
        entry.submission.name,
    )


def _measured_notes(group: Group) -> tuple[str, ...]:
    notes = []
    for entry in group.entries:
        if entry.difference is not None:
            difference = entry.difference
            notes.append(
                f"{entry.row.label} - {difference.baseline}: {difference.mean:+.1f} m, 95 % by start "
                f"{_interval(difference.ci95_by_start)}, by episode {_interval(difference.ci95)} "
                f"({difference.pairs} paired episodes, {entry.submission.name})"
            )
        if entry.repeated_by:
            notes.append(f"{entry.row.label} was driven again by {', '.join(entry.repeated_by)}")
    return tuple([*notes, *group.head.notes])


def _published_grid(title: str, rows: tuple[PublishedRow, ...], track: Track, published: Published) -> Grid:
    names = [name for name in track.metrics if any(name in row.figures for row in rows)]
    metrics = [published.metric(name) for name in names]
    spread = any(row.figures[track.main].std is not None for row in rows if track.main in row.figures)
    network = any(row.network for row in rows)
    header = ["method", *(["network"] if network else [])]
    for metric in metrics:
        header += [_heading(metric), *(["min", "max"] if spread and metric.id == track.main else [])]
    ordered = _ordered(rows, track, published)
    cells = tuple(_published_cells(row, metrics, track, network, spread) for row in ordered)
    bars = tuple(_published_bar(row, track) for row in ordered) if spread else ()
    notes = tuple(f"{row.label}: {note}" for row in rows for note in row.notes)
    return Grid(title, (*header, "printed in", "printed as"), cells, notes, published=True, bars=bars)


def _ordered(rows: tuple[PublishedRow, ...], track: Track, published: Published) -> list[PublishedRow]:
    """As printed, but for driving and the arm the best last line becomes the first."""
    if track.kind == "perception":
        return list(rows)
    sign = -1.0 if published.metric(track.main).better == "higher" else 1.0
    found = [(row.figures[track.main].value if track.main in row.figures else None, row) for row in rows]
    return [row for value, row in sorted(found, key=lambda pair: (pair[0] is None, sign * (pair[0] or 0.0)))]


def _published_cells(
    row: PublishedRow, metrics: list[Metric], track: Track, network: bool, spread: bool
) -> tuple[str, ...]:
    cells = [row.label, *([row.network] if network else [])]
    for metric in metrics:
        figure = row.figures.get(metric.id)
        cells.append(figure_text(figure, metric) or MISSING)
        if spread and metric.id == track.main:
            ends = (figure.min, figure.max) if figure else (None, None)
            cells += [MISSING if end is None else printed_number(end, metric.digits) for end in ends]
    return (*cells, f"{row.paper}, {row.table}", row.printed)


def _measured_bar(entry: Entry) -> Bar | None:
    distance = entry.row.distance_m
    if distance.mean is None:
        return None
    low, high = distance.ci95_by_start or distance.ci95 or (distance.mean, distance.mean)
    return Bar(low, distance.mean, high)


def _published_bar(row: PublishedRow, track: Track) -> Bar | None:
    figure = row.figures.get(track.main)
    if figure is None or figure.value is None or figure.min is None or figure.max is None:
        return None
    return Bar(figure.min, figure.value, figure.max)


def _heading(metric: Metric) -> str:
    return f"{metric.label} {metric.unit}" if metric.unit not in ("", "share") else metric.label


def _interval(interval: tuple[float, float] | None) -> str:
    return MISSING if interval is None else f"[{interval[0]:.1f}, {interval[1]:.1f}]"


def _number(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"
