"""Verb ``pictures``: what the agents see and mean, as PNG files."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    out: Annotated[Path, typer.Option(help="Folder for the PNG files.")] = Path("docs/images"),
    seed: Annotated[int, typer.Option(help="Chooses places and moments.")] = 0,
) -> None:
    """Draw rgb | labels | map view with predicted waypoints, from SuperTuxKart and from the embedded town."""
    from sim2real_bench.evaluation.pictures import supertuxkart_sheet, town_sheet, write_png

    for name, make_sheet in (("supertuxkart", supertuxkart_sheet), ("town", town_sheet)):
        path = write_png(out / f"{name}.png", make_sheet(seed))
        typer.echo(f"wrote {path}")
