"""The connection to a CARLA server: reached in time, of the right version, and its failures in our own words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sim2real_bench.envs.carla.backends import CLIENT_VERSION, Backend
from sim2real_bench.errors import (
    ConfigurationError,
    ConnectionLostError,
    MissingDependencyError,
    SimulatorError,
    StartupTimeoutError,
    StepTimeoutError,
)

_LOG = logging.getLogger(__name__)
# With few threads, callbacks of stopping sensors can starve the client into an abort.
_CLIENT_THREADS = 8


class SpawnBlockedError(SimulatorError):
    """An actor cannot be made where another one stands."""


class Connection:
    """A client of one server, connected when constructed.

    Args:
        backend: the server; the connection closes it.
        timeout_s: longest wait for the connection, and for each answer.

    Attributes:
        library: the ``carla`` module.
        client: its ``Client``.
        version: what the server reports.
        address: ``host:port``.

    Raises:
        ConnectionLostError: nothing listens there.
        StartupTimeoutError: something listens but does not answer as CARLA.
        ConfigurationError: the server or the client library has another version.
        MissingDependencyError: the client library is not installed.
    """

    def __init__(self, backend: Backend, timeout_s: float) -> None:
        self.backend = backend
        self.timeout_s = timeout_s
        self.address = f"{backend.host}:{backend.port}"
        try:
            self.library = _client_library()
            deadline = time.monotonic() + timeout_s
            self._await_port(deadline)
            self.client: Any = self.library.Client(backend.host, backend.port, _CLIENT_THREADS)
            self.client.set_timeout(max(deadline - time.monotonic(), 1.0))
            self.version = self._checked_version()
            self.client.set_timeout(timeout_s)
        except BaseException:
            backend.close()
            raise

    def _await_port(self, deadline: float) -> None:
        while not self.backend.alive():
            if time.monotonic() > deadline:
                raise ConnectionLostError(
                    f"no CARLA server listens at {self.address} (tried for {self.timeout_s:g} s); {self.backend.remedy}"
                )
            time.sleep(0.2)

    def _checked_version(self) -> str:
        try:
            version = str(self.client.get_server_version())
        except RuntimeError as error:
            raise StartupTimeoutError(
                f"{self.address} accepts connections but did not answer as a CARLA server within "
                f"{self.timeout_s:g} s ({error}); {self.backend.remedy}"
            ) from error
        library = str(self.client.get_client_version())
        if version != CLIENT_VERSION or library != CLIENT_VERSION:
            raise ConfigurationError(
                f"CARLA {CLIENT_VERSION} is needed on both sides, but the server at {self.address} is {version} and "
                f"the Python package is {library}; start that server, or pip install carla=={CLIENT_VERSION}"
            )
        return version

    @contextmanager
    def translated(self, operation: str, timeout_s: float | None = None) -> Iterator[None]:
        """Turn the client's RuntimeErrors into ours, with a time limit of its own if given.

        Raises:
            ConnectionLostError: the server is gone.
            StepTimeoutError: it did not answer in time.
            SpawnBlockedError: something stands where an actor was to be made.
            SimulatorError: it refused.
        """
        if self.backend.ended():  # the client would only find out by waiting
            raise self._gone(operation)
        if timeout_s is not None:
            self.client.set_timeout(timeout_s)
        try:
            yield
        except RuntimeError as error:
            raise self._translation(operation, timeout_s or self.timeout_s, error) from error
        finally:
            if timeout_s is not None:
                self.client.set_timeout(self.timeout_s)

    def _translation(self, operation: str, timeout_s: float, error: RuntimeError) -> SimulatorError:
        if not self.backend.alive():
            return self._gone(operation)
        if "time-out" in str(error):
            return StepTimeoutError(
                f"{operation}: the server at {self.address} did not answer within {timeout_s:g} s; "
                "look at its log, or raise timeout_s"
            )
        if "collision at spawn" in str(error):
            return SpawnBlockedError(f"{operation}: something stands at that place on {self.address}")
        return SimulatorError(f"{operation} failed on {self.address}: {error}")

    def _gone(self, operation: str) -> ConnectionLostError:
        return ConnectionLostError(f"{operation}: the server at {self.address} is gone; {self.backend.remedy}")

    def attempt(self, what: str, action: Callable[[], Any]) -> None:
        """Do a part of a clean-up; its failure is logged, so that the other parts are still done."""
        try:
            action()
        except RuntimeError as error:
            _LOG.warning("%s on %s failed: %s", what, self.address, error)


def _client_library() -> Any:
    try:
        import carla
    except ImportError as error:
        raise MissingDependencyError(
            f"the CARLA client library cannot be imported ({error}). "
            'Install it with: pip install "sim2real-bench[carla]" -c constraints.txt'
        ) from error
    return carla
