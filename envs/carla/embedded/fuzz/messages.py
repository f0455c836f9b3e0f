"""Malformed messages: calls that are nearly right, calls that are not, and bytes that are no calls.

Everything random is drawn from a ``random.Random``, so a seed repeats a campaign, and Hypothesis can drive it as well.
"""

import math
from collections.abc import Mapping
from random import Random
from typing import Any

import msgpack

from sim2real_bench.envs.carla.embedded.fuzz.shapes import accepted_arguments
from sim2real_bench.envs.carla.embedded.methods import Method

_ODD_VALUES: tuple[Any, ...] = (
    0, -1, 1, 255, 65536, 2**31, 2**32 - 1, 2**32, 2**63 - 1, -(2**63), 2**64 - 1, 1e-45, 1e6, 1e38, -1e300,
    math.nan, math.inf, -math.inf, None, True, False, b"", b"\xff" * 24, [], [[]], [None], {},
    "", "\x00", "a" * 5000, "../../../etc/passwd", "%s%n", "\udc80\udcff", "MiniTown02", "true", "1e999", "नमस्ते\n",
)  # fmt: skip
_HEADERS = (
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x05", b"\xdc\xff\xff", b"\xc1", b"\xd9\xff",
)  # fmt: skip
_ENVELOPE = b"\x94\x00\x01\xa8tick_cue"
_BOUNDS = (10, 1000, 2**16, 2**32, 2**64)


def value(random: Random, depth: int = 3) -> Any:
    """Any small tree of values: ordinary ones, extreme ones and those of a wrong type."""
    kind = random.randrange(8)
    if kind < 3:
        return _copy(random.choice(_ODD_VALUES))
    if kind == 3:
        return random.randrange(random.choice(_BOUNDS))
    if kind == 4:
        return random.uniform(-1.0, 1.0) * 10.0 ** random.randrange(-3, 9)
    if kind == 5:
        return "".join(chr(random.randrange(32, 0x2FF)) for _ in range(random.randrange(8)))
    if kind == 6:
        return random.randrange(40)
    return [value(random, depth - 1) for _ in range(random.randrange(6))] if depth else []


class Hostility:
    """Makes malformed messages for a table of remote methods."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self._names = sorted(methods)
        self._arguments = accepted_arguments(methods)
        self._callable = sorted(self._arguments)

    def message(self, random: Random) -> bytes:
        """What a hostile client sends: six calls to one piece of garbage."""
        return self.garbage(random) if random.randrange(7) == 0 else self.call(random)

    def call(self, random: Random) -> bytes:
        """A call: accepted arguments with some changes, random arguments, or an odd envelope."""
        kind = random.randrange(8)
        if kind < 5:
            return self._changed(random)
        name = random.choice(self._names)
        if kind == 5:
            return packed_call(name, [value(random) for _ in range(random.randrange(6))])
        if kind == 6:
            return _pack([value(random), value(random), random.choice((name, value(random))), value(random)])
        return packed_call("".join(chr(random.randrange(32, 0x2FF)) for _ in range(random.randrange(300))), [])

    def garbage(self, random: Random) -> bytes:
        """No call: random, cut or bent bytes, nesting without end, or headers that promise gigabytes."""
        kind = random.randrange(8)
        if kind == 0:
            return random.randbytes(random.randrange(1, 60))
        if kind == 1:
            call = self.call(random)
            return call[: random.randrange(1, len(call) + 1)]
        if kind in (2, 3):
            return _bent(random, self.call(random))
        if kind == 4:
            return _ENVELOPE + b"\x91" * random.choice((10, 500, 2000, 100_000))
        if kind == 5:
            return _ENVELOPE + b"\xdc\x0f\xff" * random.choice((1, 400, 900, 2000))
        if kind == 6:
            return _ENVELOPE + b"\x92\x91\xc3" + random.choice(_HEADERS) + random.randbytes(random.randrange(20))
        sizes = (5000, 5000, 5000, 200_000, 2**20, 9 * 2**20) if random.randrange(20) == 0 else (5000,)
        return packed_call("get_required_files", ["x" * random.choice(sizes)])

    def _changed(self, random: Random) -> bytes:
        """Accepted arguments, some of whose parts, at any depth, are replaced, dropped, doubled or wrapped.

        One in eight stays as it is, so that there are actors to be hurt.
        """
        name = random.choice(self._callable)
        tree: list[Any] = [_copy(random.choice(known)) if known else value(random) for known in self._arguments[name]]
        for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 4))):
            _change(random, tree)
        return packed_call(name, tree)


def packed_call(name: str, arguments: list[Any]) -> bytes:
    """A request as a client sends it."""
    return _pack([0, 1, name, [[False], *arguments]])


def _pack(content: Any) -> bytes:
    packed: bytes = msgpack.packb(content, unicode_errors="surrogateescape")
    return packed


def _copy(tree: Any) -> Any:
    return [_copy(element) for element in tree] if isinstance(tree, list) else tree


def _change(random: Random, tree: list[Any]) -> None:
    spots = [(parent, index) for parent in _lists(tree) for index in range(len(parent))]
    if not spots:
        tree.append(value(random))
        return
    parent, index = random.choice(spots)
    kind = random.randrange(6)
    if kind < 3:
        parent[index] = value(random)
    elif kind == 3:
        del parent[index]
    elif kind == 4:
        parent.append(_copy(parent[index]))
    else:
        parent[index] = [parent[index]]


def _lists(tree: list[Any]) -> list[list[Any]]:
    """A nested list and all lists in it."""
    found = [tree]
    for element in tree:
        if isinstance(element, list):
            found += _lists(element)
    return found


def _bent(random: Random, call: bytes) -> bytes:
    bent = bytearray(call)
    for _ in range(random.randrange(1, 5)):
        bent[random.randrange(len(bent))] = random.randrange(256)
    return bytes(bent)
