"""``python -m sim2real_bench.envs.carla.embedded.fuzz``: send malformed messages and print what came of them."""

import argparse
import logging
import sys

from sim2real_bench.envs.carla.embedded.fuzz import in_process, over_sockets
from sim2real_bench.envs.carla.embedded.methods import build_methods
from sim2real_bench.errors import Sim2RealError

_MIB = 2**20


def _print_report(report: in_process.Report, count: int) -> None:
    outcomes = ", ".join(f"{number} {name}" for name, number in report.outcomes.most_common())
    lines = [
        f"in process: {count} messages, {report.distinct} of them different: {outcomes}",
        f"  slowest {report.slowest_s:.2f} s: {report.slowest[:80]!r}",
        f"  resident memory at each tenth, MiB: {[round(size / _MIB) for size in report.memory]}",
        f"  internal errors: {sum(report.internal_errors.values())}",
        *(f"    {number} x {text[:300]}" for text, number in report.internal_errors.most_common(20)),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _print_socket_report(report: over_sockets.SocketReport) -> None:
    lines = [
        f"over sockets: {report.calls} messages to the call port and {report.streams} to the stream port "
        f"through {report.connections} connections",
        f"  resident memory of the server, MiB: {[round(size / _MIB) for size in report.memory]}",
        *(f"  afterwards: {line}" for line in report.health),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Run a campaign; returns 1 when the server failed or blamed itself."""
    parser = argparse.ArgumentParser(prog="python -m sim2real_bench.envs.carla.embedded.fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="how many, all together")
    parser.add_argument(
        "--sockets", type=float, default=0.2, help="share that goes through sockets to a server process"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random parts")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    through_sockets = round(options.messages * options.sockets)
    report = in_process.run(options.messages - through_sockets, options.seed)
    _print_report(report, options.messages - through_sockets)
    try:
        methods = build_methods(in_process.make_service().world)
        _print_socket_report(over_sockets.run(through_sockets, options.seed, methods))
    except Sim2RealError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 1 if report.internal_errors else 0


if __name__ == "__main__":
    sys.exit(main())
