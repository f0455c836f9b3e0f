"""Verb ``recognition-score``: how well a recogniser finds the road in a labelled data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.agents.recognisers import RecogniserNetwork
    from sim2real_bench.distill.modular.recognition import RecognitionExamples

_PICTURED = 12


def command(
    checkpoint: Annotated[Path, typer.Argument(help="A recogniser, or a modular agent that has one.")],
    data: Annotated[Path, typer.Option(help="Data set with images and the labels it recognises.")],
    images: Annotated[
        int | None, typer.Option(min=1, help="Judge about so many images, evenly spread; all when absent.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Write a PNG of 12 images beside their masks: road found grey, missed red, imagined blue."),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="PyTorch threads; all cores when absent.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Print a recogniser's IoU of road, of the rest, and their mean (mIoU), from one confusion matrix over all pixels.

    Values are shares between 0 and 1. The recogniser's own card tells the same of the episodes held out from its
    training; here any data set can be judged, for example one collected in the test town.
    """
    import torch

    from sim2real_bench.cli.progress import progress_display
    from sim2real_bench.distill.data.rollouts import RolloutDataset
    from sim2real_bench.distill.modular.recognition import (
        judged_indices,
        load_any_recogniser,
        proxy_recognised,
        recognition_examples,
        road_confusion,
    )

    if threads:
        torch.set_num_threads(threads)
    network = load_any_recogniser(checkpoint)
    examples = recognition_examples(RolloutDataset(data), proxy_recognised(network))
    indices = judged_indices(examples, images)
    with progress_display("recognition", len(indices), "images") as update:
        counted = road_confusion(network, examples, indices, lambda done, total, text: update(done, text))
    if picture:
        _draw(picture, network, examples)
    values = {"images": len(indices), "recognises": network.output} | counted.metrics()
    if as_json:
        typer.echo(json.dumps({"checkpoint": str(checkpoint), "data": str(data)} | values, indent=2))
        return
    for name, value in values.items():
        typer.echo(f"{name:<16} {value:.4f}" if isinstance(value, float) else f"{name:<16} {value}")


def _draw(path: Path, network: RecogniserNetwork, examples: RecognitionExamples) -> None:
    from sim2real_bench.agents.atomic_files import write_atomically
    from sim2real_bench.distill.modular.pictures import png, recognition_picture
    from sim2real_bench.distill.modular.recognition import judged_indices
    from sim2real_bench.errors import ConfigurationError

    content = png(recognition_picture(network, examples, judged_indices(examples, _PICTURED)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise ConfigurationError(f"cannot write --picture {path}: {error.strerror or error}") from error
    typer.echo(f"picture: {path}", err=True)
