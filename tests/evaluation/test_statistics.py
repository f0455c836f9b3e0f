"""Statistics against independent computations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim2real_bench.evaluation.statistics import (
    bootstrap_interval,
    clustered_interval,
    completion_rate,
    controller_means,
    distance_summary,
    per_kilometre,
    ranks,
)

RANDOM = np.random.default_rng(0)
CONTROLLERS = np.repeat(np.arange(5), 25)
DISTANCES = RANDOM.gamma(2.0, 40.0, 125) + 10 * CONTROLLERS


def test_the_summary_against_pandas():
    means = pd.DataFrame({"c": CONTROLLERS, "d": DISTANCES}).groupby("c")["d"].mean()
    summary = distance_summary(DISTANCES, CONTROLLERS)
    np.testing.assert_allclose(controller_means(DISTANCES, CONTROLLERS), means)
    assert summary.mean == pytest.approx(means.mean())
    assert summary.std == pytest.approx(means.std(ddof=0))
    assert (summary.min, summary.max) == pytest.approx((means.min(), means.max()))


def test_the_mean_is_of_controllers_not_of_episodes():
    summary = distance_summary([10, 10, 10, 40], [0, 0, 0, 1])
    assert (summary.mean, summary.std, summary.min, summary.max) == (25.0, 15.0, 10.0, 40.0)


@given(st.lists(st.tuples(st.floats(0, 2000), st.integers(0, 4)), min_size=1, max_size=60))
def test_the_summary_does_not_depend_on_the_order(pairs):
    distances, controllers = map(list, zip(*pairs, strict=True))
    forwards, backwards = distance_summary(distances, controllers), distance_summary(distances[::-1], controllers[::-1])
    assert forwards.mean == pytest.approx(backwards.mean)
    assert forwards.min <= forwards.mean + 1e-6
    assert forwards.mean <= forwards.max + 1e-6


def test_completion_counts_from_the_threshold_on():
    assert completion_rate([99.9, 100.0, 250.0, 0.0], 100) == 0.5
    assert completion_rate([1.0], 1000) == 0.0


def test_events_per_kilometre():
    assert per_kilometre(3, 1500.0) == 2.0
    assert per_kilometre(3, 0.0) is None


def test_the_bootstrap_against_scipy():
    expected = stats.bootstrap(
        [DISTANCES[c == CONTROLLERS] for c in range(5)],
        lambda *groups, axis: sum(group.mean(axis=axis) for group in groups) / 5,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    low, high = bootstrap_interval(DISTANCES, CONTROLLERS)
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=0.01)
    assert low < distance_summary(DISTANCES, CONTROLLERS).mean < high


def test_pairing_narrows_the_interval_of_a_difference():
    other = DISTANCES + RANDOM.normal(5.0, 2.0, 125)
    low, high = bootstrap_interval(other - DISTANCES, CONTROLLERS)
    own = bootstrap_interval(DISTANCES, CONTROLLERS)
    assert 0 < low < 5.0 < high
    assert high - low < 0.2 * (own[1] - own[0])


def test_intervals_are_seeded():
    assert bootstrap_interval(DISTANCES, CONTROLLERS) == bootstrap_interval(DISTANCES, CONTROLLERS)
    assert bootstrap_interval(DISTANCES, CONTROLLERS) != bootstrap_interval(DISTANCES, CONTROLLERS, seed=1)


def test_the_clustered_interval_covers_what_it_says():
    """Starts are random, controllers add nothing: the plain interval is far too narrow, the clustered one is not."""
    source = np.random.default_rng(2)
    covered, covered_plainly, trials = 0, 0, 300
    controllers, starts = np.repeat(np.arange(5), 8), np.tile(np.arange(8), 5)
    for _ in range(trials):
        distances = np.tile(source.normal(100.0, 30.0, 8), 5)
        low, high = clustered_interval(distances, starts, replicates=999)
        covered += low <= 100.0 <= high
        low, high = bootstrap_interval(distances, controllers, replicates=999)
        covered_plainly += low <= 100.0 <= high
    assert 0.90 < covered / trials < 0.995
    assert covered_plainly / trials < 0.75


def test_one_start_has_no_clustered_interval():
    assert clustered_interval([1.0, 2.0, 3.0], [7, 7, 7]) is None


def test_constant_distances_have_a_point_as_interval():
    assert bootstrap_interval([5.0] * 10, [0, 1] * 5) == (5.0, 5.0)


def test_ranks_share_places_and_leave_out_the_unknown():
    assert ranks([10.0, None, 30.0, 10.0, 5.0]) == [2, None, 1, 2, 4]


def test_single_episodes_per_controller_are_resampled_together():
    low, high = bootstrap_interval([10.0, 20.0, 30.0, 40.0, 50.0], range(5))
    assert 10.0 <= low < 30.0 < high <= 50.0
    assert bootstrap_interval([10.0], [0]) is None
