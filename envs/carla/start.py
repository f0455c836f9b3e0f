"""How an episode begins: weather, spawn point and the seed of the route, drawn or given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim2real_bench.envs.carla.weather import WEATHERS, weather_named
from sim2real_bench.errors import ConfigurationError

_OPTIONS = ("spawn_index", "weather", "town")


@dataclass(frozen=True)
class Draw:
    """The random numbers of one episode; always the same ones for a seed, whatever is given beside it.

    Attributes:
        weather: name from ``WEATHERS``.
        spawn_seed: orders the spawn points.
        route_seed: draws the turns of the reference route.
    """

    weather: str
    spawn_seed: int
    route_seed: int

    @classmethod
    def sample(cls, generator: np.random.Generator) -> Draw:
        """Draw once from the environment's generator."""
        weather = list(WEATHERS)[int(generator.integers(len(WEATHERS)))]
        spawn_seed, route_seed = (int(number) for number in generator.integers(2**32, size=2))
        return cls(weather, spawn_seed, route_seed)


@dataclass(frozen=True)
class StartOptions:
    """The options of ``reset``; None is drawn (the town: the environment's own)."""

    spawn_index: int | None = None
    weather: str | None = None
    town: str | None = None

    @classmethod
    def parse(cls, options: Mapping[str, Any] | None) -> StartOptions:
        """Read and check a dict from outside.

        Raises:
            ConfigurationError: an unknown option or weather.
        """
        given = dict(options or {})
        unknown = sorted(set(given) - set(_OPTIONS))
        if unknown:
            raise ConfigurationError(f"reset option {unknown[0]!r} is unknown; known: {', '.join(_OPTIONS)}")
        if given.get("weather") is not None:
            weather_named(given["weather"])
        return cls(**given)


def spawn_order(town: str, count: int, given: int | None, seed: int) -> tuple[int, ...]:
    """The spawn points to try, in order: the given one alone, or all of them shuffled by the seed.

    Raises:
        ConfigurationError: the town has no such spawn point.
    """
    if given is None:
        return tuple(int(index) for index in np.random.default_rng(seed).permutation(count))
    if not 0 <= given < count:
        raise ConfigurationError(f"spawn_index={given}: town {town} has the spawn points 0 to {count - 1}")
    return (int(given),)
