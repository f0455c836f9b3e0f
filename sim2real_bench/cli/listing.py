"""Verb ``list``: what is registered, here and by other installed packages."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim2real_bench.envs.supertuxkart.tracks import Track
    from sim2real_bench.registry import Registry

Rows = list[dict[str, str]]


def _track_names(tracks: "tuple[Track, ...]") -> str:
    """Each track once; both directions are driven."""
    return ", ".join(dict.fromkeys(track.name for track in tracks)) + " (both directions)"


def _registries() -> "dict[str, Registry]":
    from sim2real_bench.agents import AGENTS, CONTROLLER_SETS
    from sim2real_bench.distill.method import METHODS
    from sim2real_bench.envs import ENVS
    from sim2real_bench.evaluation.benchmarks import BENCHMARKS

    return {
        "benchmarks": BENCHMARKS,
        "methods": METHODS,
        "agents": AGENTS,
        "simulators": ENVS,
        "controllers": CONTROLLER_SETS,
    }


def _registered(registry: "Registry") -> Rows:
    """Every usable name with the package it comes from."""
    return [
        {"name": spec.name, "what": spec.summary, "from": f"{spec.distribution} {spec.version}".strip()}
        for spec in registry
    ]


def _problems(registries: "dict[str, Registry]") -> Rows:
    """What cannot be used of the other installed packages, and why."""
    from sim2real_bench.registry import misplaced_entry_points

    listed = [row for registry in registries.values() for row in registry.listed()] + misplaced_entry_points()
    return [{"name": row.name, "what": row.problem} for row in listed if row.problem]


def _fixed_names() -> dict[str, Rows]:
    from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES
    from sim2real_bench.envs.carla.weather import WEATHERS
    from sim2real_bench.envs.supertuxkart.tracks import HELD_OUT_TRACKS, TRAIN_TRACKS
    from sim2real_bench.presets import PRESETS

    return {
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


def _show(title: str, rows: Rows) -> None:
    from sim2real_bench.registry import OWN_DISTRIBUTION

    typer.echo(f"\n{title}")
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        source = row.get("from", OWN_DISTRIBUTION)
        note = "" if source == OWN_DISTRIBUTION else f"  [{source}]"
        typer.echo(f"  {row['name']:<{width}}  {row['what']}{note}".rstrip())


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show benchmarks, methods, agents, simulators, controllers, presets, towns, weathers and tracks.

    Names that another installed package brings are followed by that package in brackets. A package that cannot be used
    is a warning here, and an error only where one of its names is used.
    """
    registries = _registries()
    sections = {title: _registered(registry) for title, registry in registries.items()} | _fixed_names()
    problems = _problems(registries)
    if as_json:
        typer.echo(json.dumps(sections | {"problems": problems}, indent=2))
        return
    for title, rows in sections.items():
        if rows:
            _show(title, rows)
    for problem in problems:
        typer.echo(f"warning: {problem['what']}", err=True)
