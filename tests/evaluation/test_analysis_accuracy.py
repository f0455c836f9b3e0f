"""Accuracies of the analysis: which paths are right, and shares, products and intervals by hand."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from analysis_data import arc, road_map

from sim2real_bench.envs.observation import WAYPOINT_DISTANCES_M
from sim2real_bench.evaluation.analysis.chains import Chain, Kind
from sim2real_bench.evaluation.analysis.factors import factors_of
from sim2real_bench.evaluation.analysis.measuring import ChainPaths
from sim2real_bench.evaluation.analysis.paths import deviation_m, stays_on_road
from sim2real_bench.evaluation.analysis.samples import Samples
from sim2real_bench.evaluation.analysis.shares import Estimate, Pool, Product, Share, share_of


def shifted(left_m):
    """Straight ahead, ``left_m`` to the left."""
    return AHEAD + np.array([0.0, left_m])


AHEAD = np.array([[6.0, 0.0], [9.0, 0.0], [12.0, 0.0], [15.0, 0.0], [18.0, 0.0]])


def test_a_path_does_not_deviate_from_itself_or_from_its_spacing():
    slower = AHEAD * 0.5
    np.testing.assert_allclose(deviation_m([AHEAD, slower, 2.0 * AHEAD], [AHEAD, AHEAD, AHEAD]), 0.0, atol=1e-9)


def test_deviation_is_the_largest_distance_to_the_reference_path():
    moved = shifted(1.5)
    bent = AHEAD.copy()
    bent[4] = 18.0, -4.0
    np.testing.assert_allclose(deviation_m([moved, bent], [AHEAD, AHEAD]), [1.5, 4.0])


def test_deviation_counts_from_the_ego_origin_not_from_the_first_waypoint():
    behind = np.tile([-3.0, 4.0], (5, 1))
    np.testing.assert_allclose(deviation_m([behind], [AHEAD]), 5.0)


@pytest.mark.parametrize(("offset_m", "right"), [(0.0, True), (2.8, True), (3.4, False), (-3.4, False), (6.0, False)])
def test_a_vehicle_of_1_8_m_stays_on_a_road_of_8_m_within_3_1_m_of_its_middle(offset_m, right):
    roads = (road_map(0.0) > 0).astype(np.uint8)[None]
    assert stays_on_road([shifted(offset_m)], roads).tolist() == [right]


def test_the_middle_of_a_bend_is_right_and_straight_on_is_not():
    roads = np.stack([(road_map(0.05) > 0).astype(np.uint8)] * 2)
    assert stays_on_road([arc(0.05, WAYPOINT_DISTANCES_M), AHEAD], roads).tolist() == [True, False]


def test_a_path_that_leaves_the_road_between_two_waypoints_is_wrong():
    road = np.zeros((1, 192, 192), np.uint8)
    road[0] = (road_map(0.0) > 0).astype(np.uint8)
    gap = 192 + 12 - round(10.5 * 5)  # between 9 m and 12 m ahead
    road[0, gap] = 0
    assert stays_on_road([AHEAD], road, half_width_m=0.1).tolist() == [False]


def test_beside_and_beyond_the_map_is_off_the_road_and_nearer_than_it_is_not_judged():
    road = np.ones((3, 192, 192), np.uint8)
    aside, far, near = shifted(30.0), AHEAD * 3.0, AHEAD * 0.1
    assert stays_on_road([aside, far, near], road).tolist() == [False, False, True]


def test_a_share_counts_samples_not_episodes():
    share = share_of([True, True, False, True], [3, 3, 3, 7], [3, 7])
    assert share.hits.tolist() == [2.0, 1.0]
    assert share.totals.tolist() == [3.0, 1.0]
    np.testing.assert_allclose(share.of(np.array([[1.0, 1.0], [0.0, 2.0], [2.0, 0.0]])), [0.75, 1.0, 2.0 / 3.0])


def test_a_share_of_no_sample_is_undefined():
    assert np.isnan(share_of([True], [0], [0], of=3).of(np.array([[0.0, 1.0, 1.0]]))).all()


def two_domains():
    """Source: 6 of 8 right. Target: 3 of 8 right, another row 5 of 8."""
    source = Share(np.array([4.0, 2.0, 0.0, 0.0]), np.array([4.0, 4.0, 0.0, 0.0]))
    target = Share(np.array([0.0, 0.0, 1.0, 2.0]), np.array([0.0, 0.0, 4.0, 4.0]))
    other = Share(np.array([0.0, 0.0, 3.0, 2.0]), np.array([0.0, 0.0, 4.0, 4.0]))
    return source, target, other


def test_products_and_quotients_by_hand():
    source, target, other = two_domains()
    overlap = Product((target,), (source,))
    chain = Product((source,)) * overlap * Product((other,))
    values, gaps = Pool(np.array([0, 0, 1, 1])).estimates({"G": overlap, "chain": chain}, [("G", "chain")])
    assert values["G"].value == pytest.approx(3 / 6)
    assert values["chain"].value == pytest.approx(6 / 8 * 3 / 6 * 5 / 8)
    assert gaps[0].value == pytest.approx(3 / 6 - 6 / 8 * 3 / 6 * 5 / 8)


def test_a_quotient_by_nothing_is_undefined_and_has_no_interval():
    _, target, _ = two_domains()
    nothing = Share(np.zeros(4), np.array([4.0, 4.0, 0.0, 0.0]))
    values, _ = Pool(np.array([0, 0, 1, 1])).estimates({"G": Product((target,), (nothing,))})
    assert np.isnan(values["G"].value)
    assert values["G"].ci95 is None


def test_episodes_of_one_mind_leave_no_doubt_and_different_ones_do():
    strata = np.repeat([0, 1], [5, 5])
    alike = Share(np.repeat([2.0, 0.0], 5), np.repeat([4.0, 0.0], 5))
    unlike = Share(np.array([0.0, 1, 2, 3, 4, 0, 0, 0, 0, 0]), np.repeat([4.0, 0.0], 5))
    values, gaps = Pool(strata).estimates(
        {"alike": Product((alike,)), "unlike": Product((unlike,))}, [("alike", "unlike")]
    )
    assert values["alike"] == Estimate(0.5, (0.5, 0.5))
    low, high = values["unlike"].ci95
    assert 0.0 <= low < 0.25
    assert 0.75 < high <= 1.0
    assert gaps[0].ci95[0] < 0.0 < gaps[0].ci95[1]


def test_a_difference_is_resampled_in_pairs():
    strata = np.repeat([0, 1], [2, 6])
    hits = np.array([0.0, 0, 0, 1, 2, 3, 3, 4])
    totals = np.array([4.0, 4, 4, 4, 4, 4, 4, 4])
    totals[:2] = 0.0
    better = Share(hits + (totals > 0), totals + (totals > 0))
    pool = Pool(strata)
    values, gaps = pool.estimates({"a": Product((better,)), "b": Product((Share(hits, totals),))}, [("a", "b")])
    assert gaps[0].ci95[0] > 0.0, "every resample gains, although the intervals of the two overlap"
    assert values["a"].ci95[0] < values["b"].ci95[1]


@dataclass
class FakeRecordings:
    """As much of recordings as judging needs; all roads straight and 8 m wide."""

    groups: np.ndarray
    episodes: tuple[int, ...]

    @property
    def roads(self):
        return np.stack([(road_map(0.0) > 0).astype(np.uint8)] * len(self.groups))


def test_the_factors_of_a_chain_by_hand():
    source = FakeRecordings(np.array([0, 0, 1, 1]), (0, 1))
    target = FakeRecordings(np.array([2, 2, 5, 5, 5]), (2, 5))
    samples = Samples(source, target, tolerance_m=1.0)
    left, road = 6.0, 0.0  # off the road, and on it
    paths = ChainPaths(
        source=np.stack([shifted(y) for y in (road, road, road, left)]),  # a^P = 3/4
        proxy_target=np.stack([shifted(y) for y in (road, road, road, road, left)]),  # 4/5 in the target
        target=np.stack([shifted(y) for y in (0.5, 2.0, left, road, road)]),  # 3 of these 4, and 4/5 in all
    )
    chain = Chain("task-distillation", "map", Kind.DISTILLED, Path("t"), Path("p"))
    factors = factors_of(chain, paths, samples)
    values, _ = samples.pool().estimates(
        dict(factors.by_symbol) | {"product": factors.product, "whole": factors.whole, "agreement": factors.agreement}
    )
    assert {name: value.value for name, value in values.items()} == pytest.approx(
        {"a^P": 3 / 4, "G^L": (4 / 5) / (3 / 4), "a^d": 3 / 4, "product": 3 / 5, "whole": 4 / 5, "agreement": 2 / 5}
    )


def test_the_factors_of_an_image_policy_by_hand():
    source = FakeRecordings(np.array([0, 1]), (0, 1))
    samples = Samples(source, FakeRecordings(np.array([0, 1]), (0, 1)))
    paths = ChainPaths(np.stack([AHEAD, AHEAD]), np.stack([shifted(6.0), AHEAD]), None)
    factors = factors_of(Chain("direct", None, Kind.DIRECT, Path("s"), Path("s")), paths, samples)
    values, _ = samples.pool().estimates(dict(factors.by_symbol) | {"product": factors.product})
    assert [values[name].value for name in ("a^S", "G^I", "product")] == [1.0, 0.5, 0.5]
