"""Verb ``compare``: is the second result worse than the first, beyond chance?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.evaluation.comparison.folders import Comparison

WORSE = 1
WRONG_USAGE = 2
_PRINTED_WIDTH = 150


def command(
    a: Annotated[Path, typer.Argument(help="Results folder to compare with, for example of the last release.")],
    b: Annotated[Path, typer.Argument(help="Results folder that must not be worse.")],
    row: Annotated[
        list[str] | None, typer.Option(help="METHOD or METHOD:PROXY; repeatable. All rows of both when absent.")
    ] = None,
    a_row: Annotated[str | None, typer.Option(help="METHOD or METHOD:PROXY of A, to compare with --b-row.")] = None,
    b_row: Annotated[str | None, typer.Option(help="METHOD or METHOD:PROXY of B, to compare with --a-row.")] = None,
    level: Annotated[
        float, typer.Option(help="Of the intervals; equal results are called worse with a chance of at most 1 - level.")
    ] = 0.95,
    tolerance: Annotated[float, typer.Option(help="Metres that B may come less far on average.")] = 0.0,
    incomplete: Annotated[
        str, typer.Option(help="Rows that lack episodes: refuse, or compare the common ones that both finished.")
    ] = "refuse",
    as_json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
) -> None:
    """Compare two results folders row by row, episode by episode where both drove the same ones.

    Exit status 0: B is not worse than A beyond chance; 1: it is; 2: they cannot be compared.
    """
    from sim2real_bench.errors import Sim2RealError
    from sim2real_bench.evaluation.comparison import compare
    from sim2real_bench.evaluation.comparison.matching import parse_rows

    pairs = parse_rows(row or [], a_row, b_row)
    try:
        comparison = compare(a, b, rows=pairs, level=level, tolerance_m=tolerance, incomplete=incomplete)
    except Sim2RealError as error:  # status 1 would say that B is worse
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(WRONG_USAGE) from error
    if as_json:
        typer.echo(comparison.to_json(), nl=False)
    else:
        _show(comparison)
    if comparison.worse:
        raise typer.Exit(WORSE)


def _show(comparison: Comparison) -> None:
    from rich.console import Console

    from sim2real_bench.evaluation.comparison.text import to_terminal, verdict_line

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _PRINTED_WIDTH)
    console.print(to_terminal(comparison))
    console.print(verdict_line(comparison), highlight=False, soft_wrap=True, markup=False)
