"""The analysis as a page of Markdown, and both its files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from sim2real_bench.evaluation.analysis.building import Analysis, Domain, Row
from sim2real_bench.evaluation.analysis.factors import (
    DISTILLATION,
    IMAGE_OVERLAP,
    LABEL_OVERLAP,
    RECOGNITION,
    SOURCE_IMAGE,
    SOURCE_LABEL,
)
from sim2real_bench.evaluation.analysis.order import Verdict
from sim2real_bench.evaluation.analysis.shares import Estimate
from sim2real_bench.evaluation.files import write_result_file

JSON_FILE, MARKDOWN_FILE = "analysis.json", "analysis.md"
_PLACES_NAMED = 3
_COLUMNS = (
    (f"{SOURCE_IMAGE} or {SOURCE_LABEL}", (SOURCE_IMAGE, SOURCE_LABEL)),
    (f"{IMAGE_OVERLAP} or {LABEL_OVERLAP}", (IMAGE_OVERLAP, LABEL_OVERLAP)),
    (f"{RECOGNITION} or {DISTILLATION}", (RECOGNITION, DISTILLATION)),
)


def write_analysis(analysis: Analysis, folder: Path) -> tuple[Path, Path]:
    """Write ``analysis.json`` and ``analysis.md``.

    Raises:
        RecordError: the folder cannot be written.
    """
    files = folder / JSON_FILE, folder / MARKDOWN_FILE
    write_result_file(files[0], analysis.to_json())
    write_result_file(files[1], to_markdown(analysis))
    return files


def to_markdown(analysis: Analysis) -> str:
    """The whole page."""
    parts = [
        _domain_line("Source", analysis.source),
        _domain_line("Target", analysis.target),
        "Right = a vehicle that follows the path stays on the road. agrees = stays within "
        f"{analysis.tolerance_m:g} m of the path of f^P on the true labels (not a factor). [ ]: 95 % intervals, whole "
        "recorded episodes resampled.",
        _rows(analysis),
        _claims(analysis),
        _pairs(analysis),
        _metres(analysis),
        _skipped(analysis.skipped),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _domain_line(name: str, domain: Domain) -> str:
    which = "held-out" if domain.held_out else "unseen"
    return (
        f"{name}: {domain.samples} samples of {domain.episodes} {which} episodes of {domain.data} "
        f"({_places(domain.places)}); the driver's own paths are right in {estimate(domain.driver)}."
    )


def _places(places: tuple[str, ...]) -> str:
    more = len(places) - _PLACES_NAMED
    return ", ".join(places[:_PLACES_NAMED]) + (f" and {more} more places" if more > 0 else "")


def _rows(analysis: Analysis) -> str:
    head = ["row", *(name for name, _ in _COLUMNS), "product", "right in all", "agrees", "beside the driver's path, m"]
    lines = [[*head, "distance, m"]]
    lines += [_row_cells(row) for row in analysis.rows]
    noted = [
        f"{row.label}: {', '.join(f'{name} {value:.3f}' for name, value in row.recognition.items())}."
        for row in analysis.rows
        if row.recognition
    ]
    return "\n\n".join(["## Factors", _table(lines), *noted])


def _row_cells(row: Row) -> list[str]:
    factors = [
        next((estimate(row.factors[symbol]) for symbol in symbols if symbol in row.factors), "")
        for _, symbols in _COLUMNS
    ]
    distance = estimate(row.distance_m, 1) if row.distance_m else ""
    agrees = estimate(row.agreement) if row.agreement else ""
    whole = [estimate(row.product), estimate(row.whole), agrees]
    return [row.label, *factors, *whole, f"{row.from_driven_m:.2f}", distance]


def _claims(analysis: Analysis) -> str:
    if not analysis.claims:
        return ""
    lines = [["inequality", "left", "right", "left - right", "holds"]]
    words = {Verdict.AGREES: "yes", Verdict.CONTRADICTS: "no", Verdict.UNDECIDED: "undecided"}
    lines += [[c.text, c.left, c.right, estimate(c.difference), words[c.verdict]] for c in analysis.claims]
    return f"## The inequalities\n\n{_table(lines)}"


def _pairs(analysis: Analysis) -> str:
    if not analysis.pairs:
        return ""
    lines = [["larger product", "smaller product", "difference of products", "difference of distances, m", "verdict"]]
    lines += [
        [pair.better, pair.worse, estimate(pair.predicted), estimate(pair.measured_m, 1), str(pair.verdict)]
        for pair in analysis.pairs
    ]
    count = {kind: sum(pair.verdict is kind for pair in analysis.pairs) for kind in Verdict}
    summary = (
        f"Of {len(analysis.pairs)} pairs of rows the distances of {analysis.results} agree with the products in "
        f"{count[Verdict.AGREES]}, contradict them in {count[Verdict.CONTRADICTS]}, and leave "
        f"{count[Verdict.UNDECIDED]} undecided (an interval holds zero); Kendall's tau of the values alone: "
        f"{analysis.rank_correlation:.2f}."
    )
    return f"## Predicted and measured order\n\n{summary}\n\n{_table(lines)}"


def _metres(analysis: Analysis) -> str:
    if not analysis.metres:
        return ""
    head = [
        "row",
        "f^S or f^P in the source, m",
        f"{IMAGE_OVERLAP} or {LABEL_OVERLAP} in metres",
        f"{RECOGNITION} or {DISTILLATION} in metres",
    ]
    lines = [head]
    for row in analysis.metres:
        source = "" if row.source_m is None else f"{row.source_m:.1f}"
        overlap = "" if row.overlap is None else f"{row.overlap:.3f}"
        lines.append([row.label, source, overlap, "" if row.keeps is None else estimate(row.keeps)])
    told = (
        "What is left of the distance in the source, and what a row keeps of the distance that its f^P drives on the "
        "target's true labels (whole starts resampled); empty where those drives are missing."
    )
    return f"## The same factors in closed loop\n\n{told}\n\n{_table(lines)}"


def _skipped(skipped: Mapping[str, str]) -> str:
    return "\n".join(f"- left out: {label}: {reason}" for label, reason in skipped.items())


def estimate(number: Estimate, decimals: int = 3) -> str:
    """``0.912 [0.880, 0.941]``; a dash where nothing defines it."""
    if not math.isfinite(number.value):
        return "-"
    text = f"{number.value:.{decimals}f}"
    if number.ci95 is None:
        return text
    return f"{text} [{number.ci95[0]:.{decimals}f}, {number.ci95[1]:.{decimals}f}]"


def _table(lines: list[list[str]]) -> str:
    head, *body = (f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([head, "|" + " --- |" * len(lines[0]), *body])
