"""Fixtures of the tests that talk to the embedded server through the genuine CARLA client."""

import pytest
from embedded_client import connect, leave, make_synchronous

from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess


@pytest.fixture(scope="module")
def embedded_server(carla_embedded):
    """A server of its own for each module."""
    with EmbeddedServerProcess("MiniTown01") as process:
        yield process


@pytest.fixture
def client(embedded_server):
    """A client without a world."""
    return connect(embedded_server)


@pytest.fixture
def world(client):
    """A fresh episode in synchronous mode; its sensors are gone afterwards."""
    world = make_synchronous(client.load_world("MiniTown01"))
    yield world
    leave(world)
