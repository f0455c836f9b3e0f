"""What stands in the towns and what moves in them: classes, bodies, lamps, signs."""

import math
from functools import lru_cache

import numpy as np
import pytest
import shapely

from sim2real_bench.envs.carla.embedded.render.body_mesh import body_mesh
from sim2real_bench.envs.carla.embedded.render.body_parts import Lamp
from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES, build_town
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES, mesh_name, mesh_names
from sim2real_bench.envs.carla.embedded.town.palette import LAYER, POSTER_CELLS, SIGN_CELLS, cell_box
from sim2real_bench.envs.carla.embedded.town.textures.signage import signs
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS
from sim2real_bench.envs.carla.embedded.walker_models import WALKER_MODELS
from sim2real_bench.envs.classes import CarlaClass
from sim2real_bench.errors import UnknownNameError

carla = pytest.importorskip("carla")

STREET = {
    CarlaClass.ROADS, CarlaClass.SIDEWALKS, CarlaClass.BUILDINGS, CarlaClass.WALLS, CarlaClass.FENCES,
    CarlaClass.POLES, CarlaClass.TRAFFIC_LIGHT, CarlaClass.TRAFFIC_SIGNS, CarlaClass.VEGETATION, CarlaClass.TERRAIN,
    CarlaClass.STATIC, CarlaClass.DYNAMIC, CarlaClass.WATER, CarlaClass.GROUND, CarlaClass.CAR, CarlaClass.TRUCK,
    CarlaClass.BICYCLE, CarlaClass.MOTORCYCLE,
}  # fmt: skip
MOTORWAY = {
    CarlaClass.ROADS, CarlaClass.WALLS, CarlaClass.POLES, CarlaClass.TRAFFIC_SIGNS, CarlaClass.VEGETATION,
    CarlaClass.TERRAIN, CarlaClass.BRIDGE, CarlaClass.GUARD_RAIL, CarlaClass.CAR,
}  # fmt: skip
EXPECTED = {
    "MiniTown01": STREET,
    "MiniTown02": STREET,
    "MiniTown03": STREET | {CarlaClass.RAIL_TRACK, CarlaClass.TRAIN, CarlaClass.OTHER},
    "MiniHighway01": MOTORWAY,
}
FLAT_ON_THE_GROUND = (CarlaClass.ROADS, CarlaClass.SIDEWALKS, CarlaClass.TERRAIN)
CARS = [name for name, shape in BODIES.items() if shape.tag == CarlaClass.CAR]
MESHES = [mesh for body in BODIES for mesh in mesh_names(body)]


@lru_cache(maxsize=4)
def town_of(name):
    return build_town(name)


@lru_cache(maxsize=64)
def mesh_of(name):
    return body_mesh(name)


def tags_of(mesh):
    return {CarlaClass(int(tag)) for tag in np.unique(mesh.vertices[mesh.triangles[:, 0], 13])}


def classes_in(town):
    parked = {tag for car in town.meshes.parked for tag in tags_of(mesh_of(mesh_name(car.body)))}
    return tags_of(town.meshes.solid) | tags_of(town.meshes.cutout) | parked


# Towns ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_the_classes_of_a_town(name):
    assert EXPECTED[name] <= classes_in(town_of(name))


def test_every_class_of_the_palette_occurs_somewhere():
    moving = {tag for mesh in MESHES for tag in tags_of(mesh_of(mesh))}
    found = moving.union(*(classes_in(town_of(name)) for name in TOWN_NAMES))
    # The sky and lane markings have meshes of their own in the renderer; nothing is NONE.
    assert found == set(CarlaClass) - {CarlaClass.NONE, CarlaClass.SKY, CarlaClass.ROAD_LINES}


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_nothing_one_can_see_stands_in_a_driving_lane(name):
    """Vertices from bumper height to the height of a lorry, against the middle of every lane."""
    town = town_of(name)
    lanes = carla.Map(name, town.xodr).generate_waypoints(1.0)
    centres = np.array([(w.transform.location.x, w.transform.location.y) for w in lanes])
    reach = np.array([w.lane_width for w in lanes]) / 2 - 0.2
    vertices = np.concatenate([town.meshes.solid.vertices, town.meshes.cutout.vertices])
    points = vertices[:, :2] * (1.0, -1.0)
    above = vertices[:, 2] - town.relief.heights(points)
    low = (above > 0.5) & (above < 2.0) & ~np.isin(vertices[:, 13], FLAT_ON_THE_GROUND)
    tree = shapely.STRtree(shapely.points(centres))
    near, lane = tree.query(shapely.points(points[low]), predicate="dwithin", distance=2.0)
    apart = np.hypot(*(points[low][near] - centres[lane]).T)
    assert low.sum() > 1000
    inside = near[apart < reach[lane]]
    assert len(inside) == 0, vertices[low][inside][:5, [0, 1, 2, 13]]


