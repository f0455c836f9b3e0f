"""Power: the formulas against brute-force simulation, the table against hand-computed cases, the forecast."""

import json

import numpy as np
import pytest
from fake_driving import configuration, row
from fake_results import write_results
from scipy import stats

from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.planning.forecast import forecast, total_wall_s
from sim2real_bench.evaluation.planning.power import PowerQuestion, power_table
from sim2real_bench.evaluation.planning.preview import preview
from sim2real_bench.evaluation.results import read_results
from sim2real_bench.evaluation.statistics import sign_flip_p
from sim2real_bench.evaluation.statistics.power import (
    Spread,
    detectable_difference,
    spread_range,
    starts_needed,
    t_test_power,
)

ROWS = (row("reference"), row("direct"), row("task-distillation", "map"))
TRIALS = 4000


def simulated_power(difference, spread, starts, level=0.95, seed=0):
    """How often SciPy's t-test finds the difference in drawn start means."""
    source = np.random.default_rng(seed)
    if spread.second is None:
        drawn = source.normal(difference, spread.first, (TRIALS, starts))
        p_values = stats.ttest_1samp(drawn, 0.0, axis=1).pvalue
    else:
        a = source.normal(0.0, spread.first, (TRIALS, starts))
        b = source.normal(difference, spread.second, (TRIALS, starts))
        p_values = stats.ttest_ind(b, a, axis=1, equal_var=False).pvalue
    return np.mean(p_values < 1.0 - level)


@pytest.mark.parametrize("starts", [3, 5, 12, 40])
@pytest.mark.parametrize("spread", [Spread(30.0), Spread(30.0, 30.0), Spread(50.0, 20.0)])
def test_power_against_brute_force(spread, starts):
    # SciPy's unpaired test estimates its degrees of freedom, which costs a little power where there are few starts.
    allowed = 0.07 if spread.second is not None and starts < 10 else 0.03
    for difference in (10.0, 40.0):
        expected = simulated_power(difference, spread, starts)
        assert t_test_power(difference, spread, starts) == pytest.approx(expected, abs=allowed)


def test_power_at_its_ends():
    assert t_test_power(0.0, Spread(3.0), 8, level=0.9) == pytest.approx(0.1)
    assert t_test_power(1e4, Spread(1.0), 8) == 1.0
    assert t_test_power(-5.0, Spread(3.0), 8) == t_test_power(5.0, Spread(3.0), 8)
    assert t_test_power(1.0, Spread(0.0), 2) == 1.0


@pytest.mark.parametrize("spread", [Spread(25.0), Spread(25.0, 40.0)])
def test_the_starts_needed_are_the_fewest_that_do(spread):
    starts = starts_needed(10.0, spread, power=0.8)
    assert t_test_power(10.0, spread, starts) >= 0.8 > t_test_power(10.0, spread, starts - 1)
    assert simulated_power(10.0, spread, starts) == pytest.approx(0.8, abs=0.03)
    found = detectable_difference(spread, starts)
    assert found == pytest.approx(10.0, rel=0.01)
    assert found <= 10.0


def test_what_cannot_be_told():
    assert starts_needed(1e-6, Spread(1.0)) is None
    assert starts_needed(1.0, Spread(0.0)) == 2
    assert detectable_difference(Spread(1.0), 1) is None
    assert spread_range(1) is None


def test_the_range_of_a_spread_covers_it():
    low, high = spread_range(6, level=0.9)
    measured = np.random.default_rng(1).normal(0, 7.0, (TRIALS, 6)).std(axis=1, ddof=1)
    assert np.mean((low * measured <= 7.0) & (high * measured >= 7.0)) == pytest.approx(0.9, abs=0.02)


def test_the_permutation_test_of_compare_has_about_the_power_that_is_foretold():
    """``compare`` asks one side: a one-sided level of 0.95 is a two-sided one of 0.9."""
    source = np.random.default_rng(2)
    found = [sign_flip_p(source.normal(-20.0, 30.0, 12), alternative="less") <= 0.05 for _ in range(300)]
    assert np.mean(found) == pytest.approx(t_test_power(20.0, Spread(30.0), 12, level=0.9), abs=0.08)


