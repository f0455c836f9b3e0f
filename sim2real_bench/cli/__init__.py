"""The command line: one module a verb; a verb imports what it needs when it is called."""

import functools
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import typer

from sim2real_bench import __version__
from sim2real_bench.errors import ConfigurationError, Sim2RealError

WRONG_USAGE = 2
FAILED = 1

_EPILOG = "The main job: sim2real-bench evaluate --source stk --target carla"


def _guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn our own errors into one line and an exit status; everything else is a defect and keeps its traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except Sim2RealError as error:
            from sim2real_bench.untrusted import printable_lines

            typer.echo(f"error: {printable_lines(str(error))}", err=True)
            raise typer.Exit(WRONG_USAGE if isinstance(error, ConfigurationError) else FAILED) from error
        except KeyboardInterrupt as interruption:
            typer.echo("interrupted; run the same command again to go on where it stopped", err=True)
            raise typer.Exit(128 + getattr(interruption, "number", signal.SIGINT)) from None

    return run


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"sim2real-bench {__version__}")
        raise typer.Exit


def build_app() -> typer.Typer:
    """The Typer application with all verbs."""
    from sim2real_bench.cli import (
        analyse,
        collect,
        compare,
        doctor,
        evaluate,
        leaderboard,
        listing,
        pictures,
        plan,
        recognition_score,
        report,
        reproduce,
        serve,
        source_score,
        sweep,
        train,
        transfer,
    )

    app = typer.Typer(
        name="sim2real-bench",
        help="Carry a driving policy from one simulator into another and measure how far it drives there.",
        epilog=_EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def _options(
        version: bool = typer.Option(
            False, "--version", callback=_show_version, is_eager=True, help="Print the version."
        ),
        verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what happens to stderr."),
    ) -> None:
        logging.basicConfig(
            level=logging.INFO if verbose else logging.WARNING,
            stream=sys.stderr,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )

    for name, module in (
        ("evaluate", evaluate),
        ("report", report),
        ("plan", plan),
        ("compare", compare),
        ("train", train),
        ("source-score", source_score),
        ("recognition-score", recognition_score),
        ("collect", collect),
        ("transfer", transfer),
        ("sweep", sweep),
        ("reproduce", reproduce),
        ("analyse", analyse),
        ("leaderboard", leaderboard),
        ("list", listing),
        ("doctor", doctor),
        ("serve", serve),
        ("pictures", pictures),
    ):
        app.command(name)(_guarded(module.command))
    app.command("submit")(_guarded(leaderboard.submit))
    return app


def main() -> None:
    """The entry point ``sim2real-bench``."""
    try:
        build_app()()
    except BrokenPipeError:
        # The reader (head, less) went away; Python would complain again while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
