"""All maps as the genuine client reads them: lanes, lane changes, signals, heights; and towns from any text."""

import math
from functools import lru_cache

import numpy as np
import pytest

from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES, build_town, town_from_text
from sim2real_bench.envs.carla.embedded.town.maps import MAPS
from sim2real_bench.envs.carla.embedded.town.probe import probe
from sim2real_bench.envs.carla.embedded.town.relief import CELL_M, Relief, relief_through
from sim2real_bench.errors import ConfigurationError

carla = pytest.importorskip("carla")

CARRIAGEWAYS = {"MiniHighway01": 2}  # rings without a way from one to the other
STREETS = ("MiniTown01", "MiniTown02", "MiniTown03")


@lru_cache(maxsize=4)
def town_of(name):
    return build_town(name)


@lru_cache(maxsize=4)
def map_of(name):
    return carla.Map(name, text_of(name))


def text_of(name):
    return (MAPS / f"{name}.xodr").read_text(encoding="utf-8")


@lru_cache(maxsize=4)
def waypoints_of(name):
    return map_of(name).generate_waypoints(1.0)


def key(waypoint):
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


def pose(waypoint):
    at = waypoint.transform
    return at.location.x, at.location.y, at.location.z, at.rotation.yaw, at.rotation.pitch


def turn_between(first, second):
    return abs((second.transform.rotation.yaw - first.transform.rotation.yaw + 180.0) % 360.0 - 180.0)


def test_the_four_maps_are_there():
    assert TOWN_NAMES == ("MiniTown01", "MiniTown02", "MiniTown03", "MiniHighway01")


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_shipped_map_is_what_the_writer_writes(name):
    pytest.importorskip("scenariogeneration")
    from sim2real_bench.envs.carla.embedded.town.write_maps import map_text

    assert map_text(name) == text_of(name)


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_every_waypoint_is_finite_and_leads_on_by_a_metre(name):
    assert len(waypoints_of(name)) > 2000
    for waypoint in waypoints_of(name):
        following = waypoint.next(1.0)
        assert following, f"dead end at {waypoint.transform}"
        for other in [waypoint, *following]:
            assert all(math.isfinite(value) for value in pose(other))
        for other in following:
            assert 0.5 < waypoint.transform.location.distance(other.transform.location) < 1.32
            assert turn_between(waypoint, other) < 10.5


def changes(waypoint):
    """The lanes one may change to from a waypoint."""
    for side, leave in (
        (waypoint.get_left_lane(), carla.LaneChange.Left),
        (waypoint.get_right_lane(), carla.LaneChange.Right),
    ):
        if waypoint.lane_change & leave and side is not None and side.lane_type == carla.LaneType.Driving:
            yield side


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_every_lane_is_reached_from_every_lane_of_its_network(name):
    follows = {}
    for start, end in map_of(name).get_topology():
        follows.setdefault(key(start), set()).add(key(end))
    for waypoint in waypoints_of(name):
        follows.setdefault(key(waypoint), set()).update(key(side) for side in changes(waypoint))
    networks = set()
    for origin in follows:
        seen, open_lanes = {origin}, [origin]
        while open_lanes:
            for lane in follows[open_lanes.pop()] - seen:
                seen.add(lane)
                open_lanes.append(lane)
        networks.add(frozenset(seen))
    assert len(networks) == CARRIAGEWAYS.get(name, 1)
    assert sum(len(network) for network in networks) == len(follows)


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_lanes_change_only_within_one_direction(name):
    offered = [(waypoint, side) for waypoint in waypoints_of(name) for side in changes(waypoint)]
    assert all(waypoint.lane_id * side.lane_id > 0 for waypoint, side in offered)
    wide = name in ("MiniTown03", "MiniHighway01")
    assert (len(offered) > 1000) == wide
    if wide:
        sides = {waypoint.lane_change for waypoint, _ in offered}
        assert {carla.LaneChange.Left, carla.LaneChange.Right} <= sides
        assert any(side == waypoint.get_left_lane() or turn_between(waypoint, side) < 1.0 for waypoint, side in offered)


