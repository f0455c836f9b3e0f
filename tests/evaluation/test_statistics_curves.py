"""Survival curves and performance profiles against SciPy and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sim2real_bench.evaluation.statistics import performance_profile, survival

RANDOM = np.random.default_rng(4)
STARTS = np.tile(np.arange(10), 5)
CONTROLLERS = np.repeat(np.arange(5), 10)
DISTANCES = np.minimum(RANDOM.gamma(1.5, 120.0, 50).round(), 333.0)
CENSORED = DISTANCES == 333.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=2, max_size=60))
def test_the_survival_curve_against_scipy(cases):
    distances, censored = map(np.array, zip(*cases, strict=True))
    expected = stats.ecdf(stats.CensoredData.right_censored(distances, censored)).sf
    curve = survival(distances, censored)
    assert curve.x[0] == 0.0
    assert curve.share[0] == 1.0
    np.testing.assert_allclose(curve.share[1:], expected.evaluate(curve.x[1:]), atol=1e-12)


def test_the_survival_interval_against_scipy():
    expected = stats.ecdf(stats.CensoredData.right_censored(DISTANCES, CENSORED)).sf
    ends = expected.confidence_interval(0.9, method="log-log")
    curve = survival(DISTANCES, CENSORED, level=0.9)
    inside = (curve.share > 0) & (curve.share < 1)
    assert inside.sum() > 20
    np.testing.assert_allclose(curve.low[inside], ends.low.evaluate(curve.x[inside]), atol=1e-12)
    np.testing.assert_allclose(curve.high[inside], ends.high.evaluate(curve.x[inside]), atol=1e-12)
    assert (curve.low[~inside] == curve.share[~inside]).all()


def test_survival_by_hand():
    """Ends at 10 m and 30 m; the horizon cuts off at 20 m and 30 m."""
    curve = survival([10.0, 20.0, 30.0, 30.0], [False, True, False, True])
    assert curve.x.tolist() == [0.0, 10.0, 20.0, 30.0]
    assert curve.share.tolist() == [1.0, 0.75, 0.75, 0.375]


def test_nobody_survives_where_all_crash():
    curve = survival([5.0, 5.0, 8.0], [False] * 3)
    assert curve.share.tolist() == pytest.approx([1.0, 1 / 3, 0.0])
    assert np.isfinite(curve.low).all()
    assert np.isfinite(curve.high).all()


def test_survival_by_start_is_wider_where_controllers_fare_alike():
    distances = np.tile(DISTANCES[:10], 5)
    plain = survival(distances, distances == 333.0)
    clustered = survival(distances, distances == 333.0, STARTS)
    middle = len(plain.x) // 2
    np.testing.assert_allclose(plain.share, clustered.share)
    assert clustered.high[middle] - clustered.low[middle] > 1.5 * (plain.high[middle] - plain.low[middle])
    assert (clustered.low <= clustered.share).all()
    assert (clustered.share <= clustered.high).all()


def test_the_profile_is_the_share_beyond_each_threshold():
    thresholds = np.linspace(0, 400, 41)
    curve = performance_profile(DISTANCES, CONTROLLERS, thresholds)
    expected = [sum(d > t for d in DISTANCES) / 50 for t in thresholds]
    np.testing.assert_allclose(curve.share, expected)
    assert (np.diff(curve.share) <= 0).all()
    assert (curve.low <= curve.share).all()
    assert (curve.share <= curve.high).all()


@pytest.mark.parametrize("clustered", [False, True])
def test_the_profiles_interval_is_that_of_a_rate_at_every_threshold(clustered):
    """Compared with resamples drawn in a loop."""
    source = np.random.default_rng(8)
    shares = []
    for _ in range(3000):
        if clustered:
            drawn = np.concatenate([np.flatnonzero(start == STARTS) for start in source.integers(0, 10, 10)])
        else:
            drawn = np.concatenate([10 * controller + source.integers(0, 10, 10) for controller in range(5)])
        shares.append((DISTANCES[drawn] > 150.0).mean())
    tail = 100 * (stats.norm.cdf(-np.sqrt(10 / 9) * stats.t.ppf(0.975, 9)) if clustered else 0.025)
    curve = performance_profile(DISTANCES, CONTROLLERS, [150.0], STARTS if clustered else None)
    assert (curve.low[0], curve.high[0]) == pytest.approx(np.percentile(shares, [tail, 100 - tail]), abs=0.03)


def test_one_start_has_no_interval():
    curve = performance_profile([1.0, 2.0], [0, 1], [1.5], [7, 7])
    assert (curve.share[0], curve.low[0], curve.high[0]) == (0.5, 0.5, 0.5)
