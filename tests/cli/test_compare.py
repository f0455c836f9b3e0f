"""The verb ``compare``: its exit status, for scripts, and what it says."""

import json
import re

import pytest
import typer
from typer.testing import CliRunner

from sim2real_bench.cli import _guarded
from sim2real_bench.cli.compare import command
from sim2real_bench.evaluation.benchmarks import STK_CARLA_V1
from sim2real_bench.evaluation.plan import MethodRow, make_plan, resolve_configuration, write_plan
from sim2real_bench.evaluation.records import EpisodeResult, Outcome, episode_key, make_record

RUNNER = CliRunner()
ROWS = (MethodRow(method="direct"), MethodRow(method="task-distillation", proxy="map"))


def run(*arguments):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(_guarded(command))
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    result.text = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    return result


@pytest.fixture
def folders(tmp_path):
    """Two results; in B the second row comes 10 m less far from everywhere."""
    asked = resolve_configuration(
        STK_CARLA_V1, backend="embedded", preset="quick", episodes_per_controller=6, horizon_ticks=600, rows=ROWS,
        agents="none:none",
    )  # fmt: skip
    plan = make_plan(asked, spawn_count=90)
    found = []
    for name, loss in (("a", 0.0), ("b", 10.0)):
        folder = tmp_path / name
        folder.mkdir()
        write_plan(folder / "plan.json", plan)
        records = [
            make_record(
                EpisodeResult(
                    outcome=Outcome.COLLISION, distance_m=50.0 + episode.seed % 97 - (loss if row.proxy else 0.0),
                    distance_driven_m=60.0,
                ),
                episode_key(asked, row, episode), 1, "embedded",
            )
            for row in ROWS for episode in plan.episodes
        ]  # fmt: skip
        (folder / "episodes.jsonl").write_text("".join(record.model_dump_json() + "\n" for record in records))
        found.append(folder)
    return found


def test_worse_is_exit_status_1(folders):
    result = run(*folders)
    assert result.exit_code == 1
    assert "B is worse than A beyond chance: task-distillation (map)" in result.text
    assert "Paired: A and B have the same 30 episodes a row" in result.text


@pytest.mark.parametrize("options", [["--row", "direct"], ["--tolerance", "11"], ["--level", "0.99"]])
def test_not_worse_is_exit_status_0(folders, options):
    result = run(*folders, *options)
    assert result.exit_code == 0, result.text
    assert "B is not worse than A" in result.text


def test_better_is_not_worse(folders):
    result = run(*folders[::-1])
    assert result.exit_code == 0
    assert "better beyond chance: task-distillation (map)" in result.text


def test_json_is_all_that_is_printed_and_keeps_the_exit_status(folders):
    result = run(*folders, "--json", "--a-row", "task-distillation:map", "--b-row", "direct")
    shown = json.loads(result.output)
    assert (result.exit_code, shown["worse"]) == (0, False)
    assert [(row["a"], row["b"]) for row in shown["rows"]] == [("task-distillation (map)", "direct")]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--row", "dirct"], "did you mean 'direct'"),
        (["--a-row", "direct"], "--a-row and --b-row together"),
        (["--level", "2"], "level 2"),
        (["--tolerance", "-1"], "tolerance -1 m"),
        (["--incomplete", "comon"], "did you mean 'common'"),
    ],
)
def test_wrong_usage_is_exit_status_2(folders, options, text):
    result = run(*folders, *options)
    assert result.exit_code == 2
    assert text in result.text


def test_what_cannot_be_read_is_not_called_worse(folders, tmp_path):
    result = run(folders[0], tmp_path / "none")
    assert result.exit_code == 2
    assert "no results folder" in result.text
    (folders[1] / "episodes.jsonl").write_text("{}\n")
    result = run(*folders)
    assert result.exit_code == 2
    assert "episodes.jsonl:1" in result.text


def test_missing_episodes_are_refused_or_left_out(folders):
    path = folders[1] / "episodes.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    result = run(*folders)
    assert result.exit_code == 2
    assert "task-distillation (map) (2 of 30)" in result.text
    assert run(*folders, "--incomplete", "common").exit_code == 1
