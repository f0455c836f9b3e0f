"""Every sensor through the genuine CARLA client: types, frames, and readings that agree with each other."""

import math
import time

import numpy as np
import pytest
from embedded_client import TICK, Rig, free_road, leave, make_synchronous, metres, pixels, rigged, spawn

from sim2real_bench.envs.carla.embedded.sensors.catalogue import LANE_INVASION, SENSOR_BLUEPRINTS, UNSUPPORTED_SENSORS
from sim2real_bench.envs.classes import CarlaClass

pytestmark = pytest.mark.simulator

WIDTH, HEIGHT = 256, 144
PYTHON_TYPES = {
    "sensor.camera.rgb": "Image",
    "sensor.camera.depth": "Image",
    "sensor.camera.semantic_segmentation": "Image",
    "sensor.camera.instance_segmentation": "Image",
    "sensor.camera.normals": "Image",
    "sensor.camera.optical_flow": "OpticalFlowImage",
    "sensor.camera.dvs": "DVSEventArray",
    "sensor.lidar.ray_cast": "LidarMeasurement",
    "sensor.lidar.ray_cast_semantic": "SemanticLidarMeasurement",
    "sensor.other.radar": "RadarMeasurement",
    "sensor.other.obstacle": "ObstacleDetectionEvent",
    "sensor.other.collision": "CollisionEvent",
    "sensor.other.lane_invasion": "LaneInvasionEvent",
    "sensor.other.gnss": "GnssMeasurement",
    "sensor.other.imu": "IMUMeasurement",
}


@pytest.fixture
def world(client, request):
    """A fresh episode in synchronous mode, in MiniTown01 unless a test asks for another map."""
    world = make_synchronous(client.load_world(getattr(request, "param", "MiniTown01")))
    yield world
    leave(world)


def mount(world, name, pose, parent=None, attachment=None, **attributes):
    """A sensor with its queue; pictures are small."""
    if name.startswith("sensor.camera."):
        attributes = {"image_size_x": WIDTH, "image_size_y": HEIGHT} | attributes
    return Rig(world, name, parent, pose, attachment, **attributes)


def transform(x=0.0, y=0.0, z=0.0, **angles):
    import carla

    return carla.Transform(carla.Location(x=x, y=y, z=z), carla.Rotation(**angles))


def spawn_on(world, place, metres=0.0, name="vehicle.lincoln.mkz_2020"):
    """A vehicle ``metres`` ahead of a spawn point."""
    ahead = place.get_forward_vector()
    pose = transform(place.location.x + metres * ahead.x, place.location.y + metres * ahead.y, place.location.z)
    pose.rotation = place.rotation
    return spawn(world, pose, name)


def settle(world, ticks=8):
    """Let spawned vehicles come down to the ground."""
    for _ in range(ticks):
        world.tick()


def test_every_sensor_blueprint_delivers_its_type(world):
    import carla

    place = free_road(world)
    car, other = spawn_on(world, place), spawn_on(world, place, 12.0)
    settle(world)
    listed = {blueprint.id for blueprint in world.get_blueprint_library().filter("sensor.*")}
    assert listed == {*SENSOR_BLUEPRINTS, *UNSUPPORTED_SENSORS}
    assert set(SENSOR_BLUEPRINTS) == set(PYTHON_TYPES)
    # Lane invasions are the client's own business and need a lane change; collisions come with the crash below.
    rigs = {name: mount(world, name, transform(x=2.0, z=1.0), car) for name in PYTHON_TYPES if name != LANE_INVASION}
    with rigged(*rigs.values()):
        car.set_target_velocity(9.0 * place.get_forward_vector())
        seen = {name: [] for name in rigs}
        for _ in range(12):
            frame = world.tick()
            seen["sensor.camera.rgb"].append(rigs["sensor.camera.rgb"].at(frame))
        time.sleep(0.2)
        for name, rig in rigs.items():
            seen[name] += rig.drain()
    for name, data in seen.items():
        assert data, f"{name} said nothing"
        expected = getattr(carla, PYTHON_TYPES[name])
        assert all(isinstance(entry, expected) for entry in data), name
    assert seen["sensor.other.collision"][0].other_actor.id == other.id
    assert seen["sensor.other.obstacle"][0].other_actor.id == other.id
    assert seen["sensor.other.obstacle"][0].actor.id == car.id


