"""The vehicle model against closed forms, momentum and published figures; the command that prints them."""

import json
import math
from dataclasses import replace

import pytest

from sim2real_bench.envs.carla.embedded.dynamics import crashes, experiments, validate
from sim2real_bench.envs.carla.embedded.dynamics.experiments import Check, moving
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl, VehicleDynamics

CHECKS = {
    "launch": experiments.launch,
    "power": experiments.constant_power,
    "top speed": lambda: experiments.top_speed(experiments.VAN),
    "braking 20": lambda: experiments.braking(20 / 3.6),
    "braking 100": lambda: experiments.braking(100 / 3.6),
    "coasting": experiments.coasting,
    "slow turn": experiments.slow_turn,
    "turn 10": lambda: experiments.fast_turn(10.0, 0.03),
    "turn 30": lambda: experiments.fast_turn(30.0, 0.01),
    "grip": experiments.grip,
    "spin": experiments.spin,
    "slope": experiments.rolling_away,
    "held": experiments.held,
    "climb": experiments.climbing,
    "fall": experiments.fall,
    "head on": crashes.head_on,
    "wall": crashes.against_a_wall,
    "glancing": crashes.glancing,
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_model_follows_the_closed_form(name):
    check = CHECKS[name]()
    assert check.passed, f"{check.name}: {check.measured} {check.unit}, {check.source} gives {check.expected}"


def test_a_rear_end_crash_and_a_pedestrian_exchange_momentum():
    for check in (*crashes.rear_end(), *crashes.walker_hit()):
        assert check.passed, check


def test_the_published_figures_are_near():
    for check in experiments.published():
        assert check.passed, check


def test_a_check_fails_outside_its_tolerance():
    assert Check("way", 1.02, 1.0, "m", 0.03, "").passed
    assert not Check("way", 1.04, 1.0, "m", 0.03, "").passed
    assert not Check("energy", 1e-3, 0.0, "J", 1e-6, "").passed


def test_the_command_prints_a_table_and_draws_a_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiments, "closed_forms", lambda: [experiments.launch()])
    monkeypatch.setattr(experiments, "published", list)
    monkeypatch.setattr(validate, "crashes", lambda: [crashes.head_on()])
    monkeypatch.setattr(validate, "_SHOWN_VEHICLES", ("vehicle.gazelle.omafiets",))
    assert validate.main(["--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "speed after 4 s of full throttle" in printed
    assert "never" in printed  # a bicycle does not reach 100 km/h
    assert len(json.loads((tmp_path / "physics.json").read_text())) == 3
    assert (tmp_path / "physics.png").stat().st_size > 10_000


def test_the_command_fails_when_a_number_is_off(monkeypatch):
    monkeypatch.setattr(experiments, "closed_forms", lambda: [Check("way", 2.0, 1.0, "m", 0.1, "")])
    monkeypatch.setattr(experiments, "published", list)
    monkeypatch.setattr(validate, "crashes", list)
    monkeypatch.setattr(validate, "_SHOWN_VEHICLES", ())
    assert validate.main([]) == 1


@pytest.mark.parametrize("name", sorted(VEHICLE_MODELS))
def test_every_vehicle_drives_turns_and_stops(name):
    vehicle = VehicleDynamics(VEHICLE_MODELS[name], Transform())
    experiments.drive(vehicle, VehicleControl(throttle=1.0, steer=0.1), 8.0)
    assert vehicle.forward > 3.0
    assert vehicle.y > 0.5
    experiments.drive(vehicle, VehicleControl(brake=1.0), 8.0)
    assert vehicle.at_rest


@pytest.mark.parametrize("name", ["vehicle.gazelle.omafiets", "vehicle.bh.crossbike", "vehicle.diamondback.century"])
def test_bicycles_are_as_fast_as_people_pedal(name):
    vehicle = VehicleDynamics(VEHICLE_MODELS[name], Transform())
    experiments.drive(vehicle, VehicleControl(throttle=1.0), 60.0)
    assert 20.0 < vehicle.forward * 3.6 < 45.0


def test_the_gear_box_shifts_up_and_down_with_the_speed():
    vehicle, gears = moving(0.0), []
    for _ in range(400):
        vehicle.advance(VehicleControl(throttle=1.0), 0.1)
        gears.append(vehicle.gear(VehicleControl(throttle=1.0)))
    assert gears == sorted(gears)
    assert set(gears) == set(range(1, 7))
    while not vehicle.at_rest:
        vehicle.advance(VehicleControl(brake=1.0), 0.1)
    vehicle.advance(VehicleControl(brake=1.0), 0.1)
    assert vehicle.gear(VehicleControl(throttle=0.1)) <= 2
    assert vehicle.gear(VehicleControl()) == 0


def test_manual_gears():
    in_gear = {gear: moving(5.0) for gear in (0, 1, 6)}
    for gear, vehicle in in_gear.items():
        experiments.drive(vehicle, VehicleControl(throttle=1.0, manual_gear_shift=True, gear=gear), 2.0)
    assert in_gear[0].forward < 5.0  # neutral
    assert in_gear[6].forward < in_gear[1].forward
    backwards = moving(0.0)
    experiments.drive(backwards, VehicleControl(throttle=0.5, manual_gear_shift=True, gear=-1), 3.0)
    assert backwards.forward < -1.0
    screaming = moving(30.0)
    screaming.throttle = 1.0
    screaming.advance(VehicleControl(throttle=1.0, manual_gear_shift=True, gear=1), 0.1)
    assert screaming.forward < 30.0  # the limiter cuts the engine


def test_axle_loads_follow_the_brakes():
    vehicle = moving(20.0)
    experiments.drive(vehicle, VehicleControl(brake=1.0), 0.5)
    assert vehicle.transfer == pytest.approx(-0.95 * 9.81, rel=0.1)


def test_pitch_and_roll_follow_the_ground():
    relief = experiments.ramp(0.1)
    for yaw, pitch, roll in ((0.0, 5.71, 0.0), (180.0, -5.71, 0.0), (90.0, 0.0, 5.71), (-90.0, 0.0, -5.71)):
        vehicle = VehicleDynamics(experiments.MKZ, Transform(x=10.0, z=1.0, yaw=yaw))
        vehicle.advance(VehicleControl(brake=1.0), 0.1, relief)
        pose = vehicle.transform
        assert pose.z == pytest.approx(1.0, abs=1e-6)
        # Roll is positive with the right side down: with the nose to +y, the right side points down the ramp.
        assert (pose.pitch, pose.roll) == pytest.approx((pitch, roll), abs=0.01)


def test_a_vehicle_above_a_slope_falls_onto_it():
    vehicle = VehicleDynamics(experiments.MKZ, Transform(x=100.0, z=12.0))
    heights = []
    for _ in range(40):
        vehicle.advance(VehicleControl(brake=1.0), 0.05, experiments.ramp(0.1))
        heights.append(vehicle.z)
    assert heights[0] == pytest.approx(12.0, abs=0.05)
    assert heights[-1] == pytest.approx(10.0, abs=0.05)
    assert vehicle.at_rest


def test_slippery_tyres_lengthen_the_way_to_rest():
    ways = []
    for friction in (3.5, 1.75):
        vehicle = moving(15.0)
        control = vehicle.physics_control
        wheels = tuple(replace(wheel, tire_friction=friction) for wheel in control.wheels)
        vehicle.use(replace(control, wheels=wheels))
        experiments.run(vehicle, VehicleControl(brake=1.0), lambda v: v.at_rest)
        ways.append(vehicle.x)
    assert ways[1] == pytest.approx(2.0 * ways[0], rel=0.1)


def test_yaw_stays_within_one_turn():
    vehicle = moving(5.0)
    experiments.drive(vehicle, VehicleControl(throttle=0.3, steer=1.0), 30.0)
    assert -math.pi <= vehicle.yaw <= math.pi
