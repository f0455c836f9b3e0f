"""The drive line of a track: a graph of road quadrilaterals, with places on it and points ahead along it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.supertuxkart.frames import to_world
from sim2real_bench.errors import SimulatorError

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """Where a vehicle is along the drive line.

    Attributes:
        node: index of the quadrilateral.
        fraction: position along its centre line, 0 to 1.
        lateral_m: signed distance from the centre line, positive to the left of the driving direction.
        above_m: height above the centre line.
    """

    node: int
    fraction: float
    lateral_m: float
    above_m: float


@dataclass(frozen=True)
class DriveLine:
    """Road quadrilaterals in driving order, right-handed world frame, metres.

    Attributes:
        quads: (N, 4, 3) corners on the road surface.
        start: (N, 3) centre of each quadrilateral's entry edge.
        end: (N, 3) centre of its exit edge.
        half_widths: (N,) from the centre line to the edge.
        entry_m: (N,) distance of the entry edge down the track.
        successors: for each quadrilateral the ones that follow; the first is the main road.
        length_m: of one lap.
    """

    quads: Float
    start: Float
    end: Float
    half_widths: Float
    entry_m: Float
    successors: tuple[tuple[int, ...], ...]
    length_m: float

    @cached_property
    def directions(self) -> Float:
        """(N, 3) unit vectors of the centre lines."""
        along = self.end - self.start
        return along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)

    @cached_property
    def lengths(self) -> Float:
        """(N,) lengths of the centre lines."""
        return np.linalg.norm(self.end - self.start, axis=1)

    @cached_property
    def _levels(self) -> list[tuple[float, ...]]:
        """Per quadrilateral as plain floats: start x, y, z, horizontal direction x, y, horizontal length, rise.

        Plain floats, because one place is asked for in every step and scalar arithmetic beats small arrays.
        """
        along = self.end - self.start
        level = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
        table = np.c_[self.start, along[:, :2] / level[:, None], level, along[:, 2]]
        return [tuple(row) for row in table.tolist()]

    def locate(self, position: Sequence[float] | Float, node: int) -> Place:
        """The place of a (3,) world position on a quadrilateral."""
        x, y, z, forward_x, forward_y, length, rise = self._levels[node]
        east, north = position[0] - x, position[1] - y
        fraction = min(max((east * forward_x + north * forward_y) / length, 0.0), 1.0)
        lateral = north * forward_x - east * forward_y
        return Place(node, fraction, lateral, position[2] - z - fraction * rise)

    def distance_down_track_m(self, place: Place) -> float:
        """Metres from the start line to a place, in driving order."""
        return float(self.entry_m[place.node] + place.fraction * self.lengths[place.node])

    def nearest_node(self, position: npt.ArrayLike) -> int:
        """The quadrilateral whose centre line is nearest to a (3,) world position."""
        delta = np.asarray(position, np.float64) - self.start
        reach = np.clip((delta * self.directions).sum(axis=1), 0.0, self.lengths)
        return int(np.linalg.norm(delta - reach[:, None] * self.directions, axis=1).argmin())

    def ahead(self, place: Place, distances: Sequence[float]) -> Float:
        """(K, 3) points on the centre line at ascending arc lengths ahead of a place, along the main road."""
        points = np.empty((len(distances), 3))
        node, walked = place.node, -place.fraction * float(self.lengths[place.node])
        for index, distance in enumerate(distances):
            while walked + self.lengths[node] < distance:
                walked += float(self.lengths[node])
                node = self.successors[node][0]
            points[index] = self.start[node] + (distance - walked) * self.directions[node]
        return points


def read_quads(path: Path) -> Float:
    """(N, 4, 3) corners in engine coordinates from a track's ``quads.xml``.

    A corner is either three numbers or ``i:k``, corner k of quadrilateral i.

    Raises:
        SimulatorError: the file cannot be read.
    """
    try:
        root = ElementTree.parse(path).getroot()
        quads: list[list[list[float]]] = []
        for element in root.findall("quad"):
            quads.append([_corner(element.attrib[f"p{index}"], quads) for index in range(4)])
    except (OSError, ElementTree.ParseError, KeyError, ValueError, IndexError) as error:
        raise SimulatorError(
            f"cannot read the drive line {path}: {error!r}; reinstall the SuperTuxKart data"
        ) from error
    return np.array(quads, np.float64)


def _corner(text: str, earlier: list[list[list[float]]]) -> list[float]:
    if ":" in text:
        quad, corner = text.split(":")
        return earlier[int(quad)][int(corner)]
    x, y, z = (float(part) for part in text.split())
    return [x, y, z]


def build_drive_line(
    quads: Float,
    path_nodes: Float,
    path_width: Float,
    path_distance: Float,
    successors: Sequence[Sequence[int]],
    length_m: float,
    heights: Float,
) -> DriveLine:
    """The drive line of a loaded track.

    Args:
        quads: (N, 4, 3) corners in engine coordinates.
        path_nodes: (N, 2, 3) entry and exit centres in engine coordinates, in driving order.
        path_width: (N,) full widths.
        path_distance: (N, 2) distance of the entry and the exit down the track.
        successors: of each node.
        length_m: of one lap.
        heights: (N,) how far the road lies above (positive) or below the drawn drive line.

    Raises:
        SimulatorError: the file and the engine disagree about the track.
    """
    centres = path_nodes.mean(axis=1)
    if len(quads) != len(path_nodes) or float(np.abs(quads.mean(axis=1) - centres)[:, [0, 2]].max()) > 0.5:
        raise SimulatorError(
            f"the engine's drive line ({len(path_nodes)} nodes) is not the one in quads.xml ({len(quads)} nodes): "
            "the installed data does not fit this engine"
        )
    rise = np.array([0.0, 0.0, 1.0]) * heights[:, None]
    return DriveLine(
        quads=to_world(quads) + rise[:, None],
        start=to_world(path_nodes[:, 0]) + rise,
        end=to_world(path_nodes[:, 1]) + rise,
        half_widths=path_width.reshape(-1) / 2,
        entry_m=path_distance[:, 0],
        successors=tuple(tuple(int(node) for node in following) for following in successors),
        length_m=float(length_m),
    )