@pytest.mark.parametrize("name", ["MiniTown01", "MiniTown03"])
def test_traffic_lights_are_drawn_where_the_signals_are(name):
    town = town_of(name)
    solid = town.meshes.solid.vertices
    housings = solid[solid[:, 13] == CarlaClass.TRAFFIC_LIGHT][:, :3] * (1.0, -1.0, 1.0)
    lights = [signal for signal in town.signals if signal.is_light]
    assert len(lights) >= 8
    for signal in lights:
        for lamp in signal.lamps:
            assert np.linalg.norm(housings - lamp, axis=1).min() < 0.25


@pytest.mark.parametrize("name", ["MiniTown01", "MiniTown02", "MiniTown03"])
def test_streets_have_different_houses(name):
    solid = town_of(name).meshes.solid
    walls = solid.vertices[solid.vertices[:, 13] == CarlaClass.BUILDINGS]
    facades = {"brick", "brick2", "plaster", "plaster2", "concrete", "glass", "ribbon", "stone", "shop", "shop2"}
    used = {layer for layer in facades if (walls[:, 12] == LAYER[layer]).sum() > 20}
    assert len(used) >= 7


# Bodies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", BODIES)
def test_a_body_fills_its_box(body):
    """Two-wheelers end at their box as well; people swing arms and legs beyond theirs."""
    shape = BODIES[body]
    points = mesh_of(mesh_name(body)).vertices[:, :3]
    low, high = points.min(0), points.max(0)
    half = np.array([shape.half_length, shape.half_width])
    if shape.tag == CarlaClass.PEDESTRIANS:
        assert np.abs(points[:, :2]).max() < 0.45
    else:
        tolerance = 0.05 if shape.tag in (CarlaClass.MOTORCYCLE, CarlaClass.BICYCLE) else 0.02
        assert high[:2] == pytest.approx(half, abs=tolerance)
        assert low[:2] == pytest.approx(-half, abs=tolerance)
    assert low[2] == pytest.approx(0.0, abs=0.03)
    assert high[2] == pytest.approx(2 * shape.half_height, abs=0.04)


@pytest.mark.parametrize("name", MESHES)
def test_faces_look_outwards(name):
    """The order of the corners agrees with the normals: else the face is culled, or lit from within."""
    mesh = mesh_of(name)
    corners = mesh.vertices[mesh.triangles]
    a, b, c = (corners[:, k, :3].astype(np.float64) for k in range(3))
    turned = np.cross(b - a, c - a)
    area = np.linalg.norm(turned, axis=1)
    agreement = (turned * corners[:, :, 3:6].mean(1)).sum(1)[area > 1e-6] / area[area > 1e-6]
    assert (agreement > 0.0).mean() > 0.98


@pytest.mark.parametrize("name", MESHES)
def test_meshes_are_small_and_have_the_classes_of_their_body(name):
    shape, mesh = BODIES[name.partition(":")[0]], mesh_of(name)
    assert 10 < len(mesh.triangles) <= 560
    assert tags_of(mesh) == {shape.tag, *({shape.rider} if shape.rider is not None else ())}


