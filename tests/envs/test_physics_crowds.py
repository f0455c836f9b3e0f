"""Many bodies at once: fleets equal single vehicles, heaps stay at rest, nobody gains energy, heights count."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim2real_bench.envs.carla.embedded import physics
from sim2real_bench.envs.carla.embedded.actors import Prop
from sim2real_bench.envs.carla.embedded.collisions import StaticField, contact_between
from sim2real_bench.envs.carla.embedded.dynamics.crashes import EMPTY, car, pedestrian, wall
from sim2real_bench.envs.carla.embedded.dynamics.experiments import MKZ, ROLLING, ramp
from sim2real_bench.envs.carla.embedded.dynamics.fleet import SMALLEST_FLEET
from sim2real_bench.envs.carla.embedded.dynamics.physics_control import Gear, PhysicsControl, WheelControl
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.prop_models import PROP_MODELS
from sim2real_bench.envs.carla.embedded.town.relief import FLAT
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl
from sim2real_bench.envs.carla.embedded.walker_control import WalkerControl
from sim2real_bench.envs.carla.embedded.walker_dynamics import DOWN_TIME_S
from sim2real_bench.envs.carla.embedded.wire import Description
from sim2real_bench.envs.classes import CarlaClass

TICK = 0.05
NAMES = sorted(VEHICLE_MODELS)


def tick(vehicles, walkers=(), field=EMPTY, relief=FLAT, count=1, props=()):
    return [hit for _ in range(count) for hit in physics.advance(vehicles, walkers, field, relief, TICK, props)]


def energy(vehicles):
    return sum(
        car.dynamics.mass * (car.dynamics.forward**2 + car.dynamics.side**2)
        + car.dynamics.yaw_inertia * car.dynamics.yaw_rate**2
        for car in vehicles
    )


def scattered(count):
    """Vehicles of all kinds, far apart, each with a control and a speed of its own."""
    generator = np.random.default_rng(5)
    vehicles = []
    for number in range(count):
        model = VEHICLE_MODELS[NAMES[number % len(NAMES)]]
        one = car(number + 1, 100.0 * number, generator.uniform(0.0, 15.0), model, yaw_deg=generator.uniform(-180, 180))
        one.control = VehicleControl(
            throttle=generator.uniform(0, 1),
            steer=generator.uniform(-0.5, 0.5),
            brake=max(0.0, generator.uniform(-1, 1)),
            hand_brake=bool(generator.random() < 0.2),
            reverse=bool(generator.random() < 0.2),
        )
        vehicles.append(one)
    return vehicles


def state(vehicle):
    d = vehicle.dynamics
    return d.x, d.y, d.z, d.yaw, d.forward, d.side, d.yaw_rate, d.wheel_angle, d.throttle, d.pitch, d.roll


@pytest.mark.parametrize("relief", [FLAT, ramp(0.06)], ids=["flat", "slope"])
def test_a_fleet_moves_like_its_vehicles_one_by_one(relief):
    together, apart = scattered(3 * SMALLEST_FLEET), scattered(3 * SMALLEST_FLEET)
    for _ in range(40):
        tick(together, relief=relief)
        for one in apart:
            tick([one], relief=relief)
    for first, second in zip(together, apart, strict=True):
        # Not the slices but the speeds decide how fine a tick is cut, so the two ways differ by rounding and by steps.
        assert state(first) == pytest.approx(state(second), abs=0.02, rel=1e-2)


def test_a_long_tick_is_many_short_ones():
    long, short = car(1, 0.0, 0.0), car(2, 0.0, 0.0)
    for one in (long, short):
        one.control = VehicleControl(throttle=1.0)
    physics.advance([long], [], EMPTY, FLAT, 10.0)
    for _ in range(100):
        physics.advance([short], [], EMPTY, FLAT, 0.1)
    assert state(long) == pytest.approx(state(short), rel=1e-9)
    assert long.acceleration[0] == pytest.approx(long.dynamics.forward / 10.0)


def test_same_calls_same_bytes():
    ends = []
    for _ in range(2):
        vehicles = scattered(2 * SMALLEST_FLEET)
        tick(vehicles, [pedestrian(1000, 40.0)], count=40)
        ends.append([state(one) for one in vehicles])
    assert ends[0] == ends[1]


def test_cars_that_touch_stay_at_rest():
    length, width = 2.0 * MKZ.half_length, 2.0 * MKZ.half_width
    vehicles = [car(n + 1, length * (n % 4), 0.0, y=width * (n // 4)) for n in range(16)]
    places = [state(one) for one in vehicles]
    assert tick(vehicles, field=wall(-MKZ.half_length - 0.2), count=40) == []
    assert [state(one) for one in vehicles] == places


def test_a_pile_up_comes_to_rest_for_good():
    vehicles = [car(number + 1, 7.0 * number, 20.0, y=0.3 * (number % 3)) for number in range(16)]
    for one in vehicles:
        one.control = VehicleControl(brake=0.2)
    assert tick(vehicles, field=wall(130.0), count=200)
    assert all(one.dynamics.at_rest for one in vehicles)
    places = [state(one) for one in vehicles]
    assert tick(vehicles, field=wall(130.0), count=40) == []
    assert [state(one) for one in vehicles] == places
    for number, first in enumerate(vehicles):
        for second in vehicles[number + 1 :]:
            contact = contact_between(first.box, second.box)
            assert contact is None or contact.depth < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_no_crash_adds_energy(seed):
    generator = np.random.default_rng(seed)
    vehicles = []
    for number in range(20):
        angle = math.tau * number / 20
        yaw = math.degrees(angle) + 180.0 + generator.uniform(-20, 20)
        speed = generator.uniform(5.0, 25.0)
        vehicles.append(car(number + 1, 40 * math.cos(angle), speed, y=40 * math.sin(angle), yaw_deg=yaw))
    before, hits = energy(vehicles), 0
    for _ in range(100):
        hits += len(tick(vehicles, field=wall(0.0, 30.0)))
        after = energy(vehicles)
        assert after <= before * (1.0 + 1e-9)
        before = after
    assert hits > 20


def test_a_push_goes_through_a_row_of_standing_cars():
    vehicles = [car(1, 0.0, 12.0), *(car(number, 12.0 + 5.0 * (number - 2), 0.0) for number in (2, 3, 4))]
    hits = tick(vehicles, count=60)
    assert {hit.actor.actor_id for hit in hits} == {1, 2, 3, 4}
    assert vehicles[3].dynamics.x > 22.0
    xs = [one.dynamics.x for one in vehicles]
    assert xs == sorted(xs)


def test_a_knocked_down_walker_lies_and_gets_up_again():
    person, driver = pedestrian(2, 10.0), car(1, 0.0, 8.0)
    hits = tick([driver], [person], count=60)
    assert {hit.actor.actor_id for hit in hits} == {1, 2}
    assert len(hits) == 2  # once for each side: who lies on the ground is not hit again
    assert person.dynamics.lying
    assert person.transform.pitch == 90.0
    assert person.dynamics.x > 12.0
    tick([driver], [person], count=round((DOWN_TIME_S + 3.0) / TICK))
    assert not person.dynamics.lying
    assert person.transform.z == pytest.approx(0.93)


def test_a_gentle_touch_pushes_a_walker_without_a_fall():
    person = pedestrian(2, 3.0)
    hits = tick([car(1, 0.0, 0.9)], [person], count=60)
    assert hits
    assert not person.dynamics.lying


def test_walkers_walk_turn_jump_and_meet_walls():
    person = pedestrian(1, 0.0)
    person.control = WalkerControl((0.0, 1.0, 0.0), 1.4)
    tick([], [person], count=40)
    assert person.dynamics.y == pytest.approx(1.4 * 2.0, abs=0.2)
    assert person.transform.yaw == pytest.approx(90.0)
    assert person.dynamics.phase > 0.0
    person.control = WalkerControl((0.0, 1.0, 0.0), 0.0, jump=True)
    tick([], [person], count=5)
    assert person.dynamics.z > 0.5
    person.control = WalkerControl((1.0, 0.0, 0.0), 2.0)
    hits = tick([], [person], field=wall(3.0), count=100)
    assert hits
    assert hits[0].other == 0
    assert person.dynamics.x < 2.7


def test_walkers_follow_the_ground():
    person = pedestrian(1, 0.0)
    person.control = WalkerControl((1.0, 0.0, 0.0), 1.5)
    tick([], [person], relief=ramp(0.08), count=60)
    assert person.dynamics.z == pytest.approx(0.08 * person.dynamics.x, abs=1e-6)
    assert person.dynamics.x > 3.0


def test_poles_and_props_stop_a_car_and_report_themselves():
    pole = StaticField(np.array([[10.0, 0.0, 0.0, 0.1, 0.1]]), np.array([5.0]), np.array([CarlaClass.POLES], np.uint8))
    driver = car(1, 0.0, 10.0)
    hits = tick([driver], field=pole, count=30)
    assert hits[0].other == 0
    assert driver.dynamics.x + MKZ.half_length < 10.0
    model = next(iter(PROP_MODELS.values()))
    prop = Prop(7, Description(1, model.type_id), Transform(x=10.0), model=model)
    driver = car(1, 0.0, 10.0)
    hits = tick([driver], props=[prop], count=30)
    assert [hit.actor for hit in hits if hit.other is prop]
    assert all(hit.actor is driver for hit in hits)
    prop.solid = False
    assert not tick([car(1, 0.0, 10.0)], props=[prop], count=30)


@pytest.mark.parametrize(("base", "height", "hit"), [(0.0, 0.5, True), (2.0, 3.0, False), (-3.0, 2.0, False)])
def test_obstacles_above_and_below_are_passed(base, height, hit):
    boxes = np.array([[12.0, 0.0, 0.0, 0.5, 5.0]])
    field = StaticField(boxes, np.array([height]), np.array([CarlaClass.BRIDGE], np.uint8), np.array([base]))
    assert bool(tick([car(1, 0.0, 10.0)], field=field, count=40)) == hit


def test_cars_on_two_levels_do_not_meet():
    above = car(2, 12.0, 0.0)
    above.dynamics.place(Transform(x=12.0, z=6.0))
    above.dynamics.gravity = False
    assert not tick([car(1, 0.0, 10.0), above], count=40)


def test_the_index_of_obstacles_finds_all_that_is_near():
    generator = np.random.default_rng(1)
    boxes = generator.uniform([-80, -80, -3, 0.1, 0.1], [80, 80, 3, 20, 3], (300, 5))
    field = StaticField(boxes, np.ones(300), np.full(300, CarlaClass.BUILDINGS, np.uint8))
    for _ in range(100):
        x, y, radius = generator.uniform([-90, -90, 0.5], [90, 90, 12.0])
        assert set(field.near(x, y, radius)) <= set(field.around(x, y, radius).tolist())


def test_forces_act_for_one_tick_and_gravity_can_be_switched_off():
    driver = car(1, 0.0, 0.0)
    driver.dynamics.pushes.x = 2.0 * MKZ.mass
    tick([driver])
    assert driver.dynamics.forward == pytest.approx((2.0 - ROLLING) * TICK, rel=0.05)
    driver.dynamics.stop()
    driver.dynamics.pushes.y = 3.0 * MKZ.mass  # less than the tyres hold
    tick([driver], count=3)
    assert driver.dynamics.at_rest
    driver.dynamics.pushes.y = 30.0 * MKZ.mass  # more
    tick([driver])
    assert driver.dynamics.side > 0.5
    driver.dynamics.stop()
    driver.dynamics.gravity = False
    driver.dynamics.vertical = 1.0
    tick([driver], count=20)
    assert driver.dynamics.z == pytest.approx(1.0, rel=0.01)
    driver.dynamics.gravity = True
    tick([driver], count=60)
    assert driver.dynamics.z == 0.0


def hard_turn(name):
    driver = car(1, 0.0, 22.0, VEHICLE_MODELS[name])
    driver.control = VehicleControl(steer=0.3)
    tick([driver], count=120)
    return driver


def test_a_top_heavy_vehicle_rolls_over_in_a_hard_turn_and_slides_to_rest():
    driver = hard_turn("vehicle.carlamotors.european_hgv")
    dynamics = driver.dynamics
    assert dynamics.failure == 1
    assert dynamics.at_rest
    assert driver.transform.roll == pytest.approx(-90.0)  # turning right, it falls to the left
    assert driver.transform.z == pytest.approx(dynamics.model.half_width)
    assert driver.record().union[-1] == 1
    driver.control = VehicleControl(throttle=1.0)
    tick([driver], count=20)
    assert dynamics.at_rest  # no wheel pulls any more
    dynamics.place(Transform())
    tick([driver], count=20)
    assert dynamics.failure == 0
    assert dynamics.forward > 0.5


@pytest.mark.parametrize("name", ["vehicle.lincoln.mkz_2020", "vehicle.audi.tt", "vehicle.yamaha.yzf"])
def test_cars_slide_before_they_tip_and_two_wheelers_balance(name):
    driver = hard_turn(name)
    assert driver.dynamics.failure == 0
    assert driver.record().union[-1] == 0


def test_a_constant_velocity_is_held_in_the_vehicles_axes():
    driver = car(1, 0.0, 0.0, yaw_deg=90.0)
    driver.dynamics.constant_velocity = (5.0, 0.0, 0.0)
    tick([driver], count=20)
    assert driver.velocity == pytest.approx((0.0, 5.0, 0.0), abs=1e-6)
    assert driver.dynamics.y == pytest.approx(5.0, rel=0.02)


_physics = st.builds(
    PhysicsControl,
    torque_curve=st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6)), min_size=1, max_size=5
    ).map(lambda points: tuple(sorted(points))),
    max_rpm=st.floats(1, 1e6),
    moi=st.just(1.0),
    damping_rate_full_throttle=st.just(0.15),
    damping_rate_zero_throttle_clutch_engaged=st.just(2.0),
    damping_rate_zero_throttle_clutch_disengaged=st.just(0.35),
    use_gear_autobox=st.booleans(),
    gear_switch_time=st.floats(0, 60),
    clutch_strength=st.just(10.0),
    final_ratio=st.floats(1e-3, 1e3),
    forward_gears=st.lists(
        st.builds(Gear, st.floats(1e-3, 1e3), st.floats(0, 1e3), st.floats(0, 1e3)), min_size=1, max_size=4
    ).map(tuple),
    mass=st.floats(1, 1e6),
    drag_coefficient=st.floats(0, 1e3),
    center_of_mass=st.tuples(*[st.floats(-1e4, 1e4)] * 3),
    steering_curve=st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1)), min_size=1, max_size=5
    ).map(lambda points: tuple(sorted(points))),
    wheels=st.lists(
        st.builds(
            WheelControl, st.floats(0, 1e6), st.just(0.25), st.floats(0, 89), st.floats(1, 500), st.floats(0, 1e7),
            st.floats(0, 1e7),
        ),
        min_size=4,
        max_size=4,
    ).map(tuple),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(_physics, st.floats(-1e9, 1e9), st.floats(0, 1), st.floats(-1, 1), st.booleans(), st.integers(-1, 10))
def test_no_physics_a_client_may_set_makes_a_vehicle_explode(new, force, throttle, steer, manual, gear):
    driver = car(1, 0.0, 3.0)
    driver.dynamics.use(new)
    driver.dynamics.pushes.x = driver.dynamics.pushes.torque = force
    driver.control = VehicleControl(throttle=throttle, steer=steer, manual_gear_shift=manual, gear=gear)
    tick([driver], field=wall(20.0), count=4)
    driver.control = VehicleControl(brake=1.0, hand_brake=True)
    tick([driver], field=wall(20.0), count=4)
    assert all(math.isfinite(value) for value in state(driver))
    assert math.hypot(driver.dynamics.forward, driver.dynamics.side) < 300.0
