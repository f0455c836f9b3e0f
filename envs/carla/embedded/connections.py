"""Listening sockets, and limits on the connections they take."""

import asyncio
import contextlib
import ipaddress
import logging
import resource
import socket
from collections.abc import Iterator

from sim2real_bench.errors import ConfigurationError, SimulatorError

_log = logging.getLogger(__name__)

BACKLOG = 128
MAX_CALLERS = 512
MAX_SUBSCRIBERS = 4096
_RESERVED_DESCRIPTORS = 128
_KEEPALIVE_IDLE_S, _KEEPALIVE_INTERVAL_S, _KEEPALIVE_PROBES = 60, 15, 4


def listen(host: str, port: int, purpose: str) -> socket.socket:
    """A listening socket, made before the town is built: a taken port is told at once, and early clients wait.

    Args:
        host: name or address to bind.
        port: 0 = any free one.
        purpose: what the port is for, for the error message.

    Raises:
        SimulatorError: the port is taken or not allowed, or the host is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise SimulatorError(f"cannot bind {host!r}: {error}; choose an address of this machine (127.0.0.1)") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise SimulatorError(f"cannot listen on {host}:{port} {purpose}: {_remedy(error, host)}") from error
    return listening


def _remedy(error: OSError, host: str) -> str:
    advice = "choose another port (0 = any free one) or end what uses it"
    if isinstance(error, PermissionError):
        advice = "choose a port above 1023 (0 = any free one)"
    elif error.errno == 99:  # EADDRNOTAVAIL
        advice = f"{host} is no address of this machine; choose 127.0.0.1, or 0.0.0.0 for all of its addresses"
    return f"{error.strerror or error}; {advice}"


def warn_if_public(listening: socket.socket) -> None:
    """Say so when others than this machine can reach a socket."""
    host = listening.getsockname()[0]
    if not ipaddress.ip_address(host).is_loopback:
        _log.warning("bound to %s: anybody who reaches this address controls the server, it knows no passwords", host)


def raise_descriptor_limit() -> int:
    """Allow this process as many open files as it may have; returns how many connections fit into that."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # the soft limit then stays as it is
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_CALLERS + MAX_SUBSCRIBERS
    return soft - min(_RESERVED_DESCRIPTORS, soft // 2)


class Gate:
    """Takes a limited number of connections of one kind, and notices those whose other end has vanished."""

    def __init__(self, limit: int, kind: str) -> None:
        """Make a gate.

        Args:
            limit: of connections at the same time.
            kind: what they are, in the plural, for the log.
        """
        if limit < 1:
            raise ConfigurationError(f"a limit of {limit} {kind} lets nobody in; allow this process more open files")
        self.limit = limit
        self.count = 0
        self._kind = kind

    @contextlib.contextmanager
    def admit(self, writer: asyncio.StreamWriter) -> Iterator[bool]:
        """Count a connection while it lasts and close it at the end; yields whether it is let in."""
        admitted = self.count < self.limit
        self.count += 1
        try:
            if admitted:
                _keep_alive(writer)
            else:
                _log.warning("refused %s: there are %d %s already", _peer(writer), self.limit, self._kind)
            yield admitted
        finally:
            self.count -= 1
            writer.close()


def _peer(writer: asyncio.StreamWriter) -> object:
    return writer.get_extra_info("peername")


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Probe an idle connection: a machine that lost its power never says goodbye."""
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it has ended already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
