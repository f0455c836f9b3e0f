"""``serve``: run an embedded simulator server alone."""

import logging
from typing import Annotated

import typer

from sim2real_bench.errors import UnknownNameError

SIMULATORS = ("carla",)


def command(
    simulator: Annotated[str, typer.Argument(help="The simulator to serve: carla.")],
    host: Annotated[
        str, typer.Option(help="Address to bind. Anything but loopback opens the server, without passwords, to others.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for remote calls; 0 = any free one.")] = 0,
    town: Annotated[str, typer.Option(help="The first map.")] = "MiniTown01",
) -> None:
    """Run an embedded simulator server alone, for any client of that simulator.

    Prints one line "listening on HOST:PORT" on stdout when it answers, logs to stderr, ends on SIGTERM and SIGINT.
    """
    if simulator not in SIMULATORS:
        raise UnknownNameError(f"no embedded server for {simulator!r}; choose one of {', '.join(SIMULATORS)}")
    from sim2real_bench.envs.carla.embedded.logs import start_logging
    from sim2real_bench.envs.carla.embedded.server import run

    start_logging(logging.INFO)
    run(host, port, town)
