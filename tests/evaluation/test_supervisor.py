"""The supervisor with a stand-in that behaves well or badly: start, check, replace, call, end."""

import os
import signal
import threading
import time

import pytest
import stand_in_simulator as stand_in
from traces import Traces, is_free

from sim2real_bench.errors import ConfigurationError, ConnectionLostError, SimulatorError, StepTimeoutError
from sim2real_bench.evaluation.supervisor import Launch, Policy, Supervisor, SupervisorKeeper

PATIENT = Policy(start_timeout_s=30.0, call_timeout_s=30.0, back_off_s=0.0, end_timeout_s=0.5)
HASTY = Policy(start_timeout_s=1.0, call_timeout_s=2.0, start_attempts=2, back_off_s=0.0, end_timeout_s=0.5)


@pytest.fixture
def traces(tmp_path, monkeypatch):
    traces = Traces(tmp_path, monkeypatch)
    yield traces
    traces.await_nothing()


def policy(base=PATIENT, **changes):
    return Policy(**{**vars(base), **changes})


def kill(endpoint):
    os.kill(stand_in.pid_of(endpoint.host, endpoint.port), signal.SIGKILL)


# -- a simulator that works --------------------------------------------------------------------------------------


def test_a_simulator_is_started_once_kept_and_ended(traces):
    with Supervisor(stand_in.launch(), PATIENT) as supervisor:
        assert supervisor.attempts == () and traces.left() == []
        first = supervisor.ready()
        pid = stand_in.pid_of(first.host, first.port)
        supervisor.finished()
        again = supervisor.ready()
        assert again == first and stand_in.pid_of(again.host, again.port) == pid
        (attempt,) = supervisor.attempts
        assert (attempt.number, attempt.port, attempt.version, attempt.error) == (1, first.port, "1.0", "")
        assert attempt.ticks_per_s > 0 and attempt.seconds > 0
        (lock,) = traces.locks()
        assert lock.stem == str(first.port)
    assert traces.left() == [] and is_free(first.port)
    supervisor.close()


def test_slots_get_different_ports_and_one_s_end_leaves_the_other_alone(traces):
    keeper = SupervisorKeeper(stand_in.launch(), PATIENT)
    with keeper.slot(0) as left, keeper.slot(1) as right:
        ports = [supervisor.ready().port for supervisor in (left, right)]
        assert abs(ports[0] - ports[1]) >= 8
        left.close()
        right.finished()
        assert right.ready().port == ports[1]


def test_a_slot_s_number_goes_into_its_command(traces):
    keeper = SupervisorKeeper(stand_in.launch("well of-{slot}"), PATIENT)
    with keeper.slot(3) as supervisor, Supervisor(keeper.launch, PATIENT) as alone:
        for simulator in (supervisor, alone):
            simulator.ready()
        assert {process.cmdline()[-1] for process in traces.processes()} >= {"of-3", "of-0"}


def test_a_late_answer_within_the_limit_is_an_answer(traces):
    with Supervisor(stand_in.launch("late 1.0"), PATIENT) as supervisor:
        supervisor.ready()
        assert [attempt.error for attempt in supervisor.attempts] == [""]


# -- starts that fail ---------------------------------------------------------------------------------------------


def test_a_crash_at_the_start_is_tried_so_often_and_told_with_the_log(traces):
    with Supervisor(stand_in.launch("crashes"), policy(start_attempts=10)) as supervisor:
        with pytest.raises(SimulatorError, match=r"(?s)in 10 attempts.*ended with status 3.*no such graphics card"):
            supervisor.ready()
        assert [attempt.number for attempt in supervisor.attempts] == list(range(1, 11))
        assert all("no such graphics card" in attempt.log_tail for attempt in supervisor.attempts)
        assert traces.locks() == []


def test_a_start_that_works_at_last_is_a_start(traces, tmp_path):
    with Supervisor(stand_in.launch(f"crashes-until {tmp_path / 'starts'},3"), PATIENT) as supervisor:
        assert supervisor.ready().generation == 1
        assert [bool(attempt.error) for attempt in supervisor.attempts] == [True, True, False]


@pytest.mark.parametrize("part", ["never-listens", "late 600"])
def test_a_simulator_that_never_listens_is_given_up(traces, part):
    with (
        Supervisor(stand_in.launch(part), HASTY) as supervisor,
        pytest.raises(SimulatorError, match=r"in 2 attempts"),
    ):
        supervisor.ready()