def test_the_motorway_has_three_lanes_each_way_and_ramps():
    waypoints = waypoints_of("MiniHighway01")
    lanes = {}
    for waypoint in waypoints:
        if not waypoint.is_junction:
            lanes.setdefault((waypoint.road_id, waypoint.lane_id > 0), set()).add(waypoint.lane_id)
    assert sorted(len(ids) for ids in lanes.values()) == [1, 1, 3, 3, 3, 3, 4, 4, 4, 4]
    limits = {landmark.value for landmark in map_of("MiniHighway01").get_all_landmarks_of_type("274")}
    assert limits == {50.0, 90.0}
    splits = [waypoint for waypoint in waypoints if not waypoint.is_junction and len(waypoint.next(2.0)) > 1]
    assert splits
    assert not map_of("MiniHighway01").get_crosswalks()


def test_mini_town_03_has_wide_streets_a_ring_and_a_hill():
    waypoints = waypoints_of("MiniTown03")
    assert max(waypoint.transform.location.z for waypoint in waypoints) == pytest.approx(5.0)
    assert min(waypoint.transform.location.z for waypoint in waypoints) == pytest.approx(0.0)
    rise = [abs((waypoint.transform.rotation.pitch + 180.0) % 360.0 - 180.0) for waypoint in waypoints]
    assert 4.0 < max(rise) < 6.0
    kinds = {landmark.type for landmark in map_of("MiniTown03").get_all_landmarks()}
    assert kinds == {"1000001", "205", "206", "274"}
    ring = [waypoint for waypoint in waypoints if not waypoint.is_junction and waypoint.road_id in (13, 14, 15, 16)]
    centre = np.mean([pose(waypoint)[:2] for waypoint in ring], axis=0)
    assert np.hypot(*(np.array([pose(waypoint)[:2] for waypoint in ring]) - centre).T) == pytest.approx(21.0, abs=1.5)
    medians = [w.get_left_lane() for w in waypoints if w.get_left_lane() is not None]
    assert any(side.lane_type == carla.LaneType.Median for side in medians)


@pytest.mark.parametrize("name", STREETS)
def test_junctions_crossings_and_controllers_are_found(name):
    town_map, town = map_of(name), town_of(name)
    junctions = {
        waypoint.junction_id: waypoint.get_junction() for waypoint in waypoints_of(name) if waypoint.is_junction
    }
    assert len(junctions) >= 10
    assert all(junction.get_waypoints(carla.LaneType.Driving) for junction in junctions.values())
    assert len(town_map.get_crosswalks()) >= 20 * 5
    guarded = {signal.junction_id for signal in town.signals if signal.is_light}
    assert guarded <= set(junctions)
    assert town.xodr.count("<controller id=") == 2 * len({(s.junction_id, s.group) for s in town.signals if s.is_light})


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_signals_are_the_landmarks_of_the_map(name):
    signals = {signal.signal_id: signal for signal in town_of(name).signals}
    landmarks = {landmark.id: landmark for landmark in map_of(name).get_all_landmarks()}
    assert set(signals) == set(landmarks) and len(signals) >= 10
    for signal_id, landmark in landmarks.items():
        signal = signals[signal_id]
        assert signal.type_code == landmark.type and signal.road_id == landmark.road_id
        assert signal.value == (landmark.value if landmark.type == "274" else 0.0)
        assert len(signal.lamps) == (3 if landmark.type == "1000001" else 0)
        assert (signal.junction_id >= 0) == (landmark.type != "274")


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_one_stops_on_the_lane_before_the_junction_and_within_the_trigger(name):
    for signal in town_of(name).signals:
        if signal.type_code == "274":
            assert not signal.stop_poses
            continue
        x, y, yaw, half_length, half_width = signal.trigger
        cosine, sine = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
        for stop in signal.stop_poses:
            waypoint = map_of(name).get_waypoint(carla.Location(*stop[:3]))
            assert not waypoint.is_junction
            assert waypoint.transform.location.distance(carla.Location(*stop[:3])) < 0.15
            assert any(ahead.junction_id == signal.junction_id for ahead in waypoint.next(6.0))
            assert not waypoint.next(0.8)[0].is_junction
            dx, dy = stop[0] - x, stop[1] - y
            assert abs(dx * cosine + dy * sine) < half_length and abs(dy * cosine - dx * sine) < half_width
        # The pole stands on the right, off every driving lane, and the lamps look at the traffic.
        assert map_of(name).get_waypoint(carla.Location(signal.x, signal.y, signal.z), project_to_road=False) is None
        assert abs((signal.lamp_yaw_deg - signal.stop_poses[0][3]) % 360.0 - 180.0) < 20.0


