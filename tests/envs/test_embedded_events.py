"""Collisions, lanes and inertia on the embedded server, through the genuine CARLA client."""

import math

import pytest
from embedded_client import WAIT_S, Rig, free_road, rigged, spawn

pytestmark = pytest.mark.simulator


def test_a_crash_into_a_wall_is_reported_and_stops_the_vehicle(world):
    import carla

    point = free_road(world)
    vehicle = spawn(world, point)
    side = point.get_right_vector()
    rig = Rig(world, "sensor.other.collision", parent=vehicle)
    with rigged(rig):
        world.tick()
        yaw = point.rotation.yaw + 90.0
        vehicle.set_transform(carla.Transform(point.location, carla.Rotation(yaw=yaw)))
        vehicle.set_target_velocity(10.0 * side)
        vehicle.apply_control(carla.VehicleControl(throttle=0.7))
        events = []
        for _ in range(60):
            frame = world.tick()
            if not rig.queue.empty():
                events = [rig.queue.get(timeout=WAIT_S)]
                break
        assert events, "sixty ticks across the road met nothing"
        hit = events[0]
        assert frame - 1 <= hit.frame <= frame
        assert hit.actor.id == vehicle.id
        assert hit.other_actor.type_id.startswith("static.")
        impulse = hit.normal_impulse
        assert impulse.length() > 1000.0
        assert impulse.x * side.x + impulse.y * side.y < 0.0
        for _ in range(30):
            world.tick()
        assert vehicle.get_velocity().length() < 4.0


def test_two_vehicles_report_each_other(world):
    import carla

    point = free_road(world)
    first = spawn(world, point)
    second = spawn(world, carla.Transform(point.location + 9.0 * point.get_forward_vector(), point.rotation))
    rigs = [Rig(world, "sensor.other.collision", parent=vehicle) for vehicle in (first, second)]
    with rigged(*rigs):
        world.tick()
        first.set_target_velocity(8.0 * point.get_forward_vector())
        for _ in range(15):
            world.tick()
        mine, theirs = (rig.queue.get(timeout=WAIT_S) for rig in rigs)
        assert mine.other_actor.id == second.id
        assert theirs.other_actor.id == first.id
        assert mine.frame == theirs.frame
        assert mine.normal_impulse.x == pytest.approx(-theirs.normal_impulse.x)
        assert second.get_location().distance(point.location) > 9.0


def test_leaving_the_lane_is_reported(world):
    import carla

    point = free_road(world)
    vehicle = spawn(world, point)
    rig = Rig(world, "sensor.other.lane_invasion", parent=vehicle)
    with rigged(rig):
        for _ in range(3):
            world.tick()
        vehicle.set_target_velocity(6.0 * point.get_forward_vector())
        vehicle.apply_control(carla.VehicleControl(throttle=0.4, steer=-0.08))
        for _ in range(15):
            world.tick()
        event = rig.queue.get(timeout=WAIT_S)
        assert event.crossed_lane_markings


def test_inertial_and_satellite_sensors(world):
    import carla

    point = free_road(world)
    vehicle = spawn(world, point)
    rigs = [Rig(world, f"sensor.other.{name}", parent=vehicle) for name in ("imu", "gnss")]
    with rigged(*rigs):
        vehicle.apply_control(carla.VehicleControl(throttle=1.0))
        for _ in range(20):
            frame = world.tick()
        inertial, place = (rig.at(frame) for rig in rigs)
        assert inertial.accelerometer.z == pytest.approx(9.81, abs=0.01)
        assert inertial.accelerometer.x == pytest.approx(vehicle.get_acceleration().length(), abs=0.05)
        assert math.degrees(inertial.compass) == pytest.approx((point.rotation.yaw + 90) % 360, abs=0.5)
        expected = world.get_map().transform_to_geolocation(vehicle.get_location())
        assert place.latitude == pytest.approx(expected.latitude, abs=1e-7)
        assert place.longitude == pytest.approx(expected.longitude, abs=1e-7)
