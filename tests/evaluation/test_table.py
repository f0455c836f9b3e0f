"""The table's exact shape, its honesty about what is missing, and its four forms."""

import csv
import io
import json

import numpy as np
import pytest
from fake_driving import configuration, row
from rich.console import Console
from scipy import stats

from sim2real_bench.agents.cards import CheckpointCard
from sim2real_bench.agents.source_scores import SourceDrive, SourceScore
from sim2real_bench.errors import DataError
from sim2real_bench.evaluation import rows as evaluation_rows
from sim2real_bench.evaluation.plan import make_plan
from sim2real_bench.evaluation.records import EpisodeResult, Outcome, episode_key, make_record
from sim2real_bench.evaluation.table import build_table, write_table
from sim2real_bench.evaluation.table.text import to_csv, to_markdown, to_terminal

ROWS = (row("reference"), row("direct"), row("task-distillation", "map"), row("task-distillation", "camera"))
METRES = {"reference": 300.0, "direct": 40.0, "map": 200.0, "camera": 120.0}


def planned(episodes=3, horizon=600):
    return make_plan(configuration(episodes=episodes, horizon=horizon, rows=ROWS), spawn_count=20)


def distance(table_row, episode):
    return METRES[table_row.proxy or table_row.method] + 5.0 * episode.controller + episode.seed % 7


def records_for(plan, rows=ROWS, outcome=Outcome.COLLISION):
    found = []
    for one in rows:
        for episode in plan.episodes:
            metres = distance(one, episode)
            result = EpisodeResult(
                outcome=outcome, distance_m=metres, distance_2s_m=metres - 5, distance_driven_m=metres, ticks=100,
                off_road_share=0.25, sim_time_s=10.0, wall_time_s=2.0, versions={"simulator": "fake 1.0"},
            )  # fmt: skip
            found.append(make_record(result, episode_key(plan.configuration, one, episode), 1, "embedded"))
    return found


def test_the_json_has_the_promised_shape():
    plan = planned()
    table = json.loads(build_table(plan, records_for(plan)).to_json())
    assert (table["benchmark"], table["backend"]) == ("stk-carla-v1", "embedded")
    for one, source in zip(table["rows"], ROWS, strict=True):
        assert (one["method"], one["proxy"]) == (source.method, source.proxy)
        assert one["episodes_planned"] == one["episodes_finished"] == 15
        assert {"mean", "std", "min", "max", "ci95"} <= set(one["distance_m"])
        low, high = one["distance_m"]["ci95"]
        assert low < one["distance_m"]["mean"] < high
        assert list(one["completion"]) == ["100", "250", "500", "1000"]
        assert one["supervision"] == "none"
        assert one["off_road_share"] == pytest.approx(0.25)
        assert one["infractions_per_km"] > 0


def test_numbers_against_numpy():
    plan = planned()
    table = build_table(plan, records_for(plan))
    metres = np.array([distance(ROWS[2], episode) for episode in plan.episodes]).reshape(5, 3)
    means = metres.mean(axis=1)
    shown = table.rows[2].distance_m
    assert (shown.mean, shown.std) == pytest.approx((means.mean(), means.std()))
    assert (shown.min, shown.max) == pytest.approx((means.min(), means.max()))
    assert table.rows[2].distance_2s_m == pytest.approx(means.mean() - 5)
    assert table.rows[2].completion["250"] == pytest.approx((metres >= 250).mean())
    assert table.rows[2].infractions_per_km == pytest.approx(15 / metres.sum() * 1000)
    assert table.rows[2].realtime_factor == pytest.approx(5.0)


def test_reaching_the_horizon_is_no_infraction():
    plan = planned()
    table = build_table(plan, records_for(plan, outcome=Outcome.HORIZON))
    assert {one.infractions_per_km for one in table.rows} == {0.0}


def test_ranks_leave_out_bounds_and_incomplete_rows():
    plan = planned()
    records = records_for(plan)
    assert [one.rank for one in build_table(plan, records).rows] == [None, 3, 1, 2]
    without = [r for r in records if not (r.key.proxy == "map" and r.key.controller == 4)]
    table = build_table(plan, without)
    assert [one.rank for one in table.rows] == [None, 2, None, 1]
    assert table.rows[2].episodes_finished == 12
    assert not table.complete
    assert "12/15" in to_markdown(table)


def test_a_row_without_any_result_is_shown_without_numbers():
    plan = planned()
    table = build_table(plan, records_for(plan, ROWS[:2]))
    empty = json.loads(table.to_json())["rows"][3]
    assert empty["episodes_finished"] == 0
    assert empty["distance_m"]["mean"] is None
    assert empty["completion"] == {"100": None, "250": None, "500": None, "1000": None}
    assert "| task-distillation (camera) | – | 0/15 | – |" in to_markdown(table)