def test_lights_that_face_each_other_share_a_group():
    for name in STREETS:
        lights = [signal for signal in town_of(name).signals if signal.is_light]
        for first in lights:
            for second in lights:
                if first.junction_id == second.junction_id and first is not second:
                    angle = abs((first.lamp_yaw_deg - second.lamp_yaw_deg + 180.0) % 360.0 - 180.0)
                    assert (first.group == second.group) == (angle > 140.0)


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_there_are_spawn_points_for_fifty_cars(name):
    spawns = town_of(name).spawn_points
    assert len(spawns) >= 60
    for spawn in spawns:
        here = carla.Location(spawn.x, spawn.y, spawn.z)
        waypoint = map_of(name).get_waypoint(here, project_to_road=False)
        assert waypoint is not None and not waypoint.is_junction
        assert spawn.z == pytest.approx(waypoint.transform.location.z + 0.3, abs=0.02)
    for first, spawn in enumerate(spawns):  # along a lane; beside each other cars have lanes of their own
        heading = math.radians(spawn.yaw_deg)
        for other in spawns[first + 1 :]:
            dx, dy = other.x - spawn.x, other.y - spawn.y
            across = abs(dy * math.cos(heading) - dx * math.sin(heading))
            assert math.hypot(dx, dy) >= 8.0 or across > 2.5


def test_relief_agrees_with_the_map():
    relief = town_of("MiniTown03").relief
    assert not relief.flat
    for waypoint in waypoints_of("MiniTown03")[::7]:
        at, right = waypoint.transform.location, waypoint.transform.get_right_vector()
        for offset in (-1.5, 0.0, 1.5):
            assert relief.height(at.x + offset * right.x, at.y + offset * right.y) == pytest.approx(at.z, abs=0.01)
        ahead = waypoint.transform.get_forward_vector()
        rise = sum(g * f for g, f in zip(relief.gradient(at.x, at.y), (ahead.x, ahead.y), strict=True))
        assert rise == pytest.approx(ahead.z / math.hypot(ahead.x, ahead.y), abs=0.01)
    assert all(town_of(name).relief.flat for name in TOWN_NAMES if name != "MiniTown03")


def test_the_ground_is_drawn_at_the_height_of_the_relief():
    town = town_of("MiniTown03")
    vertices = town.meshes.decals.vertices
    above = vertices[:, 2] - town.relief.heights(vertices[:, :2].astype(float) * (1.0, -1.0))
    assert above.min() > 0.001 and above.max() < 0.03
    bases = town.obstacles.bases
    assert bases.min() > -0.001 and 4.9 < bases.max() < 5.1
    assert all(not town_of(name).obstacles.bases.any() for name in TOWN_NAMES if name != "MiniTown03")


def test_a_relief_of_one_slope():
    nodes = np.add.outer(np.zeros(4), 0.1 * CELL_M * np.arange(5))
    relief = Relief(10.0, 20.0, nodes)
    assert relief.height(13.0, 21.0) == pytest.approx(0.3)
    assert relief.heights([(13.0, 21.0), (13.0, 23.9), (0.0, 0.0)]) == pytest.approx([0.3, 0.3, 0.0])
    assert relief.gradient(13.0, 21.0) == pytest.approx((0.1, 0.0))
    assert relief.gradients([(13.0, 21.0)]) == pytest.approx(np.array([(0.1, 0.0)]))
    assert Relief().flat and Relief().height(3.0, 4.0) == 0.0 and Relief().gradient(3.0, 4.0) == (0.0, 0.0)


def test_a_relief_through_points_of_a_slope_meets_them():
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(0.0, 30.0, 0.7), np.arange(-4.0, 4.0, 0.7)))
    relief = relief_through(np.c_[x, y, 0.05 * x], np.tile((0.05, 0.0), (len(x), 1)))
    assert relief.heights(np.c_[x, y]) == pytest.approx(0.05 * x, abs=1e-6)
    assert 0.0 <= relief.height(15.0, 40.0) <= 1.5  # off the road it runs on between the road's heights


def test_a_bridge_is_refused():
    x = np.arange(-20.0, 20.0, 0.5)
    below, above = np.c_[x, 0 * x, 0 * x], np.c_[0 * x, x, 0 * x + 5.0]
    with pytest.raises(ConfigurationError, match=r"two heights 5\.0 m apart"):
        relief_through(np.vstack([below, above]), np.zeros((2 * len(x), 2)))


