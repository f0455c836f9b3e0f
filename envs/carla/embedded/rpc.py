"""Remote procedure calls: msgpack requests in, wrapped answers out, in the order they came."""

import asyncio
import logging
import time
from typing import Any

import msgpack

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.connections import MAX_CALLERS, Gate
from sim2real_bench.envs.carla.embedded.framing import MessageReader
from sim2real_bench.envs.carla.embedded.methods import Method, Reply, build_methods
from sim2real_bench.envs.carla.embedded.world import World
from sim2real_bench.errors import Sim2RealError

_log = logging.getLogger(__name__)

MAX_HELD_BYTES = 64 * 2**20
TURN_S = 0.005
_READ_BYTES = 65536
_RESPONSE = 1


class RpcService:
    """Answers the calls of all clients of one world.

    Attributes:
        world: what they act on.
        gate: counts the connections.
        held: bytes of unfinished messages, all connections together.
    """

    def __init__(self, world: World, max_callers: int = MAX_CALLERS) -> None:
        self.world = world
        self.gate = Gate(max_callers, "clients")
        self.held = 0
        self._methods = build_methods(world)
        self._reported: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection until it ends; what is not a request ends it."""
        peer = writer.get_extra_info("peername")
        with self.gate.admit(writer) as admitted:
            if not admitted:
                return
            _log.debug("client %s connected", peer)
            try:
                await self._serve(reader, writer)
            except ConnectionError as error:
                _log.debug("client %s: %r", peer, error)
            except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
                # msgpack reports malformed input by all of these; there is no way back into step with the sender.
                _log.warning("client %s sent a malformed message, closing its connection: %s", peer, error)
            except Exception:
                _log.exception("client %s: internal error, closing its connection", peer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages = MessageReader()
        held = 0
        try:
            while data := await reader.read(_READ_BYTES):
                turn_ends = time.monotonic() + TURN_S
                messages.feed(data)
                for message in messages:
                    writer.write(await self.answer(message))
                    self._sense()
                    await writer.drain()
                    if (
                        time.monotonic() > turn_ends
                    ):  # a client that sends faster than it is served must not starve others
                        await asyncio.sleep(0)
                        turn_ends = time.monotonic() + TURN_S
                self.held += messages.held - held
                held = messages.held
                if held and self.held > MAX_HELD_BYTES:
                    raise wire.WireError("too much is waiting in unfinished messages of all clients together")
        finally:
            self.held -= held

    async def answer(self, message: object) -> bytes:
        """The response to one message, packed.

        Raises:
            WireError: the message is not a request, so there is nothing to answer to.
        """
        call = wire.request(message)
        method = self._methods.get(call.name)
        if method is None:
            self._report(call.name, "unknown method")
            return _pack(call.message_id, f"unknown method {call.name!r}", None)
        if method.ticks:
            await self.world.hub.settle()
        try:
            return _pack(call.message_id, None, _success(method, method.invoke(call.arguments)))
        except Sim2RealError as error:
            self._report(call.name, str(error), call.wait)
            result = _failure(method, str(error))
        except Exception as error:
            # A fault of ours must not take the other clients' world down with it.
            _log.exception("internal error in %s", call.name)
            result = _failure(method, f"internal error in {call.name}: {type(error).__name__}: {error}")
        return _pack(call.message_id, None, result)

    def _sense(self) -> None:
        """Let the sensors of a tick work once its caller has his answer: he goes on while pictures are drawn."""
        try:
            self.world.sense()
        except Sim2RealError as error:
            _log.warning("sensors: %s", error)
        except Exception:
            _log.exception("internal error in a sensor")

    def _report(self, name: str, problem: str, wait: bool = False) -> None:
        """Log a refusal; of calls that nobody waits for only the first of each kind, for they may come every tick."""
        if wait or name in self._reported:
            _log.debug("%r: %s", name, problem)
            return
        if name in self._methods:  # others have no end, and the log is thinned out anyway
            self._reported.add(name)
        _log.warning("%r: %s", name, problem)


def _success(method: Method, value: Any) -> Any:
    if method.reply is Reply.VOID:
        return [[False]]
    return value if method.reply is Reply.BARE else [[1, value]]


def _failure(method: Method, text: str) -> Any:
    if method.reply is Reply.BARE:
        return []
    return [[True, [text]]] if method.reply is Reply.VOID else [[0, [text]]]


def _pack(message_id: int, error: str | None, result: Any) -> bytes:
    packed: bytes = msgpack.packb([_RESPONSE, message_id, error, result], unicode_errors="surrogateescape")
    return packed