def test_infrastructure_failures_are_no_results():
    plan = planned()
    records = records_for(plan)
    failed = records[20].model_copy(update={"outcome": Outcome.INFRASTRUCTURE_FAILURE, "distance_m": 0.0})
    table = build_table(plan, [*records[:20], failed, *records[21:]])
    assert table.rows[1].episodes_finished == 14
    assert table.rows[1].infrastructure_failures == 1
    assert "infrastructure_failure" not in table.rows[1].outcomes


def test_differences_are_paired_with_direct():
    plan = planned()
    table = build_table(plan, records_for(plan))
    assert [(d.method, d.proxy) for d in table.differences] == [
        ("reference", None), ("task-distillation", "map"), ("task-distillation", "camera"),
    ]  # fmt: skip
    over = table.differences[1]
    assert over.mean == pytest.approx(160.0)
    assert over.ci95 == pytest.approx((160.0, 160.0))  # every pair differs by the same
    assert over.pairs == 15


def test_interquartile_means_and_rates_carry_their_intervals():
    plan = planned()
    records = records_for(plan)
    one = build_table(plan, records).rows[2]
    metres = [r.distance_m for r in records if r.key.proxy == "map"]
    assert one.iqm_m == pytest.approx(stats.trim_mean(metres, 0.25))
    assert one.iqm_ci95[0] < one.iqm_m < one.iqm_ci95[1]
    far = [m >= 250 for m in metres]
    expected = stats.binomtest(sum(far), len(far)).proportion_ci(method="wilson")
    assert one.completion_ci95["250"] == pytest.approx((expected.low, expected.high))
    assert one.completion_ci95_by_start["250"][1] > one.completion_ci95["250"][1]  # three starts, not fifteen episodes
    assert set(one.completion_ci95) == {"100", "250"}  # what the horizon allows to measure


def test_improvements_over_direct_are_corrected_for_their_number():
    plan = planned(episodes=5)
    rows = build_table(plan, records_for(plan)).differences
    assert [one.probability_of_improvement for one in rows] == [1.0, 1.0, 1.0]
    assert [one.p_by_start for one in rows] == pytest.approx([2 / 32] * 3)
    assert [one.p_by_start_holm for one in rows] == pytest.approx([6 / 32] * 3)
    assert json.loads(build_table(plan, []).to_json())["differences"] == []


def test_ratios_of_the_claimed_pairs_against_numpy():
    plan = planned()
    map_row, camera_row = build_table(plan, records_for(plan)).ratios
    assert (map_row.row, map_row.over, map_row.pairs) == ("task-distillation (map)", "direct", 15)
    assert (camera_row.row, camera_row.over) == ("task-distillation (camera)", "direct")
    ours, theirs = (np.array([distance(ROWS[i], episode) for episode in plan.episodes]) for i in (2, 1))
    assert map_row.distance == pytest.approx(ours.mean() / theirs.mean())
    assert map_row.printed == pytest.approx(260.5 / 22.4)
    low, high = map_row.distance_ci95_by_start
    assert low < map_row.distance < high
    # Every episode ends in a collision: fewer per kilometre by as much as the metres are more.
    assert map_row.infractions == pytest.approx(theirs.sum() / ours.sum())


def test_our_own_methods_are_compared_with_the_papers_best():
    rows = (row("task-distillation", "map"), row("task-distillation-plus", "map"))
    plan = make_plan(configuration(episodes=3, horizon=600, rows=rows), spawn_count=20)
    records = records_for(plan, rows)
    further = [r.model_copy(update={"distance_m": 2.5 * r.distance_m}) for r in records[15:]]
    (ratio,) = build_table(plan, [*records[:15], *further]).ratios
    assert (ratio.row, ratio.over) == ("task-distillation-plus (map)", "task-distillation (map)")
    assert ratio.distance == pytest.approx(2.5)
    assert ratio.distance_ci95_by_start == pytest.approx((2.5, 2.5))
    assert ratio.printed is None
    assert "task-distillation-plus (map) / task-distillation (map): 2.50 times" in to_markdown(
        build_table(plan, [*records[:15], *further])
    )


def test_ratios_over_nothing_are_left_open():
    rows = (row("direct"), row("task-distillation", "map"))
    plan = make_plan(configuration(episodes=3, horizon=600, rows=rows), spawn_count=20)
    stood = records_for(plan, rows[:1])
    standing = [r.model_copy(update={"distance_m": 0.0, "outcome": Outcome.HORIZON}) for r in stood]
    (ratio,) = build_table(plan, [*standing, *records_for(plan, rows[1:])]).ratios
    assert (ratio.distance, ratio.distance_ci95_by_start) == (None, None)
    assert (ratio.infractions, ratio.infractions_ci95_by_start) == (None, None)
    assert build_table(plan, standing).ratios == ()