def test_a_research_rig_gets_everything_in_the_frame_of_the_tick(world):
    import carla

    car = spawn_on(world, free_road(world))
    settle(world)
    rigs = [mount(world, "sensor.camera.rgb", transform(x=1.5, z=2.0, yaw=yaw), car) for yaw in (0.0, -60.0, 60.0)]
    rigs += [
        mount(world, f"sensor.camera.{kind}", transform(x=1.5, z=2.0), car)
        for kind in ("depth", "semantic_segmentation", "instance_segmentation")
    ]
    rigs += [
        mount(
            world, "sensor.lidar.ray_cast", transform(z=2.4), car, channels=64, points_per_second=560_000, range=80.0
        ),
        mount(world, "sensor.other.gnss", carla.Transform(), car),
        mount(world, "sensor.other.imu", carla.Transform(), car),
    ]
    slow = mount(world, "sensor.camera.rgb", transform(x=1.5, z=2.0), car, sensor_tick=2.5 * TICK)
    crash = mount(world, "sensor.other.collision", carla.Transform(), car)
    with rigged(*rigs, slow, crash):
        for _ in range(10):
            frame = world.tick()
            assert [rig.at(frame).frame for rig in rigs] == [frame] * len(rigs)
        time.sleep(0.2)
        # Every 0.25 s on ticks of 0.1 s: after three ticks, two ticks, three ticks, ...
        frames = np.diff([image.frame for image in slow.drain()]).tolist()
        assert frames in ([3, 2, 3], [2, 3, 2], [2, 3, 2, 3], [3, 2, 3, 2])
        assert crash.drain() == []


def test_without_rendering_cameras_are_silent_and_the_rest_goes_on(world):
    import carla

    car = spawn_on(world, free_road(world))
    settings = world.get_settings()
    settings.no_rendering_mode = True
    world.apply_settings(settings)
    camera, lidar = (
        mount(world, "sensor.camera.rgb", transform(z=3.0), car),
        mount(world, "sensor.lidar.ray_cast", transform(z=3.0), car),
    )
    imu = mount(world, "sensor.other.imu", carla.Transform(), car)
    with rigged(camera, lidar, imu):
        for _ in range(3):
            frame = world.tick()
            lidar.at(frame)
            imu.at(frame)
        time.sleep(0.1)
        assert camera.drain() == []
    settings.no_rendering_mode = False
    world.apply_settings(settings)


LABELLED = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("cosine", "<f4"), ("actor", "<u4"), ("tag", "<u4")]


def lidar_in_depth_image(world, car):
    """(points ahead of a semantic lidar, depth in the pixels they fall into), both from one place on a car."""
    pose = transform(x=0.5, z=2.0)
    depth = mount(world, "sensor.camera.depth", pose, car)
    scan = {"range": 60.0, "points_per_second": 400_000, "upper_fov": 5.0, "lower_fov": -25.0}
    lidar = mount(world, "sensor.lidar.ray_cast_semantic", pose, car, **scan)
    with rigged(depth, lidar):
        frame = world.tick()
        seen = metres(depth.at(frame))
        cloud = lidar.at(frame)
    points = np.frombuffer(cloud.raw_data, LABELLED)
    assert len(points) == len(cloud) == sum(cloud.get_point_count(channel) for channel in range(cloud.channels))
    points = points[(points["x"] > 3.0) & (abs(points["y"]) < 0.9 * points["x"])]
    column = np.floor(WIDTH / 2 * (1.0 + points["y"] / points["x"])).astype(int)
    row = np.floor(HEIGHT / 2 - WIDTH / 2 * points["z"] / points["x"]).astype(int)
    shown = (row >= 0) & (row < HEIGHT)
    return points[shown], seen[row[shown], column[shown]]


def assert_road_agrees(points, along):
    """Lidar and camera see the road ahead in the same place."""
    road = (points["tag"] == CarlaClass.ROADS) & (points["x"] < 12.0) & (abs(points["y"]) < 1.5)
    assert road.sum() > 100
    # Half a pixel of the camera is worth this many metres on the road, seen from two metres above it.
    slack = 1.5 * points["x"][road] ** 2 / (2.0 * WIDTH / 2)
    close = np.abs(along[road] - points["x"][road]) < slack
    assert close.mean() > 0.95


