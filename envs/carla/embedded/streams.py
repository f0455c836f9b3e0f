"""Sensor streams: tokens, who listens to what, and bounded sending."""

import asyncio
import logging
import struct
import time
from collections import defaultdict

from sim2real_bench.envs.carla.embedded.connections import MAX_SUBSCRIBERS, Gate

_log = logging.getLogger(__name__)

WORLD_STREAM = 1
CONNECT_GRACE_S = 0.5
DRAIN_GRACE_S = 2.0
MAX_PENDING_STATE_BYTES = 2**20
MAX_PENDING_BYTES = 256 * 2**20
_TOKEN = struct.Struct("<IHBB16x")
_TCP = 1
_ADDRESS_OF_CLIENT = 0  # the client connects to the host it knows the server by
_SUBSCRIBE = struct.Struct("<I")
_SUBSCRIBE_TIMEOUT_S = 30.0
_POLL_S = 0.001
_IGNORED_BYTES = 4096


class _Subscriber:
    """One connection that listens to one stream."""

    def __init__(self, stream: int, transport: asyncio.WriteTransport) -> None:
        self.transport = transport
        # A sensor may be one message behind. World states are small, and a client that misses one can wait in vain.
        self._limit = MAX_PENDING_STATE_BYTES if stream == WORLD_STREAM else 1
        self.stalled = False

    @property
    def pending(self) -> int:
        """Bytes that wait to be sent."""
        return self.transport.get_write_buffer_size()

    @property
    def behind(self) -> bool:
        """As much as allowed waits to be sent already."""
        waiting = self.pending
        if waiting == 0:
            self.stalled = False
        return waiting >= self._limit

    def send(self, message: bytes) -> None:
        self.transport.write(message)


class StreamHub:
    """Hands out stream tokens and sends messages to the connections that asked for a stream.

    Stream ids are never used twice: a client that still listens to a destroyed sensor must not get another one's data.
    """

    def __init__(self, max_subscribers: int = MAX_SUBSCRIBERS) -> None:
        self.port = 0
        self.last_state = b""
        self.gate = Gate(max_subscribers, "stream connections")
        self._last_id = WORLD_STREAM
        self._subscribers: defaultdict[int, list[_Subscriber]] = defaultdict(list)
        self._awaited: dict[int, float] = {}
        self._arrival = asyncio.Event()

    def new_stream(self) -> int:
        """A fresh stream id."""
        self._last_id += 1
        return self._last_id

    def token(self, stream: int) -> bytes:
        """The 24 bytes with which a client finds a stream."""
        return _TOKEN.pack(stream, self.port, _TCP, _ADDRESS_OF_CLIENT)

    def listening(self, stream: int) -> bool:
        """Somebody is connected to a stream."""
        return bool(self._subscribers.get(stream))

    def expect(self, stream: int) -> None:
        """A client asked for a token and will connect now: ticks wait for it a moment, or it would miss a frame."""
        now = time.monotonic()
        self._awaited = {other: until for other, until in self._awaited.items() if until > now}
        self._awaited[stream] = now + CONNECT_GRACE_S

    def publish(self, stream: int, message: bytes) -> None:
        """Send a message to everybody who listens; who is too far behind does not get this one."""
        if stream == WORLD_STREAM:
            self.last_state = message
            self._shed()
        for subscriber in self._subscribers.get(stream, ()):
            if subscriber.behind:
                if not subscriber.stalled:
                    _log.warning("stream %d: a client reads too slowly, messages to it are dropped", stream)
                subscriber.stalled = True
            else:
                subscriber.send(message)

    def _shed(self) -> None:
        """Drop the connections that do not read, should all together hold more than the server can spare."""
        everyone = [subscriber for group in self._subscribers.values() for subscriber in group]
        pending = sum(subscriber.pending for subscriber in everyone)
        if pending <= MAX_PENDING_BYTES:
            return
        for subscriber in sorted(everyone, key=lambda one: one.pending, reverse=True):
            pending -= subscriber.pending
            subscriber.transport.abort()
            if pending <= MAX_PENDING_BYTES:
                break
        _log.warning("dropped connections that do not read: %d MiB waited for them", MAX_PENDING_BYTES // 2**20)

    async def settle(self) -> None:
        """Wait, within bounds, for awaited connections and for slow readers, so that the next tick loses nothing."""
        while self._awaited:
            remaining = max(self._awaited.values()) - time.monotonic()
            self._arrival.clear()
            try:
                await asyncio.wait_for(self._arrival.wait(), max(remaining, 0.0))
            except TimeoutError:
                self._awaited.clear()
        deadline = time.monotonic() + DRAIN_GRACE_S
        while self._congested() and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)

    def _congested(self) -> bool:
        everyone = (subscriber for group in self._subscribers.values() for subscriber in group)
        return any(subscriber.behind and not subscriber.stalled for subscriber in everyone)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one stream connection: read the stream id, then stay silent until the client leaves.

        Unknown and stale ids stay connected without data: a client that is cut off reconnects at once and for ever.
        """
        with self.gate.admit(writer) as admitted:
            if not admitted:
                return
            try:
                head = await asyncio.wait_for(reader.readexactly(_SUBSCRIBE.size), _SUBSCRIBE_TIMEOUT_S)
                await self._attend(_SUBSCRIBE.unpack(head)[0], reader, writer)
            except (TimeoutError, asyncio.IncompleteReadError, OSError) as error:
                _log.debug("stream connection ended: %r", error)

    async def _attend(self, stream: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        subscriber = _Subscriber(stream, writer.transport)
        self._join(stream, subscriber)
        try:
            while await reader.read(_IGNORED_BYTES):
                _log.debug("stream %d: unexpected data from the client is ignored", stream)
        finally:
            self._leave(stream, subscriber)

    def _join(self, stream: int, subscriber: _Subscriber) -> None:
        self._subscribers[stream].append(subscriber)
        self._awaited.pop(stream, None)
        self._arrival.set()
        if stream == WORLD_STREAM and self.last_state:
            # A client that joins a synchronous world would otherwise see no actor until somebody ticks.
            subscriber.send(self.last_state)

    def _leave(self, stream: int, subscriber: _Subscriber) -> None:
        self._subscribers[stream].remove(subscriber)
        if not self._subscribers[stream]:
            del self._subscribers[stream]