def test_the_retained_fraction_is_the_distance_over_that_in_the_source():
    rows = (row("direct"), row("task-distillation", "map").model_copy(update={"source_distance_m": 400.0}))
    plan = make_plan(configuration(episodes=3, horizon=2400, rows=rows), spawn_count=20)
    table = build_table(plan, records_for(plan, rows))
    assert (table.rows[0].source_distance_m, table.rows[0].retained_fraction) == (None, None)
    assert table.rows[1].retained_fraction == pytest.approx(table.rows[1].distance_m.mean / 400.0)
    assert any(note.startswith("Retained") for note in table.notes)
    assert f"| {table.rows[1].retained_fraction:.2f} | none |" in to_markdown(table)
    assert float(list(csv.DictReader(io.StringIO(to_csv(table))))[1]["source_distance_m"]) == 400.0
    shorter = make_plan(configuration(episodes=3, horizon=600, rows=rows), spawn_count=20)
    assert build_table(shorter, records_for(shorter, rows)).rows[1].retained_fraction is None


def test_the_source_distance_is_found_by_the_hashes_of_a_card(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation_rows, "source_distance_m", {"policy": 300.0, "teacher": 400.0}.get)

    def found(**card):
        path = tmp_path / "network.safetensors"
        path.with_suffix(".json").write_text(
            CheckpointCard(observation="rgb", command="", seed=0, **card).model_dump_json()
        )
        return evaluation_rows._source_distance_m(path, {"own": 500.0})

    assert found(weights_sha256="policy") == 300.0
    assert found(weights_sha256="student", data={"teacher": "teacher"}) == 400.0
    assert found(parts={"translator": "t", "policy": "p"}, data={"translator": "unknown", "policy": "policy"}) == 300.0
    assert found(weights_sha256="own", data={"teacher": "teacher"}) == 500.0
    assert found(weights_sha256="unknown") is None
    assert evaluation_rows._source_distance_m(tmp_path / "of-a-plug-in.bin", {}) is None


@pytest.mark.parametrize(
    ("horizon", "missing"), [(600, ["500", "1000"]), (2400, []), (100, ["100", "250", "500", "1000"])]
)
def test_completion_beyond_the_horizon_is_not_measured_and_says_why(horizon, missing):
    plan = planned(horizon=horizon)
    table = build_table(plan, records_for(plan))
    assert [m for m, share in table.rows[0].completion.items() if share is None] == missing
    said = [note for note in table.notes if "capped" in note]
    assert bool(said) == bool(missing)
    if missing:
        assert f"{', '.join(missing)} m cannot be measured" in said[0]
        assert f"{horizon / 10:g} s" in said[0]


def test_markdown_is_a_table_with_every_row():
    plan = planned()
    lines = to_markdown(build_table(plan, records_for(plan))).splitlines()
    shown = [line for line in lines if line.startswith("|")]
    assert len(shown) == 2 + len(ROWS)
    assert len({line.count("|") for line in shown}) == 1


def test_csv_reads_back():
    plan = planned()
    table = build_table(plan, records_for(plan))
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert [one["method"] for one in rows] == [one.method for one in ROWS]
    assert float(rows[1]["distance_mean_m"]) == table.rows[1].distance_m.mean
    assert rows[1]["completion_1000"] == ""


@pytest.mark.parametrize(("width", "columns"), [(170, True), (110, False)])
def test_the_terminal_shows_rows_notes_and_differences(width, columns):
    plan = planned()
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(to_terminal(build_table(plan, records_for(plan)), width))
    text = console.file.getvalue()
    expected = ("task-distillation (camera)", "15/15", "capped", "task-distillation (map) − direct: +160.0 m")
    assert all(one in text for one in expected)
    assert ("odometer" in text) == columns
    assert "…" not in text


def test_tables_depend_on_plan_and_records_alone(tmp_path):
    plan = planned()
    records = records_for(plan)
    for folder, order in (("a", records), ("b", records[::-1])):
        write_table(build_table(plan, order), tmp_path / folder)
    for name in ("table.json", "table.csv", "table.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_source_scores_of_a_folder_are_read(tmp_path):
    drive = SourceDrive(
        split="held-out", index=0, controller=0, track="t", reverse=False, ended="time", progress_m=900.0,
        track_share=1.0, driven_s=240.0, off_road=0.0, off_centre_m=0.5, steer_change=0.0, rescues=0,
    )  # fmt: skip
    score = SourceScore(
        name="mine", weights_sha256="ab", observation="rgb", seed=0, duration_s=240.0, target_speed_kmh=20.0, starts=1,
        splits=("held-out",), drives=(drive,),
    )  # fmt: skip
    with pytest.raises(DataError, match="holds no score"):
        evaluation_rows.resolve_rows(["reference"], source_scores=tmp_path)
    (tmp_path / "mine.json").write_text(score.model_dump_json())
    unfinished = score.model_copy(update={"weights_sha256": "cd", "drives": ()})
    (tmp_path / "other.json").write_text(unfinished.model_dump_json())
    assert evaluation_rows._scores_in(tmp_path) == {"ab": 900.0}
    (row_without_weights,) = evaluation_rows.resolve_rows(["reference"], source_scores=tmp_path)
    assert row_without_weights.source_distance_m is None
