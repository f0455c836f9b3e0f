"""Verb ``doctor``: what works on this machine, proven by doing, and the command that mends what does not."""

import json
from typing import Annotated

import typer

from sim2real_bench.cli.checks import CHECKS, CheckResult, run_check


def _show(results: list[CheckResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "state", "found", "remedy")
    for result in results:
        state = "[green]ok[/]" if result.ok else "[red]missing[/]" if result.needed else "[yellow]missing[/]"
        table.add_row(result.name, state, result.found, result.remedy)
    Console().print(table)


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Try every part on this machine (import, render, tick) and print the command that mends what fails.

    Exit status 1 when a part that the main job needs does not work.
    """
    from rich.progress import Progress, SpinnerColumn, TextColumn

    results = []
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), transient=True, disable=as_json) as progress:
        task = progress.add_task("")
        for check in CHECKS:
            progress.update(task, description=f"trying: {check.name}")
            results.append(run_check(check))
    if as_json:
        typer.echo(json.dumps([result.__dict__ for result in results], indent=2))
    else:
        _show(results)
    if any(result.needed and not result.ok for result in results):
        raise typer.Exit(1)
