"""Writes the OpenDRIVE texts of the towns (offline; needs scenariogeneration, a development dependency).

Run ``python -m sim2real_bench.envs.carla.embedded.town.write_maps`` after a change of ``layouts`` or of a plan.
"""

from __future__ import annotations

import argparse
import logging
import math
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES
from sim2real_bench.envs.carla.embedded.town.alignment import JUNCTION_REACH_M, Alignment, align
from sim2real_bench.envs.carla.embedded.town.layouts import Layout, Street, layout_named
from sim2real_bench.envs.carla.embedded.town.maps import MAPS
from sim2real_bench.envs.carla.embedded.town.network import Network
from sim2real_bench.envs.carla.embedded.town.network_xodr import add_roads
from sim2real_bench.envs.carla.embedded.town.plan_highway_01 import mini_highway_01
from sim2real_bench.envs.carla.embedded.town.plan_town_03 import mini_town_03
from sim2real_bench.envs.carla.embedded.town.relief import FLAT
from sim2real_bench.envs.carla.embedded.town.signals import read_signals
from sim2real_bench.errors import MissingDependencyError

LANE_WIDTH_M = 3.5
PARKING_WIDTH_M = 2.4
SIDEWALK_WIDTH_M = 2.6
PARKING_SETBACK_M = 6.5  # parking lanes begin this far from the mouth of a junction
PARKING_TAPER_M = 1.5
SPEED_LIMIT_MPS = 30 / 3.6
CROSSWALK_SETBACK_M = 2.4
CROSSWALK_DEPTH_M = 3.0
TRAFFIC_LIGHT_TYPE = "1000001"  # the type code CARLA gives its traffic lights
YIELD_TYPE = "205"
_NUMBER = re.compile(r'(?<=")-?\d+\.\d{8,}(?:e-?\d+)?(?=")|(?<=")-?\d(?:\.\d+)?e-?\d+(?=")')
_MARK = re.compile(r"<roadMark((?![^>]*laneChange)[^>]*)")
_SPIRAL = re.compile(r'<spiral curvStart="([^"]+)" curvEnd="([^"]+)"\s*/>')

_log = logging.getLogger(__name__)


def _opendrive() -> Any:
    try:
        from scenariogeneration import xodr
        from scenariogeneration.xodr import signals_objects
    except ImportError as error:
        raise MissingDependencyError(
            "writing maps needs scenariogeneration; install it with: pip install 'sim2real-bench[dev]'"
        ) from error
    # The library remembers object ids per process, not per map.
    signals_objects._SignalObjectBase._usedIDs = {}
    signals_objects._SignalObjectBase._IDCounter = {}
    return xodr


def _road_mark(xodr: Any, kind: str, colour: str) -> Any:
    dashes = (3.0, 6.0) if kind == "broken" else ()
    return xodr.RoadMark(getattr(xodr.RoadMarkType, kind), 0.12, *dashes, color=getattr(xodr.RoadMarkColor, colour))


def _parking_lane(xodr: Any, length_m: float) -> Any:
    lane = xodr.Lane(lane_type=xodr.LaneType.parking, a=0.0)
    slope = PARKING_WIDTH_M / PARKING_TAPER_M
    far = length_m - PARKING_SETBACK_M
    lane.add_lane_width(0.0, slope, soffset=PARKING_SETBACK_M)
    lane.add_lane_width(PARKING_WIDTH_M, soffset=PARKING_SETBACK_M + PARKING_TAPER_M)
    lane.add_lane_width(PARKING_WIDTH_M, -slope, soffset=far - PARKING_TAPER_M)
    lane.add_lane_width(0.0, soffset=far)
    return lane


