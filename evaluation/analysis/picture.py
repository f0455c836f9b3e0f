"""The picture of an analysis: the distance each row drove against the product of its accuracies."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.errors import RecordError
from sim2real_bench.evaluation.analysis.building import Analysis
from sim2real_bench.evaluation.analysis.shares import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE_FILES = ("analysis.png", "analysis.svg")
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # told apart by all eyes
_MARKERS = "osD^vPX"


def write_picture(analysis: Analysis, folder: Path) -> tuple[Path, ...]:
    """Write ``analysis.png`` and ``analysis.svg``; nothing where no row drove.

    Returns:
        The files.

    Raises:
        RecordError: the folder cannot be written.
    """
    if not any(row.distance_m for row in analysis.rows):
        return ()
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    files = tuple(folder / name for name in PICTURE_FILES)
    with mpl.rc_context({"svg.hashsalt": "analysis"}):
        figure = Figure(figsize=(8.5, 4.8), layout="constrained")
        FigureCanvasAgg(figure)
        _draw(figure.subplots(), analysis)
        for path in files:
            picture = io.BytesIO()
            metadata = {"Date": None} if path.suffix == ".svg" else None  # equal data, equal file
            figure.savefig(picture, format=path.suffix[1:], dpi=130, metadata=metadata)
            try:
                write_atomically(path, picture.getvalue())
            except OSError as error:
                raise RecordError(f"cannot write {path}: {error}; choose another --out") from error
    return files


def _draw(axes: Axes, analysis: Analysis) -> None:
    for place, row in enumerate(analysis.rows):
        if row.distance_m is None:
            continue
        axes.errorbar(
            [row.product.value], [row.distance_m.value], xerr=_reach(row.product), yerr=_reach(row.distance_m),
            label=row.label, capsize=3, markersize=6, linewidth=1.2, linestyle="none",
            color=_COLOURS[place % len(_COLOURS)], marker=_MARKERS[(place + place // len(_COLOURS)) % len(_MARKERS)],
        )  # fmt: skip
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("product of the row's accuracies (95 % interval)")
    axes.set_ylabel("mean distance driven, m (95 % interval)")
    axes.set_title(f"accuracies in {', '.join(analysis.target.places)}; distances of {analysis.results}", fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def _reach(number: Estimate) -> list[list[float]] | None:
    """How far the interval reaches below and above, as matplotlib wants it."""
    if number.ci95 is None:
        return None
    return [[max(number.value - number.ci95[0], 0.0)], [max(number.ci95[1] - number.value, 0.0)]]
