"""Finds whole msgpack messages in a byte stream, and unpacks them only then.

A reader that unpacks as bytes arrive allocates what headers announce: a few nested ones cost it megabytes. Here a
message costs its own bytes until the last of them is there.
"""

from collections.abc import Iterator
from typing import Any

import msgpack

from sim2real_bench.envs.carla.embedded import wire

LARGE_BYTES = 65536
MAX_ELEMENTS = 200_000
_READ_AHEAD_BYTES = 131_072
_ARRAY_OF_FOUR = 0x94  # every request begins so


class MessageReader:
    """The messages of one connection."""

    def __init__(self) -> None:
        self._scanner = msgpack.Unpacker(max_buffer_size=wire.MAX_REQUEST_BYTES + _READ_AHEAD_BYTES)
        self._bytes = bytearray()
        self._taken = 0

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._bytes)

    def feed(self, data: bytes) -> None:
        """Add what came in.

        Raises:
            WireError: the message that has begun is too long.
        """
        if len(self._bytes) + len(data) > wire.MAX_REQUEST_BYTES + _READ_AHEAD_BYTES:
            raise wire.WireError(f"a message is longer than {wire.MAX_REQUEST_BYTES} bytes")
        self._scanner.feed(data)
        self._bytes += data

    def __iter__(self) -> Iterator[object]:
        """The messages that are complete.

        Raises:
            WireError: what came is no request.
            ValueError, msgpack.UnpackException: it is not msgpack, or not within the limits.
        """
        while self._bytes:
            if self._bytes[0] != _ARRAY_OF_FOUR:
                raise wire.WireError("what came is not a request")
            try:
                self._scanner.skip()
            except msgpack.OutOfData:
                return
            end = self._scanner.tell() - self._taken
            message = bytes(self._bytes[:end])
            del self._bytes[:end]
            self._taken += end
            yield unpack(message)


def unpack(message: bytes) -> object:
    """One message; those of a size that could hold very many elements are counted while they are unpacked."""
    count = _count_elements() if len(message) > LARGE_BYTES else None
    return msgpack.unpackb(
        message,
        raw=False,
        unicode_errors="surrogateescape",
        object_hook=_refuse_map,
        list_hook=count,
        max_str_len=wire.MAX_REQUEST_BYTES,
        max_bin_len=wire.MAX_TEXT,
        max_array_len=wire.MAX_LIST,
        max_map_len=0,
        max_ext_len=0,
    )


def _refuse_map(_: object) -> object:
    raise wire.WireError("a message holds a map; no call takes one")


def _count_elements() -> Any:
    total = 0

    def count(elements: list[object]) -> list[object]:
        nonlocal total
        total += 1 + len(elements)
        if total > MAX_ELEMENTS:
            raise wire.WireError(f"a message holds more than {MAX_ELEMENTS} elements")
        return elements

    return count
