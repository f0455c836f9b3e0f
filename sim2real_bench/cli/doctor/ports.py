"""Trials of ports: free, or taken by whom."""

import errno
import socket
from collections.abc import Iterable

import psutil

from sim2real_bench.cli.doctor.check import Finding, Settings, weak, works

_TRAFFIC_MANAGER_PORT = 8000


def carla_ports(settings: Settings) -> Finding:
    """Ports of a CARLA server that would be started here: calls, streams, a second server's, Traffic Manager."""
    first = settings.carla_port
    remedy = f"if it is a CARLA: sim2real-bench evaluate --backend server --port {first}; if not, end that process"
    return _ports((*range(first, first + 3), _TRAFFIC_MANAGER_PORT), remedy)


def coppelia_ports(settings: Settings) -> Finding:
    """The port of CoppeliaSim's remote API, for one that would be started here."""
    remedy = "start yours on another port: coppeliaSim.sh -h -GzmqRemoteApi.rpcPort=PORT; or end that process"
    return _ports((settings.coppelia_port,), remedy)


def _ports(numbers: Iterable[int], remedy: str) -> Finding:
    numbers = tuple(numbers)
    taken = {number: reason for number in numbers if (reason := why_taken(number))}
    free = ", ".join(_ranges(number for number in numbers if number not in taken))
    if not taken:
        return works(f"{free} free")
    words = "; ".join(f"{number} taken by {who}" for number, who in taken.items())
    return weak(f"{words}{f'; {free} free' if free else ''}", remedy)


def why_taken(port: int) -> str:
    """Who keeps a TCP port of this machine from being bound; "" when it is free."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
            # As servers do: connections that linger from an earlier server do not count.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("", port))
            trial.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _owner(port)
        return f"nobody, but it cannot be bound ({error.strerror})"
    return ""


def _owner(port: int) -> str:
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return _described(connection.pid)
    return f"a process one cannot see from here (sudo ss -ltnp 'sport = :{port}' names it)"


def _described(pid: int | None) -> str:
    if pid is None:
        return "another user's process (run doctor as root to see it)"
    try:
        process = psutil.Process(pid)
        return f"{process.name()} (process {pid} of {process.username()})"
    except psutil.Error:
        return f"process {pid}"


def _ranges(numbers: Iterable[int]) -> list[str]:
    """``2000, 2001, 2002, 8000`` as ``["2000-2002", "8000"]``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
