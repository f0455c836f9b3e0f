"""Forces, physics and Ackermann control through the genuine client."""

import math

import pytest
from embedded_client import connect, leave, make_synchronous

pytestmark = pytest.mark.simulator
TICK = 0.05
MKZ_MASS = 1860.0


@pytest.fixture(scope="module")
def client(embedded_server):
    return connect(embedded_server)


@pytest.fixture(scope="module")
def world(client):
    world = make_synchronous(client.get_world(), TICK)
    yield world
    leave(world)


@pytest.fixture
def vehicle(client, world):
    """A standing MKZ on the ground of a long straight street."""
    import carla

    world_map = world.get_map()

    def straight(pose):
        return min(
            math.cos(math.radians(ahead.transform.rotation.yaw - pose.rotation.yaw)) if (ahead := way[0]) else 0.0
            for way in [world_map.get_waypoint(pose.location).next(40.0)]
        )

    pose = max(world_map.get_spawn_points(), key=straight)
    actor = world.spawn_actor(world.get_blueprint_library().find("vehicle.lincoln.mkz_2020"), pose)
    for _ in range(10):
        world.tick()
    yield actor
    client.apply_batch_sync([carla.command.DestroyActor(actor)])
    world.tick()


def ticks(world, count):
    for _ in range(count):
        world.tick()


def speed(actor):
    return actor.get_velocity().length()


def along(actor, size):
    ahead = actor.get_transform().get_forward_vector()
    return type(ahead)(ahead.x * size, ahead.y * size, 0.0)


def test_impulses_and_forces(world, vehicle):
    import carla

    vehicle.add_impulse(along(vehicle, MKZ_MASS * 4.0))
    world.tick()
    assert speed(vehicle) == pytest.approx(4.0, rel=0.02)
    vehicle.set_target_velocity(carla.Vector3D())
    ticks(world, 2)
    assert speed(vehicle) == 0.0
    for _ in range(20):
        vehicle.add_force(along(vehicle, MKZ_MASS * 3.0))
        world.tick()
    assert speed(vehicle) == pytest.approx(3.0 - 0.5, rel=0.1)  # rolling and engine take 0.5 m/s²


def test_turning_by_hand(client, world, vehicle):
    import carla

    pose = vehicle.get_transform()
    vehicle.set_target_angular_velocity(carla.Vector3D(0.0, 0.0, 90.0))
    world.tick()
    turning = vehicle.get_angular_velocity().z
    assert 20.0 < turning < 90.0  # the tyres resist at once
    ticks(world, 20)
    assert vehicle.get_angular_velocity().z == 0.0
    vehicle.add_angular_impulse(carla.Vector3D(0.0, 0.0, 1e10))
    world.tick()
    assert 150.0 < vehicle.get_angular_velocity().z < 237.0
    ticks(world, 40)
    vehicle.set_transform(pose)
    ticks(world, 2)
    torque = carla.command.ApplyTorque(vehicle, carla.Vector3D(0.0, 0.0, 1e11))  # 20 ticks make an impulse of it
    assert not client.apply_batch_sync([torque])[0].error
    world.tick()
    assert 60.0 < vehicle.get_angular_velocity().z < 119.0


def test_gravity_and_constant_velocity(world, vehicle):
    import carla

    vehicle.set_enable_gravity(False)
    vehicle.add_impulse(carla.Vector3D(0.0, 0.0, MKZ_MASS))
    ticks(world, 20)
    assert vehicle.get_location().z == pytest.approx(1.0, rel=0.02)
    vehicle.set_enable_gravity(True)
    ticks(world, 20)
    assert vehicle.get_location().z == pytest.approx(0.0, abs=1e-3)
    start = vehicle.get_location()
    vehicle.enable_constant_velocity(carla.Vector3D(3.0, 0.0, 0.0))
    ticks(world, 20)
    assert speed(vehicle) == pytest.approx(3.0, rel=1e-3)
    assert vehicle.get_location().distance(start) == pytest.approx(3.0, rel=0.05)
    vehicle.disable_constant_velocity()
    vehicle.apply_control(carla.VehicleControl(brake=1.0))
    ticks(world, 20)
    assert speed(vehicle) == 0.0


