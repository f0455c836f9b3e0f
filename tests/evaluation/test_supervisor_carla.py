"""The supervisor with the real embedded server and the genuine client."""

import os
import signal
import time

import numpy as np
import pytest
from traces import Traces, is_free

from sim2real_bench.envs.carla.environment import CarlaDriveEnv
from sim2real_bench.envs.carla.probe import map_name
from sim2real_bench.errors import ConfigurationError, SimulatorError
from sim2real_bench.evaluation.supervisor import Policy, Supervisor, carla_command, embedded_carla

pytestmark = [pytest.mark.simulator, pytest.mark.usefixtures("carla_embedded")]
LAUNCH = embedded_carla("MiniTown02", threads=1)
# So small a share that no load of this machine makes a server look slow: the checks tick, that is all.
POLICY = Policy(back_off_s=0.0, memory_limit_mib=4096.0, slow_fraction=1e-6)
OPTIONS = {"spawn_index": 3, "weather": "rain", "town": "MiniTown02"}


@pytest.fixture
def traces(tmp_path, monkeypatch):
    traces = Traces(tmp_path, monkeypatch)
    yield traces
    traces.await_nothing()


def attach(endpoint):
    return CarlaDriveEnv(backend="embedded", town="MiniTown02", **endpoint.options())


def drive(env, ticks=15):
    """What a short drive shows and where it leads, byte by byte."""
    observation, info = env.reset(seed=1, options=OPTIONS)
    seen = [observation["rgb"]]
    for _ in range(ticks):
        observation, _, _, _, info = env.step([0.2, 0.7])
        seen.append(observation["rgb"])
    return np.stack(seen).tobytes() + info["ego_pose"].tobytes()


def actors(host, port):
    """A call for ``Supervisor.call``: types of all actors but those that belong to the town."""
    import carla

    client = carla.Client(host, port)
    client.set_timeout(20.0)
    world = client.get_world()
    world.tick()  # a client learns of the actors from ticks
    types = [actor.type_id for actor in world.get_actors()]
    return sorted(kind for kind in types if not kind.startswith(("traffic.", "spectator")))


def settings(host, port):
    """A call for ``Supervisor.call``: whether the world waits for ticks."""
    import carla

    client = carla.Client(host, port)
    client.set_timeout(20.0)
    return client.get_world().get_settings().synchronous_mode


def test_checks_between_tasks_leave_no_trace_in_the_next_one(traces):
    with Supervisor(LAUNCH, POLICY) as supervisor:
        env = attach(supervisor.ready())
        try:
            first = drive(env)
            supervisor.finished()
            assert supervisor.ready().generation == 1  # with the environment's camera still in the world
            assert drive(env) == first
            supervisor.finished()
            assert supervisor.ready().generation == 1
        finally:
            env.close()


def test_what_a_killed_client_left_in_the_world_is_gone_for_the_next(traces):
    with Supervisor(LAUNCH, POLICY) as supervisor:
        lost = attach(supervisor.ready())
        drive(lost, ticks=2)
        assert "vehicle.lincoln.mkz_2020" in supervisor.call(actors)
        lost._finalizer.detach()  # as if its process had been killed: nothing is taken down
        supervisor.finished()
        env = attach(supervisor.ready())  # were the task called a failure, the whole server would be a new one
        try:
            env.reset(seed=1, options=OPTIONS)
            assert supervisor.call(actors).count("vehicle.lincoln.mkz_2020") == 1
        finally:
            env.close()


def test_a_server_killed_in_mid_episode_is_an_error_of_the_episode_and_then_replaced(traces):
    with Supervisor(LAUNCH, POLICY) as supervisor:
        endpoint = supervisor.ready()
        env = attach(endpoint)
        try:
            drive(env, ticks=2)
            os.kill(supervisor._simulator.pid, signal.SIGKILL)
            while supervisor._simulator.ended() is None:
                time.sleep(0.01)
            with pytest.raises(SimulatorError):
                env.step([0.0, 0.5])
        finally:
            env.close()
        supervisor.finished(failed=True)
        assert supervisor.ready().generation == 2
        assert is_free(endpoint.port)


def test_another_town_than_the_one_it_starts_with_is_loaded_and_nothing_else_is_changed(traces):
    command = (*LAUNCH.command[:-1], "MiniTown01")
    with Supervisor(carla_command(command, town="MiniTown02"), POLICY) as supervisor:
        supervisor.ready()
        (attempt,) = supervisor.attempts
        assert attempt.version == "0.9.16" and attempt.ticks_per_s > 0
        assert supervisor.call(map_name) == "MiniTown02"
        assert supervisor.call(actors) == [] and supervisor.call(settings) is False


def test_a_town_that_does_not_exist_is_told_with_the_server_s_own_words(traces):
    with (
        Supervisor(embedded_carla("Atlantis"), Policy(start_attempts=1)) as supervisor,
        pytest.raises((SimulatorError, ConfigurationError), match=r"(?s)Atlantis.*MiniTown01"),
    ):
        supervisor.ready()
