"""CoppeliaSim by command, played by a stand-in and asked through the genuine remote API client."""

import sys
from pathlib import Path

import pytest
from traces import Traces

from sim2real_bench.errors import ConfigurationError, SimulatorError
from sim2real_bench.evaluation.supervisor import Policy, Supervisor, coppelia_command

pytest.importorskip("coppeliasim_zmqremoteapi_client", reason="install the extra 'coppelia'")

PROGRAM = Path(__file__).with_name("stand_in_coppelia.py")
POLICY = Policy(back_off_s=0.0, end_timeout_s=0.5, slow_fraction=1e-6)


def launch(version="41000", objects=("/Mico",)):
    return coppelia_command(f"{sys.executable} {PROGRAM} {{port}} {version}", objects)


@pytest.fixture
def traces(tmp_path, monkeypatch):
    traces = Traces(tmp_path, monkeypatch)
    yield traces
    traces.await_nothing()


def start_foreign_simulation(host, port):
    """Another client runs the simulation."""
    from coppeliasim_zmqremoteapi_client import RemoteAPIClient

    sim = RemoteAPIClient(host, port).require("sim")
    sim.setStepping(True)
    sim.startSimulation()
    sim.step()


def state_and_time(host, port):
    from coppeliasim_zmqremoteapi_client import RemoteAPIClient

    sim = RemoteAPIClient(host, port).require("sim")
    return sim.getSimulationState(), sim.getSimulationTime(), len(sim.getObjectsInTree(sim.handle_scene))


def test_it_is_ready_when_it_steps_and_draws_and_is_left_as_it_was(traces):
    with Supervisor(launch(), POLICY) as supervisor:
        supervisor.ready()
        (attempt,) = supervisor.attempts
        assert attempt.version == "4.10.0" and attempt.ticks_per_s > 0
        state, _, objects = supervisor.call(state_and_time)
        assert state == 0 and objects == 2


def test_a_simulation_that_somebody_else_runs_is_not_touched(traces):
    with Supervisor(launch(), POLICY) as supervisor:
        supervisor.call(start_foreign_simulation)
        supervisor.finished()
        assert supervisor.ready().generation == 1
        assert supervisor.call(state_and_time)[:2] == (17, pytest.approx(0.05))


def test_an_old_release_is_refused_with_its_name(traces):
    with (
        Supervisor(launch("40501"), POLICY) as supervisor,
        pytest.raises(ConfigurationError, match=r"is 4\.5\.1; 4\.6"),
    ):
        supervisor.ready()


def test_the_wrong_scene_is_refused(traces):
    with (
        Supervisor(launch(objects=("/Mico", "/Table")), POLICY) as supervisor,
        pytest.raises(ConfigurationError, match="has no /Table"),
    ):
        supervisor.ready()


def test_silence_is_given_up_and_does_not_hang_the_end(traces):
    policy = Policy(start_timeout_s=1.5, start_attempts=1, end_timeout_s=0.5)
    with Supervisor(launch("0"), policy) as supervisor, pytest.raises(SimulatorError, match="answer"):
        supervisor.ready()