def test_physics_control_comes_back_and_takes_effect(client, world, vehicle):
    import carla

    before = vehicle.get_physics_control()
    assert before.mass == MKZ_MASS
    assert [wheel.max_steer_angle for wheel in before.wheels] == [70.0, 70.0, 0.0, 0.0]
    centre = vehicle.get_location()
    hubs = [carla.Location(wheel.position.x / 100.0, wheel.position.y / 100.0, 0.0) for wheel in before.wheels]
    assert hubs[0].distance(hubs[2]) == pytest.approx(2.85, abs=0.01)  # the wheelbase
    assert max(hub.distance(centre) for hub in hubs) < 2.0
    changed = vehicle.get_physics_control()
    changed.mass, changed.max_rpm, changed.drag_coefficient = 3720.0, 7000.0, 0.5
    changed.torque_curve = [carla.Vector2D(0.0, 200.0), carla.Vector2D(7000.0, 100.0)]
    changed.forward_gears = [carla.GearPhysicsControl(3.0, 0.3, 0.8), carla.GearPhysicsControl(1.5, 0.3, 0.8)]
    wheels = changed.wheels
    for wheel in wheels:
        wheel.tire_friction = 1.0
    changed.wheels = wheels
    vehicle.apply_physics_control(changed)
    world.tick()
    after = vehicle.get_physics_control()
    assert after == changed
    vehicle.add_impulse(along(vehicle, MKZ_MASS * 4.0))
    world.tick()
    assert speed(vehicle) == pytest.approx(2.0, rel=0.03)  # twice the mass
    refused = client.apply_batch_sync(
        [carla.command.ApplyVehiclePhysicsControl(vehicle, carla.VehiclePhysicsControl())]
    )
    assert "has 4 wheels, got 0" in refused[0].error


def test_ackermann_control_reaches_speed_and_angle(world, vehicle):
    import carla

    settings = vehicle.get_ackermann_controller_settings()
    assert (settings.speed_kp, settings.speed_kd) == pytest.approx((0.15, 0.25))
    settings.speed_kp = 0.25
    vehicle.apply_ackermann_controller_settings(settings)
    world.tick()
    assert vehicle.get_ackermann_controller_settings().speed_kp == pytest.approx(0.25)
    speeds = []
    for _ in range(120):
        vehicle.apply_ackermann_control(carla.VehicleAckermannControl(speed=4.0, acceleration=2.0))
        world.tick()
        speeds.append(speed(vehicle))
    assert speeds[-1] == pytest.approx(4.0, abs=0.15)
    assert max(speeds) < 4.5
    vehicle.apply_ackermann_control(carla.VehicleAckermannControl(steer=0.2, speed=1.0))
    ticks(world, 30)
    left, right = (
        vehicle.get_wheel_steer_angle(wheel)
        for wheel in (carla.VehicleWheelLocation.FL_Wheel, carla.VehicleWheelLocation.FR_Wheel)
    )
    assert right == pytest.approx(math.degrees(0.2), abs=0.1)
    assert 0.0 < left < right  # the outer wheel turns less
    assert vehicle.get_wheel_steer_angle(carla.VehicleWheelLocation.BL_Wheel) == 0.0
    vehicle.apply_ackermann_control(carla.VehicleAckermannControl(speed=0.0))
    ticks(world, 60)
    assert speed(vehicle) == 0.0
    vehicle.apply_control(carla.VehicleControl(throttle=0.5, reverse=True))  # pedals end the Ackermann control
    ticks(world, 20)
    assert vehicle.get_control().throttle == 0.5
    assert speed(vehicle) > 0.5


def test_what_has_no_counterpart_is_refused_by_name(world, vehicle):
    import carla

    with pytest.raises(RuntimeError, match="get_telemetry_data is not supported"):
        vehicle.get_telemetry_data()
    with pytest.raises(RuntimeError, match="get_wheel_pitch_angle is not supported"):
        vehicle.get_wheel_pitch_angle(carla.VehicleWheelLocation.FL_Wheel)
    assert vehicle.get_failure_state() == carla.VehicleFailureState.NONE
