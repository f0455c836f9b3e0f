"""Ask a CoppeliaSim, through the genuine remote API client, whether it works: version, scene, ticks, one frame."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sim2real_bench.envs.health import Health
from sim2real_bench.errors import (
    ConfigurationError,
    ConnectionLostError,
    MissingDependencyError,
    SimulatorError,
    StepTimeoutError,
)

OLDEST_VERSION = 40600  # 4.6.0: the first with the remote API's second protocol
_POLL_S = 0.1
_SIDE = 32  # pixels of the test picture
_EXPLICIT_PERSPECTIVE = 1 | 2  # options of a vision sensor: drawn when asked to, with perspective
_NEAR_M, _FAR_M, _ANGLE_RAD, _SIZE_M = 0.01, 10.0, 1.0, 0.1


def check(
    host: str,
    port: int,
    step: Callable[[str], None],
    *,
    frame: bool,
    ticks: int,
    start_timeout_s: float,
    timeout_s: float,
    objects: Sequence[str] = (),
) -> Health:
    """See ``envs.health.Probe``; a simulation that somebody else runs is not ticked.

    Args:
        host: where it listens.
        port: of its remote API.
        step: told what comes next.
        frame: check the scene and take one picture.
        ticks: how many to try.
        start_timeout_s: longest wait for the first answer.
        timeout_s: longest wait for each further answer.
        objects: paths that the scene must have, with ``frame``.
    """
    address = f"{host}:{port}"
    step(f"connecting to {address}")
    deadline = time.monotonic() + start_timeout_s
    _await_port(host, port, deadline)
    with _api(host, port, max(deadline - time.monotonic(), 1.0)) as (sim, wait):
        step(f"asking {address} for its version")
        version = _version(sim, address)
        wait(timeout_s)
        rate = 0.0
        if ticks and sim.getSimulationState() == sim.simulation_stopped:
            step(f"ticking the scene at {address}")
            rate = _tick_rate(sim, ticks, timeout_s)
        if frame:
            step(f"looking at the scene of {address}")
            _require(sim, objects, address)
            _take_picture(sim)
        place = f"{len(sim.getObjectsInTree(sim.handle_scene))} objects" if frame else ""
        return Health(version, place, rate)


def _await_port(host: str, port: int, deadline: float) -> None:
    while True:
        try:
            socket.create_connection((host, port), timeout=_POLL_S).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise ConnectionLostError(f"nothing listens at {host}:{port} ({error})") from error
        time.sleep(_POLL_S)


@contextmanager
def _api(host: str, port: int, timeout_s: float) -> Iterator[tuple[Any, Callable[[float], None]]]:
    """The namespace ``sim``, and what changes the longest wait for an answer; the client's errors become ours."""
    try:
        import coppeliasim_zmqremoteapi_client as library
        import zmq
    except ImportError as error:
        raise MissingDependencyError(
            f"CoppeliaSim's client library cannot be imported ({error}). "
            'Install it with: pip install "sim2real-bench[coppelia]" -c constraints.txt'
        ) from error
    client = library.RemoteAPIClient(host, port)
    client.socket.setsockopt(zmq.LINGER, 0)  # else the process cannot end while a question is unanswered

    def wait(seconds: float) -> None:
        client.socket.setsockopt(zmq.RCVTIMEO, round(1000 * seconds))

    wait(timeout_s)
    try:
        yield client.require("sim"), wait
    except zmq.ZMQError as error:  # after one late answer, every further question on the socket is an error
        raise StepTimeoutError(f"CoppeliaSim at {host}:{port} did not answer in time") from error
    except Exception as error:
        if type(error) is Exception or isinstance(error, AttributeError):  # what the client raises when it is refused
            raise SimulatorError(f"CoppeliaSim at {host}:{port}: {error}") from error
        raise
    finally:
        client.socket.close()
        client.context.term()


def _version(sim: Any, address: str) -> str:
    number = int(sim.getInt32Param(sim.intparam_program_version))
    version = f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    if number < OLDEST_VERSION:
        raise ConfigurationError(f"CoppeliaSim at {address} is {version}; 4.6.0 or newer is needed, start that one")
    return version


def _tick_rate(sim: Any, ticks: int, timeout_s: float) -> float:
    """Steps per second, by the fastest; the simulation is stopped again afterwards."""
    sim.setStepping(True)
    sim.startSimulation()
    try:
        return max(1.0 / _step_s(sim) for _ in range(ticks))
    finally:
        sim.stopSimulation()
        deadline = time.monotonic() + timeout_s
        while sim.getSimulationState() != sim.simulation_stopped:
            if time.monotonic() > deadline:
                raise StepTimeoutError(f"the simulation did not stop within {timeout_s:g} s")
            time.sleep(_POLL_S)


def _step_s(sim: Any) -> float:
    before = float(sim.getSimulationTime())
    started = time.perf_counter()
    sim.step()
    seconds = time.perf_counter() - started
    after = float(sim.getSimulationTime())
    if after <= before:
        raise SimulatorError(f"a step went from {before:g} s to {after:g} s")
    return seconds


def _require(sim: Any, objects: Sequence[str], address: str) -> None:
    missing = [path for path in objects if int(sim.getObject(path, {"noError": True})) < 0]
    if missing:
        raise ConfigurationError(f"the scene at {address} has no {', '.join(missing)}; load the right one at the start")


def _take_picture(sim: Any) -> None:
    floats = [_NEAR_M, _FAR_M, _ANGLE_RAD, _SIZE_M, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    sensor = sim.createVisionSensor(_EXPLICIT_PERSPECTIVE, [_SIDE, _SIDE, 0, 0], floats)
    try:
        sim.handleVisionSensor(sensor)
        image, size = sim.getVisionSensorImg(sensor)
        if list(size) != [_SIDE, _SIDE] or len(image) != 3 * _SIDE * _SIDE:
            raise SimulatorError(f"a picture of {_SIDE}x{_SIDE} pixels came as {len(image)} bytes, {list(size)}")
    finally:
        sim.removeObjects([sensor])
