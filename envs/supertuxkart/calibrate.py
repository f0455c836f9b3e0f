"""Measure how far each road lies above its drawn drive line: the game's own drivers drive laps, without graphics.

    python -m sim2real_bench.envs.supertuxkart.calibrate [--out heights.json] [track ...]

The drive line floats up to a metre above the road, nearly constant per track. The shipped file was made by this command
with the data of SuperTuxKart 1.4; other data needs another run (an unmeasured track counts as exact).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.supertuxkart.assets import Assets, engine_environment, find_assets
from sim2real_bench.envs.supertuxkart.drive_line import DriveLine
from sim2real_bench.envs.supertuxkart.heights import HEIGHTS_FILE, quads_hash, road_heights
from sim2real_bench.envs.supertuxkart.tracks import TRACK_NAMES, Track
from sim2real_bench.errors import SimulatorError

_MEASURE_OPTION = "--measure"  # internal: measure one track in a process that has the engine's environment
_DRIVERS = 3
_MAX_STEPS = 4000
_WARM_UP_STEPS = 20
_LOW_PERCENTILE = 30  # karts jump but do not dive: the lower heights are the road
_MIN_SAMPLES = 3
_LIMIT_M = 3.0
_TIMEOUT_S = 300


def heights_from_samples(samples: dict[int, list[float]], count: int) -> list[float]:
    """(count,) metres from the drive line up to the road from heights of karts per quadrilateral.

    Quadrilaterals with too few samples take the track's median.

    Raises:
        SimulatorError: there are no samples at all.
    """
    if not samples:
        raise SimulatorError("no kart drove on the drive line: the heights cannot be measured")
    middle = statistics.median(statistics.median(values) for values in samples.values())
    heights = [
        float(np.percentile(samples[node], _LOW_PERCENTILE)) if len(samples.get(node, ())) >= _MIN_SAMPLES else middle
        for node in range(count)
    ]
    return [round(min(max(height, -_LIMIT_M), _LIMIT_M), 3) for height in heights]


def measure(track: Track, data: Path) -> list[float]:
    """Drive a track and measure; needs the engine's environment variables (see ``main``)."""
    from sim2real_bench.envs.supertuxkart.engine import Engine
    from sim2real_bench.envs.supertuxkart.protocol import ResetRequest, WorkerSettings

    settings = WorkerSettings(("map_view",), 64, 64, _DRIVERS, 1, True, "chase", 1, str(data), _TIMEOUT_S)
    engine = Engine(settings)
    engine.reset(ResetRequest(track.name, track.reverse, seed=0, start=None))
    # The engine's drive line holds the heights measured earlier, so what is found here comes on top of them.
    earlier = road_heights(data / "tracks" / track.name / "quads.xml", len(engine.line.start))
    samples: dict[int, list[float]] = defaultdict(list)
    for step in range(_MAX_STEPS):
        engine.step(0.0, 0.0)
        if step < _WARM_UP_STEPS:
            continue
        for pose, node, on_road in engine.drivers():
            if on_road:
                samples[node].append(_height_above(engine.line, pose, node) + float(earlier[node]))
        if engine.drivers_finished_laps() >= 2:
            break
    return heights_from_samples(samples, len(engine.line.start))


def _height_above(line: DriveLine, pose: npt.NDArray[np.float64], node: int) -> float:
    quad = line.quads[node]
    a, b, c = np.linalg.lstsq(np.c_[quad[:, :2], np.ones(4)], quad[:, 2], rcond=None)[0]
    x, y, z = pose[:3, 3]
    return float(z - (a * x + b * y + c))


def _measure_in_process(track: str, assets: Assets) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="sim2real-stk-") as home:
        command = [sys.executable, "-m", "sim2real_bench.envs.supertuxkart.calibrate", _MEASURE_OPTION, track]
        environment = os.environ | engine_environment(assets, Path(home))
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise SimulatorError(f"measuring {track} failed with status {done.returncode}: {done.stderr[-500:]}")
    return [float(height) for height in json.loads(done.stdout.splitlines()[-1])]


def main() -> None:
    """Measure tracks and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tracks", nargs="*", help="names; all tracks of the splits without any")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(HEIGHTS_FILE))
    parser.add_argument(_MEASURE_OPTION, action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        data = Path(os.environ["SUPERTUXKART_ASSETS_DIR"])
        sys.stdout.write(json.dumps(measure(Track(arguments.tracks[0]), data)) + "\n")
        return
    assets = find_assets()
    entries = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for name in arguments.tracks or TRACK_NAMES:
        Track(name)
        heights = _measure_in_process(name, assets)
        key = quads_hash(assets.path / "tracks" / name / "quads.xml")
        entries[key] = {"track": name, "heights_m": heights}
        sys.stdout.write(f"{name}: median {statistics.median(heights):+.2f} m, {len(heights)} quadrilaterals\n")
    lines = (f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in sorted(entries.items()))
    arguments.out.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
