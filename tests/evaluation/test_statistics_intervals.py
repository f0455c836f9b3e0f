"""Interquartile mean, probability of improvement and rates, with their intervals, against independent computations."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sim2real_bench.evaluation.statistics import (
    clustered_wilson_interval,
    improvement_interval,
    interquartile_mean,
    iqm_interval,
    probability_of_improvement,
    wilson_interval,
)

RANDOM = np.random.default_rng(3)
CONTROLLERS = np.repeat(np.arange(5), 12)
STARTS = np.tile(np.arange(12), 5)
OURS = RANDOM.gamma(2.0, 60.0, 60)
THEIRS = RANDOM.gamma(2.0, 40.0, 60)


@settings(deadline=None)
@given(st.lists(st.floats(0, 2000), min_size=1, max_size=80))
def test_the_interquartile_mean_is_scipys_trimmed_mean(values):
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), abs=1e-9)


def test_the_interquartile_mean_by_hand():
    assert interquartile_mean([1000.0, 1.0, 2.0, 3.0, 4.0, 0.0, 5.0, 6.0]) == (2 + 3 + 4 + 5) / 4
    assert interquartile_mean([1.0, 9.0, 5.0]) == 5.0  # fewer than four: nothing to cut


def by_hand(ours, theirs, controllers, other_controllers):
    """Mean over controllers of the share of pairs in which ours is larger, a tie being a half."""
    shares = []
    for controller in sorted(set(controllers)):
        mine = [v for v, c in zip(ours, controllers, strict=True) if c == controller]
        others = [v for v, c in zip(theirs, other_controllers, strict=True) if c == controller]
        pairs = list(itertools.product(mine, others))
        shares.append(sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs))
    return sum(shares) / len(shares)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=30))
def test_the_probability_of_improvement_counts_pairs(cases):
    ours, theirs, controllers = map(list, zip(*cases, strict=True))
    share = probability_of_improvement(ours, theirs, controllers, controllers)
    assert share == pytest.approx(by_hand(ours, theirs, controllers, controllers))
    assert probability_of_improvement(theirs, ours, controllers, controllers) == pytest.approx(1.0 - share)


def test_the_probability_of_improvement_against_mann_and_whitney():
    expected = np.mean([
        stats.mannwhitneyu(OURS[c == CONTROLLERS], THEIRS[c == CONTROLLERS]).statistic / 12**2 for c in range(5)
    ])  # fmt: skip
    assert probability_of_improvement(OURS, THEIRS, CONTROLLERS, CONTROLLERS) == pytest.approx(expected)


def test_the_iqm_interval_against_scipy():
    groups = [OURS[c == CONTROLLERS] for c in range(5)]
    expected = stats.bootstrap(
        groups, lambda *parts, axis: stats.trim_mean(np.concatenate(parts, axis=axis), 0.25, axis=axis),
        vectorized=True, method="percentile", rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    interval = iqm_interval(OURS, CONTROLLERS)
    assert interval == pytest.approx((expected.low, expected.high), rel=0.02)


def test_the_improvement_interval_against_scipy():
    groups = [part[c == CONTROLLERS] for part in (OURS, THEIRS) for c in range(5)]

    def improvement(*parts, axis):
        shares = [
            (a[..., :, None] > b[..., None, :]).mean(axis=(-1, -2)) for a, b in zip(parts[:5], parts[5:], strict=True)
        ]
        return np.mean(shares, axis=0)

    expected = stats.bootstrap(
        groups, improvement, vectorized=True, method="percentile", n_resamples=4999, batch=500,
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    interval = improvement_interval(OURS, THEIRS, CONTROLLERS, CONTROLLERS)
    assert interval == pytest.approx((expected.low, expected.high), rel=0.02)


def test_resampled_starts_against_a_loop():
    """Whole starts drawn one by one in plain Python give the same widths."""
    source = np.random.default_rng(5)
    iqms, improvements = [], []
    for _ in range(2000):
        drawn = np.concatenate([np.flatnonzero(start == STARTS) for start in source.integers(0, 12, 12)])
        iqms.append(stats.trim_mean(OURS[drawn], 0.25))
        shares = [
            (OURS[mine][:, None] > THEIRS[mine]).mean()
            for mine in (drawn[CONTROLLERS[drawn] == controller] for controller in range(5))
        ]
        improvements.append(np.mean(shares))
    tail = 100 * stats.norm.cdf(-np.sqrt(12 / 11) * stats.t.ppf(0.975, 11))
    assert iqm_interval(OURS, CONTROLLERS, STARTS) == pytest.approx(np.percentile(iqms, [tail, 100 - tail]), rel=0.05)
    found = improvement_interval(OURS, THEIRS, CONTROLLERS, CONTROLLERS, (STARTS, STARTS))
    assert found == pytest.approx(np.percentile(improvements, [tail, 100 - tail]), rel=0.05)


def test_starts_of_different_plans_are_resampled_apart():
    together = improvement_interval(OURS, OURS + 1, CONTROLLERS, CONTROLLERS, (STARTS, STARTS))
    apart = improvement_interval(OURS, OURS + 1, CONTROLLERS, CONTROLLERS, (STARTS, STARTS + 100))
    assert apart[1] - apart[0] > 3 * (together[1] - together[0])


def test_a_single_episode_or_start_has_no_interval():
    assert iqm_interval([1.0], [0]) is None
    assert iqm_interval([1.0, 2.0], [0, 1], [7, 7]) is None
    assert improvement_interval([1.0], [2.0], [0], [0]) is None


def test_single_episodes_per_controller_are_resampled_together():
    low, high = iqm_interval([10.0, 20.0, 30.0, 40.0, 50.0], range(5))
    assert 10.0 <= low < 30.0 < high <= 50.0
    low, high = improvement_interval([3.0, 5.0, 9.0], [1.0, 6.0, 2.0], range(3), range(3))
    assert 0.0 <= low < 2 / 3 < high <= 1.0


@settings(deadline=None)
@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.8, 0.95, 0.99])
)
def test_wilson_against_scipy(case, level):
    successes, trials = case
    expected = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert wilson_interval(successes, trials, level=level) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilson_without_a_trial():
    assert wilson_interval(0, 0) is None


def test_rates_of_identical_controllers_count_starts():
    """Where all controllers of a start fare alike, 40 episodes are 8."""
    outcomes, starts = np.repeat([1, 1, 1, 0, 1, 1, 0, 1], 5), np.repeat(np.arange(8), 5)
    low, high = clustered_wilson_interval(outcomes, starts)
    plain = stats.binomtest(6, 8).proportion_ci(method="wilson")
    assert low < plain.low
    assert plain.high < high < 1.0
    assert clustered_wilson_interval(np.ones(40), starts) == pytest.approx(
        tuple(stats.binomtest(8, 8).proportion_ci(method="wilson"))
    )
    assert clustered_wilson_interval([1, 0], [3, 3]) is None


@pytest.mark.parametrize("rate", [0.3, 0.8])
def test_the_clustered_rate_covers_what_it_says(rate):
    """Controllers copy their start in half of the episodes: Wilson's own interval is too narrow, ours is not."""
    source = np.random.default_rng(6)
    starts = np.repeat(np.arange(25), 5)
    covered, covered_plainly, trials = 0, 0, 1000
    for _ in range(trials):
        shared, own = np.repeat(source.random(25) < rate, 5), source.random(125) < rate
        outcomes = np.where(source.random(125) < 0.7, shared, own)
        low, high = clustered_wilson_interval(outcomes, starts)
        covered += low <= rate <= high
        low, high = wilson_interval(outcomes.sum(), 125)
        covered_plainly += low <= rate <= high
    assert 0.93 < covered / trials < 0.985
    assert covered_plainly / trials < 0.85