ROAD = """<?xml version="1.0"?>
<OpenDRIVE><header revMajor="1" revMinor="4" name="one"/>
<road name="r" length="120" id="1" junction="-1" {rule}><planView>
<geometry s="0" x="0" y="0" hdg="0" length="120"><line/></geometry></planView>
<elevationProfile><elevation s="0" a="1" b="{slope}" c="0" d="0"/></elevationProfile>
<lanes><laneSection s="0"><center><lane id="0" type="none" level="false"/></center><right>
<lane id="-1" type="driving" level="false"><width sOffset="0" a="3.2" b="0" c="0" d="0"/></lane>
{sidewalk}</right></laneSection></lanes></road></OpenDRIVE>"""
SIDEWALK = """<lane id="-2" type="sidewalk" level="false"><width sOffset="0" a="2" b="0" c="0" d="0"/></lane>"""


def road_text(rule="", slope=0.0, sidewalk=SIDEWALK):
    return ROAD.format(rule=rule, slope=slope, sidewalk=sidewalk)


def test_a_town_grows_around_any_road():
    town = town_from_text("Mine", road_text(slope=0.02))
    assert town.name == "Mine" and len(town.spawn_points) >= 5 and not town.signals
    assert town.relief.height(60.0, 1.6) == pytest.approx(2.2, abs=0.01)
    assert town.spawn_points[-1].pitch_deg == pytest.approx(math.degrees(math.atan(0.02)), abs=0.05)
    assert len(town.meshes.solid.triangles) > 500 and len(town.obstacles.boxes) > 10
    bare = town_from_text("Mine", road_text(sidewalk=""))
    assert bare.spawn_points and len(bare.meshes.solid.triangles) > 50


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no map at all", "cannot be read as OpenDRIVE"),
        ("<OpenDRIVE><header/></OpenDRIVE>", "no driving lanes"),
        (road_text().replace('"driving"', '"shoulder"'), "no driving lanes"),
        (road_text(rule='rule="LHT"'), "left-hand"),
        (road_text().replace("120", "9000"), "9000 m wide"),
    ],
)
def test_what_cannot_be_driven_is_refused(text, reason):
    with pytest.raises(ConfigurationError, match=reason):
        town_from_text("Mine", text)


def test_a_foreign_text_is_read_in_a_process_of_its_own_first():
    probe("Mine", road_text())
    with pytest.raises(ConfigurationError, match="'Mine' has no driving lanes"):
        probe("Mine", road_text().replace('"driving"', '"shoulder"'))
    with pytest.raises(ConfigurationError, match="km of roads"):
        probe("Mine", road_text().replace("120", "99999999999"))
    with pytest.raises(ConfigurationError, match="length 'long', which is no number"):
        probe("Mine", road_text().replace('length="120" id', 'length="long" id'))


@pytest.mark.simulator
def test_the_picture_of_the_hill_shows_the_relief(carla_embedded):
    """Every pixel of the road, put back into the world by its depth, lies on the relief."""
    from sim2real_bench.envs.carla.embedded.geometry import rotation_matrix
    from sim2real_bench.envs.carla.embedded.render.renderer import Renderer
    from sim2real_bench.envs.carla.embedded.render.view import CameraView

    town, width, height = town_of("MiniTown03"), 192, 120
    steep = [spawn for spawn in town.spawn_points if abs(spawn.pitch_deg) > 3.0]
    right, down = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    with Renderer(town) as renderer:
        for spawn in (steep[0], steep[-1]):
            view = CameraView(
                width, height, 90.0, spawn.x, spawn.y, spawn.z + 1.4, spawn.pitch_deg - 8.0, spawn.yaw_deg
            )
            images = renderer.render(view, [], frame=1)
            low, middle, high = (images.depth[..., channel].astype(float) for channel in (2, 1, 0))
            depth = 1000.0 * (low + 256.0 * middle + 65536.0 * high) / (256.0**3 - 1.0)
            rays = np.stack([depth, depth * right / (width / 2), -depth * down / (width / 2)], -1)
            places = rays @ np.array(rotation_matrix(view.pitch_deg, view.yaw_deg, 0.0)).T + (view.x, view.y, view.z)
            road = np.isin(images.semantic[..., 2], (1, 24)) & (depth < 60.0)
            errors = places[road][:, 2] - town.relief.heights(places[road][:, :2])
            assert road.sum() > 4000
            assert np.percentile(np.abs(errors), 98) < 0.02
