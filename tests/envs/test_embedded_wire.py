"""Values from the wire, blueprints and transforms: what is accepted, what is refused, and byte sizes."""

import math

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim2real_bench.envs.carla.embedded import blueprints, framing, messages, wire
from sim2real_bench.envs.carla.embedded.geometry import Transform, compose, relative_to, rotation_matrix
from sim2real_bench.envs.carla.embedded.sensors.events import static_type_id
from sim2real_bench.envs.carla.embedded.sensors.navigation import geodetic
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl
from sim2real_bench.envs.carla.embedded.wire import AttributeValue, Description, WireError
from sim2real_bench.envs.classes import CarlaClass
from sim2real_bench.errors import ConfigurationError

_SCALARS = (
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=9), st.binary(max_size=9),
)  # fmt: skip
ANYTHING = st.recursive(
    st.one_of(*_SCALARS),
    lambda inner: st.lists(inner, max_size=14) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
READERS = (
    wire.transform, wire.location, wire.velocity, wire.vehicle_control, wire.light_flags, wire.weather,
    wire.description, wire.episode_settings, wire.request, wire.actor_id,
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING, st.sampled_from(READERS))
def test_readers_accept_or_raise_a_wire_error(value, reader):
    try:
        reader(value)
    except WireError as error:
        assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (wire.transform, [[0.0, 0.0, math.nan], [0.0, 0.0, 0.0]]),
        (wire.transform, [[0.0, 0.0, math.inf], [0.0, 0.0, 0.0]]),
        (wire.transform, [[0.0, 0.0], [0.0, 0.0, 0.0]]),
        (wire.location, [1e9, 0.0, 0.0]),
        (wire.location, [True, 0.0, 0.0]),
        (wire.velocity, [1000.0, 0.0, 0.0]),
        (wire.vehicle_control, [math.nan, 0.0, 0.0, False, False, False, 0]),
        (wire.vehicle_control, [0.0, 0.0, 0.0, 0, False, False, 0]),
        (wire.vehicle_control, [0.0, 0.0, 0.0, False, False, False]),
        (wire.vehicle_control, [0.0, 0.0, 0.0, False, False, False, 99]),
        (wire.weather, [0.0] * 13),
        (wire.description, [1, "x", [["a", 9, "b"]]]),
        (wire.description, [1, "x" * 5000, []]),
        (wire.description, [1, "x", [["a", 1, "b"]] * 65]),
        (wire.episode_settings, [True, False, [True, 0.0], True, 0.01, 10, 0.0, True, 0.0, 0.0, True]),
        (wire.episode_settings, [True, False, [True], True, 0.01, 10, 0.0, True, 0.0, 0.0, True]),
        (wire.request, [0, 1, "version", []]),
        (wire.request, [0, 1, "version", [[1]]]),
        (wire.request, [2, "version", [[False]]]),
        (wire.request, [0, -1, "version", [[False]]]),
        (wire.actor_id, 2**32),
        (wire.actor_id, True),
    ],
)
def test_refused_values(reader, value):
    with pytest.raises(WireError):
        reader(value)


def test_controls_are_clamped_as_the_simulator_does():
    control = wire.vehicle_control([2.0, -3.0, -1.0, True, False, False, 1])
    assert control == VehicleControl(1.0, -1.0, 0.0, True, False, False, 1)


def test_settings_survive_the_round_trip():
    values = [True, False, [True, 0.1], True, 0.01, 10, 0.0, True, 3000.0, 2000.0, True]
    assert wire.episode_settings(values).wire() == values
    assert wire.episode_settings(values).delta == 0.1
    assert wire.EpisodeSettings().wire()[:3] == [False, False, [False]]


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd\xff\xff\xff\xff",  # an array of four thousand million
        b"\xdf\xff\xff\xff\xff",  # a map
        b"\xc7\x01\x01x",  # an extension type
        b"\x91" * 100_000,  # a hundred thousand nested lists
        b"\xdc\x0f\xff" * 1100,  # nested lists of thousands
        b"\xc1",  # never used in msgpack
    ],
)
def test_hostile_msgpack_is_refused_without_allocating_it(data):
    with pytest.raises((ValueError, msgpack.UnpackException, WireError)):
        framing.unpack(data)


