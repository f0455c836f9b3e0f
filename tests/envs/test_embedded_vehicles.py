"""Vehicle dynamics against closed forms."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim2real_bench.envs.carla.embedded import vehicles
from sim2real_bench.envs.carla.embedded.dynamics import chassis, motion
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS
from sim2real_bench.envs.carla.embedded.vehicles import GRAVITY, VehicleControl, VehicleDynamics

MKZ = VEHICLE_MODELS["vehicle.lincoln.mkz_2020"]
FULL = VehicleControl(throttle=1.0)
TICK = 0.05


def drive(vehicle, control, seconds):
    for _ in range(round(seconds / TICK)):
        vehicle.advance(control, TICK)


def moving(speed, model=MKZ, steer=0.0):
    vehicle = VehicleDynamics(model, Transform())
    vehicle.set_velocity((speed, 0.0, 0.0))
    vehicle.wheel_angle = steer
    return vehicle


def test_full_throttle_follows_the_force_balance():
    vehicle = VehicleDynamics(MKZ, Transform())
    drive(vehicle, FULL, 4.0)
    resistance = motion.ROLLING_RESISTANCE * GRAVITY
    # v(t) = a (t - lag (1 - exp(-t / lag))) without air drag, which takes less than 1 % at this speed
    lag = motion.THROTTLE_LAG_S
    expected = MKZ.peak_acceleration * (4.0 - lag * (1 - math.exp(-4.0 / lag))) - resistance * 4.0
    assert vehicle.forward == pytest.approx(expected, rel=0.02)


def test_a_mkz_reaches_20_kmh_in_two_to_three_seconds():
    vehicle, time = VehicleDynamics(MKZ, Transform()), 0.0
    while vehicle.forward < 20 / 3.6 and time < 10.0:
        vehicle.advance(FULL, TICK)
        time += TICK
    assert 2.0 <= time <= 3.0


@pytest.mark.parametrize("speed", [5.0, 10.0, 20.0])
def test_braking_distance(speed):
    vehicle = moving(speed)
    drive(vehicle, VehicleControl(brake=1.0), 6.0)
    braking = chassis.ANTI_LOCK_SHARE * vehicles.FRICTION * GRAVITY
    others = vehicles.ENGINE_BRAKING + motion.ROLLING_RESISTANCE * GRAVITY
    limit = vehicles.FRICTION * GRAVITY  # the tyres give no more, whatever adds up
    expected = speed**2 / (2 * min(braking + others, limit))
    assert vehicle.at_rest
    assert vehicle.x == pytest.approx(expected, rel=0.05)
    assert vehicle.y == pytest.approx(0.0, abs=1e-9)


def test_half_brake_takes_half_the_pedal():
    vehicle = moving(10.0)
    vehicle.advance(VehicleControl(brake=0.5), TICK)
    passive = vehicles.ENGINE_BRAKING + motion.ROLLING_RESISTANCE * GRAVITY
    air = 0.5 * chassis.AIR_DENSITY * MKZ.drag_area * 100 / MKZ.mass
    expected = 0.5 * MKZ.brake_acceleration + passive + air
    assert (10.0 - vehicle.forward) / TICK == pytest.approx(expected, rel=0.02)


def radius_at(speed, steer):
    """Radius of the centre's circle once the turn is steady, with the speed held."""
    vehicle = moving(speed)
    for _ in range(200):
        vehicle.forward = speed
        vehicle.advance(VehicleControl(steer=steer), 0.01)
    return math.hypot(*vehicle.velocity[:2]) / abs(vehicle.yaw_rate), vehicle


def test_slow_turns_are_kinematic():
    radius, vehicle = radius_at(0.9, 0.3)
    angle = MKZ.single_track_angle(vehicle.wheel_angle)
    rear = MKZ.wheelbase / math.tan(angle)
    assert radius == pytest.approx(math.hypot(rear, MKZ.rear_axle), rel=0.02)


def test_fast_turns_have_the_understeer_of_the_linear_single_track_model():
    speed, steer = 12.0, 0.02
    radius, vehicle = radius_at(speed, steer)
    angle = MKZ.single_track_angle(vehicle.wheel_angle)
    # Linear single-track model: R angle = L (1 + K v²) with K from the axles' stiffness per load.
    gradient = (1.0 / chassis.FRONT_STIFFNESS - 1.0 / chassis.REAR_STIFFNESS) / GRAVITY / MKZ.wheelbase
    assert gradient > 0.0
    assert radius == pytest.approx(MKZ.wheelbase / angle * (1.0 + gradient * speed**2), rel=0.03)


