"""Predicted against measured order: verdicts by hand, on results without driving."""

import pytest
from analysis_data import write_network
from fake_driving import row
from fake_results import write_results

from sim2real_bench.agents.checkpoints import checkpoint_hash
from sim2real_bench.agents.source_scores import SourceDrive, SourceScore
from sim2real_bench.evaluation.analysis import metres
from sim2real_bench.evaluation.analysis.chains import chain_of
from sim2real_bench.evaluation.analysis.metres import ratio
from sim2real_bench.evaluation.analysis.order import Pair, Verdict, distances, pairs_of, rank_correlation, verdict
from sim2real_bench.evaluation.analysis.shares import Estimate
from sim2real_bench.evaluation.plan import MethodRow
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


def test_a_ratio_of_distances_resamples_starts_of_both_at_once(results):
    rows = {one.label: results.drives(one) for one in results.plan.configuration.rows}
    direct, modular, distilled = (rows[label] for label in LABELS)
    means = [
        sum(drive.distance_m for drive in drives.values()) / len(drives) for drives in (distilled, direct, modular)
    ]
    ours = ratio(distilled, direct)
    assert ours.value == pytest.approx(means[0] / means[1])
    assert ours.ci95[0] < ours.value < ours.ci95[1] < 3.1, "61 m over 20 m, the same noise in both"
    unsure = ratio(distilled, modular)
    assert unsure.value == pytest.approx(means[0] / means[2])
    assert unsure.ci95[0] < 0.9 < 1.2 < unsure.ci95[1], "20 m either way from start to start"
    assert ratio(distilled, {}) is None


def test_metres_are_set_beside_source_drives_of_the_same_horizon(tmp_path, monkeypatch):
    proxy = write_network(tmp_path, "p", "map_view", {})
    rows = (MethodRow(method="proxy", proxy="map", checkpoint_hash=checkpoint_hash(proxy)),)
    chain = chain_of("proxy", "map", proxy)
    results = read_results(write_results(tmp_path / "r", lambda row, episode: 50.0, rows=rows, horizon=600))
    drive = dict(split="held-out", index=0, controller=0, track="t", reverse=False, ended="time", track_share=0.1,
                 driven_s=60.0, off_road=0.0, off_centre_m=0.0, steer_change=0.0, rescues=0)  # fmt: skip

    def scores(duration_s):
        score = SourceScore(
            name="p", weights_sha256=checkpoint_hash(proxy), observation="map_view", seed=0, duration_s=duration_s,
            target_speed_kmh=20.0, starts=1, splits=("held-out",), drives=(SourceDrive(progress_m=200.0, **drive),),
        )  # fmt: skip
        monkeypatch.setattr(metres, "source_score_of", {score.weights_sha256: score}.get)

    scores(60.0)
    assert metres.metre_factors([chain], results) == [metres.MetreFactors("proxy (map)", 200.0, 0.25, None)]
    scores(240.0)
    assert metres.metre_factors([chain], results) == []
