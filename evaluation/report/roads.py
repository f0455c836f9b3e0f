"""The roads of a town as outlines, read from its OpenDRIVE text alone: no simulator, no client library.

Only the ground plan is read (ASAM OpenDRIVE 1.8, chapters 9 to 11): the reference lines of the plan view, lane offsets
and lane widths. Heights, signals and links do not matter for a map that is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from sim2real_bench import envs
from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.plan import Configuration
from sim2real_bench.untrusted import read_bounded

Float = npt.NDArray[np.float64]

# By its path: importing the package of the towns would import what builds them, and that is not installed everywhere.
_MAPS = Path(str(envs.__file__)).parent / "carla" / "embedded" / "town" / "maps"
_STEP_M = 1.0  # between two cross-sections
_FINE_M = 0.1  # between two steps of the integration along bends
_LARGEST_BYTES = 64 << 20
_LONGEST_M = 200_000.0
_SURFACES = {
    "driving": "carriageway", "bidirectional": "carriageway", "entry": "carriageway", "exit": "carriageway",
    "onRamp": "carriageway", "offRamp": "carriageway", "connectingRamp": "carriageway", "parking": "margin",
    "shoulder": "margin", "stop": "margin", "biking": "margin", "sidewalk": "pavement", "median": "median",
}  # fmt: skip


@dataclass(frozen=True)
class RoadOutlines:
    """What is drawn of a town, in the right-handed world plane (x forward, y left, metres).

    Attributes:
        surfaces: kind (``carriageway``, ``margin``, ``pavement``, ``median``) and (N, 2) closed outline of every lane.
        centre_lines: (N, 2) reference lines of the roads outside junctions.
    """

    surfaces: tuple[tuple[str, Float], ...]
    centre_lines: tuple[Float, ...]


def roads_of_town(configuration: Configuration) -> RoadOutlines | None:
    """The roads of a plan's town, if its map comes with this package."""
    if (configuration.target, configuration.backend) != ("carla", "embedded") or not configuration.town.isalnum():
        return None
    path = _MAPS / f"{configuration.town}.xodr"
    return read_roads(path) if path.is_file() else None


