"""Comparing two results: in pairs or not, what is refused, and how often equals are called worse."""

import json

import numpy as np
import pytest
from fake_driving import row
from fake_results import write_results
from scipy import stats

from sim2real_bench import compare
from sim2real_bench.errors import ConfigurationError, RecordError, UnknownNameError
from sim2real_bench.evaluation.comparison.matching import parse_rows
from sim2real_bench.evaluation.comparison.text import to_terminal, verdict_line

ROWS = (row("direct"), row("task-distillation", "map"))


def place(episode):
    """A distance that depends on the start alone, 40 to 240 m."""
    return 40.0 + episode.seed % 200


def unlike(row, episode):
    return place(episode) + 3.0 * episode.controller + (20.0 if row.proxy else 0.0)


def folders(tmp_path, metres_a, metres_b, **fields_b):
    a = write_results(tmp_path / "a", metres_a, rows=ROWS)
    return a, write_results(tmp_path / "b", metres_b, **{"rows": ROWS, **fields_b})


def test_a_result_is_not_worse_than_itself(tmp_path):
    a, b = folders(tmp_path, unlike, unlike)
    comparison = compare(a, b)
    assert comparison.paired
    assert not comparison.worse
    assert [one.verdict for one in comparison.rows] == ["no worse", "no worse"]
    for one in comparison.rows:
        assert one.mean_m.difference == 0.0
        assert one.ci == one.mean_m.ci_by_start == (0.0, 0.0)
        assert (one.p_worse, one.p_better, one.p_by_episode) == (1.0, 1.0, 1.0)
        assert one.probability_of_improvement == 0.5


def test_six_starts_are_enough_to_see_that_every_one_is_worse(tmp_path):
    a, b = folders(tmp_path, unlike, lambda r, e: unlike(r, e) - (30.0 + e.seed % 11 if r.proxy else 0.0))
    comparison = compare(a, b)
    direct, distilled = comparison.rows
    assert comparison.worse
    assert (direct.verdict, distilled.verdict) == ("no worse", "worse")
    assert distilled.p_worse == 1 / 64
    gaps = [30.0 + seed % 11 for seed in {e["seed"] for e in json.loads((a / "plan.json").read_text())["episodes"]}]
    assert distilled.mean_m.difference == pytest.approx(-np.mean(gaps))
    low, high = distilled.mean_m.ci_by_start
    half = stats.t.ppf(0.975, 5) * np.std(gaps, ddof=1) / np.sqrt(6)
    assert (low, high) == pytest.approx((-np.mean(gaps) - half, -np.mean(gaps) + half), abs=0.6)
    assert high < 0
    assert distilled.p_by_episode < 1e-5  # 30 episodes taken for independent
    assert compare(b, a).rows[1].verdict == "better"
    assert not compare(b, a).worse


def test_a_tolerance_forgives(tmp_path):
    a, b = folders(tmp_path, unlike, lambda r, e: unlike(r, e) - 5.0 - e.seed % 3)
    assert compare(a, b).worse
    assert compare(a, b, tolerance_m=4.0).worse
    assert not compare(a, b, tolerance_m=8.0).worse


def test_rates_and_infractions_are_compared(tmp_path):
    a, b = folders(tmp_path, lambda r, e: 320.0, lambda r, e: 320.0 if e.controller < 2 else 80.0)
    one = compare(a, b).rows[0]
    assert (one.completion["250"].a, one.completion["250"].b) == (1.0, 0.4)
    assert one.completion["250"].difference == pytest.approx(-0.6)
    assert one.completion["250"].ci_by_start == pytest.approx((-0.6, -0.6))  # the same at every start
    assert set(one.completion) == {"100", "250"}  # the horizon is 333 m
    assert one.iqm_m.a == 320.0
    assert one.iqm_m.b == pytest.approx(stats.trim_mean([320.0] * 12 + [80.0] * 18, 0.25))
    assert one.probability_of_improvement == pytest.approx(0.4 * 0.5)
    assert (one.infractions_per_km_a, one.infractions_per_km_b) == (0.0, pytest.approx(18 / (12 * 0.32 + 18 * 0.08)))


