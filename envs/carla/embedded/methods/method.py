"""What a remote method is: how its arguments are read, what it does and how the answer is wrapped."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sim2real_bench.envs.carla.embedded import wire

Parser = Callable[[object], Any]


class Reply(Enum):
    """How a method's result is wrapped."""

    VALUE = "value"
    VOID = "void"
    BARE = "bare"


@dataclass(frozen=True)
class Method:
    """A remote method.

    Attributes:
        call: takes the parsed arguments.
        arguments: one parser per argument.
        reply: the wrapping of the result.
        ticks: the call may advance the world, so streams must be ready first.
    """

    call: Callable[..., Any]
    arguments: tuple[Parser, ...] = ()
    reply: Reply = Reply.VALUE
    ticks: bool = False

    def invoke(self, arguments: list[Any]) -> Any:
        """Parse and call.

        Raises:
            WireError: wrong number or kind of arguments.
        """
        values = wire.array(arguments, "arguments", len(self.arguments))
        return self.call(*(parse(value) for parse, value in zip(self.arguments, values, strict=True)))


# -- parsers with names -----------------------------------------------------------------------------------------------


def flag(name: str) -> Parser:
    """Reads a boolean."""
    return lambda value: wire.flag(value, name)


def text(name: str, limit: int = wire.MAX_TEXT) -> Parser:
    """Reads a string."""
    return lambda value: wire.text(value, name, limit)


def integer(name: str, high: int = wire.MAX_U32) -> Parser:
    """Reads a whole number from 0."""
    return lambda value: wire.integer(value, name, 0, high)