def _road(xodr: Any, road_id: int, street: Street, line: Alignment, centre_colour: str) -> Any:
    plan = xodr.PlanView(line.x, line.y, line.heading)
    for piece in line.pieces:
        plan.add_geometry(
            xodr.Arc(piece.curvature, length=piece.length_m) if piece.curvature else xodr.Line(piece.length_m)
        )
    centre = xodr.Lane()
    centre.add_roadmark(_road_mark(xodr, street.centre_line, centre_colour))
    section = xodr.LaneSection(0, centre)
    for side, add in (("l", section.add_left_lane), ("r", section.add_right_lane)):
        driving = xodr.Lane(lane_type=xodr.LaneType.driving, a=LANE_WIDTH_M)
        driving.add_roadmark(_road_mark(xodr, "solid", "white"))
        add(driving)
        if side in street.parking:
            add(_parking_lane(xodr, line.length_m))
        add(xodr.Lane(lane_type=xodr.LaneType.sidewalk, a=SIDEWALK_WIDTH_M))
    lanes = xodr.Lanes()
    lanes.add_lanesection(section)
    road = xodr.Road(road_id, plan, lanes, name=f"{street.start}-{street.end}")
    road.add_type(xodr.RoadType.town, 0, speed=SPEED_LIMIT_MPS)
    return road


class _Arm:
    """One street at one junction: which end of the road, and the heading from the junction outwards."""

    def __init__(self, road: Any, line: Alignment, at_end: bool) -> None:
        self.road = road
        self.at_end = at_end
        self.length_m = line.length_m
        self.heading = math.remainder(line.end_heading + math.pi if at_end else line.heading, math.tau)
        self.incoming_lane = -1 if at_end else 1  # the lane that drives into the junction
        self.outgoing_lane = 1 if at_end else -1

    def faces(self, other: _Arm) -> bool:
        """The other arm lies straight ahead for traffic that arrives on this one."""
        return abs(math.remainder(self.heading + math.pi - other.heading, math.tau)) < math.radians(40)


def _junction(xodr: Any, junction_id: int, arms: list[_Arm]) -> Any:
    creator = xodr.CommonJunctionCreator(junction_id, f"junction{junction_id}", startnum=junction_id * 100)
    for arm in arms:
        x, y = JUNCTION_REACH_M * math.cos(arm.heading), JUNCTION_REACH_M * math.sin(arm.heading)
        side = "successor" if arm.at_end else "predecessor"
        creator.add_incoming_road_cartesian_geometry(arm.road, x, y, arm.heading + math.pi, side)
    for start in arms:
        for end in arms:
            if start is not end:
                creator.add_connection(start.road.id, end.road.id, start.incoming_lane, end.outgoing_lane)
    return creator


def _add_crosswalk(xodr: Any, arm: _Arm, object_id: int) -> None:
    s = arm.length_m - CROSSWALK_SETBACK_M if arm.at_end else CROSSWALK_SETBACK_M
    crosswalk = xodr.Object(
        s, 0, xodr.ObjectType.crosswalk, id=str(object_id), name=f"crosswalk{object_id}",
        orientation=xodr.Orientation.none, width=CROSSWALK_DEPTH_M, length=2 * LANE_WIDTH_M, hdg=0,
    )  # fmt: skip
    outline = xodr.Outline()
    u, v = CROSSWALK_DEPTH_M / 2, LANE_WIDTH_M
    for corner in ((-u, -v), (u, -v), (u, v), (-u, v), (-u, -v)):
        outline.add_corner(xodr.CornerLocal(*corner, 0, 0.01))
    crosswalk.add_outline(outline)
    arm.road.add_object(crosswalk)


def _add_signal(xodr: Any, arm: _Arm, signal_id: int, kind: str) -> None:
    lateral = -(LANE_WIDTH_M + 0.7) if arm.at_end else LANE_WIDTH_M + 0.7
    signal = xodr.Signal(
        arm.length_m - 0.3 if arm.at_end else 0.3, lateral, "OpenDRIVE", kind,
        id=str(signal_id), name=f"signal{signal_id}",
        dynamic=xodr.Dynamic.yes if kind == TRAFFIC_LIGHT_TYPE else xodr.Dynamic.no,
        orientation=xodr.Orientation.positive if arm.at_end else xodr.Orientation.negative,
        zOffset=3.0, height=1.0, width=0.4,
    )  # fmt: skip
    signal.add_validity(arm.incoming_lane, arm.incoming_lane)
    arm.road.add_signal(signal)


def _furnish(xodr: Any, layout: Layout, arms_of: dict[str, list[_Arm]]) -> None:
    number = 0
    for name, arms in arms_of.items():
        for arm in arms:
            number += 1
            _add_crosswalk(xodr, arm, number)
            if name in layout.signalled:
                _add_signal(xodr, arm, 100_000 + number, TRAFFIC_LIGHT_TYPE)
            elif not any(arm.faces(other) for other in arms if other is not arm):
                _add_signal(xodr, arm, 100_000 + number, YIELD_TYPE)


