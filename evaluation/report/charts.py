"""The charts over distance: how far each row came, and how many were still driving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sim2real_bench.evaluation.records import Outcome
from sim2real_bench.evaluation.report.content import ReportRow, describe
from sim2real_bench.evaluation.report.svg import (
    drawing,
    element,
    joined,
    line,
    path_data,
    quartiles,
    text,
    ticks,
)
from sim2real_bench.evaluation.statistics import Curve, survival

WIDE, NARROW = 1080, 350
Height = Callable[[float], float]
_BAND = 78
_SIDE = 14


@dataclass(frozen=True)
class Scale:
    """Metres to pixels across a drawing."""

    width: float
    reach_m: float
    left: float = _SIDE

    def __call__(self, metres: float) -> float:
        """The column of a distance."""
        return self.left + metres / self.reach_m * (self.width - self.left - _SIDE)


def at_both_widths(draw: Callable[[float], Markup]) -> Markup:
    """A drawing for wide windows and one for narrow ones; the style sheet shows the one that fits."""
    return joined([element("div", draw(WIDE), class_="for-wide"), element("div", draw(NARROW), class_="for-narrow")])


def distance_axis(scale: Scale, top: float, bottom: float) -> list[Markup]:
    """Vertical grid lines with their metres below."""
    about = 8 if scale.width > 500 else 4
    drawn = []
    for metres in ticks(scale.reach_m, about):
        column = scale(metres)
        drawn.append(line(column, top, column, bottom, "grid"))
        unit = " m" if metres == 0 else ""
        drawn.append(text(column, bottom + 16, f"{metres:g}{unit}", "tick", "start" if metres == 0 else "middle"))
    return drawn


def distance_chart(rows: Sequence[ReportRow], reach_m: float, width: float) -> Markup:
    """Every episode as a dot, over a box of the quartiles, over the mean with its interval; one band a row."""
    scale = Scale(width, reach_m)
    bottom = _BAND * len(rows) + 4
    bands = [_band(row, scale, index * _BAND) for index, row in enumerate(rows)]
    label = "Distances of all episodes. " + " ".join(
        f"{row.label}: mean {row.numbers.distance_m.mean or 0:.0f} m, median {quartiles(row.distances)[2]:.0f} m."
        for row in rows
    )
    return drawing(width, bottom + 26, label, distance_axis(scale, 4, bottom), bands)


def _band(row: ReportRow, scale: Scale, top: float) -> Markup:
    low, first, median, third, high = quartiles(row.distances)
    middle = top + 40
    box = [
        line(scale(low), middle, scale(high), middle, "whisker"),
        element(
            "rect", x=scale(first), y=middle - 11, width=max(scale(third) - scale(first), 1.5), height=22, rx=3,
            class_="box",
        ),
        line(scale(median), middle - 11, scale(median), middle + 11, "median"),
    ]  # fmt: skip
    dots = [
        element(
            "circle", cx=scale(record.distance_m), cy=middle + _spread(index), r=3.4, class_="dot",
            data_tip=f"{row.label}: {describe(record)}",
        )
        for index, record in enumerate(row.records)
    ]  # fmt: skip
    return element("g", _heading(row, scale, top + 18), box, dots, _mean(row, scale, top + 62), class_=row.style)


def _spread(index: int) -> float:
    """Dots at the same distance lie above each other: a fixed pattern that looks like chance (golden ratio)."""
    return ((index * 0.618034) % 1.0 - 0.5) * 18


def _heading(row: ReportRow, scale: Scale, baseline: float) -> list[Markup]:
    """Name at the left, mean and interval at the right as far as there is room."""
    numbers = row.numbers.distance_m
    mean, interval = f"mean {numbers.mean or 0.0:.0f} m", numbers.ci95
    words = mean if interval is None else f"{mean} [{interval[0]:.0f}, {interval[1]:.0f}]"
    room = (scale.width - 2 * _SIDE - 8.2 * len(row.label)) / 7.0  # characters
    drawn = [text(_SIDE, baseline, row.label, "row-name")]
    fitting = next((one for one in (words, mean) if len(one) < room), None)
    return [*drawn, text(scale.width - _SIDE, baseline, fitting, "value", "end")] if fitting else drawn


def _mean(row: ReportRow, scale: Scale, middle: float) -> list[Markup]:
    """The mean as a diamond on its interval, and that on the stricter one over starts."""
    numbers = row.numbers.distance_m
    if numbers.mean is None:
        return []
    column = scale(numbers.mean)
    drawn = [
        line(scale(ends[0]), middle, scale(ends[1]), middle, kind)
        for ends, kind in ((numbers.ci95_by_start, "by-start"), (numbers.ci95, "interval"))
        if ends is not None
    ]
    diamond = [(column, middle - 5), (column + 5, middle), (column, middle + 5), (column - 5, middle)]
    return [*drawn, element("path", d=path_data(diamond, closed=True), class_="mean")]


def survival_curves(rows: Sequence[ReportRow]) -> list[Curve]:
    """The survival curve of each row, with intervals over whole starts; what the horizon stopped is censored."""
    return [
        survival(row.distances, [record.outcome is Outcome.HORIZON for record in row.records], row.starts)
        for row in rows
    ]


def survival_chart(rows: Sequence[ReportRow], survivals: Sequence[Curve], reach_m: float, width: float) -> Markup:
    """Share of the episodes still driving against distance, with pointwise intervals."""
    scale = Scale(width, reach_m, left=40)
    top, bottom = 10.0, 300.0 if width > 500 else 230.0

    def height(share: float) -> float:
        return bottom - share * (bottom - top)

    grid = [
        joined([line(scale.left, height(part / 4), width - _SIDE, height(part / 4), "grid"),
                text(scale.left - 6, height(part / 4) + 4, f"{25 * part} %", "tick", "end")])
        for part in range(5)
    ]  # fmt: skip
    curves = [_curve(row, curve, scale, height) for row, curve in zip(rows, survivals, strict=True)]
    label = "Share of the episodes still driving against distance. " + " ".join(_survival_words(row) for row in rows)
    return drawing(width, bottom + 26, label, distance_axis(scale, top, bottom), grid, curves)


def _curve(row: ReportRow, curve: Curve, scale: Scale, height: Height) -> Markup:
    columns = [scale(float(x)) for x in curve.x]
    band = _steps(columns, [height(float(y)) for y in curve.low])
    band += _steps(columns, [height(float(y)) for y in curve.high])[::-1]
    steps = _steps(columns, [height(float(y)) for y in curve.share])
    return element(
        "g",
        element("path", d=path_data(band, closed=True), class_="band"),
        element("path", d=path_data(steps), class_="curve", data_tip=_survival_words(row)),
        element("circle", cx=steps[-1][0], cy=steps[-1][1], r=4, class_="curve-end"),
        class_=row.style,
    )


def _steps(columns: Sequence[float], heights: Sequence[float]) -> list[tuple[float, float]]:
    """Corners of a step function that holds each value up to the next column."""
    corners = [(columns[0], heights[0])]
    for column, before, after in zip(columns[1:], heights, heights[1:], strict=False):
        corners += [(column, before), (column, after)] if after != before else [(column, after)]
    return corners


def _survival_words(row: ReportRow) -> str:
    on = sum(record.outcome is Outcome.HORIZON for record in row.records)
    return f"{row.label}: {on} of {len(row.records)} drove on until the time was over."
