"""Traffic that drives by itself for ten minutes in every town: ``python -m benchmarks.traffic --map MiniTown01``."""

import argparse

from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES
from sim2real_bench.envs.carla.embedded.traffic.soak import SoakReport, soak


def show(report: SoakReport) -> None:
    """Print a report."""
    print(
        f"{report.town}: {report.vehicles} vehicles, {report.seconds:.0f} s: {len(report.collisions)} collisions; "
        f"mean {report.mean_speed:.2f} m/s, last minute {report.last_speed:.2f} m/s; {report.crossings} crossings, "
        f"{report.red_lights} at red; longest stop {report.longest_stop:.0f} s, longest block but for lights "
        f"{report.longest_block:.0f} s; traffic {report.traffic_ms:.2f} ms of {report.tick_ms:.2f} ms per tick",
        flush=True,
    )
    for line in report.collisions:
        print(f"    {line}")


def run() -> None:
    """Every town for ten minutes."""
    for town in TOWN_NAMES:
        show(soak(town))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--map", choices=TOWN_NAMES, action="append", help="all by default; may be repeated")
    parser.add_argument("--minutes", type=float, default=10.0, help="simulated")
    parser.add_argument("--vehicles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--delta", type=float, default=0.05, help="seconds per tick")
    chosen = parser.parse_args()
    for town in chosen.map or TOWN_NAMES:
        show(soak(town, chosen.vehicles, chosen.minutes, chosen.seed, chosen.delta, lambda line: print("  ", line)))


if __name__ == "__main__":
    main()
