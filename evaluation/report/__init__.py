"""A results folder as one HTML file that opens from disk: pure functions of the plan, the records and the films."""

from __future__ import annotations

from pathlib import Path

from sim2real_bench.evaluation.files import write_result_file
from sim2real_bench.evaluation.report.content import read_content
from sim2real_bench.evaluation.report.page import DEFAULT_FILM_LIMIT_MIB, Page, ReportOptions, render_page

__all__ = ["DEFAULT_FILM_LIMIT_MIB", "REPORT_FILE", "Page", "ReportOptions", "report"]

REPORT_FILE = "report.html"


def report(folder: Path, out: Path | None = None, options: ReportOptions | None = None) -> Page:
    """Write the report of a results folder; nothing else in the folder is touched.

    Args:
        folder: results folder.
        out: the HTML file; ``report.html`` in the folder when absent.
        options: map, cards and the limit of the films.

    Raises:
        RecordError: the folder holds no results, they cannot be read, or the page cannot be written.
    """
    path = out or folder / REPORT_FILE
    page = render_page(read_content(folder), path, options or ReportOptions())
    write_result_file(path, page.html)
    return page
