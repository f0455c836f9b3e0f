"""GNSS, IMU, obstacle and collision sensors in hand-computed situations."""

import math

import numpy as np
import pytest
from sensor_scenes import boxes, enclosure, make_scene, make_sensor, make_vehicle, values

from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.physics import Hit
from sim2real_bench.envs.carla.embedded.sensors.motion import CarrierMotion, cross, turning_between
from sim2real_bench.envs.carla.embedded.sensors.navigation import geodetic, inertial
from sim2real_bench.envs.classes import CarlaClass

GNSS, IMU = "sensor.other.gnss", "sensor.other.imu"
OBSTACLE, COLLISION = "sensor.other.obstacle", "sensor.other.collision"
G = 9.81


def reading(sensor, scene):
    (value,) = values(sensor, scene)
    return value


# -- IMU --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pose", "felt"),
    [
        (Transform(), (0.0, 0.0, G)),
        (Transform(yaw=123.0), (0.0, 0.0, G)),
        # Nose up: the ground pushes along +x too. Right side down: it pushes to the left.
        (Transform(pitch=30.0), (G * 0.5, 0.0, G * math.cos(math.radians(30.0)))),
        (Transform(roll=30.0), (0.0, -G * 0.5, G * math.cos(math.radians(30.0)))),
        (Transform(pitch=90.0), (G, 0.0, 0.0)),
    ],
)
def test_at_rest_the_imu_feels_gravity_alone(pose, felt):
    accelerometer, gyroscope, _ = reading(make_sensor(IMU, pose), make_scene())
    assert accelerometer == pytest.approx(felt, abs=1e-9)
    assert gyroscope == pytest.approx((0.0, 0.0, 0.0))


@pytest.mark.parametrize(("yaw", "compass"), [(-90.0, 0.0), (0.0, 0.5), (90.0, 1.0), (180.0, 1.5)])
def test_the_compass_is_zero_in_the_north_and_grows_to_the_east(yaw, compass):
    measured = reading(make_sensor(IMU, Transform(yaw=yaw)), make_scene())[2]
    assert measured == pytest.approx(compass * math.pi, abs=1e-9)


def test_a_steady_turn_to_the_right_is_felt_to_the_right():
    speed, rate = 10.0, 0.5
    sensor = make_sensor(IMU, Transform(x=3.0))
    motion = CarrierMotion((speed, 0.0, 0.0), (0.0, speed * rate, 0.0), (0.0, 0.0, rate), (3.0, 0.0, 0.0))
    felt, turning, _ = inertial(sensor, motion)
    # v w to the right, and w² r towards the carrier's origin, which lies 3 m behind.
    assert felt == pytest.approx([-rate * rate * 3.0, speed * rate, G])
    assert turning == pytest.approx([0.0, 0.0, rate])


def test_turning_reads_in_the_axes_of_a_tilted_sensor():
    motion = CarrierMotion(turning=(0.0, 0.0, 0.5))
    _, turning, _ = inertial(make_sensor(IMU, Transform(pitch=30.0)), motion)
    assert turning == pytest.approx([0.25, 0.0, 0.5 * math.cos(math.radians(30.0))])


def test_what_is_ahead_moves_to_the_right_in_a_turn_by_positive_yaw():
    assert cross((0.0, 0.0, 1.0), (1.0, 0.0, 0.0)) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("turn", "rate"),
    [
        ({"yaw": 10.0}, (0.0, 0.0, 1.0)),
        ({"pitch": 10.0}, (0.0, -1.0, 0.0)),  # nose up: x turns towards z
        ({"roll": 10.0}, (-1.0, 0.0, 0.0)),  # right side down: z turns towards y
    ],
)
def test_angular_velocity_between_two_poses(turn, rate):
    expected = np.multiply(rate, math.radians(10.0) / 0.1)
    np.testing.assert_allclose(turning_between(Transform(), Transform(**turn), 0.1), expected, atol=1e-9)
    assert turning_between(Transform(yaw=30.0), Transform(yaw=30.0), 0.1) == (0.0, 0.0, 0.0)


def test_the_gyroscope_feels_a_crest():
    carrier = make_vehicle()
    sensor = make_sensor(IMU, parent=carrier)
    rates = []
    for frame in range(1, 4):
        carrier.dynamics.pitch = math.radians(5.0 - 2.0 * frame)  # the nose goes down by 2 degrees a tick
        sensor.follow()
        rates.append(reading(sensor, make_scene(frame=frame, seconds=0.1))[1])
    assert rates[0] == pytest.approx((0.0, 0.0, 0.0))
    for rate in rates[1:]:
        assert rate == pytest.approx((0.0, math.radians(20.0), 0.0), abs=1e-9)


