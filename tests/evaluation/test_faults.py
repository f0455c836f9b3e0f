"""Everything that can be made to fail, in whole runs: what the user reads, and that the results stay the same."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sim2real_bench.errors import ConfigurationError, SimulatorError
from sim2real_bench.evaluation.faults.kinds import KINDS, Consequence, Fault, FaultCounter, Place
from sim2real_bench.evaluation.faults.page import markdown_table
from sim2real_bench.evaluation.faults.settings import fake_launch, fake_settings
from sim2real_bench.evaluation.plan import make_plan
from sim2real_bench.evaluation.records import Outcome, read_records
from sim2real_bench.evaluation.runner import evaluate
from sim2real_bench.evaluation.supervisor import Policy, SupervisorKeeper

OUTSIDE = [kind for kind in KINDS if kind.place is not Place.AGENT]
AGENTS = [kind for kind in KINDS if kind.place is Place.AGENT]
TICK = 8


def comparable(records):
    """Finished records without wall times and numbers of attempts, in the order of their keys."""
    dumps = [
        record.model_dump(mode="json", exclude={"wall_time_s", "attempt"}) for record in records if record.finished
    ]
    return sorted(dumps, key=lambda dump: json.dumps(dump["key"], sort_keys=True))


def children():
    """Commands of the processes that this one started, directly or not."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return [command for command in found if "resource_tracker" not in command]


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """One run in which every fault of simulators and adapters happens once, each in a start of its own."""
    folder = tmp_path_factory.mktemp("broken")
    settings = fake_settings(folder / "out", methods=("fast",), episodes=len(OUTSIDE))
    seeds = [episode.seed for episode in make_plan(settings.configuration, 7).episodes[: len(OUTSIDE)]]
    faults = [Fault(kind.name, TICK, 1, seed).text for kind, seed in zip(OUTSIDE, seeds, strict=True)]
    before = children()
    settings = fake_settings(
        folder / "out", methods=("fast",), episodes=len(OUTSIDE), faults=faults, counts=folder / "counts", workers=2,
        deadline_s=4.0, timeout_s=1.0,
    )  # fmt: skip
    table = evaluate(settings)
    assert children() == before
    return folder, table, dict(zip((kind.name for kind in OUTSIDE), seeds, strict=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same plan without any fault."""
    folder = tmp_path_factory.mktemp("whole")
    evaluate(fake_settings(folder, methods=("fast",), episodes=len(OUTSIDE)))
    return read_records(folder / "episodes.jsonl")


def test_results_equal_those_of_a_run_without_faults(broken, whole):
    folder, table, _ = broken
    records = read_records(folder / "out" / "episodes.jsonl")
    assert table.complete
    assert comparable(records) == comparable(whole)
    assert len({record.distance_m for record in whole}) > 10  # a mix-up of episodes would be seen
    assert max(Counter(record.key for record in records if record.finished).values()) == 1
    assert table.rows[0].infrastructure_failures == sum(kind.consequence is Consequence.REPEATED for kind in OUTSIDE)


@pytest.mark.parametrize("kind", OUTSIDE, ids=lambda kind: kind.name)
def test_faults_of_simulators_and_adapters(broken, kind):
    folder, _, seeds = broken
    happened = [path.name for path in (folder / "counts").iterdir() if path.name.startswith(f"{kind.name}@")]
    assert len(happened) == 1
    records = [r for r in read_records(folder / "out" / "episodes.jsonl") if r.key.seed == seeds[kind.name]]
    failed = [record for record in records if not record.finished]
    if kind.consequence is Consequence.NOTHING:
        assert failed == []
        return
    (failure,) = failed
    assert_says(failure.error, kind)
    (repeated,) = [record for record in records if record.finished and record.key == failure.key]
    assert (failure.attempt, repeated.attempt) == (1, 2)
    assert repeated.outcome is not Outcome.AGENT_ERROR


def assert_says(error, kind):
    assert re.search(kind.message, error, re.DOTALL), f"{kind.name}: {error!r} instead of {kind.message!r}"


@pytest.fixture(scope="module")
def guilty(tmp_path_factory):
    """One run with a row for every fault of agents, which happens in each of their episodes."""
    out = tmp_path_factory.mktemp("guilty")
    settings = fake_settings(
        out, methods=("fast", *(f"{kind.name}@{TICK}" for kind in AGENTS)), episodes=1, workers=2, deadline_s=3.0
    )
    one_controller = settings.configuration.model_copy(update={"controllers": (0,)})
    table = evaluate(replace(settings, configuration=one_controller, failures_in_a_row=100))
    return table, read_records(out / "episodes.jsonl")


@pytest.mark.parametrize("kind", AGENTS, ids=lambda kind: kind.name)
def test_faults_of_agents(guilty, kind):
    table, records = guilty
    own = [record for record in records if record.key.method == f"{kind.name}@{TICK}"]
    assert_says(own[0].error, kind)
    (row,) = [row for row in table.rows if row.method == own[0].key.method]
    if kind.consequence is Consequence.SCORED:
        assert len(own) == 1  # not driven again: it counts
        assert row.outcomes == {"agent_error": 1}
        expected = 0.0 if kind.name == "reset-raises" else 0.5 * (TICK - 1)
        assert own[0].distance_m == pytest.approx(expected)
    else:
        assert [record.attempt for record in own] == [1, 2, 3]
        assert (row.episodes_finished, row.rank) == (0, None)


def test_a_good_agent_beside_bad_ones_is_not_hurt(guilty):
    table, _ = guilty
    assert table.rows[0].episodes_finished == 1
    assert table.rows[0].infrastructure_failures == 0


def test_an_agent_that_always_crashes_costs_its_own_row_only(tmp_path, caplog):
    settings = fake_settings(tmp_path, methods=("agent-crash@8", "fast"), episodes=1)
    table = evaluate(replace(settings, failures_in_a_row=4))
    crashing, fast = table.rows[0], table.rows[1]
    assert (crashing.episodes_finished, crashing.rank) == (0, None)
    assert crashing.infrastructure_failures in (4, 5)  # the next one may have begun
    assert fast.episodes_finished == 5
    assert "agent-crash@8 is given up: 4 times in a row its worker died while the agent was at work" in caplog.text


def test_a_fault_is_written_and_read():
    for text in ("hang@3*2#7", "late@1*1", "black@12*0"):
        assert Fault.parse(text).text == text
    assert Fault.parse("leak@4") == Fault("leak", 4, 1, None)
    for text in ("hang", "hang@", "hang@x", "Hang@3", "hang@3*", "hang@3#"):
        with pytest.raises(ConfigurationError, match="KIND@TICK"):
            Fault.parse(text)
    with pytest.raises(ConfigurationError, match="known: segfault"):
        Fault.parse("tired@3")


def test_faults_are_counted_over_processes(tmp_path):
    places = [Place.SIMULATOR]
    one, other = (FaultCounter(("hang@3*2",), tmp_path) for _ in range(2))
    assert one.due(places, 2, 5) is None
    assert one.due([Place.ADAPTER], 3, 5) is None
    assert [one.due(places, 3, 5), other.due(places, 3, 6), one.due(places, 3, 5)] == ["hang", "hang", None]
    alone = FaultCounter(("hang@3", "late@4*0#9"), None)
    assert [alone.due(places, 3, 1), alone.due(places, 3, 1)] == ["hang", None]
    assert [alone.due(places, 4, 9), alone.due(places, 4, 9), alone.due(places, 4, 8)] == ["late", "late", None]


def test_the_page_shows_every_fault():
    page = Path(__file__).parents[2] / "docs" / "faults.md"
    assert markdown_table() in page.read_text(encoding="utf-8"), "run: python -m sim2real_bench.evaluation.faults.page"


def supervised(out, launch, **settings):
    """A run whose simulators are kept by supervisors."""
    policy = Policy(start_timeout_s=settings.pop("start_timeout_s", 60.0), back_off_s=0.0, start_attempts=2,
                    recycle_after=settings.pop("recycle_after", None),
                    memory_limit_mib=settings.pop("memory_limit_mib", None))  # fmt: skip
    made = fake_settings(out, methods=("fast",), episodes=3, timeout_s=settings.pop("timeout_s", 5.0))
    return replace(made, keeper=SupervisorKeeper(launch, policy), **settings)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    evaluate(fake_settings(folder, methods=("fast",), episodes=3))
    return comparable(read_records(folder / "episodes.jsonl"))


@pytest.mark.parametrize(
    ("faults", "settings", "failures"),
    [
        (("segfault@9*2", "hang@30*1"), {"timeout_s": 1.0}, 3),
        (("leak@3*0",), {"memory_limit_mib": 200.0}, 0),
        ((), {"recycle_after": 4}, 0),
    ],
    ids=["crash and hang", "leak", "recycled"],
)
def test_supervised_simulators_are_replaced(tmp_path, caplog, undisturbed, faults, settings, failures):
    launch = fake_launch(faults, tmp_path / "counts")
    before = children()
    with caplog.at_level("INFO"):
        table = evaluate(supervised(tmp_path / "out", launch, **settings))
    assert children() == before
    assert table.complete
    assert comparable(read_records(tmp_path / "out" / "episodes.jsonl")) == undisturbed
    assert table.rows[0].infrastructure_failures == failures
    assert len(re.findall("fake is replaced: ", caplog.text)) >= 3


def test_a_simulator_that_crashes_at_some_starts_costs_no_attempt(tmp_path, undisturbed):
    launch = fake_launch((), tmp_path / "counts", start="crash", starts=1)
    table = evaluate(supervised(tmp_path / "out", launch))
    assert comparable(read_records(tmp_path / "out" / "episodes.jsonl")) == undisturbed
    assert table.rows[0].infrastructure_failures == 0


@pytest.mark.parametrize(("start", "text"), [("crash", "no device found"), ("hang", "did not start in 2 attempts")])
def test_a_simulator_that_never_starts_ends_the_run_with_its_log(tmp_path, start, text):
    launch = fake_launch((), tmp_path / "counts", start=start)
    before = children()
    with pytest.raises(SimulatorError, match=f"(?s)did not tell its spawn points in 1 tries.*{text}.*doctor"):
        evaluate(supervised(tmp_path / "out", launch, attempts=1, start_timeout_s=2.0))
    assert children() == before
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"episodes.jsonl"}