def test_lidar_and_depth_camera_agree_on_the_road_and_on_another_car(world):
    place = free_road(world)
    car, other = spawn_on(world, place), spawn_on(world, place, 14.0)
    settle(world)
    points, along = lidar_in_depth_image(world, car)
    assert_road_agrees(points, along)
    body = points["actor"] == other.id
    assert body.sum() > 20
    assert (points["tag"][body] == CarlaClass.CAR).all()
    assert car.id not in set(points["actor"].tolist())
    # The lidar sees the box of the car, the camera its body, which is nowhere larger.
    assert np.median(along[body] - points["x"][body]) == pytest.approx(0.3, abs=0.6)


@pytest.mark.parametrize("world", ["MiniTown03"], indirect=True)
def test_on_a_hill_lidar_camera_and_imu_know_the_slope(world):
    import carla

    place = max(world.get_map().get_spawn_points(), key=lambda point: point.rotation.pitch)
    car = spawn_on(world, place)
    car.apply_control(carla.VehicleControl(hand_brake=True))
    settle(world, 15)
    pitch = math.radians(car.get_transform().rotation.pitch)
    assert pitch > math.radians(3.0)
    assert_road_agrees(*lidar_in_depth_image(world, car))
    imu = mount(world, "sensor.other.imu", carla.Transform(), car)
    with rigged(imu):
        felt = imu.at(world.tick()).accelerometer
    assert (felt.x, felt.z) == pytest.approx((9.81 * math.sin(pitch), 9.81 * math.cos(pitch)), abs=0.05)


def test_instances_tell_two_cars_apart(world):
    place = free_road(world)
    near, far = spawn_on(world, place, 10.0), spawn_on(world, place, 20.0)
    settle(world)
    ahead = place.get_forward_vector()
    pose = transform(
        place.location.x + 4.0 * ahead.y,
        place.location.y - 4.0 * ahead.x,
        4.0,
        yaw=place.rotation.yaw + 10.0,
        pitch=-8.0,
    )
    instance = mount(world, "sensor.camera.instance_segmentation", pose)
    semantic = mount(world, "sensor.camera.semantic_segmentation", pose)
    with rigged(instance, semantic):
        frame = world.tick()
        image, tags = pixels(instance.at(frame)), pixels(semantic.at(frame))[..., 2]
    owners = image[..., 1].astype(int) | image[..., 0].astype(int) << 8
    np.testing.assert_array_equal(image[..., 2], tags)
    areas = {car.id: int((owners == car.id).sum()) for car in (near, far)}
    assert areas[near.id] > areas[far.id] > 20
    assert set(np.unique(owners)) == {0, near.id, far.id}
    assert (tags[owners == near.id] == CarlaClass.CAR).all()


def test_optical_flow_of_a_sideways_step(world):
    place = free_road(world)
    right = place.get_right_vector()
    pose = transform(place.location.x, place.location.y, 3.0, yaw=place.rotation.yaw)
    flow, depth = (mount(world, f"sensor.camera.{kind}", pose) for kind in ("optical_flow", "depth"))
    with rigged(flow, depth):
        frame = world.tick()
        still = np.frombuffer(bytes(flow.at(frame).raw_data), np.float32)
        np.testing.assert_allclose(still, 0.0, atol=1e-6)
        moved = transform(pose.location.x + 0.2 * right.x, pose.location.y + 0.2 * right.y, 3.0, yaw=place.rotation.yaw)
        for rig in (flow, depth):
            rig.sensor.set_transform(moved)
        frame = world.tick()
        image, far = flow.at(frame), metres(depth.at(frame))
        coloured = image.get_color_coded_flow()
    assert (coloured.width, coloured.height) == (WIDTH, HEIGHT)
    shift = np.frombuffer(image.raw_data, np.float32).reshape(HEIGHT, WIDTH, 2)
    near = (far > 3.0) & (far < 100.0)
    # 0.2 m at a distance d moves by 0.2 / d of half the width, as the field of view is 90 degrees.
    np.testing.assert_allclose(shift[near][:, 0], -0.2 / far[near], rtol=0.02, atol=1e-5)
    np.testing.assert_allclose(shift[near][:, 1], 0.0, atol=1e-4)


