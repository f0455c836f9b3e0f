"""The few words of SVG the report is drawn with; every text and attribute is escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

Content = Markup | str | Iterable["Content"]


def element(name: str, *content: Content, **attributes: str | float | None) -> Markup:
    """One element.

    Args:
        name: of the element.
        content: text (escaped), elements, or several of them.
        attributes: a trailing underscore is dropped and others become hyphens; None leaves an attribute out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = joined(content)
    return Markup(f"<{name}{given}>{inside}</{name}>" if inside else f"<{name}{given}/>")


def joined(content: Content) -> Markup:
    """Elements and texts one after the other; texts are escaped."""
    if isinstance(content, str):
        return escape(content)
    return Markup("").join(joined(part) for part in content)


def drawing(
    width: float, height: float, label: str, *content: Content, class_: str = "chart", role: str = "img"
) -> Markup:
    """An ``svg`` element with a name for those who cannot see it; a ``group`` has parts with names of their own."""
    return element(
        "svg", *content, class_=class_, viewBox=f"0 0 {width:g} {height:g}", width=width, height=height, role=role,
        aria_label=label, xmlns="http://www.w3.org/2000/svg",
    )  # fmt: skip


def text(x: float, y: float, words: str, class_: str = "", anchor: str | None = None) -> Markup:
    """Words with their baseline at a place."""
    return element("text", words, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path_data(points: npt.ArrayLike, digits: int = 1, closed: bool = False) -> str:
    """The ``d`` attribute of a path through (N, 2) points."""
    rounded = np.round(np.asarray(points, np.float64), digits)
    steps = " ".join(f"{x:g},{y:g}" for x, y in rounded)
    return f"M{steps}{'Z' if closed else ''}" if len(rounded) else ""


def ticks(highest: float, about: int = 5) -> list[float]:
    """Round numbers from 0 up to at least one and not beyond ``highest``, about so many."""
    if highest <= 0:
        return [0.0]
    rough = highest / max(about, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= rough * 0.999)
    return [index * step for index in range(int(highest / step * 1.000001) + 1)]


def quartiles(values: Sequence[float]) -> tuple[float, float, float, float, float]:
    """Minimum, lower quartile, median, upper quartile and maximum."""
    found = np.percentile(np.asarray(values, np.float64), [0, 25, 50, 75, 100])
    return float(found[0]), float(found[1]), float(found[2]), float(found[3]), float(found[4])


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(float(value), 2):g}"