@pytest.mark.parametrize(
    "body", [*CARS, "truck", "lorry", "firetruck", "ambulance", "bus", "motorcycle", "cruiser", "scooter"]
)
def test_lamps_lie_where_they_belong(body):
    vertices = mesh_of(body).vertices
    places = {lamp: vertices[vertices[:, 11] == lamp, :3] for lamp in Lamp}
    for lamp in (Lamp.HEAD, Lamp.TAIL, Lamp.LEFT_BLINKER, Lamp.RIGHT_BLINKER):
        assert len(places[lamp]) >= 4
    assert (places[Lamp.HEAD][:, 0] > 0).all() and (places[Lamp.TAIL][:, 0] < 0).all()
    assert (places[Lamp.LEFT_BLINKER][:, 1] > 0).all() and (places[Lamp.RIGHT_BLINKER][:, 1] < 0).all()
    assert (np.sign(places[Lamp.LEFT_BLINKER][:, 0]) == 1).any() and (
        np.sign(places[Lamp.LEFT_BLINKER][:, 0]) == -1
    ).any()


def test_poses_follow_the_phase():
    assert [mesh_name("man", math.tau * k / 4) for k in range(5)] == ["man:0", "man:1", "man:2", "man:3", "man:0"]
    assert mesh_name("sedan", 2.0) == "sedan"
    standing, left, right = (mesh_of(f"man:{pose}").vertices for pose in (0, 1, 3))
    shoes = standing[:, 2] < 0.1
    assert np.ptp(standing[shoes, 0]) < 0.35 < 0.7 < np.ptp(left[left[:, 2] < 0.1, 0])
    # The third pose mirrors the first.
    assert np.sort(left[:, 0]) == pytest.approx(np.sort(right[:, 0]), abs=1e-5)


def test_unknown_bodies_are_refused():
    with pytest.raises(UnknownNameError, match="zeppelin"):
        body_mesh("zeppelin")


# Models ---------------------------------------------------------------------------------------------------------------


def test_the_vehicle_library_is_broad():
    kinds = {model.base_type for model in VEHICLE_MODELS.values()}
    assert len(VEHICLE_MODELS) >= 20
    assert kinds == {"car", "truck", "van", "bus", "motorcycle", "bicycle"}
    assert {model.special_type for model in VEHICLE_MODELS.values()} == {"", "emergency", "taxi", "electric"}
    assert {model.generation for model in VEHICLE_MODELS.values()} == {1, 2}


@pytest.mark.parametrize("type_id", VEHICLE_MODELS)
def test_a_model_wears_a_body_that_stretches_to_its_box(type_id):
    model = VEHICLE_MODELS[type_id]
    shape = BODIES[model.body]
    two = model.base_type in ("motorcycle", "bicycle")
    assert model.two_wheeled == two == (model.wheels == 2) == (shape.rider is not None)
    points = mesh_of(mesh_name(model.body)).vertices[:, :2].copy()
    points *= (model.half_length / shape.half_length, model.half_width / shape.half_width)
    extent = np.abs(points).max(0)
    assert extent == pytest.approx((model.half_length, model.half_width), abs=0.07 if two else 0.03)
    for ours, real in ((shape.half_length, model.half_length), (shape.half_height, model.half_height)):
        assert 0.7 < real / ours < 1.45  # a stretch that does not look absurd


@pytest.mark.parametrize("type_id", WALKER_MODELS)
def test_walkers_wear_bodies_of_their_size(type_id):
    model = WALKER_MODELS[type_id]
    shape = BODIES[model.body]
    assert shape.tag == CarlaClass.PEDESTRIANS
    assert model.half_height == pytest.approx(shape.half_height)


# Signs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [SIGN_CELLS, POSTER_CELLS])
def test_faces_share_their_layer_without_overlap(names):
    cells = [shapely.box(*cell_box(name)) for name in names]
    assert shapely.union_all(cells).area == pytest.approx(sum(cell.area for cell in cells))
    assert shapely.box(0, 0, 1, 1).covers(shapely.union_all(cells))


def test_a_stop_sign_is_red_and_a_limit_has_a_white_middle():
    layer = signs().astype(int)

    def colour(name, u, v):
        u0, v0, u1, v1 = cell_box(name)
        row = round((1.0 - (v0 + (v1 - v0) * v)) * 512)
        return layer[row, round((u0 + (u1 - u0) * u) * 512), :3]

    red, green, _ = colour("stop", 0.5, 0.12)
    assert red > 150 > 60 > green
    assert colour("limit30", 0.5, 0.78).min() > 180
    assert colour("limit30", 0.5, 0.04)[0] > 150 > 60 > colour("limit30", 0.5, 0.04)[1]