def test_imu_noise_and_bias():
    quiet = make_sensor(IMU)
    noisy = make_sensor(IMU, noise_accel_stddev_x=0.5, noise_gyro_stddev_z=0.1, noise_gyro_bias_y=0.3, noise_seed=4)
    twin = make_sensor(IMU, noise_accel_stddev_x=0.5, noise_gyro_stddev_z=0.1, noise_gyro_bias_y=0.3, noise_seed=4)
    samples = []
    for frame in range(1, 301):
        scene = make_scene(frame=frame)
        clean, value = reading(quiet, scene), reading(noisy, scene)
        assert value == reading(twin, scene)
        samples.append(np.concatenate([np.subtract(a, b) for a, b in zip(value[:2], clean[:2], strict=True)]))
    spread, middle = np.std(samples, axis=0), np.mean(samples, axis=0)
    np.testing.assert_allclose(spread, [0.5, 0.0, 0.0, 0.0, 0.0, 0.1], rtol=0.15, atol=1e-9)
    np.testing.assert_allclose(middle, [0.0, 0.0, 0.0, 0.0, 0.3, 0.0], atol=0.1)


# -- GNSS -------------------------------------------------------------------------------------------------------------


def test_gnss_agrees_with_the_clients_map():
    carla = pytest.importorskip("carla")
    from sim2real_bench.envs.carla.embedded.town import build_town

    xodr = build_town("MiniTown01").xodr
    road_map = carla.Map("MiniTown01", xodr)
    for place in ((0.0, 0.0, 0.0), (120.0, -75.0, 3.5), (-400.0, 310.0, -2.0)):
        wanted = road_map.transform_to_geolocation(carla.Location(*place))
        latitude, longitude, altitude = reading(make_sensor(GNSS, Transform(*place)), make_scene(xodr=xodr))
        assert latitude == pytest.approx(wanted.latitude, abs=1e-9)
        assert longitude == pytest.approx(wanted.longitude, abs=1e-9)
        assert altitude == pytest.approx(wanted.altitude)


def test_gnss_bias_and_noise_are_in_degrees_and_metres():
    place = (10.0, 20.0, 1.0)
    clean = np.array(geodetic(place, ""))
    biased = make_sensor(GNSS, Transform(*place), noise_lat_bias=1e-5, noise_lon_bias=-2e-5, noise_alt_bias=0.5)
    np.testing.assert_allclose(reading(biased, make_scene()) - clean, [1e-5, -2e-5, 0.5], rtol=1e-6)
    noisy = make_sensor(GNSS, Transform(*place), noise_alt_stddev=2.0, noise_seed=1)
    samples = np.array([reading(noisy, make_scene(frame=frame)) for frame in range(1, 301)]) - clean
    np.testing.assert_allclose(samples[:, :2], 0.0, atol=1e-12)
    assert samples[:, 2].std() == pytest.approx(2.0, rel=0.15)


# -- obstacles and collisions -----------------------------------------------------------------------------------------


def test_the_obstacle_detector_names_what_is_ahead_and_how_far():
    carrier, other = make_vehicle(), make_vehicle(x=12.0, number=5)
    scene = make_scene(enclosure(30.0), [carrier, other])
    sensor = make_sensor(OBSTACLE, Transform(x=2.0, z=0.7), carrier, distance=20.0, hit_radius=0.5)
    me, seen, distance = reading(sensor, scene)
    assert (me[0], seen[0]) == (1, 5)
    assert distance == pytest.approx(12.0 - other.dynamics.model.half_length - 2.0 - 0.5)


def test_the_obstacle_detector_sees_walls_unless_told_to_look_for_actors_only():
    scene = make_scene(enclosure(10.0))
    pose = Transform(z=1.0)
    _, seen, distance = reading(make_sensor(OBSTACLE, pose, distance=20.0, hit_radius=0.25), scene)
    assert seen[2][1] == "static.wall"
    assert distance == pytest.approx(9.75)
    assert values(make_sensor(OBSTACLE, pose, distance=20.0, only_dynamics="True"), scene) == []
    assert values(make_sensor(OBSTACLE, pose, distance=5.0), scene) == []


def test_the_hit_radius_catches_what_a_ray_would_miss():
    scene = make_scene(boxes((5.0, 0.8, 0.0, 0.1, 0.1, 2.0, CarlaClass.POLES)))
    pose = Transform(z=1.0)
    assert values(make_sensor(OBSTACLE, pose, distance=10.0, hit_radius=0.5), scene) == []
    _, seen, _ = reading(make_sensor(OBSTACLE, pose, distance=10.0, hit_radius=1.0), scene)
    assert seen[2][1] == "static.pole"


def test_collisions_are_told_to_the_sensor_of_whoever_was_hit():
    mine, other = make_vehicle(), make_vehicle(x=4.0, number=2)
    hits = [Hit(mine, other, (-900.0, 12.0)), Hit(other, mine, (900.0, -12.0)), Hit(mine, 0, (5.0, 0.0))]
    scene = make_scene(boxes((9.0, 0.0, 0.0, 0.5, 0.5, 2.0, CarlaClass.BUILDINGS)), [mine, other], hits)
    first, second = values(make_sensor(COLLISION, parent=mine), scene)
    assert (first[0][0], first[1][0], first[2]) == (1, 2, [-900.0, 12.0, 0.0])
    assert (second[1][2][1], second[1][4]) == ("static.building", bytes([CarlaClass.BUILDINGS]))
    assert values(make_sensor(COLLISION), scene) == []
