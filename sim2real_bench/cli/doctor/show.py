"""Prints results: a table that fits 80 columns, then every command that mends something, unwrapped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim2real_bench.cli.doctor.check import Check, Result

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES = {"ok": "green", "weak": "yellow", "absent": "dim", "failed": "red"}


def show_results(results: Sequence[Result], console: Console) -> None:
    """One table with a heading for each group, then the commands."""
    from rich.markup import escape

    table = _table(("check", "state", "found"))
    group = ""
    for result in results:
        if result.group != group:
            group = result.group
            table.add_row(f"[bold]{group}[/]", "", "")
        style = "bold red" if result.state == "failed" and result.need == "main" else _STYLES[result.state]
        table.add_row(f"  {result.name}", f"[{style}]{result.state}[/]", escape(result.found))
    console.print(table)
    _show_remedies([result for result in results if result.remedy], console)


def _show_remedies(results: Sequence[Result], console: Console) -> None:
    for title, states in (("To mend", ("failed", "weak")), ("To add", ("absent",))):
        names: dict[str, list[str]] = defaultdict(list)
        for result in results:
            if result.state in states:
                names[result.remedy].append(result.name)
        if names:
            console.print(f"\n[bold]{title}[/]")
        for remedy, concerned in names.items():
            console.print(f"  {', '.join(concerned)}:", highlight=False)
            console.print(f"    {remedy}", markup=False, highlight=False, soft_wrap=True)


def show_checks(checks: Sequence[Check], console: Console) -> None:
    """What there is to try."""
    table = _table(("check", "group", "needed by", "what is tried"))
    needs = {"main": "the main job", "part": "its part", "service": "nobody"}
    for check in checks:
        table.add_row(check.name, check.group, needs[check.need], check.what)
    console.print(table)


def _table(columns: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    return table
