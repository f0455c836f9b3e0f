"""The figures of the five papers, as printed: what they measured, on which track, and what is wrong in the print."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from sim2real_bench.evaluation.benchmarks import choose
from sim2real_bench.evaluation.plan import Frozen
from sim2real_bench.untrusted import parse_model, read_bounded

PUBLISHED_FILE = Path(__file__).with_name("published.json")
KINDS = ("driving", "arm", "perception")
_MAX_BYTES = 4 << 20

Kind = Literal["driving", "arm", "perception"]


class Paper(Frozen):
    """Where figures come from."""

    id: str
    title: str
    authors: str
    where: str

    @property
    def citation(self) -> str:
        """Authors, title and place on one line."""
        return ", ".join(part for part in (self.authors, self.title, self.where) if part)


class Metric(Frozen):
    """A column of published figures.

    Attributes:
        id: name in the rows.
        label: for people.
        unit: ``m``, ``%``, ``share`` (0 to 1), or "" for numbers without one.
        digits: decimals the papers print.
        better: which direction is better.
    """

    id: str
    label: str
    unit: str
    digits: int = Field(ge=0, le=6)
    better: Literal["higher", "lower"]


class Figure(Frozen):
    """One printed figure; ``value`` is None where the cell is blank or only a range (``min`` to ``max``) is given."""

    value: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None


class PublishedRow(Frozen):
    """One row of a paper's table, or one claim in its text.

    Attributes:
        paper: id of the paper.
        table: where it is printed.
        method: our name of the method where we have one.
        printed: its name in print.
        proxy: ``map``, ``camera``, ``depth`` or None.
        network: backbone, where the table has several.
        claim: said in the text instead of a table.
        figures: by metric.
        notes: misprints and what else to know.
    """

    paper: str
    table: str
    method: str
    printed: str
    proxy: str | None
    network: str
    claim: bool
    figures: dict[str, Figure]
    notes: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name with the proxy in brackets."""
        return f"{self.method} ({self.proxy})" if self.proxy else self.method


class Track(Frozen):
    """Figures that were measured alike and may stand in one table.

    Attributes:
        id: what a user types; for driving and the arm it is the name of our benchmark without its version.
        kind: driving, arm or perception.
        title: source and target.
        task: what is measured.
        main: the metric that orders the rows.
        notes: how it was measured, and misprints of the whole table.
        rows: as printed.
    """

    id: str
    kind: Kind
    title: str
    task: str
    main: str
    notes: tuple[str, ...]
    rows: tuple[PublishedRow, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Ids of the columns: the main one first, then in order of appearance."""
        return tuple(dict.fromkeys([self.main, *(name for row in self.rows for name in row.figures)]))


class Published(Frozen):
    """Everything in ``published.json``."""

    format: Literal[1]
    papers: tuple[Paper, ...]
    metrics: tuple[Metric, ...]
    tracks: tuple[Track, ...]

    @model_validator(mode="after")
    def _names_are_known(self) -> Published:
        papers, metrics = {paper.id for paper in self.papers}, {metric.id for metric in self.metrics}
        for track in self.tracks:
            for row in track.rows:
                unknown = ({row.paper} - papers) | (row.figures.keys() - metrics)
                if unknown:
                    raise ValueError(f"track {track.id}, {row.printed}: unknown {', '.join(sorted(unknown))}")
        return self

    def metric(self, name: str) -> Metric:
        """The column of an id."""
        return next(metric for metric in self.metrics if metric.id == name)

    def paper(self, name: str) -> Paper:
        """The paper of an id."""
        return next(paper for paper in self.papers if paper.id == name)

    def track(self, name: str) -> Track:
        """The track of an id.

        Raises:
            UnknownNameError: with the nearest ids.
        """
        tracks = {track.id: track for track in self.tracks}
        return tracks[choose("track", name, tracks)]


@cache
def read_published() -> Published:
    """The published figures that come with the package."""
    return parse_model(Published, read_bounded(PUBLISHED_FILE, _MAX_BYTES), PUBLISHED_FILE.name)


def figure_text(figure: Figure | None, metric: Metric) -> str:
    """A figure as the papers print it, "" where there is none."""
    if figure is None:
        return ""
    if figure.value is None:
        return "" if figure.min is None or figure.max is None else f"{figure.min:g}–{figure.max:g}"
    return printed_number(figure.value, metric.digits) + (
        "" if figure.std is None else f" ± {printed_number(figure.std, metric.digits)}"
    )


def printed_number(value: float, digits: int) -> str:
    """A number with a metric's decimals, or more where the paper printed more."""
    text = f"{value:.{digits}f}"
    return text if float(text) == value else f"{value:g}"
