"""Plans of maps beyond two-lane streets: roads with any lanes, junctions with explicit connections (right-handed)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from sim2real_bench.envs.carla.embedded.town.alignment import Piece

JUNCTION_NUMBERS_FROM = 1001
CONNECTING_NUMBERS_FROM = 10_000


@dataclass(frozen=True)
class Pose:
    """A place and a heading (metres, radians)."""

    x: float
    y: float
    heading: float

    def moved(self, forward: float, left: float = 0.0) -> Pose:
        """The pose some metres ahead and to the left, same heading."""
        c, s = math.cos(self.heading), math.sin(self.heading)
        return Pose(self.x + forward * c - left * s, self.y + forward * s + left * c, self.heading)

    def turned(self, angle: float) -> Pose:
        """The same place, another heading."""
        return Pose(self.x, self.y, math.remainder(self.heading + angle, math.tau))

    def along(self, pieces: tuple[Piece, ...]) -> Pose:
        """The pose at the end of straights and arcs."""
        pose = self
        for piece in pieces:
            if piece.curvature == 0.0:
                pose = pose.moved(piece.length_m)
                continue
            turn, radius = piece.length_m * piece.curvature, 1.0 / piece.curvature
            pose = pose.moved(radius * math.sin(turn), radius * (1.0 - math.cos(turn))).turned(turn)
        return pose


@dataclass(frozen=True)
class LanePlan:
    """A lane.

    Attributes:
        kind: OpenDRIVE lane type.
        width_m: full width.
        mark: line on its outer border: "solid", "broken" or "" for none.
        setback_m: the lane begins and ends this far from the ends of its road, with short tapers; 0 = full length.
    """

    kind: str
    width_m: float
    mark: str = ""
    setback_m: float = 0.0


@dataclass(frozen=True)
class SignalPlan:
    """A signal at one end of a road, for the lanes that arrive there."""

    type_code: str
    at_end: bool
    from_mouth_m: float = 0.3
    value: float = 0.0


@dataclass(eq=False)
class RoadPlan:
    """A road; connecting roads have a junction and lane links.

    Attributes:
        right: lanes from the reference line outwards.
        left: the same, to the left.
        centre: line on the reference line: "solid", "broken", "solid solid" or "".
        heights: of the start and the end; level at both, smooth between.
        lane_offset: of all lanes at the start and the end, positive to the left, smooth between.
        links: junction numbers before the start and after the end (streets), or (road, "start" or "end") (connections).
        lane_links: for connections: lanes of the road before and after that the first right lane links to.
    """

    number: int
    name: str
    start: Pose
    pieces: tuple[Piece, ...]
    right: tuple[LanePlan, ...]
    left: tuple[LanePlan, ...] = ()
    centre: str = ""
    heights: tuple[float, float] = (0.0, 0.0)
    speed_kmh: float = 30.0
    lane_offset: tuple[float, float] = (0.0, 0.0)
    junction: int = -1
    links: dict[str, int | tuple[int, str]] = field(default_factory=dict)
    lane_links: tuple[tuple[int, int], ...] = ()
    signals: list[SignalPlan] = field(default_factory=list)
    crossings: list[bool] = field(default_factory=list)  # at_end of each

    @property
    def length_m(self) -> float:
        """Length of the reference line."""
        return sum(piece.length_m for piece in self.pieces)


@dataclass(frozen=True)
class MouthLane:
    """A driving lane at the end of a road: its id and the distance of its left border from the reference line."""

    lane_id: int
    inner_m: float
    plan: LanePlan


@dataclass(frozen=True)
class Mouth:
    """One end of a road at a junction."""

    road: RoadPlan
    at_end: bool

    @property
    def inward(self) -> Pose:
        """The reference line's pose there, looking into the junction."""
        if self.at_end:
            return self.road.start.along(self.road.pieces)
        return self.road.start.turned(math.pi)

    @property
    def height_m(self) -> float:
        """Height of the road there."""
        return self.road.heights[1 if self.at_end else 0]

    def incoming(self) -> list[MouthLane]:
        """Driving lanes into the junction, leftmost first."""
        return list(_driving(self.road.right, -1) if self.at_end else _driving(self.road.left, 1))

    def outgoing(self) -> list[MouthLane]:
        """Driving lanes out of the junction, leftmost first."""
        return list(_driving(self.road.left, 1) if self.at_end else _driving(self.road.right, -1))

    def lane_start(self, lane: MouthLane) -> Pose:
        """Left border of an incoming lane, looking into the junction."""
        return self.inward.moved(0.0, -lane.inner_m)

    def lane_end(self, lane: MouthLane) -> Pose:
        """Left border of an outgoing lane, looking out of the junction."""
        return self.inward.turned(math.pi).moved(0.0, -lane.inner_m)

    @property
    def contact(self) -> str:
        """OpenDRIVE's word for this end."""
        return "end" if self.at_end else "start"


def _driving(lanes: tuple[LanePlan, ...], sign: int) -> Iterator[MouthLane]:
    inner = 0.0
    for number, lane in enumerate(lanes, start=1):
        if lane.kind == "driving":
            yield MouthLane(sign * number, inner, lane)
        if not lane.setback_m:
            inner += lane.width_m


@dataclass
class Network:
    """A whole map.

    Attributes:
        name: name of the map.
        latitude_deg: where the map claims to lie.
        centre_colour: colour of the centre lines.
    """

    name: str
    latitude_deg: float
    centre_colour: str = "yellow"
    roads: list[RoadPlan] = field(default_factory=list)
    junctions: dict[int, str] = field(default_factory=dict)
    _connecting: int = CONNECTING_NUMBERS_FROM

    def add_road(self, road: RoadPlan) -> RoadPlan:
        """Add a road and return it."""
        self.roads.append(road)
        return road

    def add_junction(self, name: str, mouths: list[Mouth]) -> int:
        """A junction that the mouths open into; connections come one by one."""
        number = JUNCTION_NUMBERS_FROM + len(self.junctions)
        self.junctions[number] = name
        for mouth in mouths:
            mouth.road.links["successor" if mouth.at_end else "predecessor"] = number
        return number

    def connect(
        self, junction: int, source: Mouth, lane_in: MouthLane, target: Mouth, lane_out: MouthLane,
        pieces: tuple[Piece, ...],
    ) -> RoadPlan:  # fmt: skip
        """A connecting road of one lane along ``pieces`` from the left border of one lane to that of another."""
        lane = LanePlan("driving", lane_in.plan.width_m, "")
        return self.bridge(
            junction,
            source,
            target,
            source.lane_start(lane_in),
            pieces,
            (lane,),
            ((lane_in.lane_id, lane_out.lane_id),),
        )

    def bridge(
        self, junction: int, source: Mouth, target: Mouth, start: Pose, pieces: tuple[Piece, ...],
        lanes: tuple[LanePlan, ...], lane_links: tuple[tuple[int, int], ...],
        lane_offset: tuple[float, float] = (0.0, 0.0), centre: str = "",
    ) -> RoadPlan:  # fmt: skip
        """A connecting road of several lanes, all to the right of its reference line."""
        number, self._connecting = self._connecting, self._connecting + 1
        return self.add_road(
            RoadPlan(
                number, f"{self.junctions[junction]}-{number}", start, pieces, lanes, centre=centre,
                heights=(source.height_m, target.height_m), speed_kmh=source.road.speed_kmh, junction=junction,
                lane_offset=lane_offset,
                links={
                    "predecessor": (source.road.number, source.contact),
                    "successor": (target.road.number, target.contact),
                },
                lane_links=lane_links,
            )
        )  # fmt: skip
