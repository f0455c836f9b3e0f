"""A seeded slice of the fuzz campaign, and Hypothesis driving the same generators so that a failure shrinks."""

import asyncio
import math
import socket
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim2real_bench.envs.carla.embedded.fuzz import in_process, over_sockets
from sim2real_bench.envs.carla.embedded.fuzz.__main__ import main
from sim2real_bench.envs.carla.embedded.fuzz.messages import Hostility, packed_call, value
from sim2real_bench.envs.carla.embedded.fuzz.shapes import accepted_arguments
from sim2real_bench.envs.carla.embedded.methods import build_methods

pytestmark = pytest.mark.simulator


@pytest.fixture(scope="module")
def service(carla_embedded):
    return in_process.make_service()


@pytest.fixture(scope="module")
def methods(service):
    return build_methods(service.world)


def send(service, message):
    with socket.socket() as unconnected:
        return asyncio.run(in_process.send(service, message, unconnected))


def test_every_argument_of_every_method_has_a_known_good_value(methods):
    missing = {
        (name, place)
        for name, accepted in accepted_arguments(methods).items()
        for place, known in enumerate(accepted)
        if not known
    }
    assert missing == set(), "add a shape to fuzz/shapes.py"


def test_a_seed_repeats_its_messages(methods):
    hostility = Hostility(methods)
    first, second, other = ([hostility.message(random) for _ in range(300)] for random in map(Random, (5, 5, 6)))
    assert first == second
    assert first != other
    assert len(set(first)) > 200


def test_values_reach_the_extremes():
    random = Random(0)
    drawn = [value(random) for _ in range(5000)]
    numbers = [item for item in drawn if isinstance(item, float)]
    assert any(math.isnan(item) for item in numbers) and any(math.isinf(item) for item in numbers)
    assert {type(item) for item in drawn} >= {int, float, str, bytes, bool, list, type(None)}


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("version", [], "answered"),
        ("get_map_info", [], "answered"),
        ("tick_cue", [], "answered"),
        ("destroy_actor", [4_000_000], "refused"),
        ("set_actor_location", [4_000_000, [0.0, 0.0, 0.0]], "refused"),
        ("no_such_method", [], "unknown method"),
    ],
)
def test_outcomes_are_told_apart(service, name, arguments, expected):
    assert in_process.outcome(send(service, packed_call(name, arguments))) == expected


def test_a_map_that_is_no_text_is_refused(service):
    """Found by a campaign of 100,000 messages."""
    xodr = '<?xml version="1.0"?><OpenDRIVE><header revMajor=\udcd31"/></OpenDRIVE>'
    parameters = [2.0, 50.0, 1.0, 0.6, True, True, True]
    answers = send(service, packed_call("copy_opendrive_to_file", [xodr, parameters]))
    assert b"not UTF-8" in answers


def test_what_is_no_call_gets_no_answer(service):
    assert send(service, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert in_process.outcome(b"") == "connection closed"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_no_call_finds_a_fault_of_the_server(service, methods, random):
    answers = send(service, Hostility(methods).call(random))
    assert b"internal error" not in answers


def test_a_campaign_in_process_finds_no_fault(carla_embedded):
    report = in_process.run(3000, seed=3)
    assert sum(report.outcomes.values()) == 3000
    assert report.internal_errors == {}
    assert report.outcomes.keys() == {"answered", "refused", "connection closed", "unknown method"}
    assert report.memory[-1] - report.memory[3] < 64 * 2**20


def test_a_campaign_over_sockets_leaves_a_healthy_server(methods):
    report = over_sockets.run(600, 3, methods)
    assert report.calls + report.streams >= 600
    assert report.streams > 10
    assert report.memory[-1] - report.memory[0] < 64 * 2**20
    assert report.health


def test_the_command_prints_what_came_of_the_messages(carla_embedded, capsys):
    assert main(["--messages", "200", "--sockets", "0.3"]) == 0
    printed = capsys.readouterr().out
    assert "in process: 140 messages" in printed
    assert "internal errors: 0" in printed
    assert "afterwards: 10 ticks" in printed
