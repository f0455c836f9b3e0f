"""The environment of the fake simulator: starts one of its own, or uses the one a slot keeps."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.health import Health
from sim2real_bench.envs.observation import (
    RGB,
    SPEED,
    WAYPOINT_DISTANCES_M,
    WAYPOINTS,
    Observation,
    driving_action_space,
    observation_space,
)
from sim2real_bench.errors import (
    ConnectionLostError,
    SettingsChangedError,
    SimulatorError,
    StartupTimeoutError,
    StepTimeoutError,
)
from sim2real_bench.evaluation.faults.kinds import FaultCounter, Place
from sim2real_bench.evaluation.faults.server import TICK_S, VERSION

HEIGHT, WIDTH = 32, 64  # pixels
_SERVER = "sim2real_bench.evaluation.faults.server"
_GRACE_S = 5.0


class FakeConnection:
    """One client of a fake simulator.

    Args:
        port: on the loopback address.
        timeout_s: longest wait for the connection and for each answer.

    Raises:
        ConnectionLostError: nothing listens there, or no more.
        StepTimeoutError: no answer in time.
        SimulatorError: an answer that is none.
    """

    def __init__(self, port: int, timeout_s: float) -> None:
        self._address, self._timeout_s = f"127.0.0.1:{port}", timeout_s
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        except OSError as error:
            raise self._gone("connecting") from error
        self._file = self._socket.makefile("rwb")

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a question."""
        try:
            self._file.write(json.dumps({"ask": what, **arguments}).encode() + b"\n")
            self._file.flush()
            line = self._file.readline()
        except TimeoutError as error:
            raise StepTimeoutError(
                f"{what}: the fake simulator at {self._address} did not answer within {self._timeout_s:g} s"
            ) from error
        except OSError as error:
            raise self._gone(what) from error
        if not line.endswith(b"\n"):
            raise self._gone(what)
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise SimulatorError(f"{what}: the answer of {self._address} is no answer of its protocol") from error
        return answer

    def close(self) -> None:
        """Leave; safe twice."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._socket.close()

    def _gone(self, what: str) -> ConnectionLostError:
        return ConnectionLostError(f"{what}: at {self._address} the fake simulator is gone")


def check(
    host: str,
    port: int,
    step: Callable[[str], None],
    *,
    frame: bool,
    ticks: int,
    start_timeout_s: float,
    timeout_s: float,
) -> Health:
    """The probe of a fake simulator (see ``envs.health``)."""
    step("connecting")
    deadline = time.monotonic() + start_timeout_s
    while True:
        try:
            connection = FakeConnection(port, timeout_s)
            break
        except ConnectionLostError as error:
            if time.monotonic() > deadline:
                raise StartupTimeoutError(str(error)) from error
            time.sleep(0.02)
    with contextlib.closing(connection):
        step("its version")
        return Health(str(connection.ask("hello")["version"]))


class FakeDriveEnv(gym.Env[Any, Any]):
    """Drive a point along a straight road towards a wall; the same seed gives the same drive, bit by bit.

    Args:
        observations: any of ``rgb`` (32, 64, 3), ``speed``, ``waypoints``.
        host: ignored but for the loopback address; there is no other.
        port: of a fake simulator that somebody keeps; None: the environment starts its own.
        faults: what goes wrong, see ``Fault``.
        counts: folder that counts faults over all processes; None: each process counts for itself.
        timeout_s: longest wait for an answer.
        tick_sleep_s: wall time of a tick.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  (Gymnasium declares it so)
    backend_version = VERSION

    def __init__(
        self,
        *,
        observations: Sequence[str] = (RGB,),
        host: str = "127.0.0.1",
        port: int | None = None,
        faults: Sequence[str] = (),
        counts: str | None = None,
        timeout_s: float = 5.0,
        tick_sleep_s: float = 0.0,
    ) -> None:
        self._keys = tuple(observations)
        self.observation_space = observation_space(
            self._keys, width=WIDTH, height=HEIGHT, classes=1, map_channels=("road",)
        )
        self.action_space = driving_action_space()
        self._port, self._timeout_s, self._sleep_s = port, timeout_s, tick_sleep_s
        self._faults = tuple(faults)
        self._counts = Path(counts) if counts else None
        self._counter = FaultCounter(self._faults, self._counts)
        self._process: subprocess.Popen[str] | None = None
        self._connection: FakeConnection | None = None
        self._seed = self._tick = self._frame = 0
        self._distance_m = 0.0
        self._position = (0.0, 0.0)

    def spawn_count(self, town: str) -> int:
        """Spawn points; the town does not matter."""
        return int(self._asked("hello")["spawn_points"])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        given = options or {}
        self._seed = int(self.np_random.integers(2**31)) if seed is None else seed
        self._tick, self._distance_m, self._position = 0, 0.0, (0.0, 0.0)
        place = {"spawn_index": given.get("spawn_index", 0), "weather": given.get("weather", "noon")}
        state = self._asked("reset", seed=self._seed, **place)
        self._frame = int(state["frame"])
        return self._observed(state), self._info(state)

    def step(self, action: npt.ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Drive one tick."""
        self._tick += 1
        self._fail()
        if self._sleep_s:
            time.sleep(self._sleep_s)
        steer, throttle = (float(value) for value in np.asarray(action, np.float64))
        state = self._asked("step", steer=steer, throttle=throttle)
        self._require_settings(state)
        before, self._position = self._position, (state["x_m"], state["y_m"])
        self._distance_m += math.dist(before, self._position)
        info = self._info(state)
        return self._observed(state), info["distance_m"], info["collision_impulse_ns"] > 0.0, False, info

    def close(self) -> None:
        """Leave the simulator; end it if it is our own; safe twice."""
        connection, self._connection = self._connection, None
        process, self._process = self._process, None
        if connection is not None:
            connection.close()
        if process is not None:
            process.kill()
            process.wait(_GRACE_S)
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.stdout.close()

    def _asked(self, what: str, **arguments: Any) -> dict[str, Any]:
        try:
            if self._connection is None:
                self._connection = FakeConnection(self._port or self._started(), self._timeout_s)
            return self._connection.ask(what, **arguments)
        except SimulatorError:
            self.close()  # a late answer would be taken for that of the next question
            raise

    def _started(self) -> int:
        """The port of a simulator of our own."""
        command = [sys.executable, "-m", _SERVER, "--with-parent"]
        for fault in self._faults:
            command += ["--fault", fault]
        command += ["--counts", str(self._counts)] if self._counts else []
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("listening on "):
            raise StartupTimeoutError("the fake simulator did not start")
        return int(line.rsplit(":", 1)[1])

    def _require_settings(self, state: dict[str, Any]) -> None:
        """What ``envs.carla.session`` asks of a tick of CARLA."""
        before, self._frame = self._frame, int(state["frame"])
        if self._frame != before + 1 or state["tick_s"] != TICK_S:
            self.close()
            raise SettingsChangedError(
                f"the fake simulator gave frame {self._frame} after frame {before} and ticks of {state['tick_s']:g} s "
                f"(expected {TICK_S:g}): somebody changed its settings"
            )

    def _fail(self) -> None:
        fault = self._counter.due([Place.ADAPTER], self._tick, self._seed)
        if fault == "bug":
            raise ZeroDivisionError("a defect in the adapter")
        if fault == "stuck":
            time.sleep(3600)
        if fault == "worker-killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "worker-crash":
            os.kill(os.getpid(), signal.SIGSEGV)

    def _observed(self, state: dict[str, Any]) -> Observation:
        picture = state["picture"]
        row = np.linspace(0.0, 1.0, WIDTH) * picture["brightest"]
        found: Observation = {
            RGB: np.broadcast_to(row[:, None].astype(np.uint8), (picture["height"], WIDTH, 3)).copy(),
            SPEED: np.array(state["speed_mps"], np.float32),
            WAYPOINTS: np.array([(along, 0.0) for along in WAYPOINT_DISTANCES_M], np.float32),
        }
        return {key: found[key] for key in self._keys}

    def _info(self, state: dict[str, Any]) -> dict[str, Any]:
        pose = np.eye(4)
        pose[0, 3], pose[1, 3] = state["x_m"], state["y_m"]
        impulse = float(state["impulse_ns"])
        return {
            "ego_pose": pose,
            "speed_mps": float(state["speed_mps"]),
            "off_road": bool(state["off_road"]),
            "distance_m": self._distance_m,
            "frame": self._tick,
            "collision_impulse_ns": impulse,
            "collided_with": "static.wall" if impulse > 0.0 else "",
        }
