"""What drivers see and what they make of it: gaps, accelerations, steering."""

import math

import numpy as np
import pytest

from sim2real_bench.envs.carla.embedded.traffic import pedals
from sim2real_bench.envs.carla.embedded.traffic.obstacles import AHEAD_M, Boxes, columns_within, meet
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS

CAR_HALF = (2.4, 1.0)


def boxes(*rows):
    """Boxes of x, y, yaw, half length, half width, vx, vy; the first one is the driver's own."""
    return Boxes(*np.array([(0.0, 0.0, 0.0, *CAR_HALF, 8.0, 0.0), *rows], float).T)


def look(*rows, reach=60.0, passed=0.0):
    """What a driver at the origin on a straight path along x meets."""
    columns = columns_within(np.array([reach]))
    points = np.stack([AHEAD_M[:columns] - passed, np.zeros(columns)], axis=-1)[None]
    return meet(
        points, np.zeros((1, columns)), np.full((1, columns), 1.25), np.array([2.4]), np.array([passed]),
        np.array([reach]), boxes(*rows), np.array([0]),
    )  # fmt: skip


@pytest.mark.parametrize("distance", [8.0, 12.3, 21.75, 38.1, 55.0])
@pytest.mark.parametrize("passed", [0.0, 0.4])
def test_the_gap_to_a_leader_is_from_bumper_to_bumper(distance, passed):
    met = look((distance, 0.0, 0.0, *CAR_HALF, 5.0, 0.0), passed=passed)
    assert met.box.tolist() == [1]
    assert met.gap[0] == pytest.approx(distance - 4.8, abs=0.01)
    assert met.speed[0] == pytest.approx(5.0)


def test_the_next_lane_behind_and_beyond_the_reach_do_not_count():
    beside, behind, far = (20.0, 3.5, 0.0), (-7.0, 0.0, 0.0), (80.0, 0.0, 0.0)
    assert not len(look(*((*pose, *CAR_HALF, 0.0, 0.0) for pose in (beside, behind, far))).box)


def test_somebody_who_crosses_is_met_at_his_flank():
    met = look((15.0, 0.5, math.pi / 2, *CAR_HALF, 0.0, 4.0))
    assert met.gap[0] == pytest.approx(15.0 - 1.0 - 2.4, abs=0.01)
    assert (met.speed[0], met.across[0]) == pytest.approx((0.0, 4.0))


@pytest.mark.parametrize("x", np.arange(10.0, 34.0, 1.7))
def test_a_walker_is_not_missed_between_two_points(x):
    met = look((x, 0.9, 0.7, 0.2, 0.2, 0.0, 0.0))
    assert x - 3.4 < met.gap[0] <= x - 2.4  # thin things count as if they were as long as the points are apart


def test_the_oncoming_lane_is_free():
    assert not len(look((30.0, -3.5, math.pi, *CAR_HALF, -8.0, 0.0)).box)


def follow(speed, gap, other):
    return float(
        pedals.following_acceleration(np.array([speed]), np.array([gap]), np.array([other]), pedals.STANDSTILL_GAP_M)[0]
    )


def test_following_keeps_a_distance_that_grows_with_speed():
    """The equilibrium gap of the intelligent driver model without its free term is s0 + v T."""
    for speed in (0.0, 5.0, 12.0):
        gap = pedals.STANDSTILL_GAP_M + speed * pedals.TIME_GAP_S
        assert follow(speed, gap, speed) == pytest.approx(0.0, abs=1e-9)
        assert follow(speed, 1.3 * gap, speed) > 0.0 > follow(speed, 0.8 * gap, speed)
    assert follow(10.0, 25.0, 0.0) < follow(10.0, 25.0, 8.0)
    assert follow(0.0, 0.5, 0.0) <= -pedals.COMFORT_BRAKING


def test_following_stops_before_a_wall():
    speed, position = 14.0, 0.0
    while speed > 0.01 and position < 99.0:
        speed = max(0.0, speed + 0.05 * max(-8.0, min(1.8, follow(speed, 100.0 - position, 0.0))))
        position += 0.05 * speed
    assert 96.5 < position < 99.0


def test_the_wished_speed_leaves_room_to_brake_for_a_bend():
    limits = np.full((1, 40), 13.0)
    limits[0, 30:] = 4.0
    speed = float(pedals.wished_speed(limits, AHEAD_M[:40])[0])
    assert speed == pytest.approx(math.sqrt(16.0 + 2 * 0.7 * pedals.COMFORT_BRAKING * 30.0))


@pytest.mark.parametrize("radius", [7.0, -9.0, 40.0])
@pytest.mark.parametrize("name", ["vehicle.tesla.model3", "vehicle.carlamotors.firetruck"])
def test_steering_holds_a_circle_with_the_middle_of_the_vehicle(radius, name):
    """A slip-free single-track vehicle stays on the circle that it starts on, and comes back to it from beside it."""
    model = VEHICLE_MODELS[name]
    rear, wheelbase, speed, step = model.rear_axle, model.wheelbase, 3.0, 0.02
    bend, side = 1.0 / radius, math.copysign(1.0, radius)
    lag = math.asin(rear * bend)
    x, y, yaw = 0.0, -0.4 * side, -lag  # the circle's centre is at (0, radius); 0.4 m outside
    for _ in range(1500):
        course = math.atan2(x, radius - y) if radius > 0 else math.atan2(-x, y - radius)
        offset = (math.hypot(x, y - radius) - abs(radius)) * side
        error = math.remainder(course - yaw, math.tau)
        angle = float(
            pedals.wheel_angle(
                np.array([bend]), np.array([error]), np.array([offset]), np.array([speed]), wheelbase, rear
            )[0]
        )
        slip = math.atan(rear / wheelbase * math.tan(angle))
        x += speed * math.cos(yaw + slip) * step
        y += speed * math.sin(yaw + slip) * step
        yaw += speed * math.sin(slip) / rear * step
    assert math.hypot(x, y - radius) == pytest.approx(abs(radius), abs=0.02)


def test_the_inner_wheel_undoes_the_vehicles_own_geometry():
    model = VEHICLE_MODELS["vehicle.lincoln.mkz_2020"]
    for angle in (-0.6, -0.1, 0.05, 0.4):
        inner = float(pedals.inner_wheel_angle(np.array([angle]), model.wheelbase, model.track)[0])
        assert model.single_track_angle(inner) == pytest.approx(angle, abs=1e-6)


def test_pedals_are_never_pressed_together():
    wanted = np.linspace(-9.0, 3.0, 49)
    throttle, brake = pedals.pedals(wanted, np.full(49, 0.3), np.full(49, 2.5))
    assert not (throttle * brake).any()
    assert throttle[-1] == 1.0 and brake[0] > 0.9
    assert (np.diff(throttle) >= 0.0).all() and (np.diff(brake) <= 0.0).all()
