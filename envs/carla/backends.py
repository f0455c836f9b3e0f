"""What answers behind the environment: a CARLA server somewhere, or the embedded server in a process of its own."""

import socket
from collections.abc import Callable
from typing import Protocol

from sim2real_bench import __version__
from sim2real_bench.errors import ConfigurationError

DEFAULT_PORT = 2000
CLIENT_VERSION = "0.9.16"
_CONNECT_TIMEOUT_S = 2.0


class Backend(Protocol):
    """A server that can be connected to.

    Attributes:
        name: ``"server"`` or ``"embedded"``.
        host: where its RPC port is.
        port: its RPC port.
        remedy: what to do when it does not answer.
    """

    name: str
    host: str
    port: int
    remedy: str

    def version(self, protocol: str) -> str:
        """How results name it, given the version the server reports."""

    def alive(self) -> bool:
        """Whether its port accepts connections."""

    def ended(self) -> bool:
        """Whether it is known, without asking the network, that it runs no more."""

    def close(self) -> None:
        """End what was started; safe to call twice."""


class ServerBackend:
    """A CARLA server that somebody else started and that outlives the environment."""

    name = "server"

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.remedy = (
            f"is a server running there? Start CARLA {CLIENT_VERSION} with './CarlaUE4.sh -RenderOffScreen "
            f"-carla-rpc-port={port}' or the embedded one with 'sim2real-bench serve carla --port {port}'"
        )

    def version(self, protocol: str) -> str:
        """See ``Backend``."""
        return f"server {protocol}"

    def alive(self) -> bool:
        """See ``Backend``."""
        return port_accepts(self.host, self.port)

    def ended(self) -> bool:
        """See ``Backend``."""
        return False

    def close(self) -> None:
        """See ``Backend``; the server is not ours to end."""


class EmbeddedBackend:
    """An embedded server of our own, one per environment.

    Raises:
        StartupTimeoutError, SimulatorError: it did not start; the message holds the end of its log.
    """

    name = "embedded"

    def __init__(self, town: str) -> None:
        from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess

        self._process = EmbeddedServerProcess(town=town)
        self.host, self.port = self._process.host, self._process.port
        self.remedy = "the embedded server has ended; reset() starts a new one"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def version(self, protocol: str) -> str:
        """See ``Backend``."""
        return f"embedded {__version__} (protocol {protocol})"

    def alive(self) -> bool:
        """See ``Backend``."""
        return not self.ended() and port_accepts(self.host, self.port)

    def ended(self) -> bool:
        """See ``Backend``."""
        return not self._process.alive()

    def close(self) -> None:
        """See ``Backend``."""
        self._process.close()


class AttachedEmbeddedBackend:
    """An embedded server that somebody else started (a supervisor) and that outlives the environment.

    One connection over which nothing is ever said tells, without any delay, that the server has ended.
    """

    name = "embedded"

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.remedy = "whoever started the embedded server must start it again"
        self._lifeline: socket.socket | None = None

    def version(self, protocol: str) -> str:
        """See ``Backend``."""
        return f"embedded {__version__} (protocol {protocol})"

    def alive(self) -> bool:
        """See ``Backend``."""
        if self._lifeline is None:
            try:
                self._lifeline = socket.create_connection((self.host, self.port), timeout=_CONNECT_TIMEOUT_S)
            except OSError:
                return False
            self._lifeline.setblocking(False)
        return not self.ended()

    def ended(self) -> bool:
        """See ``Backend``."""
        if self._lifeline is None:
            return False
        try:
            return not self._lifeline.recv(1)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        """See ``Backend``; the server is not ours to end."""
        if self._lifeline is not None:
            self._lifeline.close()


def backend_factory(name: str, host: str, port: int | None) -> Callable[[str], Backend]:
    """What starts or names the backend, given the town to start with.

    The embedded backend starts a server of its own, or with ``port`` uses the embedded server that runs there.

    Raises:
        ConfigurationError: an unknown backend.
    """
    if name == "server":
        return lambda town: ServerBackend(host, DEFAULT_PORT if port is None else port)
    if name == "embedded":
        return EmbeddedBackend if port is None else lambda town: AttachedEmbeddedBackend(host, port)
    raise ConfigurationError(f"backend={name!r} is unknown; choose 'embedded' or 'server'")


def port_accepts(host: str, port: int) -> bool:
    """Whether something listens at a TCP port."""
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False
