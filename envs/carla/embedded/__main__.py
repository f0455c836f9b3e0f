"""``python -m sim2real_bench.envs.carla.embedded``: run the embedded server alone."""

import argparse
import contextlib
import faulthandler
import logging
import os
import sys

from sim2real_bench.envs.carla.embedded.logs import STDERR, start_logging
from sim2real_bench.envs.carla.embedded.server import run
from sim2real_bench.errors import ConfigurationError, Sim2RealError


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sim2real_bench.envs.carla.embedded", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: loopback only)")
    parser.add_argument("--port", type=int, default=0, help="port for remote calls, 0 = any free one")
    parser.add_argument("--town", default="MiniTown01", help="the first map")
    parser.add_argument("--parent", type=int, default=None, help="end when the process with this id ends")
    parser.add_argument("--verbose", action="store_true", help="log every refused call")
    options = parser.parse_args(arguments)
    start_logging(logging.DEBUG if options.verbose else logging.INFO)
    faulthandler.enable(STDERR)
    try:
        run(options.host, options.port, options.town, options.parent)
    except Sim2RealError as error:
        logging.shutdown()
        with contextlib.suppress(OSError):
            os.write(STDERR, f"error: {error}\n".encode(errors="backslashreplace"))
        return 2 if isinstance(error, ConfigurationError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
