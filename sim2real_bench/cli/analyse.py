"""Verb ``analyse``: take the rows of a table apart into the accuracies that the task-distillation paper multiplies."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.evaluation.analysis.measuring import Progress


def command(
    source_data: Annotated[Path, typer.Option(help="Data set of the source, with rgb, labels and map_view.")],
    target_data: Annotated[
        Path, typer.Option(help="Data set of the target, with rgb, labels and map_view; best of an unseen town.")
    ],
    results: Annotated[
        Path | None, typer.Option(help="Results folder of 'evaluate': its distances are compared with the products.")
    ] = None,
    methods: Annotated[str | None, typer.Option(help="Comma list; all rows of --results, or else all methods.")] = None,
    proxy: Annotated[str, typer.Option(help="map, camera or all.")] = "all",
    checkpoint: Annotated[
        list[str] | None, typer.Option(help="METHOD=PATH or METHOD:PROXY=PATH instead of the shipped one; repeatable.")
    ] = None,
    networks: Annotated[
        list[Path] | None,
        typer.Option(help="Folder in which networks are looked for, besides the shipped ones; repeatable."),
    ] = None,
    samples: Annotated[int, typer.Option(min=50, help="Judged samples of each data set, about.")] = 1000,
    tolerance: Annotated[
        float, typer.Option(min=0.01, help="A path agrees with that of f^P when it stays within these metres of it.")
    ] = 1.0,
    threads: Annotated[int | None, typer.Option(min=1, help="PyTorch threads; all cores when absent.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of analysis.json, .md, .png and .svg; an interrupted run goes on there.")
    ] = Path("runs/analysis"),
) -> None:
    """Measure a^P, a^l, a^d, G^L and G^I on recorded samples no network has learnt from, and compare with distances.

    Recorded samples that a network was trained on are left out by the hashes in its card.
    """
    import torch

    from sim2real_bench.evaluation.analysis.building import analyse
    from sim2real_bench.evaluation.analysis.measuring import PathStore, chain_paths
    from sim2real_bench.evaluation.analysis.picture import write_picture
    from sim2real_bench.evaluation.analysis.selection import chosen_chains, evaluated_in, judged_samples
    from sim2real_bench.evaluation.analysis.text import to_markdown, write_analysis

    if threads:
        torch.set_num_threads(threads)
    evaluated = evaluated_in(results)
    names = [name.strip() for name in (methods or "").split(",") if name.strip()]
    chains, skipped = chosen_chains(names, proxy, checkpoint or [], networks or [], evaluated)
    judged = judged_samples(chains, source_data, target_data, samples, tolerance)
    with ExitStack() as display:
        store = PathStore(out, _progress(display))
        analysis = analyse(chains, lambda chain: chain_paths(chain, judged, store), judged, evaluated, skipped)
    files = (*write_analysis(analysis, out), *write_picture(analysis, out))
    typer.echo(to_markdown(analysis), nl=False)
    typer.echo("\n".join(f"wrote {file}" for file in files), err=True)


def _progress(display: ExitStack) -> Progress:
    """Opens a display for each set of paths that is computed, and closes the one before."""
    from sim2real_bench.cli.progress import progress_display

    def opened(title: str, total: int) -> Callable[[int], None]:
        display.close()
        update = display.enter_context(progress_display(title, total, "samples"))
        done = 0

        def advanced(count: int) -> None:
            nonlocal done
            done += count
            update(done, "")

        return advanced

    return opened