def read_roads(path: Path) -> RoadOutlines:
    """The roads of an OpenDRIVE file.

    Raises:
        ConfigurationError: it cannot be read, is too large, or is no OpenDRIVE map.
    """
    try:
        text = read_bounded(path, _LARGEST_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the map {path}: {error}") from error
    try:
        return roads_of(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def roads_of(xodr: str) -> RoadOutlines:
    """The roads of an OpenDRIVE text.

    Raises:
        ConfigurationError: it is no OpenDRIVE map.
    """
    if "<!DOCTYPE" in xodr or "<!ENTITY" in xodr:
        raise ConfigurationError("an OpenDRIVE map has no document type; this text defines one and is not read")
    try:
        root = ElementTree.fromstring(xodr.encode())
        if root.tag != "OpenDRIVE":
            raise ConfigurationError(f"the outermost element is <{root.tag[:40]}>, not <OpenDRIVE>")
        surfaces: list[tuple[str, Float]] = []
        centre_lines = []
        for road in root.iter("road"):
            stations = _stations(road)
            line = _reference_line(road, stations)
            surfaces += _lanes(road, stations, line)
            if road.get("junction", "-1") == "-1":
                centre_lines.append(_beside(line, _offsets(road, stations)))
    except (ElementTree.ParseError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(f"this is no OpenDRIVE map: {error}") from error
    if not surfaces:
        raise ConfigurationError("the map has no lanes")
    return RoadOutlines(tuple(surfaces), tuple(centre_lines))


def _number(element: ElementTree.Element, name: str) -> float:
    value = float(element.get(name, "0"))
    if not math.isfinite(value):
        raise ValueError(f"<{element.tag} {name}={value}>")
    return value


def _stations(road: ElementTree.Element) -> Float:
    """Arc lengths of the cross-sections: evenly, and on both sides of every change of lanes."""
    length = _number(road, "length")
    if not 0.0 <= length <= _LONGEST_M:
        raise ValueError(f"road {road.get('id')} is {length:g} m long")
    even = np.linspace(0.0, length, max(2, math.ceil(length / _STEP_M) + 1))
    borders = [min(max(_number(section, "s"), 0.0), length) for section in road.iter("laneSection")]
    return np.unique(np.concatenate([even, borders]))


def _reference_line(road: ElementTree.Element, stations: Float) -> Float:
    """(N, 3) x, y and heading of the reference line at the stations."""
    pieces = sorted(road.iterfind("planView/geometry"), key=lambda piece: _number(piece, "s"))
    starts = np.array([_number(piece, "s") for piece in pieces])
    which = np.maximum(np.searchsorted(starts, stations + 1e-9, side="right") - 1, 0)
    line = np.empty((len(stations), 3))
    for number, piece in enumerate(pieces):
        here = which == number
        if here.any():
            line[here] = _along(piece, stations[here] - starts[number])
    return line


def _along(piece: ElementTree.Element, arc: Float) -> Float:
    """(N, 3) poses on one piece of the plan view at arc lengths from its start."""
    length = _number(piece, "length")
    shape = next(iter(piece), None)
    kind = "line" if shape is None else shape.tag
    if shape is not None and kind in ("poly3", "paramPoly3"):
        local = _polynomial(shape, arc, length)
    else:
        first, last = 0.0, 0.0
        if shape is not None and kind == "arc":
            first = last = _number(shape, "curvature")
        elif shape is not None and kind == "spiral":
            first, last = _number(shape, "curvStart"), _number(shape, "curvEnd")
        elif kind != "line":
            raise ValueError(f"unknown geometry <{kind}>")
        local = _bend(arc, first, (last - first) / length if length > 0 else 0.0)
    heading = _number(piece, "hdg")
    cosine, sine = math.cos(heading), math.sin(heading)
    x = _number(piece, "x") + cosine * local[:, 0] - sine * local[:, 1]
    y = _number(piece, "y") + sine * local[:, 0] + cosine * local[:, 1]
    return np.stack([x, y, local[:, 2] + heading], axis=1)


def _bend(arc: Float, curvature: float, change: float) -> Float:
    """Poses along a line whose curvature changes evenly: straights, arcs and clothoids, integrated by midpoints."""
    end = float(arc[-1])
    fine = np.linspace(0.0, end, max(2, math.ceil(end / _FINE_M) + 1))
    middle = (fine[1:] + fine[:-1]) / 2
    heading = curvature * middle + change / 2 * middle**2
    step = np.diff(fine)
    x = np.concatenate([[0.0], np.cumsum(np.cos(heading) * step)])
    y = np.concatenate([[0.0], np.cumsum(np.sin(heading) * step)])
    return np.stack([np.interp(arc, fine, x), np.interp(arc, fine, y), curvature * arc + change / 2 * arc**2], axis=1)


def _polynomial(shape: ElementTree.Element, arc: Float, length: float) -> Float:
    """Poses along the two cubic kinds of geometry."""
    if shape.tag == "poly3":
        across = np.polynomial.Polynomial([_number(shape, name) for name in "abcd"])
        return np.stack([arc, across(arc), np.arctan(across.deriv()(arc))], axis=1)
    u = np.polynomial.Polynomial([_number(shape, f"{name}U") for name in "abcd"])
    v = np.polynomial.Polynomial([_number(shape, f"{name}V") for name in "abcd"])
    place = arc if shape.get("pRange") == "arcLength" else arc / max(length, 1e-9)
    return np.stack([u(place), v(place), np.arctan2(v.deriv()(place), u.deriv()(place))], axis=1)


def _cubics(elements: Sequence[ElementTree.Element], start: str, stations: Float) -> Float:
    """Values of piecewise cubics at stations, 0 where there is no piece."""
    pieces = sorted(elements, key=lambda piece: _number(piece, start))
    values = np.zeros(len(stations))
    for piece in pieces:
        since = stations - _number(piece, start)
        cubic = np.polynomial.Polynomial([_number(piece, name) for name in "abcd"])
        values = np.where(since >= -1e-9, cubic(since), values)
    return values


def _offsets(road: ElementTree.Element, stations: Float) -> Float:
    return _cubics(road.findall("lanes/laneOffset"), "s", stations)


def _beside(line: Float, across: Float) -> Float:
    """(N, 2) points ``across`` metres to the left of a line of poses."""
    normal = np.stack([-np.sin(line[:, 2]), np.cos(line[:, 2])], axis=1)
    return np.asarray(line[:, :2] + across[:, None] * normal, np.float64)


def _lanes(road: ElementTree.Element, stations: Float, line: Float) -> Iterator[tuple[str, Float]]:
    """The outlines of a road's lanes, section by section, from the middle outwards."""
    sections = sorted(road.iterfind("lanes/laneSection"), key=lambda section: _number(section, "s"))
    ends = [*(_number(section, "s") for section in sections[1:]), float(stations[-1])]
    offsets = _offsets(road, stations)
    for section, end in zip(sections, ends, strict=True):
        begin = _number(section, "s")
        here = (stations >= begin - 1e-9) & (stations <= end + 1e-9)
        if here.sum() < 2:
            continue
        for side, sign in (("left", 1.0), ("right", -1.0)):
            lanes = sorted(section.iterfind(f"{side}/lane"), key=lambda lane: abs(_number(lane, "id")))
            inner = offsets[here]
            for lane in lanes:
                width = _cubics(lane.findall("width"), "sOffset", stations[here] - begin)
                outer = inner + sign * np.maximum(width, 0.0)
                kind = _SURFACES.get(lane.get("type", ""))
                if kind and float(width.max()) > 0.05:
                    edges = (_beside(line[here], inner), _beside(line[here], outer)[::-1])
                    yield kind, np.concatenate(edges)
                inner = outer