def test_results_without_a_common_start_are_compared_unpaired(tmp_path):
    a, b = folders(tmp_path, unlike, lambda r, e: unlike(r, e) / 10.0, seed=1)
    comparison = compare(a, b)
    assert not comparison.paired
    assert comparison.worse
    assert comparison.rows[0].p_by_episode is None
    assert "share no start" in comparison.notes[0]
    assert comparison.rows[0].p_worse >= 1 / 924  # 12 starts divided by 6 and 6
    assert not compare(a, a).notes[0].startswith("Not")


def test_an_unpaired_interval_covers_welchs(tmp_path):
    a, b = folders(tmp_path, unlike, unlike, seed=1)
    one = compare(a, b, rows=[("direct", "direct")]).rows[0]
    starts = [
        [46.0 + seed % 200 for seed in {e["seed"] for e in json.loads((folder / "plan.json").read_text())["episodes"]}]
        for folder in (b, a)
    ]  # fmt: skip
    expected = stats.ttest_ind(*starts, equal_var=False).confidence_interval()
    assert one.mean_m.difference == pytest.approx(np.mean(starts[0]) - np.mean(starts[1]))
    width = one.mean_m.ci_by_start[1] - one.mean_m.ci_by_start[0]
    assert 0.9 < width / (expected.high - expected.low) < 1.6  # the smaller side's degrees of freedom, so rather wider


def test_a_larger_plan_of_the_same_seed_is_paired_on_what_both_hold(tmp_path):
    a, b = folders(tmp_path, unlike, unlike, episodes=9)
    comparison = compare(a, b)
    assert comparison.paired
    assert comparison.rows[0].episodes_a == comparison.rows[0].episodes_b == 30
    assert "A's 30 and B's 45" in comparison.notes[0]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"horizon": 2400}, "limits.horizon_ticks"),
        ({"town": "MiniTown01"}, "town"),
        ({"controllers_hash": "f00"}, "controllers_hash"),
    ],
)
def test_what_means_something_else_is_refused(tmp_path, changes, named):
    a, b = folders(tmp_path, unlike, unlike, **changes)
    with pytest.raises(ConfigurationError, match=named):
        compare(a, b)