@pytest.mark.parametrize("head", [b"\xdb\xff\xff\xff\xff", b"\xc6\x7f\xff\xff\xff", b"\xc9\x7f\xff\xff\xff\x01"])
def test_a_long_announced_text_is_refused_when_the_buffer_is_full(head):
    reader = framing.MessageReader()
    block = b"x" * 2**20
    with pytest.raises((ValueError, msgpack.UnpackException, WireError)):
        reader.feed(b"\x94" + head)
        for _ in range(wire.MAX_REQUEST_BYTES // len(block) + 2):
            list(reader)
            reader.feed(block)


def test_blueprints_complete_and_check_a_description():
    camera = Description(1, blueprints.CAMERA_RGB, (AttributeValue("fov", 3, "70.5"),))
    values = blueprints.resolve(camera)
    assert values["fov"] == "70.5"
    assert values["image_size_x"] == "800"


@pytest.mark.parametrize(
    ("name", "attribute", "value"),
    [
        (blueprints.CAMERA_RGB, "image_size_x", "abc"),
        (blueprints.CAMERA_RGB, "image_size_x", "0"),
        (blueprints.CAMERA_RGB, "image_size_x", "4097"),
        (blueprints.CAMERA_RGB, "fov", "nan"),
        (blueprints.CAMERA_RGB, "fov", "171"),
        (blueprints.CAMERA_RGB, "fov", "0"),
        (blueprints.CAMERA_RGB, "sensor_tick", "-1"),
        (blueprints.CAMERA_RGB, "lens_flare", "1"),
        ("vehicle.lincoln.mkz_2020", "color", "1,2"),
        ("vehicle.lincoln.mkz_2020", "color", "1,2,256"),
        ("vehicle.lincoln.mkz_2020", "number_of_wheels", "6"),
        ("walker.pedestrian.0001", "speed", "-1"),
        ("walker.pedestrian.0001", "age", "ancient"),
        ("walker.pedestrian.9999", "speed", "1"),
        ("static.prop.piano", "role_name", "x"),
    ],
)
def test_blueprints_refuse_and_name_the_value(name, attribute, value):
    with pytest.raises(ConfigurationError) as caught:
        blueprints.resolve(Description(1, name, (AttributeValue(attribute, 4, value),)))
    assert attribute in str(caught.value) or name in str(caught.value)


def test_two_large_sides_are_too_many_pixels():
    sides = (AttributeValue("image_size_x", 2, "4096"), AttributeValue("image_size_y", 2, "4096"))
    with pytest.raises(ConfigurationError, match="pixels"):
        blueprints.resolve(Description(1, blueprints.CAMERA_DEPTH, sides))


def test_defaults_of_the_library_are_valid():
    offered = blueprints.BLUEPRINTS.keys() - blueprints.catalogue.REFUSED_BLUEPRINTS.keys()
    for blueprint in map(blueprints.BLUEPRINTS.__getitem__, sorted(offered)):
        given_back = tuple(AttributeValue(a.name, int(a.type), a.recommended[0]) for a in blueprint.attributes)
        assert blueprints.resolve(Description(blueprint.uid, blueprint.type_id, given_back))
        for attribute in blueprint.attributes:
            for value in attribute.recommended:
                attribute.check(value)


def test_message_sizes_are_those_the_client_reads():
    stamp = messages.Stamp(7, 0.35)
    control = (VehicleControl(throttle=0.5), 1)
    states = [
        messages.ActorState(1, Transform()),
        messages.ActorState(2, Transform(1, 2, 3), union=messages.vehicle_union(*control)),
    ]
    message = messages.world_state(stamp, 1, 0.0, 0.05, 0, states)
    assert len(message) == 4 + 48 + 36 + 2 * 119
    assert int.from_bytes(message[:4], "little") == len(message) - 4
    picture = messages.image(messages.SensorType.RGB, stamp, Transform(), 90.0, np.zeros((3, 5, 4), np.uint8))
    assert len(picture) == 4 + 48 + 12 + 60
    with pytest.raises(ValueError, match="uint8"):
        messages.image(messages.SensorType.RGB, stamp, Transform(), 90.0, np.zeros((3, 5, 3), np.uint8))


def test_obstacles_are_named_after_their_tag():
    assert static_type_id(CarlaClass.BUILDINGS) == "static.building"
    assert static_type_id(CarlaClass.CAR) == "static.car"
    assert static_type_id(CarlaClass.VEGETATION) == "static.vegetation"


def test_geodetic_positions_are_those_of_the_client_library():
    carla = pytest.importorskip("carla")
    from sim2real_bench.envs.carla.embedded.town import build_town

    xodr = build_town("MiniTown01").xodr
    road_map = carla.Map("MiniTown01", xodr)
    for place in [(0.0, 0.0, 1.0), (300.0, -150.0, 2.0), (-2000.0, 900.0, 0.0)]:
        expected = road_map.transform_to_geolocation(carla.Location(*place))
        found = geodetic(place, xodr)
        assert found == pytest.approx([expected.latitude, expected.longitude, expected.altitude], abs=1e-7)


_POSES = st.builds(Transform, *[st.floats(-100, 100)] * 3, st.floats(-80, 80), st.floats(-180, 179), st.floats(-80, 80))


@settings(max_examples=200, deadline=None)
@given(_POSES, _POSES)
def test_relative_to_undoes_compose(parent, mount):
    back = relative_to(parent, compose(parent, mount))
    assert back.location == pytest.approx(mount.location, abs=1e-6)
    wanted = np.array(rotation_matrix(mount.pitch, mount.yaw, mount.roll))
    assert np.array(rotation_matrix(back.pitch, back.yaw, back.roll)) == pytest.approx(wanted, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(_POSES, st.floats(-180, 179))
def test_the_short_way_of_compose_equals_the_long_one(mount, yaw):
    short = compose(Transform(1.0, 2.0, 3.0, 0.0, yaw, 0.0), mount)
    long = compose(Transform(1.0, 2.0, 3.0, 1e-12, yaw, 0.0), mount)
    assert short.location == pytest.approx(long.location, abs=1e-6)
    assert np.array(rotation_matrix(short.pitch, short.yaw, short.roll)) == pytest.approx(
        np.array(rotation_matrix(long.pitch, long.yaw, long.roll)), abs=1e-6
    )


def test_rotations_are_those_of_the_client_library():
    carla = pytest.importorskip("carla")
    generator = np.random.default_rng(0)
    for _ in range(50):
        pitch, yaw, roll = generator.uniform([-89, -180, -180], [89, 180, 180])
        rotation = carla.Rotation(pitch=pitch, yaw=yaw, roll=roll)
        matrix = np.array(carla.Transform(carla.Location(), rotation).get_matrix())[:3, :3]
        assert np.array(rotation_matrix(pitch, yaw, roll)) == pytest.approx(matrix, abs=1e-5)