def test_gnss_and_imu_of_a_car_in_a_steady_turn(world):
    import carla

    car = spawn_on(world, free_road(world))
    settle(world)
    gnss, imu = (
        mount(world, "sensor.other.gnss", carla.Transform(), car),
        mount(world, "sensor.other.imu", carla.Transform(), car),
    )
    with rigged(gnss, imu):
        frame = world.tick()
        at_rest = imu.at(frame)
        place, wanted = gnss.at(frame), world.get_map().transform_to_geolocation(car.get_location())
        assert (place.latitude, place.longitude) == pytest.approx((wanted.latitude, wanted.longitude), abs=1e-9)
        assert place.altitude == pytest.approx(wanted.altitude, abs=1e-6)
        assert (at_rest.accelerometer.x, at_rest.accelerometer.y) == pytest.approx((0.0, 0.0), abs=1e-3)
        assert at_rest.accelerometer.z == pytest.approx(9.81, abs=1e-3)
        assert at_rest.compass == pytest.approx(
            math.radians(car.get_transform().rotation.yaw + 90.0) % math.tau, abs=1e-4
        )
        car.set_target_velocity(3.0 * car.get_transform().get_forward_vector())
        car.apply_control(carla.VehicleControl(throttle=0.25, steer=0.35))
        readings = []
        for _ in range(14):
            yaw = car.get_transform().rotation.yaw
            frame = world.tick()
            velocity = car.get_velocity()
            turned = math.radians((car.get_transform().rotation.yaw - yaw + 180.0) % 360.0 - 180.0) / TICK
            readings.append((imu.at(frame), math.hypot(velocity.x, velocity.y), turned))
    for measured, speed, turned in readings[8:]:
        assert measured.gyroscope.z > 0.05  # to the right
        assert measured.gyroscope.z == pytest.approx(turned, rel=0.15)
        assert measured.accelerometer.y == pytest.approx(speed * turned, rel=0.25, abs=0.1)
        assert measured.accelerometer.z == pytest.approx(9.81, abs=0.5)


def test_rays_of_the_client_meet_vehicles_and_the_ground(world):
    import carla

    place = free_road(world)
    car = spawn_on(world, place)
    settle(world)
    where = car.get_location()
    roof = 2.0 * car.bounding_box.extent.z
    hits = world.cast_ray(where + carla.Location(z=10.0), where + carla.Location(z=-5.0))
    assert [hit.label for hit in hits] == [carla.CityObjectLabel.Car, carla.CityObjectLabel.Roads]
    assert hits[0].location.z == pytest.approx(roof, abs=0.05)
    below = world.ground_projection(
        where + carla.Location(x=6.0 * place.get_forward_vector().x, y=6.0 * place.get_forward_vector().y, z=5.0), 20.0
    )
    assert below.label == carla.CityObjectLabel.Roads
    assert below.location.z == pytest.approx(0.0, abs=0.05)


def test_a_chase_camera_on_a_spring_arm_sees_its_car(world):
    import carla

    car = spawn_on(world, free_road(world))
    settle(world)
    pose = transform(x=-5.0, z=3.0, pitch=8.0)
    chase = mount(world, "sensor.camera.instance_segmentation", pose, car, carla.AttachmentType.SpringArmGhost)
    with rigged(chase):
        frame = world.tick()
        data = chase.at(frame)
        image = pixels(data)
    assert data.transform.rotation.pitch == pytest.approx(math.degrees(math.atan2(-3.0, 5.0)) + 8.0, abs=0.01)
    owners = image[..., 1].astype(int) | image[..., 0].astype(int) << 8
    rows, columns = np.nonzero(owners == car.id)
    assert len(rows) > 500
    assert columns.mean() == pytest.approx(WIDTH / 2, abs=WIDTH / 20)


def test_a_sensor_that_is_not_supported_is_refused_by_name(world):
    blueprint = world.get_blueprint_library().find("sensor.other.v2x")
    with pytest.raises(RuntimeError, match=r"sensor\.other\.v2x is not supported by the embedded server"):
        world.spawn_actor(blueprint, transform(z=3.0))