def test_a_plan_changed_by_hand_is_refused(tmp_path):
    a, b = folders(tmp_path, unlike, unlike)
    plan = json.loads((b / "plan.json").read_text())
    plan["configuration"]["backend"] = "server"
    (b / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(RecordError, match="changed after it was written"):
        compare(a, b)


@pytest.mark.parametrize(("field", "value"), [("distance_m", 1.7e308), ("distance_driven_m", -1.0), ("ticks", 10**18)])
def test_what_no_drive_can_give_is_refused(tmp_path, field, value):
    a, b = folders(tmp_path, unlike, unlike)
    lines = (b / "episodes.jsonl").read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), field: value})
    (b / "episodes.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(RecordError, match=rf"episodes.jsonl:3: {field} is"):
        compare(a, b)


def test_incomplete_rows_are_refused_or_compared_where_both_finished(tmp_path):
    a, b = folders(
        tmp_path, unlike, lambda r, e: unlike(r, e) - 1.0 - e.seed % 2,
        leave_out=lambda r, e: r.proxy == "map" and (e.controller == 4 or e.index == 0),
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match=r"missing in B: task-distillation \(map\) \(7 of 30\)"):
        compare(a, b)
    assert compare(a, b, rows=[("direct", "direct")]).rows[0].episodes_a == 30
    common = compare(a, b, incomplete="common").rows[1]
    assert (common.episodes_a, common.episodes_b, common.starts) == (23, 23, 6)
    assert -2.0 < common.mean_m.difference < -1.0
    with pytest.raises(UnknownNameError, match="known: refuse, common"):
        compare(a, b, incomplete="guess")


def test_different_rows_can_be_named(tmp_path):
    a, b = folders(tmp_path, unlike, unlike)
    one = compare(a, a, rows=[("task-distillation:map", "direct")]).rows[0]
    assert one.label == "task-distillation (map) → direct"
    assert one.mean_m.difference == pytest.approx(-20.0)
    with pytest.raises(UnknownNameError, match="did you mean 'direct'"):
        compare(a, b, rows=[("dirct", "direct")])


def test_folders_without_a_common_row_say_what_to_do(tmp_path):
    a = write_results(tmp_path / "a", unlike, rows=ROWS[:1])
    b = write_results(tmp_path / "b", unlike, rows=ROWS[1:])
    with pytest.raises(ConfigurationError, match="--a-row, --b-row"):
        compare(a, b)


def test_rows_of_one_side_only_are_said(tmp_path):
    a, b = folders(tmp_path, unlike, unlike, rows=(*ROWS, row("reference")))
    assert "Only B has reference: not compared." in compare(a, b).notes


@pytest.mark.parametrize(
    "wrong", [{"level": 1.0}, {"level": 0.2}, {"tolerance_m": -1.0}, {"tolerance_m": float("nan")}]
)
def test_values_that_cannot_be_used(tmp_path, wrong):
    a, b = folders(tmp_path, unlike, unlike)
    with pytest.raises(ConfigurationError):
        compare(a, b, **wrong)


def test_too_few_starts_are_said(tmp_path):
    a = write_results(tmp_path / "a", unlike, rows=ROWS, episodes=4)
    b = write_results(tmp_path / "b", lambda r, e: 0.0, rows=ROWS, episodes=4)
    comparison = compare(a, b)
    assert not comparison.worse
    assert "p would be 0.0625" in comparison.notes[-1]
    assert compare(a, b, level=0.9).worse


def test_single_rows_of_half_options():
    assert parse_rows(["direct", "task-distillation:map"]) == [
        ("direct", "direct"), ("task-distillation (map)", "task-distillation (map)"),
    ]  # fmt: skip
    for wrong in (([], "direct", None), ([], None, "direct"), (["direct"], "direct", "direct")):
        with pytest.raises(ConfigurationError, match="together"):
            parse_rows(*wrong)


def test_equals_are_seldom_called_worse(tmp_path):
    """Two results of the same methods, drawn 200 times: B is called worse in about 5 % of the cases or fewer."""
    alarms, trials = 0, 60
    for trial in range(trials):
        source = np.random.default_rng(trial)
        shift = {}

        def metres(row, episode, source=source, shift=shift):
            own = shift.setdefault((row.label, episode.seed), source.normal(0, 60))
            return max(0.0, place(episode) + 60 + own + source.normal(0, 20))

        a = write_results(tmp_path / f"a{trial}", metres, rows=ROWS)
        shift.clear()
        b = write_results(tmp_path / f"b{trial}", metres, rows=ROWS)
        alarms += compare(a, b).worse
    assert alarms <= stats.binom.ppf(0.999, trials, 0.05)


def test_the_text_shows_every_row_and_the_json_every_number(tmp_path):
    from io import StringIO

    from rich.console import Console

    a, b = folders(tmp_path, unlike, lambda r, e: unlike(r, e) - (30.0 if r.proxy else 0.0))
    comparison = compare(a, b)
    console = Console(width=150, file=StringIO(), force_terminal=False)
    console.print(to_terminal(comparison))
    text = console.file.getvalue()
    assert all(part in text for part in ("task-distillation (map)", "30 of 6 starts", "-30.0", "worse", "Paired"))
    assert verdict_line(comparison) == "B is worse than A beyond chance: task-distillation (map)"
    shown = json.loads(comparison.to_json())
    assert shown["worse"] is True
    assert shown["rows"][1]["mean_m"]["difference"] == pytest.approx(-30.0)