@pytest.mark.parametrize("question", ["tick", "frame"])
def test_ready_means_that_it_ticks_and_shows_a_frame(traces, question):
    with (
        Supervisor(stand_in.launch(f"hangs-at {question}"), policy(HASTY, start_timeout_s=30.0)) as supervisor,
        pytest.raises(SimulatorError, match=question),
    ):
        supervisor.ready()


def test_the_wrong_version_is_not_tried_again(traces):
    with Supervisor(stand_in.launch("version 0.9"), PATIENT) as supervisor:
        with pytest.raises(ConfigurationError, match=r"version 0\.9, not 1\.0"):
            supervisor.ready()
        assert len(supervisor.attempts) == 1 and "0.9" in supervisor.attempts[0].error


def test_a_program_that_does_not_exist_is_not_tried_again(traces):
    launch = Launch("missing", ("/no/such/simulator", "{port}"), "stand_in_simulator:check")
    with Supervisor(launch, PATIENT) as supervisor:
        with pytest.raises(ConfigurationError, match="/no/such/simulator"):
            supervisor.ready()
        assert len(supervisor.attempts) == 1


def test_a_probe_that_does_not_exist_is_an_error(traces):
    launch = Launch("odd", stand_in.launch().command, "stand_in_simulator:absent")
    with (
        Supervisor(launch, PATIENT) as supervisor,
        pytest.raises(ConfigurationError, match="stand_in_simulator:absent"),
    ):
        supervisor.ready()


