"""Tests of differences against SciPy, brute force and hand-computed cases."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sim2real_bench.evaluation.statistics import holm, shuffle_p, sign_flip_p, step_down_p, wilcoxon_p

RANDOM = np.random.default_rng(9)
ALTERNATIVES = ("two-sided", "less", "greater")


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("count", [3, 8, 12])
def test_sign_flips_against_scipy(alternative, count):
    differences = RANDOM.normal(-0.5, 1.0, count)
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=np.inf
    ).pvalue
    assert sign_flip_p(differences, alternative=alternative) == pytest.approx(expected)


def test_many_pairs_are_sampled_and_agree_with_the_t_test():
    differences = np.random.default_rng(1).normal(0.35, 1.0, 40)
    expected = stats.ttest_1samp(differences, 0.0).pvalue
    assert sign_flip_p(differences) == pytest.approx(expected, abs=0.01)
    assert sign_flip_p(differences) == sign_flip_p(differences)
    assert sign_flip_p(differences + 10.0, alternative="greater") == pytest.approx(1 / 10_000)


def test_equal_results_are_no_sign_of_anything():
    assert sign_flip_p([0.0] * 5) == 1.0
    assert wilcoxon_p([0.0] * 5) == 1.0
    assert shuffle_p([3.0] * 4, [3.0] * 4) == 1.0


def test_five_starts_give_one_in_thirty_two_at_best():
    assert sign_flip_p([-9.0, -1.0, -20.0, -4.0, -7.0], alternative="less") == 1 / 32
    assert sign_flip_p([-9.0, -1.0, -20.0, -4.0, -7.0]) == 2 / 32


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("sizes", [(4, 5), (6, 3)])
def test_shuffling_against_scipy(alternative, sizes):
    first, second = RANDOM.normal(0, 1, sizes[0]), RANDOM.normal(0.8, 1, sizes[1])
    expected = stats.permutation_test(
        (first, second), lambda a, b, axis: a.mean(axis) - b.mean(axis), vectorized=True,
        permutation_type="independent", alternative=alternative, n_resamples=np.inf,
    ).pvalue  # fmt: skip
    # SciPy doubles the smaller tail of two-sided tests; with unequal sides that is not the share of larger differences.
    if alternative == "two-sided":
        pool = np.concatenate([first, second])
        gaps = [
            abs(pool[list(chosen)].mean() - np.delete(pool, chosen).mean())
            for chosen in itertools.combinations(range(len(pool)), len(first))
        ]
        expected = np.mean(np.array(gaps) >= abs(first.mean() - second.mean()) - 1e-12)
    assert shuffle_p(first, second, alternative=alternative) == pytest.approx(expected)


def test_many_starts_are_shuffled_at_random():
    first, second = np.random.default_rng(2).normal([[0.0], [0.6]], 1, (2, 30))
    assert shuffle_p(first, second) == pytest.approx(stats.ttest_ind(first, second).pvalue, abs=0.01)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=8), st.sampled_from(ALTERNATIVES))
def test_wilcoxon_is_scipys_without_zeros(differences, alternative):
    kept = [value for value in differences if value]
    expected = stats.wilcoxon(kept, alternative=alternative).pvalue if kept else 1.0
    assert wilcoxon_p(differences, alternative=alternative) == pytest.approx(expected)


def test_wilcoxon_by_hand():
    """Ranks 1, 2, 3, 4, all positive: one way in sixteen."""
    assert wilcoxon_p([0.5, 2.0, 3.5, 9.0], alternative="greater") == 1 / 16


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_raw_and_bonferronis(p_values):
    corrected = holm(p_values)
    for raw, one in zip(p_values, corrected, strict=True):
        assert raw <= one <= min(1.0, raw * len(p_values)) + 1e-12 or one == max(corrected)
        assert raw <= one <= 1.0
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= -1e-12).all()
    assert corrected[int(order[0])] == pytest.approx(min(1.0, min(p_values) * len(p_values)))


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-5, 5), min_size=3, max_size=3), min_size=2, max_size=6))
def test_step_down_against_brute_force(table):
    """The largest of the standardised sums over the methods not yet rejected, over all ways to swap the starts."""
    differences = np.array(table, float)
    found = step_down_p(differences, alternative="less")

    def statistics(signs):
        sums = -(np.array(signs)[:, None] * differences).sum(axis=0)
        size = np.sqrt((differences**2).sum(axis=0))
        return np.where(size > 0, sums / np.where(size > 0, size, 1), 0.0)

    observed = statistics([1] * len(table))
    order = sorted(range(3), key=lambda method: -observed[method])
    least = 0.0
    for place, method in enumerate(order):
        ways = [statistics(signs)[order[place:]].max() for signs in itertools.product([1, -1], repeat=len(table))]
        least = max(least, np.mean(np.array(ways) >= observed[method] - 1e-9))
        assert found[method] == pytest.approx(least)


def test_step_down_keeps_the_power_of_five_starts():
    differences = np.array(
        [[-9.0, -50.0, 0.0], [-8.0, -61.0, 0.0], [-9.5, -48.0, 0.0], [-9.0, -55.0, 0.0], [-7.0, -52.0, 0.0]]
    )
    assert step_down_p(differences, alternative="less").tolist() == [1 / 32, 1 / 32, 1.0]
    alone = [sign_flip_p(differences[:, column], alternative="less") for column in range(2)]
    assert max(holm(alone)) == 2 / 32


def test_methods_without_a_start_take_no_part_in_it():
    with_gap = step_down_p(np.array([[1.0, np.nan], [2.0, 3.0], [1.5, 2.0]]), alternative="greater")
    assert with_gap[1] >= sign_flip_p([3.0, 2.0], alternative="greater")


def test_equal_methods_are_rarely_called_different():
    """The corrected test finds something in at most 5 % of the cases with nothing to find, in any of three methods."""
    source = np.random.default_rng(11)
    trials, alarms = 400, 0
    for _ in range(trials):
        shared = source.normal(0, 1, (8, 1))
        differences = shared + source.normal(0, 1, (8, 3)) * np.array([1.0, 5.0, 30.0])
        alarms += step_down_p(differences, alternative="less").min() <= 0.05
    assert alarms / trials < 0.08
