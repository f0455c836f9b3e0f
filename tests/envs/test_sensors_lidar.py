"""Lidars and radar among hand-placed walls: distances, counts, losses, labels and the sign of a speed."""

import math

import numpy as np
import pytest
from sensor_scenes import boxes, cloud_of, enclosure, make_scene, make_sensor, make_vehicle, payloads

from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.messages import (
    CLOUD_POINT,
    LABELLED_POINT,
    RADAR_POINT,
    SensorType,
    Stamp,
    cloud,
)
from sim2real_bench.envs.carla.embedded.sensors.lidar import MAX_POINTS_PER_CAPTURE
from sim2real_bench.envs.classes import CarlaClass

LIDAR, SEMANTIC_LIDAR, RADAR = "sensor.lidar.ray_cast", "sensor.lidar.ray_cast_semantic", "sensor.other.radar"
PERFECT = {"dropoff_general_rate": 0.0, "dropoff_intensity_limit": 0.0, "dropoff_zero_intensity": 0.0, "range": 100.0}


def lidar(pose, parent=None, **attributes):
    return make_sensor(LIDAR, pose, parent, **(PERFECT | attributes))


def points_of(sensor, scene, dtype=CLOUD_POINT):
    (payload,) = payloads(sensor, scene)
    return cloud_of(payload, dtype)


def test_a_level_ring_lies_on_the_walls_around():
    sensor = lidar(Transform(z=2.0), channels=1, upper_fov=0.0, lower_fov=0.0, points_per_second=3600)
    angle, counts, points = points_of(sensor, make_scene(enclosure(10.0)))
    assert counts.tolist() == [360]
    np.testing.assert_allclose(np.maximum(abs(points["x"]), abs(points["y"])), 10.0, atol=1e-4)
    np.testing.assert_allclose(points["z"], 0.0, atol=1e-5)
    assert angle == pytest.approx(0.0, abs=1e-5)  # 10 turns a second, 0.1 s: a whole turn
    bearings = np.degrees(np.arctan2(points["y"], points["x"]))
    np.testing.assert_allclose(np.diff(bearings), 1.0, atol=1e-3)
    assert bearings[0] == pytest.approx(-180.0, abs=1e-3) or bearings[0] == pytest.approx(180.0, abs=1e-3)


def test_the_lowest_laser_meets_the_ground_where_it_must():
    sensor = lidar(Transform(z=2.0), channels=2, upper_fov=0.0, lower_fov=-30.0, points_per_second=720)
    _, counts, points = points_of(sensor, make_scene(enclosure(10.0)))
    assert counts.tolist() == [36, 36]
    low = points[36:]
    np.testing.assert_allclose(low["z"], -2.0, atol=1e-5)
    np.testing.assert_allclose(np.hypot(low["x"], low["y"]), 2.0 / math.tan(math.radians(30.0)), rtol=1e-5)


def test_points_are_in_the_axes_of_a_tilted_sensor():
    pose = Transform(x=1.0, y=-2.0, z=2.0, yaw=90.0, pitch=-10.0)
    sensor = lidar(pose, channels=1, upper_fov=0.0, lower_fov=0.0, points_per_second=40, rotation_frequency=0.0)
    _, _, points = points_of(sensor, make_scene(enclosure(10.0)))
    # A head that does not turn looks backwards: half of the horizontal field of view to the left of ahead.
    assert points["x"][0] < 0
    np.testing.assert_allclose(points["x"], -8.0 / math.cos(math.radians(10.0)), rtol=1e-5)


def test_the_head_turns_on_from_tick_to_tick():
    sensor = lidar(
        Transform(z=2.0), channels=1, upper_fov=0.0, lower_fov=0.0, points_per_second=900, rotation_frequency=2.5
    )
    scene = make_scene(enclosure(10.0))
    starts = []
    for expected in (90.0, 180.0, 270.0, 0.0):
        angle, counts, points = points_of(sensor, scene)
        assert math.degrees(angle) == pytest.approx(expected, abs=1e-3)
        assert counts.tolist() == [90]
        starts.append(math.degrees(math.atan2(points["y"][0], points["x"][0])) % 360.0)
    np.testing.assert_allclose(starts, [180.0, 270.0, 0.0, 90.0], atol=1e-3)


