"""Predicted against measured order: verdicts by hand, on results without driving."""

import pytest
from fake_driving import row
from fake_results import write_results

from sim2real_bench.evaluation.analysis.order import Pair, Verdict, distances, pairs_of, rank_correlation, verdict
from sim2real_bench.evaluation.analysis.shares import Estimate
from sim2real_bench.evaluation.results import read_results

ROWS = (row("direct"), row("modular", "map"), row("task-distillation", "map"))
LABELS = tuple(one.label for one in ROWS)
METRES = {"direct": 20.0, "modular": 60.0, "task-distillation": 61.0}
SURE, LESS_SURE = Estimate(0.3, (0.1, 0.5)), Estimate(0.3, (-0.1, 0.7))


@pytest.fixture
def results(tmp_path):
    """Modular and task distillation differ by 1 m on average, and by 20 m either way from start to start."""

    def metres(row, episode):
        swing = (20.0 if episode.seed % 2 else -20.0) if row.method == "modular" else 0.0
        return METRES[row.method] + swing + 0.1 * (episode.seed % 7)

    return read_results(write_results(tmp_path / "results", metres, rows=ROWS))


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (Estimate(5.0, (1.0, 9.0)), Verdict.AGREES),
        (Estimate(-5.0, (-9.0, -1.0)), Verdict.CONTRADICTS),
        (Estimate(5.0, (-1.0, 11.0)), Verdict.UNDECIDED),
        (Estimate(5.0, None), Verdict.UNDECIDED),
    ],
)
def test_a_verdict_needs_two_intervals_without_zero(measured, expected):
    assert verdict(SURE, measured) is expected
    assert verdict(LESS_SURE, measured) is Verdict.UNDECIDED


def test_distances_are_those_of_the_table(results):
    found = distances(results, ["direct", "proxy (map)"])
    assert set(found) == {"direct"}
    assert found["direct"].value == pytest.approx(20.3, abs=0.4)
    assert found["direct"].ci95[0] <= found["direct"].value <= found["direct"].ci95[1]


def test_pairs_put_the_larger_product_first_and_compare_the_same_episodes(results):
    direct, modular, distilled = LABELS
    found = pairs_of({(direct, distilled): SURE.negated, (modular, distilled): Estimate(-0.1, (-0.2, 0.0))}, results)
    assert [(pair.better, pair.worse) for pair in found] == [(distilled, direct), (distilled, modular)]
    assert [pair.verdict for pair in found] == [Verdict.AGREES, Verdict.UNDECIDED]
    assert found[0].measured_m.value == pytest.approx(41.0)
    assert found[0].measured_m.ci95 == pytest.approx((41.0, 41.0))


def test_a_prediction_that_drives_the_other_way_is_contradicted(results):
    direct, distilled = LABELS[0], LABELS[2]
    (pair,) = pairs_of({(direct, distilled): SURE}, results)
    assert pair.verdict is Verdict.CONTRADICTS
    assert pairs_of({(direct, "proxy (map)"): SURE}, results) == []


def test_rank_correlation_counts_pairs():
    def pair(measured):
        return Pair("a", "b", SURE, Estimate(measured, None), Verdict.UNDECIDED)

    assert rank_correlation([pair(1.0), pair(2.0), pair(-1.0)]) == pytest.approx(1 / 3)
    assert rank_correlation([pair(-1.0)]) == -1.0
    assert rank_correlation([pair(0.0)]) == 0.0
    assert rank_correlation([]) is None
