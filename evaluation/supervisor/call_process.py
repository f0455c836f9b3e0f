"""The program on the other side of a ``CallProcess``."""

from __future__ import annotations

import fcntl
import importlib
import os
import pickle
import select
from multiprocessing.connection import Connection
from typing import Any

from sim2real_bench.envs.health import Health
from sim2real_bench.errors import ConfigurationError, Sim2RealError

_pipe: Connection | None = None  # of this process, should it be such a program


def step(doing: str) -> None:
    """Give a sign of life: what comes next; nothing outside a ``CallProcess``."""
    if _pipe is not None:
        _pipe.send(("step", doing))


def probe(target: str, host: str, port: int, limits: dict[str, Any], expects: dict[str, Any]) -> Health:
    """Call the probe ``package.module:function`` (see ``envs.health``), with signs of life.

    Raises:
        ConfigurationError: there is no such function.
    """
    module, _, name = target.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"cannot import the probe {target!r}: {error}") from error
    health: Health = function(host, port, step, **limits, **expects)
    return health


def serve(descriptor: int) -> int:
    """Answer calls until the owner closes the pipe; returns the exit status."""
    global _pipe  # noqa: PLW0603  (``step`` is called by functions that know nothing of it)
    _die_with_owner()
    _pipe = pipe = Connection(descriptor)
    while True:
        try:
            message = pipe.recv_bytes()
        except (EOFError, ConnectionResetError):
            return 0
        try:
            answer = ("result", _call(message))
        except Exception as error:  # whatever it is, the caller decides
            answer = ("error", _sendable(error))
        try:
            pipe.send(answer)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            pipe.send(("error", ConfigurationError(f"the answer of a call cannot be sent: {error}")))


def _call(message: bytes) -> Any:
    try:
        function, arguments = pickle.loads(message)  # from the process that started this one
    except (AttributeError, ImportError) as error:
        raise ConfigurationError(f"{error}: a function called in another process must be importable by name") from error
    return function(*arguments)


def _sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # not every exception survives it
        return Sim2RealError(f"{type(error).__name__}: {error}")
    return error


def _die_with_owner() -> None:
    """Let the kernel end this process (SIGIO) when the other end of standard input closes, also inside a call."""
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0.0)[0]:  # it died before we could ask for that
        os._exit(1)