def test_horizontal_field_of_view_limits_the_sweep():
    sensor = lidar(
        Transform(z=2.0), channels=1, upper_fov=0.0, lower_fov=0.0, horizontal_fov=60.0, points_per_second=600
    )
    _, _, points = points_of(sensor, make_scene(enclosure(10.0)))
    bearings = np.degrees(np.arctan2(points["y"], points["x"]))
    assert bearings.min() == pytest.approx(-30.0, abs=1e-3)
    assert 28.0 < bearings.max() <= 30.0


def test_intensity_falls_off_with_the_distance():
    sensor = lidar(Transform(z=2.0), atmosphere_attenuation_rate=0.01)
    _, _, points = points_of(sensor, make_scene(enclosure(10.0)))
    distance = np.sqrt(points["x"] ** 2 + points["y"] ** 2 + points["z"] ** 2)
    np.testing.assert_allclose(points["intensity"], np.exp(-0.01 * distance), rtol=1e-5)


def test_drop_off_takes_its_share():
    few = {"points_per_second": 400_000, "channels": 4, "upper_fov": 0.0, "lower_fov": 0.0}
    scene = make_scene(enclosure(10.0))
    everything = len(points_of(lidar(Transform(z=2.0), **few), scene)[2])
    general = points_of(lidar(Transform(z=2.0), dropoff_general_rate=0.45, **few), scene)[2]
    assert len(general) / everything == pytest.approx(0.55, abs=0.02)
    # At intensity i below the limit, 0.4 (1 - i / limit) of the points are lost; here i is about exp(-0.5).
    dim = {"dropoff_zero_intensity": 0.4, "dropoff_intensity_limit": 1.0, "atmosphere_attenuation_rate": 0.05}
    left = points_of(lidar(Transform(z=2.0), **(few | dim)), scene)[2]
    perfect = points_of(lidar(Transform(z=2.0), **(few | dim | {"dropoff_zero_intensity": 0.0})), scene)[2]
    expected = 1.0 - 0.4 * (1.0 - perfect["intensity"].mean())
    assert len(left) / everything == pytest.approx(expected, abs=0.02)


def test_noise_moves_points_along_their_rays_and_repeats_with_the_seed():
    scene = make_scene(enclosure(10.0))
    clean = points_of(lidar(Transform(z=2.0)), scene)[2]
    first, again, other = (
        points_of(lidar(Transform(z=2.0), noise_stddev=0.1, noise_seed=seed), scene)[2] for seed in (5, 5, 6)
    )
    assert first.tobytes() == again.tobytes() != other.tobytes()
    before, after = (np.stack([p["x"], p["y"], p["z"]], axis=1).astype(float) for p in (clean, first))
    shift = np.linalg.norm(after, axis=1) - np.linalg.norm(before, axis=1)
    assert shift.std() == pytest.approx(0.1, rel=0.1)
    np.testing.assert_allclose(np.cross(before, after), 0.0, atol=1e-3)


def test_the_carrier_is_transparent_and_other_cars_are_labelled():
    carrier, other = make_vehicle(number=1), make_vehicle(x=8.0, number=42)
    scene = make_scene(enclosure(30.0), [carrier, other])
    sensor = make_sensor(SEMANTIC_LIDAR, Transform(x=-0.5, z=1.2), carrier, range=60.0, points_per_second=200_000)
    _, _, points = points_of(sensor, scene, LABELLED_POINT)
    assert set(points["actor"].tolist()) == {0, 42}
    assert set(points["tag"].tolist()) == {int(CarlaClass.WALLS), int(CarlaClass.GROUND), int(CarlaClass.CAR)}
    assert (points["tag"][points["actor"] == 42] == CarlaClass.CAR).all()
    rear = points[(points["actor"] == 42) & (abs(points["z"] + 0.6) < 0.5)]
    assert rear["x"].min() == pytest.approx(8.5 - other.dynamics.model.half_length, abs=1e-4)
    ground = points[points["tag"] == CarlaClass.GROUND]
    np.testing.assert_allclose(ground["z"], -1.2, atol=1e-4)
    distance = np.sqrt(ground["x"] ** 2 + ground["y"] ** 2 + ground["z"] ** 2)
    np.testing.assert_allclose(ground["cosine"], 1.2 / distance, rtol=1e-4)


