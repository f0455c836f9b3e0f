"""The race tracks of the benchmark: which are for training, which are held out, and the two directions."""

from dataclasses import dataclass

from sim2real_bench.errors import UnknownNameError


@dataclass(frozen=True)
class Track:
    """A race track and the direction it is driven in.

    Attributes:
        name: the engine's name of the track.
        reverse: drive it against the usual direction.

    Raises:
        UnknownNameError: the track is not one of ``TRACK_NAMES``.
    """

    name: str
    reverse: bool = False

    def __post_init__(self) -> None:
        # On arenas, and on tracks it cannot render, the engine ends its process without an exception.
        if self.name not in TRACK_NAMES:
            raise UnknownNameError(f"unknown SuperTuxKart track {self.name!r}; choose one of {', '.join(TRACK_NAMES)}")


def _both_directions(names: tuple[str, ...]) -> tuple[Track, ...]:
    return tuple(Track(name, reverse) for name in names for reverse in (False, True))


_TRAIN = (
    "lighthouse",
    "hacienda",
    "snowmountain",
    "scotland",
    "snowtuxpeak",
    "olivermath",
    "sandtrack",
    "fortmagma",
)
_HELD_OUT = ("zengarden", "xr591", "volcano_island", "gran_paradiso_island")

TRACK_NAMES = _TRAIN + _HELD_OUT
TRAIN_TRACKS = _both_directions(_TRAIN)
"""Tracks policies are trained on and data is collected on, in both directions."""
HELD_OUT_TRACKS = _both_directions(_HELD_OUT)
"""Tracks no training sees (caves, loops, bridges, other looks), in both directions."""
