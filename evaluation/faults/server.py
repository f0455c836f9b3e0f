"""The fake simulator: a small program that answers over TCP, one JSON object a line, and fails where it is told to.

Its world is a straight road with a wall across it. Run it as
``python -m sim2real_bench.evaluation.faults.server --port PORT [--fault KIND@TICK ...]``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import socketserver
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sim2real_bench.evaluation.faults.kinds import FaultCounter, Place

VERSION = "fake 1.0"
TICK_S = 0.1
SPAWN_POINTS = 7
_STRIDE_M = 0.5  # per tick at full throttle
_LATE_S = 0.3
_LEAK_BYTES = 64 << 20
_ROAD_HALF_WIDTH_M = 2.0


class World:
    """A point on a straight road; the wall it hits stands where the episode's draws put it."""

    def __init__(self, faults: FaultCounter) -> None:
        self._faults = faults
        self._leaked: list[bytearray] = []
        self._seed = self._frame = self._tick = 0
        self._x = self._y = self._speed = 0.0
        self._wall_m = 0.0

    def answer(self, question: dict[str, Any]) -> dict[str, Any] | bytes:
        """The answer to a question; bytes are sent as they are."""
        asked = question.get("ask")
        if asked == "hello":
            return {"version": VERSION, "spawn_points": SPAWN_POINTS}
        if asked == "reset":
            return self._reset(int(question["seed"]), f"{question['spawn_index']}-{question['weather']}")
        if asked == "step":
            return self._step(float(question["steer"]), float(question["throttle"]))
        return {"error": f"nobody knows what {asked!r} means"}

    def _reset(self, seed: int, place: str) -> dict[str, Any]:
        self._seed, self._tick = seed, 0
        self._x = self._y = self._speed = 0.0
        self._wall_m = random.Random(f"{seed}-{place}").uniform(5.0, 60.0)
        self._frame += 1
        return self._state()

    def _step(self, steer: float, throttle: float) -> dict[str, Any] | bytes:
        self._tick += 1
        self._frame += 1
        stride = _STRIDE_M * max(throttle, 0.0)
        self._x += stride
        self._y += stride * steer
        self._speed = stride / TICK_S
        fault = self._faults.due([Place.SIMULATOR], self._tick, self._seed)
        return self._state() if fault is None else self._failing(fault)

    def _state(self) -> dict[str, Any]:
        return {
            "frame": self._frame,
            "tick_s": TICK_S,
            "x_m": self._x,
            "y_m": self._y,
            "speed_mps": self._speed,
            "impulse_ns": 50.0 if self._x >= self._wall_m else 0.0,
            "off_road": abs(self._y) > _ROAD_HALF_WIDTH_M,
            "picture": {"height": 32, "brightest": 255},
        }

    def _failing(self, fault: str) -> dict[str, Any] | bytes:
        if fault == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "exit":
            os._exit(3)
        elif fault == "hang":
            while True:  # with the lock of the world: nobody gets an answer any more
                time.sleep(3600)
        elif fault == "late":
            time.sleep(_LATE_S)
        elif fault == "leak":
            self._leaked.append(bytearray(os.urandom(1) * _LEAK_BYTES))
        elif fault == "free-running":
            self._frame += 3
        elif fault == "garbage":
            return b"\x00\xff this is not JSON\n"
        return self._state() | _WRONG.get(fault, {})


_WRONG: dict[str, dict[str, Any]] = {
    "settings": {"tick_s": 0.05},
    "nan-pose": {"x_m": float("nan")},
    "nan-impulse": {"impulse_ns": float("nan")},
    "nan-speed": {"speed_mps": float("nan")},
    "black": {"picture": {"height": 32, "brightest": 0}},
    "shape": {"picture": {"height": 16, "brightest": 255}},
}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, world: World) -> None:
        self.world = world
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Client)


class _Client(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Answer one client until it goes."""
        server = self.server
        assert isinstance(server, _Server)
        with contextlib.suppress(ConnectionError):
            for line in self.rfile:
                with server.lock:
                    answer = server.world.answer(json.loads(line))
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n")


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--fault", action="append", default=[], help="KIND@TICK[*TIMES][#SEED]; repeatable")
    parser.add_argument("--counts", type=Path, help="folder that counts faults over all processes")
    parser.add_argument("--start", choices=("crash", "hang"), help="crash, or never listen, at the start")
    parser.add_argument("--starts", type=int, default=0, help="that often, counted in the folder; 0: always")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    if options.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if options.start and _start_fails(options.counts, options.starts):
        sys.stderr.write("no device found\n")
        if options.start == "crash":
            sys.exit(1)
        time.sleep(3600)
    with _Server(options.port, World(FaultCounter(options.fault, options.counts))) as server:
        sys.stdout.write(f"listening on 127.0.0.1:{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


def _start_fails(folder: Path | None, times: int) -> bool:
    if folder is None or times == 0:
        return True
    for number in range(times):
        with contextlib.suppress(FileExistsError):
            (folder / f"start-{number}").touch(exist_ok=False)
            return True
    return False


if __name__ == "__main__":
    main()
