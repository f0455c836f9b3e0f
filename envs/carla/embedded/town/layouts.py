"""The street plans of the towns: junctions, and streets as polylines with rounded bends (right-handed, metres)."""

from __future__ import annotations

from dataclasses import dataclass

from sim2real_bench.errors import UnknownNameError

Point = tuple[float, float]


@dataclass(frozen=True)
class Bend:
    """A corner of a street that is rounded by an arc."""

    x: float
    y: float
    radius_m: float


@dataclass(frozen=True)
class Street:
    """A two-way street between two junctions.

    Attributes:
        start: name of a junction.
        end: name of a junction.
        bends: corners on the way.
        parking: sides with a parking lane: any of "l" and "r", seen from ``start``.
        centre_line: "solid" or "broken".
    """

    start: str
    end: str
    bends: tuple[Bend, ...] = ()
    parking: str = ""
    centre_line: str = "broken"


@dataclass(frozen=True)
class Layout:
    """A whole plan.

    Attributes:
        name: name of the map.
        junctions: centre of each junction.
        signalled: junctions with traffic lights.
        streets: the streets, in the order of their road ids.
        centre_colour: colour of the centre line.
        latitude_deg: where the map claims to lie.
    """

    name: str
    junctions: dict[str, Point]
    signalled: frozenset[str]
    streets: tuple[Street, ...]
    centre_colour: str
    latitude_deg: float


_MINI_TOWN_01 = Layout(
    name="MiniTown01",
    junctions={
        "B1": (85, 0), "C1": (168, 0), "A2": (0, 74), "B2": (85, 72), "C2": (168, 72), "D2": (252, 70),
        "A3": (0, 146), "B3": (85, 146), "C3": (168, 146), "D3": (252, 150), "B4": (85, 222), "C4": (168, 222),
    },
    signalled=frozenset({"B2", "C2", "C3", "A2"}),
    streets=(
        Street("B1", "A2", (Bend(0, 0, 22),), "l", "solid"),
        Street("B1", "C1", (Bend(108, 0, 28), Bend(127, -11, 22), Bend(146, 0, 28)), "", "solid"),
        Street("C1", "D2", (Bend(252, 0, 28),), "r"),
        Street("A2", "A3", (), "r"),
        Street("D2", "D3", (Bend(254, 110, 60),), "l"),
        Street("A3", "B4", (Bend(0, 222, 34),), ""),
        Street("D3", "C4", (Bend(252, 222, 20),), "lr", "solid"),
        Street("B4", "C4", (Bend(110, 222, 30), Bend(127, 231, 20), Bend(144, 222, 30)), "r"),
        Street("B1", "B2", (), "lr"),
        Street("C1", "C2", (), "r"),
        Street("A2", "B2", (), "lr"),
        Street("B2", "C2", (), "l"),
        Street("C2", "D2", (), "lr"),
        Street("B2", "B3", (), "r"),
        Street("C2", "C3", (), "lr"),
        Street("A3", "B3", (Bend(28, 146, 40), Bend(56, 152, 40)), "l"),
        Street("C3", "D3", (), "r"),
        Street("C3", "C4", (), "lr"),
        Street("B3", "B4", (), "l"),
    ),
    centre_colour="yellow",
    latitude_deg=49.0,
)  # fmt: skip

_MINI_TOWN_02 = Layout(
    name="MiniTown02",
    junctions={
        "b": (60, -9), "c": (122, -4), "d": (186, -12), "e": (-6, 56), "f": (54, 51), "g": (114, 58), "h": (178, 50),
        "j": (62, 113), "k": (123, 119), "l": (184, 112), "m": (244, 48),
    },
    signalled=frozenset({"f", "g", "h"}),
    streets=(
        Street("e", "b", (Bend(-2, -4, 18),), "r"),
        Street("e", "j", (Bend(-2, 118, 26),), ""),
        Street("b", "c", (), "l"),
        Street("c", "d", (Bend(152, -2, 50),), "lr"),
        Street("b", "f", (), "l"),
        Street("c", "g", (), "r"),
        Street("d", "h", (), "lr"),
        Street("e", "f", (), "r"),
        Street("f", "g", (), "lr"),
        Street("g", "h", (Bend(138, 60, 24), Bend(157, 50, 30)), ""),
        Street("f", "j", (Bend(53, 82, 60),), "r"),
        Street("g", "k", (), "l"),
        Street("h", "l", (), "r"),
        Street("j", "k", (), "lr"),
        Street("k", "l", (Bend(154, 121, 45),), "l"),
        Street("d", "m", (Bend(248, -18, 36),), "l", "solid"),
        Street("m", "l", (Bend(240, 110, 24),), "", "solid"),
        Street("h", "m", (), "lr"),
    ),
    centre_colour="white",
    latitude_deg=52.0,
)  # fmt: skip

_LAYOUTS = {layout.name: layout for layout in (_MINI_TOWN_01, _MINI_TOWN_02)}


def layout_named(name: str) -> Layout:
    """The street plan of a town.

    Raises:
        UnknownNameError: no such town.
    """
    if name not in _LAYOUTS:
        raise UnknownNameError(f"town {name!r} is unknown; the embedded towns are {', '.join(_LAYOUTS)}")
    return _LAYOUTS[name]