def test_too_many_points_are_limited(caplog):
    sensor = lidar(Transform(z=2.0), channels=1, points_per_second=5_000_000, range=1.0)
    points_of(sensor, make_scene(seconds=0.5))
    assert f"it gets {MAX_POINTS_PER_CAPTURE}" in caplog.text


def test_a_tick_too_short_for_a_point_gives_an_empty_cloud():
    sensor = lidar(Transform(z=2.0), channels=32, points_per_second=10)
    _, counts, points = points_of(sensor, make_scene(enclosure(10.0)))
    assert counts.tolist() == [0] * 32
    assert len(points) == 0


def test_a_cloud_with_wrong_counts_is_not_sent():
    points = np.zeros(3, CLOUD_POINT)
    with pytest.raises(ValueError, match="3 points in channels of 4"):
        cloud(SensorType.LIDAR, Stamp(1, 0.1), Transform(), 0.0, [2, 2], points)
    with pytest.raises(ValueError, match="expected a row of"):
        cloud(SensorType.SEMANTIC_LIDAR, Stamp(1, 0.1), Transform(), 0.0, [3], points)


def radar_points(scene, parent, **attributes):
    sensor = make_sensor(RADAR, Transform(x=2.5, z=0.8), parent, **attributes)
    (payload,) = payloads(sensor, scene)
    return np.frombuffer(payload, RADAR_POINT)


def test_the_radar_tells_approach_from_departure():
    ahead = {"horizontal_fov": 4.0, "vertical_fov": 4.0}
    mine, other = make_vehicle(speed=0.0), make_vehicle(x=20.0, speed=-5.0, number=2)
    approaching = radar_points(make_scene(vehicles=[mine, other]), mine, **ahead)
    assert len(approaching) == 150  # 1500 a second for 0.1 s
    np.testing.assert_allclose(approaching["velocity"], -5.0, atol=0.02)
    np.testing.assert_allclose(
        approaching["depth"] * np.cos(approaching["azimuth"]) * np.cos(approaching["altitude"]),
        20.0 - 2.5 - other.dynamics.model.half_length,
        rtol=1e-4,
    )
    other.dynamics.set_velocity((5.0, 0.0, 0.0))
    assert radar_points(make_scene(vehicles=[mine, other]), mine, **ahead)["velocity"].mean() == pytest.approx(
        5.0, abs=0.02
    )
    mine.dynamics.set_velocity((5.0, 0.0, 0.0))
    assert radar_points(make_scene(vehicles=[mine, other]), mine, **ahead)["velocity"].mean() == pytest.approx(
        0.0, abs=0.02
    )


def test_the_radar_sees_standing_walls_come_nearer_by_the_cosine():
    mine = make_vehicle(speed=10.0)
    wall = boxes((40.0, 0.0, 0.0, 0.5, 60.0, 50.0, CarlaClass.BUILDINGS))
    points = radar_points(make_scene(wall, [mine]), mine, horizontal_fov=90.0, vertical_fov=1.0)
    np.testing.assert_allclose(
        points["velocity"], -10.0 * np.cos(points["azimuth"]) * np.cos(points["altitude"]), atol=1e-3
    )
    assert points["azimuth"].max() <= math.radians(45.0) + 1e-6
    assert points["azimuth"].min() >= -math.radians(45.0) - 1e-6
    assert points["azimuth"].max() > math.radians(30.0)


def test_azimuth_is_positive_to_the_right_and_altitude_upwards():
    mine = make_vehicle()
    right = boxes((10.0, 5.0, 0.0, 0.5, 2.0, 3.0, CarlaClass.WALLS))
    points = radar_points(make_scene(right, [mine]), mine, horizontal_fov=120.0, vertical_fov=1.0)
    boxed = points[points["depth"] * np.cos(points["azimuth"]) > 6.9]
    boxed = boxed[boxed["depth"] < 15.0]
    assert (boxed["azimuth"] > 0.0).all()
    assert len(boxed) > 0
