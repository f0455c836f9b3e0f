"""Plans: drawn once, paired, frozen with their hash, and refused when they do not fit."""

import json
from collections import Counter

import pytest
from fake_driving import ROWS, configuration, row

from sim2real_bench.errors import ConfigurationError, RecordError, UnknownNameError
from sim2real_bench.evaluation.benchmarks import BENCHMARKS, benchmark_named
from sim2real_bench.evaluation.plan import (
    differing_fields,
    make_plan,
    read_plan,
    require_same,
    write_plan,
)


def starts(plan, controller):
    return [(e.spawn_index, e.weather, e.seed) for e in plan.episodes if e.controller == controller]


def test_every_controller_drives_the_same_starts():
    plan = make_plan(configuration(episodes=6), spawn_count=20)
    assert len(plan.episodes) == 30
    assert [e.index for e in plan.episodes] == list(range(30))
    assert len({tuple(starts(plan, c)) for c in range(5)}) == 1
    assert len(set(starts(plan, 0))) == 6


def test_spawn_points_and_weathers_repeat_only_when_all_were_used():
    plan = make_plan(configuration(episodes=13), spawn_count=5)
    spawns = Counter(spawn for spawn, _, _ in starts(plan, 0))
    weathers = Counter(weather for _, weather, _ in starts(plan, 0))
    assert set(spawns) == set(range(5))
    assert max(spawns.values()) - min(spawns.values()) == 1
    assert len(weathers) == 6
    assert max(weathers.values()) - min(weathers.values()) == 1


def test_a_larger_plan_begins_with_the_smaller_one():
    small, large = (make_plan(configuration(episodes=n), spawn_count=9) for n in (5, 25))
    assert starts(large, 2)[:5] == starts(small, 2)


def test_the_seed_decides_the_episodes():
    first, again, other = (make_plan(configuration(seed=s), spawn_count=9) for s in (0, 0, 1))
    assert first == again
    assert first.sha256 == again.sha256
    assert starts(first, 0) != starts(other, 0)


def test_a_plan_survives_its_file(tmp_path):
    plan = make_plan(configuration(), spawn_count=9)
    write_plan(tmp_path / "plan.json", plan)
    assert read_plan(tmp_path / "plan.json") == plan


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda plan: plan["episodes"][3].update(seed=1), "changed after it was written"),
        (lambda plan: plan["configuration"]["limits"].update(horizon_ticks=7), "changed after it was written"),
        (lambda plan: plan["episodes"][3].pop("weather"), "episodes.3.weather"),
        (lambda plan: plan["episodes"][0].update(spawn_index="5"), "episodes.0.spawn_index"),
        (lambda plan: plan.update(surprise=1), "surprise"),
    ],
)
def test_a_tampered_plan_is_refused(tmp_path, change, problem):
    path = tmp_path / "plan.json"
    write_plan(path, make_plan(configuration(), spawn_count=9))
    text = json.loads(path.read_text())
    change(text)
    path.write_text(json.dumps(text))
    with pytest.raises(RecordError, match=problem) as caught:
        read_plan(path)
    assert str(path) in str(caught.value)


def test_half_a_plan_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    write_plan(path, make_plan(configuration(), spawn_count=9))
    path.write_text(path.read_text()[:100])
    with pytest.raises(RecordError, match="not a plan"):
        read_plan(path)


def test_another_plan_names_the_differing_fields_and_the_remedy(tmp_path):
    stored, wanted = configuration(), configuration(episodes=3, horizon=50, rows=(*ROWS, row("cycada")))
    assert differing_fields(stored, stored) == {}
    assert differing_fields(stored, wanted) == {
        "episodes_per_controller": (2, 3),
        "limits.horizon_ticks": (100, 50),
        "rows.cycada": (None, "present"),
    }
    with pytest.raises(RecordError, match=r"episodes_per_controller: 2 there, 3 asked for.*--out"):
        require_same(tmp_path / "plan.json", stored, wanted)


@pytest.mark.parametrize(
    "changes", [{"episodes": 0}, {"horizon": 0}, {"seed": -1}, {"rows": ()}, {"backend": "embeded"}]
)
def test_values_that_cannot_be_planned(changes):
    backend = changes.pop("backend", None)
    with pytest.raises(ConfigurationError):
        if backend:
            benchmark_named("stk-carla").town_for(backend)
        configuration(**changes)


def test_a_town_without_spawn_points_cannot_be_planned():
    with pytest.raises(ConfigurationError, match="no spawn points"):
        make_plan(configuration(), spawn_count=0)


def test_a_bare_benchmark_name_means_the_newest():
    assert benchmark_named("stk-carla") is benchmark_named("stk-carla-v1")
    assert "stk-carla-v1" in BENCHMARKS
    with pytest.raises(UnknownNameError, match="stk-carla-v1"):
        benchmark_named("stk-carl")


def test_all_methods_are_those_with_weights_in_the_order_of_the_paper(monkeypatch, caplog):
    from sim2real_bench.distill.method import METHODS, checkpoint_for
    from sim2real_bench.errors import CheckpointError
    from sim2real_bench.evaluation import rows

    def without_modular(method, proxy=None):
        if method == "modular" and proxy == "camera":
            raise CheckpointError("no shipped checkpoint")
        return checkpoint_for(method, proxy) if method in ("reference", "direct") else None

    monkeypatch.setattr(rows, "checkpoint_for", without_modular)
    own = [spec.name for spec in METHODS if not spec.is_plug_in]
    names = rows.installed_methods()
    assert set(names) == set(own) - {"modular"}
    assert "modular" in caplog.text
    assert [name for name in names if name in rows.PAPER_ORDER] == [n for n in rows.PAPER_ORDER if n != "modular"]
    assert names.index("task-distillation") < names.index("task-distillation-plus")
