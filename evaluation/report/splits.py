"""Mean distance by weather, by controller or by any other part of the episodes' keys, as small panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from sim2real_bench.evaluation.records import EpisodeRecord
from sim2real_bench.evaluation.report.content import ReportRow, describe
from sim2real_bench.evaluation.report.svg import drawing, element, line, text
from sim2real_bench.evaluation.statistics import clustered_interval

_WIDTH = 300
_LINE = 22
_VALUE = 44  # pixels kept for the number at the right


@dataclass(frozen=True)
class Panel:
    """One part of the episodes.

    Attributes:
        title: which part.
        subtitle: how many starts it holds.
        picture: a bar for every row.
    """

    title: str
    subtitle: str
    picture: Markup


def split_panels(
    rows: Sequence[ReportRow], parts: Sequence[str], part_of: Callable[[EpisodeRecord], str], reach_m: float
) -> list[Panel]:
    """A panel for every part that holds an episode.

    Args:
        rows: in the order of the table.
        parts: their names, in the order they are shown.
        part_of: which part an episode belongs to.
        reach_m: the length of a full bar, metres.
    """
    panels = []
    for part in parts:
        held = [[record for record in row.records if part_of(record) == part] for row in rows]
        starts = {record.key.seed for records in held for record in records}
        if starts:
            subtitle = f"{len(starts)} start{'s' if len(starts) > 1 else ''}"
            panels.append(Panel(part, subtitle, _panel(part, rows, held, reach_m)))
    return panels


def _panel(part: str, rows: Sequence[ReportRow], held: Sequence[Sequence[EpisodeRecord]], reach_m: float) -> Markup:
    bars = [
        _bar(row, records, reach_m, index * _LINE)
        for index, (row, records) in enumerate(zip(rows, held, strict=True))
        if records
    ]
    words = "; ".join(
        f"{row.label} {np.mean([record.distance_m for record in records]):.0f} m"
        for row, records in zip(rows, held, strict=True)
        if records
    )
    return drawing(_WIDTH, _LINE * len(rows) + 2, f"{part}: {words}", bars)


def _bar(row: ReportRow, records: Sequence[EpisodeRecord], reach_m: float, top: float) -> Markup:
    """Mean as a bar, episodes as dots on it, and the interval of the mean over starts."""

    def column(metres: float) -> float:
        return metres / reach_m * (_WIDTH - _VALUE)

    distances = [record.distance_m for record in records]
    mean, middle = float(np.mean(distances)), top + _LINE / 2
    interval = clustered_interval(distances, [record.key.seed for record in records])
    words = f"{row.label}: mean {mean:.0f} m over {len(records)} episodes"
    if interval is not None:
        words += f", 95 % interval [{interval[0]:.0f}, {interval[1]:.0f}] over starts"
    ends = None if interval is None else (max(0.0, interval[0]), min(reach_m, interval[1]))
    place, high = top + 3, _LINE - 6
    drawn = [
        element("rect", x=0, y=place, width=_WIDTH - _VALUE, height=high, rx=3, class_="track"),
        element("rect", x=0, y=place, width=max(column(mean), 2), height=high, rx=3, class_="bar", data_tip=words),
        line(column(ends[0]), middle, column(ends[1]), middle, "interval") if ends else "",
        [element("circle", cx=column(record.distance_m), cy=middle, r=2, class_="small-dot",
                 data_tip=f"{row.label}: {describe(record)}") for record in records],
    ]  # fmt: skip
    drawn.append(text(_WIDTH, middle + 4, f"{mean:.0f} m", "value", "end"))
    return element("g", drawn, class_=row.style)
