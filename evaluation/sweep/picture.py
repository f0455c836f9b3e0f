"""The picture of a sweep: mean distance against the number of labelled target images, with 95 % intervals."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.errors import RecordError
from sim2real_bench.evaluation.sweep.points import Measured, SweepData

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE_FILES = ("sweep.png", "sweep.svg")
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # told apart by all eyes
_MARKERS = "osD^vPX"
_SIDESTEP = 0.015  # of the number of images: intervals of different lines do not hide each other


def write_picture(data: SweepData, folder: Path) -> None:
    """Write ``sweep.png`` and ``sweep.svg``.

    Raises:
        RecordError: the folder cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "sweep"}):
        figure = Figure(figsize=(7.5, 4.8), layout="constrained")
        FigureCanvasAgg(figure)
        _draw(figure.subplots(), data)
        for name in PICTURE_FILES:
            picture = io.BytesIO()
            metadata = {"Date": None} if name.endswith("svg") else None  # equal data, equal file
            figure.savefig(picture, format=name.rpartition(".")[2], dpi=130, metadata=metadata)
            try:
                write_atomically(folder / name, picture.getvalue())
            except OSError as error:
                raise RecordError(f"cannot write {folder / name}: {error}; choose another --out") from error


def _draw(axes: Axes, data: SweepData) -> None:
    lines: dict[str, list[Measured]] = {}
    for point in data.points:
        lines.setdefault(point.label, []).append(point)
    for place, (label, points) in enumerate(lines.items()):
        _line(axes, label, sorted(points, key=lambda point: point.images), place - (len(lines) - 1) / 2, place)
    sizes = sorted({point.images for point in data.points})
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(bottom=0.0)
    if axes.get_ylim()[1] > 0.8 * data.reach_m:
        axes.axhline(data.reach_m, color="0.5", linestyle=":", label=f"horizon ({data.reach_m:.0f} m)")
    axes.set_xlabel("labelled target images (whole episodes, logarithmic)")
    axes.set_ylabel("distance to the first failure, m (mean, 95 % interval)")
    axes.set_title(_title(data), fontsize=9)
    axes.grid(alpha=0.3)
    if data.points:
        axes.legend(frameon=False)


def _title(data: SweepData) -> str:
    if not data.points:
        return "no point is finished yet"
    episodes = "/".join(str(count) for count in sorted({point.episodes for point in data.points}))
    return f"{data.benchmark}, {data.backend}, {data.town}; {episodes} episodes a point"


def _line(axes: Axes, label: str, points: list[Measured], aside: float, place: int) -> None:
    columns = [point.images * (1.0 + _SIDESTEP * aside) for point in points]
    means = [point.distance_m for point in points]
    bounds = [point.ci95_by_start or (point.distance_m, point.distance_m) for point in points]
    below = [max(mean - low, 0.0) for mean, (low, _) in zip(means, bounds, strict=True)]
    above = [max(high - mean, 0.0) for mean, (_, high) in zip(means, bounds, strict=True)]
    axes.errorbar(
        columns, means, yerr=[below, above], label=label, capsize=3, markersize=5, linewidth=1.5,
        color=_COLOURS[place % len(_COLOURS)], marker=_MARKERS[place % len(_MARKERS)],
    )  # fmt: skip