def test_pauses_grow_up_to_a_minute():
    pauses = [Policy(back_off_s=2.0).pause_s(attempt) for attempt in range(1, 9)]
    assert pauses == [0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


# -- replacing ----------------------------------------------------------------------------------------------------


def test_a_simulator_that_died_is_replaced(traces):
    with Supervisor(stand_in.launch(), PATIENT) as supervisor:
        first = supervisor.ready()
        kill(first)
        while supervisor._simulator.ended() is None:
            time.sleep(0.01)
        supervisor.finished()
        second = supervisor.ready()
        assert second.generation == first.generation + 1
        assert "SIGKILL" in supervisor.attempts[1].reason


def test_a_simulator_is_replaced_after_a_failed_task(traces):
    with Supervisor(stand_in.launch(), PATIENT) as supervisor:
        first = supervisor.ready()
        supervisor.finished(failed=True)
        assert supervisor.ready().generation == first.generation + 1
        assert supervisor.attempts[1].reason == "a task on it failed"


def test_a_simulator_that_hangs_between_tasks_is_replaced(traces):
    with Supervisor(stand_in.launch(), policy(HASTY, start_timeout_s=30.0)) as supervisor:
        first = supervisor.ready()
        os.kill(stand_in.pid_of(first.host, first.port), signal.SIGSTOP)
        supervisor.finished()
        assert supervisor.ready().generation == first.generation + 1
        assert "does not answer" in supervisor.attempts[1].reason


def test_a_simulator_is_recycled_after_so_many_tasks(traces):
    with Supervisor(stand_in.launch(), policy(recycle_after=2)) as supervisor:
        generations = []
        for _ in range(5):
            generations.append(supervisor.ready().generation)
            supervisor.finished()
        assert generations == [1, 1, 2, 2, 3]
        assert supervisor.attempts[1].reason == "it did 2 tasks"


def test_a_leaking_simulator_is_recycled_at_its_ceiling(traces):
    # 5 ticks at the start and 5 per check: 100 MiB at first, 200 after one task.
    limits = policy(memory_limit_mib=250.0, slow_fraction=1e-9)
    with Supervisor(stand_in.launch("leaks 20"), limits) as supervisor:
        generations = []
        for _ in range(6):
            generations.append(supervisor.ready().generation)
            supervisor.finished()
        assert generations == sorted(generations) and 2 <= generations[-1] <= 3
        assert all("MiB, more than 250" in attempt.reason for attempt in supervisor.attempts[1:])


def test_a_simulator_that_becomes_slow_is_recycled(traces):
    with Supervisor(stand_in.launch("tires 10"), policy(slow_fraction=0.2)) as supervisor:
        generations = []
        for _ in range(3):
            generations.append(supervisor.ready().generation)
            supervisor.finished()
        assert generations == [1, 1, 2]
        assert "ticks/s, less than 0.2 of" in supervisor.attempts[1].reason


# -- calls --------------------------------------------------------------------------------------------------------


def test_a_call_answers_from_another_process(traces):
    with Supervisor(stand_in.launch(), PATIENT) as supervisor:
        pid = supervisor.call(stand_in.pid_of)
        assert pid == stand_in.pid_of("127.0.0.1", supervisor.ready().port)


def test_a_call_that_never_returns_is_ended_and_the_simulator_replaced(traces):
    with Supervisor(stand_in.launch(), policy(HASTY, start_timeout_s=30.0)) as supervisor:
        generation = supervisor.ready().generation
        with pytest.raises(StepTimeoutError, match="no answer within 2 s"):
            supervisor.call(stand_in.never_returns)
        assert supervisor.ready().generation == generation + 1


def test_a_call_does_not_wait_for_a_simulator_that_is_gone(traces):
    with (
        Supervisor(stand_in.launch(), policy(call_timeout_s=250.0)) as supervisor,
        pytest.raises(ConnectionLostError, match="killed by SIGKILL"),
    ):
        supervisor.call(stand_in.ends_the_simulator_and_hangs)


def test_a_call_whose_process_dies_says_how(traces):
    with (
        Supervisor(stand_in.launch(), PATIENT) as supervisor,
        pytest.raises(ConnectionLostError, match=r"(?s)SIGABRT.*terminate"),
    ):
        supervisor.call(stand_in.dies)


def test_a_call_s_own_error_arrives_and_costs_nothing(traces):
    with Supervisor(stand_in.launch(), PATIENT) as supervisor:
        generation = supervisor.ready().generation
        with pytest.raises(KeyError, match="of the caller"):
            supervisor.call(stand_in.fails)
        with pytest.raises(ConnectionResetError, match="to somewhere else"):
            supervisor.call(stand_in.loses_its_own_connection)
        assert supervisor.ready().generation == generation


def test_what_cannot_travel_is_refused(traces):
    with Supervisor(stand_in.launch(), PATIENT) as supervisor:
        with pytest.raises(ConfigurationError, match="cannot be sent"):
            supervisor.call(lambda host, port: None)
        with pytest.raises(ConfigurationError, match="answer of a call cannot be sent"):
            supervisor.call(stand_in.answers_with_a_lambda)


# -- the end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["stubborn", "family"])
def test_nothing_survives_the_end(traces, part):
    with Supervisor(stand_in.launch(part), PATIENT) as supervisor:
        endpoint = supervisor.ready()
        if part == "family":  # the program, its two grandchildren, the guardian, the process of the calls
            assert len(traces.processes()) == 5
    assert traces.left() == [] and is_free(endpoint.port)


def test_closing_from_another_thread_ends_a_start_that_waits(traces):
    supervisor = Supervisor(stand_in.launch("never-listens"), PATIENT)
    closer = threading.Timer(0.5, supervisor.close)
    closer.start()
    with pytest.raises(SimulatorError, match="closed"):
        supervisor.ready()
    closer.join()
    assert traces.left() == []
    with pytest.raises(SimulatorError, match="closed"):
        supervisor.ready()


def test_a_log_is_kept_where_it_is_asked_for(traces, tmp_path):
    with Supervisor(stand_in.launch(), policy(log_folder=tmp_path / "logs")) as supervisor:
        port = supervisor.ready().port
    (log,) = (tmp_path / "logs").iterdir()
    assert log.read_text() == f"playing well at {port}\n"


# -- what cannot be kept -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"start_timeout_s": 0.0},
        {"call_timeout_s": float("nan")},
        {"memory_limit_mib": -1.0},
        {"start_attempts": 0},
        {"recycle_after": 0},
        {"back_off_s": -1.0},
        {"slow_fraction": 1.0},
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused(values):
    (name,) = values
    with pytest.raises(ConfigurationError, match=name):
        Policy(**values)


def test_a_command_without_a_port_is_refused():
    with pytest.raises(ConfigurationError, match=r"\{port\}"):
        Launch("odd", ("simulator",), "stand_in_simulator:check")
    with pytest.raises(ConfigurationError, match="empty"):
        Launch("odd", (), "stand_in_simulator:check")