def test_no_turn_exceeds_the_friction():
    _, vehicle = radius_at(20.0, 1.0)
    assert abs(vehicle.forward * vehicle.yaw_rate) <= vehicles.FRICTION * GRAVITY * 1.05


def test_positive_steer_turns_right_which_is_positive_y_and_yaw():
    vehicle = moving(5.0)
    drive(vehicle, VehicleControl(steer=0.2, throttle=0.3), 1.0)
    assert vehicle.y > 0.1
    assert vehicle.yaw > 0.05


def test_left_and_right_mirror():
    ends = []
    for steer in (0.4, -0.4):
        vehicle = moving(8.0)
        drive(vehicle, VehicleControl(steer=steer, throttle=0.5), 3.0)
        ends.append((vehicle.x, vehicle.y, vehicle.yaw))
    assert ends[0] == pytest.approx((ends[1][0], -ends[1][1], -ends[1][2]), abs=1e-9)


def test_reverse_drives_backwards_and_turns_the_tail():
    vehicle = VehicleDynamics(MKZ, Transform())
    drive(vehicle, VehicleControl(throttle=0.6, reverse=True, steer=0.3), 3.0)
    assert vehicle.x < -1.0
    assert -10.0 <= vehicle.forward < -1.0
    assert vehicle.yaw < -0.05
    assert vehicle.gear(VehicleControl(reverse=True)) == -1


def test_the_hand_brake_stops_and_holds():
    vehicle = moving(6.0)
    drive(vehicle, VehicleControl(hand_brake=True), 4.0)
    assert vehicle.at_rest
    # a locked rear axle out-pulls a light throttle
    drive(vehicle, VehicleControl(hand_brake=True, throttle=0.3), 2.0)
    assert vehicle.at_rest


def test_a_released_vehicle_rolls_out_and_stays():
    vehicle = moving(3.0)
    drive(vehicle, VehicleControl(), 30.0)
    assert vehicle.at_rest
    place = vehicle.x
    drive(vehicle, VehicleControl(), 5.0)
    assert vehicle.x == place


def test_a_dropped_vehicle_falls_to_the_ground():
    vehicle = VehicleDynamics(MKZ, Transform(z=1.0))
    drive(vehicle, VehicleControl(), 0.25)
    assert vehicle.z == pytest.approx(1.0 - GRAVITY * 0.25**2 / 2, abs=0.03)
    drive(vehicle, VehicleControl(), 1.0)
    assert vehicle.z == 0.0


def test_ticks_of_different_length_agree():
    ends = []
    for tick in (0.1, 0.05, 0.01):
        vehicle = VehicleDynamics(MKZ, Transform())
        for _ in range(round(4.0 / tick)):
            vehicle.advance(VehicleControl(throttle=0.7, steer=0.15), tick)
        ends.append((vehicle.x, vehicle.y, vehicle.yaw))
    assert ends[0] == pytest.approx(ends[1], abs=0.02)
    assert ends[0] == pytest.approx(ends[2], abs=0.02)


def test_ackermann_angle():
    inner = math.radians(30.0)
    angle = MKZ.single_track_angle(inner)
    # the circle centre lies L / tan(inner) beside the inner rear wheel, half a track further from the middle
    assert MKZ.wheelbase / math.tan(angle) == pytest.approx(MKZ.wheelbase / math.tan(inner) + MKZ.track / 2)
    assert MKZ.single_track_angle(-inner) == -angle


_controls = st.builds(
    VehicleControl,
    throttle=st.floats(0, 1),
    steer=st.floats(-1, 1),
    brake=st.floats(0, 1),
    hand_brake=st.booleans(),
    reverse=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(VEHICLE_MODELS)),
    st.lists(_controls, min_size=1, max_size=12),
    st.tuples(st.floats(-60, 60), st.floats(-60, 60)),
    st.floats(-20, 20),
)
def test_no_control_makes_the_state_explode(name, controls, velocity, yaw_rate):
    vehicle = VehicleDynamics(VEHICLE_MODELS[name], Transform())
    vehicle.set_velocity((*velocity, 0.0))
    vehicle.yaw_rate = yaw_rate
    start = math.hypot(*velocity) + abs(yaw_rate) * 5.0
    for control in controls:
        vehicle.advance(control, 0.2)
    state = (vehicle.x, vehicle.y, vehicle.yaw, vehicle.forward, vehicle.side, vehicle.yaw_rate)
    assert all(map(math.isfinite, state))
    assert math.hypot(vehicle.forward, vehicle.side) <= start + 4.0 * 0.2 * len(controls) + 1.0
