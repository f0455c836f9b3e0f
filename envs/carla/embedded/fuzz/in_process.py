"""Malformed messages into the server's own reading code, without sockets: the bulk of a campaign."""

import asyncio
import gc
import logging
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import msgpack
import psutil

from sim2real_bench.envs.carla.embedded.fuzz.messages import Hostility, packed_call
from sim2real_bench.envs.carla.embedded.methods import build_methods
from sim2real_bench.envs.carla.embedded.rpc import RpcService
from sim2real_bench.envs.carla.embedded.scenery import SceneryLibrary
from sim2real_bench.envs.carla.embedded.streams import StreamHub
from sim2real_bench.envs.carla.embedded.town import Town
from sim2real_bench.envs.carla.embedded.world import World
from sim2real_bench.errors import MissingDependencyError

MESSAGES_PER_EPISODE = 500
_PACKAGE = "sim2real_bench.envs.carla.embedded"


@dataclass
class Report:
    """What came of the messages.

    Attributes:
        outcomes: messages by outcome.
        distinct: different messages among them.
        internal_errors: what the server logged as its own fault, by text.
        slowest_s: the longest that one message took, and ``slowest`` its beginning.
        memory: resident bytes after each tenth of the campaign.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    distinct: int = 0
    internal_errors: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest: bytes = b""
    memory: list[int] = field(default_factory=list)


class _Everything(StreamHub):
    """A hub all of whose streams are listened to, by nobody in particular."""

    def listening(self, stream: int) -> bool:
        """Every sensor must work."""
        return stream > 0


class _Writer:
    """Stands in for the ``asyncio.StreamWriter`` of a connection; keeps what was answered."""

    def __init__(self, unconnected: socket.socket) -> None:
        self.answers = b""
        self._socket = unconnected

    def write(self, data: bytes) -> None:
        self.answers += data

    async def drain(self) -> None:
        """Everything is sent at once."""

    def close(self) -> None:
        """There is nothing to close."""

    def get_extra_info(self, name: str) -> Any:
        return self._socket if name == "socket" else "fuzz"


class _ErrorCounter(logging.Handler):
    """Collects the server's own faults."""

    def __init__(self, errors: Counter[str]) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self._errors[f"{record.getMessage()}: {cause!r}"] += 1


def _no_renderer(_: Town) -> Any:
    raise MissingDependencyError("this campaign draws nothing")


def make_service(town: str = "MiniTown01") -> RpcService:
    """A service of a world without cameras."""
    return RpcService(World(SceneryLibrary(make_renderer=_no_renderer), _Everything(), town))


def run(count: int, seed: int, town: str = "MiniTown01") -> Report:
    """Send messages and report.

    Args:
        count: of messages.
        seed: of their random parts.
        town: the first map.
    """
    report = Report()
    log = logging.getLogger(_PACKAGE)
    counter, propagate = _ErrorCounter(report.internal_errors), log.propagate
    log.addHandler(counter)
    log.propagate = False  # refusals are what is wanted here
    try:
        asyncio.run(_campaign(make_service(town), count, Random(seed), report))
    finally:
        log.removeHandler(counter)
        log.propagate = propagate
    return report


async def _campaign(service: RpcService, count: int, random: Random, report: Report) -> None:
    hostility = Hostility(build_methods(service.world))
    process, seen = psutil.Process(), set()
    with socket.socket() as unconnected:
        for number in range(count):
            if number % MESSAGES_PER_EPISODE == 0:
                await send(service, packed_call("load_new_episode", ["", True, 0]), unconnected)
            message = hostility.message(random)
            seen.add(hash(message))
            started = time.perf_counter()
            report.outcomes[outcome(await send(service, message, unconnected))] += 1
            spent = time.perf_counter() - started
            if spent > report.slowest_s:
                report.slowest_s, report.slowest = spent, message[:200]
            if (number + 1) % max(1, count // 10) == 0:
                gc.collect()
                report.memory.append(process.memory_info().rss)
    report.distinct = len(seen)


async def send(service: RpcService, message: bytes, unconnected: socket.socket) -> bytes:
    """One connection that sends a message and ends; returns what it was answered."""
    reader, writer = asyncio.StreamReader(), _Writer(unconnected)
    reader.feed_data(message)
    reader.feed_eof()
    await service.serve(reader, cast(asyncio.StreamWriter, writer))
    return writer.answers


def outcome(answers: bytes) -> str:
    """What kind of answer a message got."""
    if not answers:
        return "connection closed"
    _, _, error, result = next(iter(_unpacked(answers)))
    if error is not None:
        return "unknown method"
    wrapped = result[0] if isinstance(result, list) and result else None
    refused = isinstance(wrapped, list) and len(wrapped) == 2 and (wrapped[0] is True or wrapped[0] == 0)
    return "refused" if refused else "answered"


def _unpacked(answers: bytes) -> msgpack.Unpacker:
    unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape")
    unpacker.feed(answers)
    return unpacker
