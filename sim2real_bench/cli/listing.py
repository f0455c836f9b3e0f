"""Verb ``list``: what is registered."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.envs.supertuxkart.tracks import Track


def _track_names(tracks: "tuple[Track, ...]") -> str:
    """Each track once; both directions are driven."""
    return ", ".join(dict.fromkeys(track.name for track in tracks)) + " (both directions)"


def _sections() -> dict[str, list[dict[str, str]]]:
    from sim2real_bench.distill.method import METHODS
    from sim2real_bench.envs import ENVS
    from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES
    from sim2real_bench.envs.carla.weather import WEATHERS
    from sim2real_bench.envs.supertuxkart.tracks import HELD_OUT_TRACKS, TRAIN_TRACKS
    from sim2real_bench.evaluation.plan import BENCHMARKS
    from sim2real_bench.presets import PRESETS

    return {
        "benchmarks": [{"name": spec.name, "what": spec.summary} for spec in BENCHMARKS],
        "methods": [{"name": spec.name, "what": spec.summary} for spec in METHODS],
        "simulators": [{"name": spec.name, "what": spec.summary} for spec in ENVS],
        "presets": [
            {
                "name": name,
                "what": f"{preset.evaluate.episodes_per_controller} episodes x 5 controllers, at most "
                f"{preset.evaluate.horizon_ticks / 10:.0f} s each; network width {preset.transfer.network_width:g}",
            }
            for name, preset in PRESETS.items()
        ],
        "embedded towns": [{"name": name, "what": ""} for name in TOWN_NAMES],
        "weathers": [{"name": name, "what": ""} for name in WEATHERS],
        "tracks": [
            {"name": "train", "what": _track_names(TRAIN_TRACKS)},
            {"name": "held-out", "what": _track_names(HELD_OUT_TRACKS)},
        ],
    }


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show the registered benchmarks, methods, simulators, presets, towns, weathers and tracks."""
    sections = _sections()
    if as_json:
        typer.echo(json.dumps(sections, indent=2))
        return
    for title, rows in sections.items():
        typer.echo(f"\n{title}")
        width = max(len(row["name"]) for row in rows)
        for row in rows:
            typer.echo(f"  {row['name']:<{width}}  {row['what']}".rstrip())