def _sanitise(text: str) -> str:
    """What LibCarla and reproducible files need beyond what the library writes."""

    def flat(match: re.Match[str]) -> str:
        # LibCarla divides by the change of curvature: a spiral with equal ends gives NaN waypoints.
        start, end = float(match[1]), float(match[2])
        mean = (start + end) / 2
        if abs(start - end) > 1e-6:
            return match[0]
        return "<line/>" if abs(mean) < 1e-6 else f'<arc curvature="{mean:.9f}"/>'

    text = re.sub(r'date="[^"]*"', 'date="2000-01-01"', text)
    text = text.replace("<outlines>", "").replace("</outlines>", "")  # LibCarla wants outline right below object
    text = _SPIRAL.sub(flat, text)
    text = _MARK.sub(r'<roadMark laneChange="none"\1', text)  # LibCarla takes no word on it for leave to change lanes
    text = _NUMBER.sub(lambda match: f"{float(match[0]):.9f}", text)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


_NETWORKS: dict[str, Callable[[], Network]] = {"MiniTown03": mini_town_03, "MiniHighway01": mini_highway_01}


def map_text(name: str) -> str:
    """The OpenDRIVE text of a map: same plan, same text.

    Raises:
        MissingDependencyError: scenariogeneration is not installed.
        UnknownNameError: no such map.
    """
    xodr = _opendrive()
    plan = _NETWORKS[name]() if name in _NETWORKS else layout_named(name)
    geo = f"+proj=tmerc +lat_0={plan.latitude_deg} +lon_0=8 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs"
    drive = xodr.OpenDrive(plan.name, geo_reference=geo)
    if isinstance(plan, Network):
        add_roads(xodr, drive, plan)
    else:
        _add_layout(xodr, drive, plan)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.xodr"
        drive.write_xml(str(path))
        return _with_controllers(_sanitise(path.read_text(encoding="utf-8")))


def _with_controllers(text: str) -> str:
    """The text with one controller per group of lights, which the writing library has no word for."""
    import carla

    groups: dict[int, dict[int, list[str]]] = {}
    for signal in read_signals(carla.Map("map", text), FLAT):
        if signal.is_light:
            groups.setdefault(signal.junction_id, {}).setdefault(signal.group, []).append(signal.signal_id)
    controllers, count = "", 0
    for junction, by_group in sorted(groups.items()):
        inside = ""
        for group, signals in sorted(by_group.items()):
            count += 1
            controls = "".join(f'        <control signalId="{signal}" type="0"/>\n' for signal in signals)
            controllers += f'    <controller id="{count}" name="lights{count}" sequence="{group}">\n{controls}'
            controllers += "    </controller>\n"
            inside += f'        <controller id="{count}" type="0" sequence="{group}"/>\n'
        end = text.index("</junction>", text.index(f'id="{junction}" type="default">'))
        line = text.rindex("\n", 0, end) + 1
        text = text[:line] + inside + text[line:]
    first = text.rindex("\n", 0, text.index("<junction ")) + 1
    return text[:first] + controllers + text[first:]


def _add_layout(xodr: Any, drive: Any, layout: Layout) -> None:
    arms_of: dict[str, list[_Arm]] = {name: [] for name in layout.junctions}
    for road_id, street in enumerate(layout.streets, start=1):
        line = align(layout, street)
        road = _road(xodr, road_id, street, line, layout.centre_colour)
        arms_of[street.start].append(_Arm(road, line, at_end=False))
        arms_of[street.end].append(_Arm(road, line, at_end=True))
        drive.add_road(road)
    for junction_id, arms in enumerate(arms_of.values(), start=1001):
        drive.add_junction_creator(_junction(xodr, junction_id, arms))
    drive.adjust_roads_and_lanes()
    _furnish(xodr, layout, arms_of)


def main() -> None:
    """Write every town's map into the package, or into ``--out``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=MAPS)
    folder = parser.parse_args().out
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name in TOWN_NAMES:
        text = map_text(name)
        (folder / f"{name}.xodr").write_text(text, encoding="utf-8")
        _log.info("%s: %d bytes", folder / f"{name}.xodr", len(text))


if __name__ == "__main__":
    main()
