"""Phases of traffic lights."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from sim2real_bench.envs.carla.embedded.traffic.signals import TrafficLights
from sim2real_bench.envs.carla.embedded.traffic_signals import LightState

RED, YELLOW, GREEN, OFF = LightState.RED, LightState.YELLOW, LightState.GREEN, LightState.OFF


@dataclass(eq=False)
class Light:
    signal: SimpleNamespace
    state: LightState = OFF
    elapsed: float = 0.0
    green_time: float = 10.0
    yellow_time: float = 3.0
    red_time: float = 2.0
    frozen: bool = False


def light(junction=1, group=0):
    return Light(SimpleNamespace(junction_id=junction, group=group))


@pytest.fixture
def crossing():
    """Two lights that are green together, one that takes turns with them, and one of another junction."""
    lights = [light(group=0), light(group=0), light(group=1), light(junction=2)]
    return lights, TrafficLights(lights)


def states(lights):
    return [entry.state for entry in lights]


def test_groups_take_turns_with_carlas_durations(crossing):
    lights, traffic = crossing
    timeline = []
    for _ in range(300):
        traffic.advance(0.1)
        timeline.append((lights[0].state, lights[1].state, lights[2].state))
    seconds = {entry: timeline.count(entry) / 10.0 for entry in set(timeline)}
    assert seconds == pytest.approx(
        {(GREEN, GREEN, RED): 10, (YELLOW, YELLOW, RED): 3, (RED, RED, GREEN): 10, (RED, RED, YELLOW): 3,
         (RED, RED, RED): 4}, abs=0.11,
    )  # fmt: skip


def test_never_two_groups_of_a_junction_are_open(crossing):
    lights, traffic = crossing
    for _ in range(2000):
        traffic.advance(0.173)
        assert lights[0].state == RED or lights[2].state == RED


def test_a_light_alone_comes_back_to_green(crossing):
    lights, traffic = crossing
    traffic.advance(14.0)
    assert lights[3].state == RED
    traffic.advance(1.5)
    assert lights[3].state == GREEN
    assert lights[3].elapsed == pytest.approx(0.5)


def test_freezing_one_light_holds_its_junction_and_no_other(crossing):
    lights, traffic = crossing
    traffic.freeze(lights[2], True)
    traffic.advance(11.0)
    assert states(lights) == [GREEN, GREEN, RED, YELLOW]
    traffic.freeze(lights[0], False)
    traffic.advance(11.0)
    assert lights[0].state == YELLOW


def test_a_state_holds_until_the_lights_own_turn(crossing):
    lights, traffic = crossing
    traffic.set_state(lights[2], OFF)
    traffic.advance(9.0)
    assert lights[2].state == OFF
    traffic.advance(6.5)
    assert lights[2].state == GREEN


def test_times_belong_to_the_group(crossing):
    lights, traffic = crossing
    traffic.set_times(lights[0], green=1.0, red=0.5)
    assert (lights[1].green_time, lights[1].yellow_time, lights[1].red_time) == (1.0, 3.0, 0.5)
    assert lights[2].green_time == 10.0
    traffic.advance(4.6)
    assert lights[2].state == GREEN


def test_reset_gives_the_first_group_green(crossing):
    lights, traffic = crossing
    traffic.advance(20.0)
    traffic.reset_group(lights[2])
    assert states(lights)[:3] == [GREEN, GREEN, RED]
    assert [entry.elapsed for entry in lights[:3]] == [0.0, 0.0, 0.0]
    traffic.advance(4.0)
    traffic.reset_all()
    assert states(lights) == [GREEN, GREEN, RED, GREEN]


def test_times_of_zero_do_not_hang(crossing):
    lights, traffic = crossing
    for entry in lights:
        traffic.set_times(entry, green=0.0, yellow=0.0, red=0.0)
    traffic.advance(0.05)
    assert set(states(lights)) <= {RED, YELLOW, GREEN}


def test_a_group_knows_its_junction(crossing):
    lights, traffic = crossing
    assert list(traffic.group(lights[2])) == lights[:3]