def metres(row, episode):
    """Start effects that both methods share, and some of their own."""
    shared, own = episode.seed % 100, (episode.seed // 100) % 40
    return {"reference": 300.0, "direct": 60.0 + shared}.get(row.method, 150.0 + shared + own) + episode.controller


def results_of(tmp_path, **changes):
    return read_results(write_results(tmp_path / "measured", metres, rows=ROWS, **{"episodes": 10, **changes}))


def test_the_table_by_hand(tmp_path):
    results = results_of(tmp_path)
    question = PowerQuestion(difference=0.1, level=0.95, power=0.8, controllers=5, planned_starts=25)
    table = power_table(results, question)
    assert [(one.a, one.b) for one in table.rows] == [
        ("direct", "direct"), ("task-distillation (map)",) * 2, ("direct", "task-distillation (map)"),
    ]  # fmt: skip
    seeds = sorted({episode.seed for episode in results.plan.episodes})
    direct = np.array([62.0 + seed % 100 for seed in seeds])
    distilled = np.array([152.0 + seed % 100 + (seed // 100) % 40 for seed in seeds])
    pair = table.rows[2]
    assert (pair.mean_a_m, pair.mean_b_m) == pytest.approx((direct.mean(), distilled.mean()))
    assert pair.difference_m == pytest.approx(0.1 * distilled.mean())
    assert pair.correlation == pytest.approx(np.corrcoef(direct, distilled)[0, 1])
    gaps = (distilled - direct).std(ddof=1)
    expected = starts_needed(pair.difference_m, Spread(gaps), level=0.95, power=0.8)
    assert (pair.paired.starts, pair.paired.episodes) == (expected, 5 * expected)
    assert pair.paired.starts < pair.unpaired.starts
    low, high = pair.paired.starts_range
    assert low < pair.paired.starts < high
    apart = starts_needed(0.1 * direct.mean(), Spread(direct.std(ddof=1), direct.std(ddof=1)))
    assert table.rows[0].unpaired.starts == apart
    assert table.rows[0].paired is None


def test_the_table_against_brute_force_from_the_episodes_up(tmp_path):
    """Episodes drawn from start effects and noise; as many starts as foretold find the difference in 80 %."""
    source = np.random.default_rng(4)
    shared, noise, starts_drawn = 30.0, 20.0, 60
    effects = {}

    def drawn(row, episode):
        start = effects.setdefault(episode.seed, source.normal(0, shared))
        return max(1.0, 200.0 + start + source.normal(0, noise))

    results = read_results(write_results(tmp_path / "measured", drawn, rows=ROWS[1:], episodes=starts_drawn))
    pair = power_table(results, PowerQuestion(difference=0.05)).rows[2]
    true_spread = noise * np.sqrt(2 / 5)
    assert pair.paired.starts == pytest.approx(starts_needed(10.0, Spread(true_spread)), rel=0.6)
    count = pair.paired.starts
    gaps = source.normal(pair.difference_m, pair_spread(results), (TRIALS, count))
    assert np.mean(stats.ttest_1samp(gaps, 0.0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.06)
    assert pair.unpaired.starts > 3 * count


def pair_spread(results):
    a, b = (results.drives(one) for one in results.plan.configuration.rows)
    gaps = {}
    for episode in a:
        gaps.setdefault(episode.seed, []).append(a[episode].distance_m - b[episode].distance_m)
    return np.std([np.mean(values) for values in gaps.values()], ddof=1)


def test_starts_that_lack_an_episode_are_left_out(tmp_path):
    results = results_of(tmp_path, leave_out=lambda r, e: r.method == "direct" and e.index in (0, 1))
    rows = power_table(results, PowerQuestion()).rows
    assert [one.starts_measured for one in rows] == [8, 10, 8]


@pytest.mark.parametrize(
    "wrong", [{"difference": 0.0}, {"level": 1.0}, {"power": 0.0}, {"power": 1.5}, {"difference": float("nan")}]
)
def test_questions_that_have_no_answer(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        PowerQuestion(**wrong)


def test_a_result_of_one_start_or_of_other_controllers_is_refused(tmp_path):
    results = results_of(tmp_path, episodes=1)
    with pytest.raises(ConfigurationError, match="two complete starts"):
        power_table(results, PowerQuestion())
    with pytest.raises(ConfigurationError, match="5 controllers a start, the plan has 3"):
        power_table(results, PowerQuestion(controllers=3))


def test_the_forecast_scales_what_was_measured(tmp_path):
    """The fake result: 5 m a simulated second, ten times faster than real time; the reference reached the horizon."""
    results = results_of(tmp_path)
    planned = configuration(episodes=20, horizon=1200, rows=ROWS)
    rows = forecast(planned, results)
    reference, direct, distilled = rows
    assert [one.episodes for one in rows] == [100] * 3
    assert reference.realtime_factor == pytest.approx(10.0)
    assert reference.simulated_s == pytest.approx((100 * 302.0 / 5, 100 * 120.0))  # to the new horizon at most
    measured = [record.sim_time_s for record in results.drives(ROWS[1]).values()]
    assert direct.simulated_s == pytest.approx((100 * np.mean(measured),) * 2)
    assert direct.wall_s == pytest.approx((10 * np.mean(measured),) * 2)
    assert total_wall_s(rows, 2) == pytest.approx(
        tuple((reference.wall_s[i] + direct.wall_s[i] + distilled.wall_s[i]) / 2 for i in (0, 1))
    )


def test_a_shorter_horizon_cuts_and_unknown_rows_stay_unknown(tmp_path):
    results = results_of(tmp_path)
    rows = forecast(configuration(episodes=2, horizon=100, rows=(*ROWS, row("expert"))), results)
    assert rows[0].simulated_s == pytest.approx((100.0, 100.0))
    assert rows[3].simulated_s is None
    assert total_wall_s(rows, 1) is None


def test_the_preview_is_the_plan_that_would_be_driven(tmp_path):
    results = results_of(tmp_path)
    planned = configuration(episodes=4, horizon=600, rows=ROWS)
    shown = preview(planned, workers=2, measured=results, spreads=results, question=PowerQuestion())
    assert shown.plan.spawn_count > 50  # of the real test town
    assert len(shown.starts) == 4
    data = json.loads(shown.to_json())
    assert (data["episodes_per_row"], data["episodes"], data["longest_simulated_s"]) == (20, 60, 3600.0)
    assert data["plan_sha256"] == shown.plan.sha256
    assert data["power"]["question"]["difference"] == 0.1
    assert len(data["forecast"]) == 3


def test_a_town_that_only_its_server_knows_has_no_starts_yet():
    shown = preview(configuration(rows=ROWS).model_copy(update={"backend": "server", "town": "Town02"}))
    assert shown.plan is None
    assert shown.starts == []
    assert "drawn when the simulator says" in shown.notes[0]


def test_results_of_another_benchmark_are_refused(tmp_path):
    results = results_of(tmp_path)
    other = configuration(rows=ROWS).model_copy(update={"benchmark": "stk-carla-v2"})
    with pytest.raises(ConfigurationError, match="of 'stk-carla-v1', the plan of 'stk-carla-v2'"):
        preview(other, measured=results)
