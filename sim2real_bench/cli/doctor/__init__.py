"""Verb ``doctor``: what works on this machine, proven by doing, and the command that mends what does not."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from sim2real_bench.cli.doctor.check import Check, Result, Settings

SCHEMA = 1
"""Version of the JSON document; a change of meaning raises it, a new field does not."""
FAILED = 1
_WIDEST = 110


def command(
    only: Annotated[
        str, typer.Option(help="Checks or groups to try, comma-separated (see --list), for example carla,stk.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    list_checks: Annotated[bool, typer.Option("--list", help="Print what can be tried, and stop.")] = False,
    host: Annotated[str, typer.Option(help="Of a CARLA server to look for.", envvar="CARLA_HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its RPC port.", envvar="CARLA_PORT", min=1, max=65533)] = 2000,
    coppelia_host: Annotated[
        str, typer.Option(help="Of a CoppeliaSim to look for.", envvar="COPPELIASIM_HOST")
    ] = "127.0.0.1",
    coppelia_port: Annotated[
        int, typer.Option(help="Of its ZeroMQ remote API.", envvar="COPPELIASIM_PORT", min=1, max=65535)
    ] = 23000,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds for each check, instead of its own (30 to 120).", min=0.1)
    ] = None,
) -> None:
    """Try every part on this machine (import, start, tick, draw) and print the command that mends what fails.

    Each check runs in a process of its own: a driver that crashes or hangs is a finding, not the end.

    Exit status 1 when something does not work that the main job needs; with --only, when something chosen does not
    work (servers, Docker and graphics cards count only when named themselves).
    """
    from sim2real_bench.cli.doctor.catalogue import chosen
    from sim2real_bench.cli.doctor.check import Settings
    from sim2real_bench.cli.doctor.show import show_checks

    names = [name.strip() for name in only.split(",") if name.strip()]
    checks = chosen(names)
    if list_checks:
        show_checks(checks, _console())
        return
    results, seconds = _tried(checks, Settings(host, port, coppelia_host, coppelia_port), deadline)
    if not _shown(results, names, seconds, as_json):
        raise typer.Exit(FAILED)


def _tried(checks: Sequence[Check], settings: Settings, deadline_s: float | None) -> tuple[list[Result], float]:
    from sim2real_bench.cli.doctor.trials import Trials
    from sim2real_bench.cli.progress import progress_display

    started = time.monotonic()
    done = 0
    with progress_display("doctor", len(checks), "checks") as update:

        def show(result: Result) -> None:
            nonlocal done
            done += 1
            update(done, f"{result.name}: {result.state}")

        results = Trials(settings, deadline_s).run(checks, show)
    return results, time.monotonic() - started


def _shown(results: Sequence[Result], names: Sequence[str], seconds: float, as_json: bool) -> bool:
    """Print the results; whether all is well."""
    from sim2real_bench.cli.doctor.catalogue import counts
    from sim2real_bench.cli.doctor.show import show_results

    wrong = [result.name for result in results if not result.ok and counts(result, names)]
    if as_json:
        typer.echo(json.dumps(_document(results, not wrong, seconds), indent=2))
        return not wrong
    console = _console()
    show_results(results, console)
    fine = sum(result.ok for result in results)
    console.print(f"\n{fine} of {len(results)} work, tried in {seconds:.0f} s.", highlight=False)
    console.print(_verdict(wrong, [result.name for result in results if not result.ok], bool(names)), highlight=False)
    return not wrong


def _verdict(wrong: Sequence[str], missing: Sequence[str], asked: bool) -> str:
    what = "What you asked for" if asked else "What the main job needs"
    if wrong:
        return f"{what} does not all work: {', '.join(wrong)}."
    return f"{what} works." + (f" Not there, and not needed for it: {', '.join(missing)}." if missing else "")


def _document(results: Sequence[Result], fine: bool, seconds: float) -> dict[str, object]:
    from sim2real_bench import __version__

    return {
        "schema": SCHEMA,
        "version": __version__,
        "ok": fine,
        "seconds": round(seconds, 1),
        "checks": [asdict(result) for result in results],
    }


def _console() -> Console:
    """As wide as the terminal, within reason; 80 columns where there is none."""
    from rich.console import Console

    console = Console()
    console.width = min(console.width, _WIDEST)
    return console
