"""Attributes of blueprints: their types, their ranges, and the check of a client's text."""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sim2real_bench.errors import ConfigurationError


class AttributeType(IntEnum):
    """Type codes of blueprint attributes in 0.9.16."""

    BOOL = 1
    INT = 2
    FLOAT = 3
    STRING = 4
    COLOUR = 5


@dataclass(frozen=True)
class Attribute:
    """One attribute of a blueprint; the first recommended value is the default.

    Attributes:
        name: its id.
        type: how its text reads.
        recommended: values, as text.
        modifiable: a client may set it.
        low: smallest number allowed.
        high: largest number allowed.
        restricted: only the recommended values are allowed.
    """

    name: str
    type: AttributeType
    recommended: tuple[str, ...]
    modifiable: bool = True
    low: float = -math.inf
    high: float = math.inf
    restricted: bool = False

    def wire(self) -> list[Any]:
        """``[id, type, value, recommended, modifiable, restrict to recommended]``."""
        choices = list(self.recommended) if self.modifiable else []
        return [self.name, int(self.type), self.recommended[0], choices, self.modifiable, self.restricted]

    def normal(self, value: str) -> str:
        """A value's text as ``check`` accepts it, integers without a fraction.

        Raises:
            ConfigurationError: as ``check``.
        """
        self.check(value)
        return str(_whole(value)) if self.type is AttributeType.INT else value

    def check(self, value: str) -> None:
        """Accept a value's text.

        Raises:
            ConfigurationError: it does not read as the type, or is out of range.
        """
        try:
            numbers = self._numbers(value)
        except ValueError as error:
            raise ConfigurationError(f"attribute {self.name}={value!r} is not a {self.type.name.lower()}") from error
        if not all(math.isfinite(entry) and self.low <= entry <= self.high for entry in numbers):
            raise ConfigurationError(f"attribute {self.name}={value!r} is outside {self.low:g} to {self.high:g}")
        if not self.modifiable and value != self.recommended[0]:
            raise ConfigurationError(f"attribute {self.name} is fixed to {self.recommended[0]!r}, got {value!r}")
        if self.restricted and value not in self.recommended:
            raise ConfigurationError(
                f"attribute {self.name}={value!r} is unknown; choose one of {', '.join(self.recommended)}"
            )

    def _numbers(self, value: str) -> list[float]:
        if self.type is AttributeType.BOOL and value.lower() not in ("true", "false"):
            raise ValueError(value)
        if self.type is AttributeType.INT:
            return [_whole(value)]
        if self.type is AttributeType.FLOAT:
            return [float(value)]
        if self.type is AttributeType.COLOUR:
            return [float(channel) for channel in colour(value)]
        return []


def _whole(value: str) -> int:
    """An integer, also where a client wrote it as ``64.0``."""
    whole, point, fraction = value.partition(".")
    return int(whole if point and not fraction.strip("0") else value)


def colour(value: str) -> tuple[int, int, int]:
    """Red, green and blue of ``"r,g,b"``.

    Raises:
        ValueError: the text holds something else than three numbers from 0 to 255.
    """
    red, green, blue = (int(channel) for channel in value.split(","))
    if not all(0 <= channel <= 255 for channel in (red, green, blue)):
        raise ValueError(value)
    return red, green, blue
