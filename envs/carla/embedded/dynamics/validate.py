"""Validate the vehicle model: ``python -m sim2real_bench.envs.carla.embedded.dynamics.validate --out DIR``.

Prints every experiment against its closed form and against published figures, and writes ``physics.json`` and
``physics.png``. The exit status is 1 when a number lies outside its tolerance.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sim2real_bench.envs.carla.embedded.dynamics import experiments
from sim2real_bench.envs.carla.embedded.dynamics.crashes import crashes
from sim2real_bench.envs.carla.embedded.dynamics.experiments import FULL, KMH, MKZ, Check, moving
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl

_SHOWN_VEHICLES = (
    "vehicle.lincoln.mkz_2020", "vehicle.tesla.model3", "vehicle.audi.tt", "vehicle.nissan.micra",
    "vehicle.volkswagen.t2", "vehicle.mercedes.sprinter", "vehicle.mitsubishi.fusorosa",
    "vehicle.carlamotors.european_hgv", "vehicle.yamaha.yzf", "vehicle.vespa.zx125", "vehicle.gazelle.omafiets",
)  # fmt: skip


def table(title: str, checks: Sequence[Check]) -> str:
    """A heading and one line per check."""
    lines = [f"{title}", f"{'':4}{'quantity':<52}{'measured':>10}{'expected':>10} {'unit':<6}{'diff':>8}  from"]
    for check in checks:
        mark = "ok" if check.passed else "!!"
        difference = f"{check.difference:+.2%}" if check.expected else f"{check.difference:.1g}"
        lines.append(
            f"{mark:<4}{check.name:<52}{check.measured:>10.3f}{check.expected:>10.3f} {check.unit:<6}{difference:>8}"
            f"  {check.source}"
        )
    return "\n".join(lines)


def fleet_table() -> str:
    """What some vehicles do; these figures are the model's own (braking: from 100 km/h or top speed)."""
    lines = [f"{'vehicle':<34}{'mass kg':>9}{'0-100 s':>9}{'100-0 m':>9}{'top km/h':>10}{'circle m':>10}"]
    for name in _SHOWN_VEHICLES:
        figures = experiments.figures(VEHICLE_MODELS[name])
        mass, seconds, metres, top, circle = figures.values()
        reached = f"{seconds:.1f}" if math.isfinite(seconds) else "never"
        lines.append(f"{name:<34}{mass:>9.0f}{reached:>9}{metres:>9.1f}{top:>10.0f}{circle:>10.1f}")
    return "\n".join(lines)


def picture(path: Path) -> None:
    """Four panels: acceleration, braking, radius over speed, coasting."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 8), constrained_layout=True)
    _draw_acceleration(axes[0][0])
    _draw_braking(axes[0][1])
    _draw_turns(axes[1][0])
    _draw_coasting(axes[1][1])
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_acceleration(axis: Any) -> None:
    for name in ("vehicle.lincoln.mkz_2020", "vehicle.volkswagen.t2", "vehicle.gazelle.omafiets"):
        vehicle = moving(0.0, VEHICLE_MODELS[name])
        times, speeds = [0.0], [0.0]
        while times[-1] < 40.0:
            vehicle.advance(FULL, 0.1)
            times.append(times[-1] + 0.1)
            speeds.append(vehicle.forward / KMH)
        axis.plot(times, speeds, label=name)
    axis.set(title="full throttle", xlabel="s", ylabel="km/h")
    axis.legend()
    axis.grid(visible=True)


def _draw_braking(axis: Any) -> None:
    speeds = [10.0 * number for number in range(1, 15)]
    checks = [experiments.braking(speed * KMH) for speed in speeds]
    axis.plot(speeds, [check.expected for check in checks], label="closed form")
    axis.plot(speeds, [check.measured for check in checks], "o", label="simulated")
    axis.set(title="braking distance, MKZ", xlabel="km/h", ylabel="m")
    axis.legend()
    axis.grid(visible=True)


def _draw_turns(axis: Any) -> None:
    speeds = [4.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 24.0, 28.0]
    for wheel in (0.01, 0.02, 0.04):
        checks = [experiments.fast_turn(speed, wheel) for speed in speeds]
        (line,) = axis.plot(speeds, [check.expected for check in checks], label=f"steer {wheel}: L (1 + K v²) / δ")
        axis.plot(speeds, [check.measured for check in checks], "o", color=line.get_color())
    axis.set(title="radius of steady turns, MKZ (dots: simulated)", xlabel="m/s", ylabel="m", yscale="log")
    axis.legend()
    axis.grid(visible=True)


def _draw_coasting(axis: Any) -> None:
    for label, control in (("out of gear", experiments.NEUTRAL), ("in gear", VehicleControl())):
        vehicle = moving(30.0, MKZ)
        times, speeds = [0.0], [30.0]
        while times[-1] < 90.0:
            vehicle.advance(control, 0.1)
            times.append(times[-1] + 0.1)
            speeds.append(vehicle.forward)
        axis.plot(times, speeds, label=label)
    checks = [(seconds, experiments.coasting(30.0, seconds).expected) for seconds in range(0, 90, 10)]
    axis.plot(*zip(*checks, strict=True), "o", label="closed form, out of gear")
    axis.set(title="coasting, MKZ", xlabel="s", ylabel="m/s")
    axis.legend()
    axis.grid(visible=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sim2real_bench.envs.carla.embedded.dynamics.validate")
    parser.add_argument("--out", type=Path, default=None, help="folder for physics.json and physics.png")
    chosen = parser.parse_args(arguments)
    sections = {
        "closed forms": experiments.closed_forms(),
        "crashes": crashes(),
        "published figures (different cars: wide tolerances)": experiments.published(),
    }
    text = "\n\n".join(table(title, checks) for title, checks in sections.items())
    sys.stdout.write(f"{text}\n\nthe model's own figures\n{fleet_table()}\n")
    if chosen.out is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
        content = {title: [asdict(check) for check in checks] for title, checks in sections.items()}
        (chosen.out / "physics.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        picture(chosen.out / "physics.png")
    return 0 if all(check.passed for checks in sections.values() for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
