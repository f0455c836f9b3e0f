"""The recipe of the whole benchmark: every command is one that the program understands, and finds what it reads."""

import itertools
from pathlib import Path

import pytest
import typer

from sim2real_bench.cli import build_app
from sim2real_bench.distill.method import METHODS, method_named
from sim2real_bench.evaluation.recipe.chain import Reproduction, on_policy_rows, reproduction_steps, student_rows
from sim2real_bench.presets import PRESETS

OUT = Path("runs/whole")


def job(preset: str = "paper") -> Reproduction:
    return Reproduction(preset, OUT, 3, ("--device", "cpu", "--threads", "2"), ("--workers", "2"))


def values_of(words: tuple[str, ...], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(words) if name == option]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_program_understands_every_command(preset: str) -> None:
    program = typer.main.get_command(build_app())
    for step in reproduction_steps(job(preset)):
        verb, *words = (*step.words, *step.aside)
        command = program.commands[verb]
        command.make_context(verb, words)  # parses, and runs nothing


def test_names_and_results_are_told_apart() -> None:
    steps = reproduction_steps(job())
    assert len({step.name for step in steps}) == len(steps)
    assert len({step.result for step in steps}) == len(steps)
    assert all(step.result.is_relative_to(OUT) for step in steps)


def test_every_step_reads_only_what_earlier_ones_leave() -> None:
    left: set[Path] = set()
    for step in reproduction_steps(job()):
        own = values_of(step.words, "--out")
        paths = {Path(word.rpartition("=")[2]) for word in step.words if str(OUT) in word} - {
            Path(path) for path in own
        }
        unknown = {path for path in paths if not any(path.is_relative_to(folder) for folder in left)}
        assert unknown == set(), step.name
        left |= {step.result.parent}


def test_networks_that_are_read_are_made_before() -> None:
    made: set[str] = set()
    for step in reproduction_steps(job()):
        read = [value.partition("=")[2] for value in values_of(step.words, "--part")]
        assert {Path(path).name for path in read} <= made, step.name
        if step.words[0] == "transfer":
            made |= {step.result.name, *_stage_networks(step.words)}


def _stage_networks(words: tuple[str, ...]) -> set[str]:
    """What the stages of a transfer leave besides its last network."""
    (method,), proxies = values_of(words, "--method"), values_of(words, "--proxy")
    stages = {
        "task-distillation": {f"stk-proxy-{proxy}.safetensors" for proxy in proxies},
        "task-distillation-junctions": {"stk-proxy-map-junctions.safetensors"},
        "cycada": {"carla-stk-translator.safetensors"},
        "modular": {f"carla-recogniser-{proxy}.safetensors" for proxy in proxies},
    }
    return stages.get(method, set())


def test_the_table_drives_every_network_that_was_trained() -> None:
    steps = {step.name: step for step in reproduction_steps(job())}
    driven = {value.rpartition("=")[2] for value in values_of(steps["evaluate"].words, "--checkpoint")}
    trained = {str(step.result) for step in steps.values() if step.words[0] == "transfer"}
    assert {path for path in trained if "first-stage" not in path} <= driven
    (methods,) = values_of(steps["evaluate"].words, "--methods")
    for label in (value.partition("=")[0] for value in values_of(steps["evaluate"].words, "--checkpoint")):
        method, _, proxy = label.partition(":")
        assert method in methods.split(",")
        method_named(method).key(proxy or None)


def test_every_method_that_can_be_trained_is_in_the_recipe() -> None:
    trainable = {spec.name for spec in METHODS if not spec.is_plug_in and method_named(spec.name).trainings}
    trained = {values_of(step.words, "--method")[0] for step in reproduction_steps(job()) if "--method" in step.words}
    assert trained == trainable - {"proxy"}  # f^P of task distillation is its network
    (driven,) = (values_of(step.words, "--methods")[0] for step in reproduction_steps(job()) if step.name == "evaluate")
    assert sorted(driven.split(",")) == sorted(spec.name for spec in METHODS if not spec.is_plug_in)


def test_learning_from_own_drives_takes_no_more_labels() -> None:
    quick = job("quick")
    steps = {step.name: step for step in reproduction_steps(quick)}
    for name in ("collect-carla-student", "collect-carla-student-junctions"):
        assert values_of(steps[name].words, "--frames") == ["800"]
    for row in student_rows(quick).values():
        assert values_of(row.words, "--target-images") == ["1200"]
    for row in on_policy_rows(quick):
        assert values_of(row.words, "--target-images") == ["2000"]
        assert "first-stage" in values_of(row.words, "--start-from")[0]


def test_no_two_data_sets_of_the_training_town_begin_alike() -> None:
    steps = [step for step in reproduction_steps(job()) if step.name.startswith("collect-carla")]
    towns = [(*values_of(step.words, "--town"), *values_of(step.words, "--seed")) for step in steps]
    assert len(set(towns)) == len(towns) == 4


def test_the_test_town_is_only_judged() -> None:
    for step in reproduction_steps(job()):
        if "carla-test-town" in " ".join(step.words):
            assert step.name in ("collect-carla-test-town", "analyse")
    assert {"direct", "task-distillation", "modular", "modular-predicted"} <= set(METHODS.names())
