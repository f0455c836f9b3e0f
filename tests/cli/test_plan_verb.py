"""The verb ``plan``: the episodes that ``evaluate`` would drive, and how many would be needed."""

import json
import re

import pytest
import typer
from typer.testing import CliRunner

from sim2real_bench.cli import _guarded
from sim2real_bench.cli.plan import command
from sim2real_bench.evaluation.leaderboard import accepted_result
from sim2real_bench.evaluation.plan import make_plan, read_plan

RUNNER = CliRunner()


def run(*arguments):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(_guarded(command))
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    result.text = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    return result


def test_the_starts_are_those_of_the_shipped_result():
    """Drawn without a simulator, from the same seed."""
    shipped = read_plan(accepted_result() / "plan.json")
    result = run("--methods", "reference", "--json")
    shown = json.loads(result.output)
    again = make_plan(shipped.configuration, shown["spawn_count"])
    assert shown["starts"] == [
        e.model_dump(include={"spawn_index", "weather", "seed"}) for e in again.episodes if e.controller == 0
    ]
    assert (shown["episodes_per_row"], shown["episodes"]) == (25, 25)
    assert shown["forecast"] == []
    assert shown["power"] is None


def test_the_text_counts_and_estimates():
    result = run("--methods", "reference", "--episodes", "60", "--results", accepted_result())
    assert result.exit_code == 0
    assert "60 starts x 5 controllers = 300 episodes for each of 1 rows (reference): 300 episodes" in result.text
    assert "50 more" in result.text  # of sixty starts ten are listed
    assert re.search(r"reference +300 +\d+\.\d", result.text)


def test_power_from_the_shipped_result():
    result = run("--methods", "reference", "--power", "--difference", "0.2", "--json")
    table = json.loads(result.output)["power"]
    assert table["question"] == {
        "difference": 0.2, "level": 0.95, "power": 0.8, "controllers": 5, "planned_starts": 5,
    }  # fmt: skip
    assert len(table["rows"]) >= 3
    assert all(one["unpaired"]["starts"] >= 2 for one in table["rows"])
    more = json.loads(run("--methods", "reference", "--power", "--difference", "0.1", "--json").output)["power"]
    for wide, narrow in zip(table["rows"], more["rows"], strict=True):
        assert narrow["unpaired"]["starts"] > wide["unpaired"]["starts"]
    assert "to tell 20 % apart" in run("--methods", "reference", "--power", "--difference", "0.2").text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--power", "--difference", "0"], "difference 0"),
        (["--power", "--level", "1"], "level 1"),
        (["--power", "--wanted-power", "2"], "power 2"),
        (["--preset", "quik"], "did you mean 'quick'"),
        (["--workers", "0"], "--workers"),
    ],
)
def test_wrong_usage_is_exit_status_2(options, text):
    result = run("--methods", "reference", *options)
    assert result.exit_code == 2
    assert text in result.text


def test_a_folder_without_results_is_named(tmp_path):
    result = run("--methods", "reference", "--results", tmp_path)
    assert result.exit_code == 1
    assert "no results folder" in result.text
    assert list(tmp_path.iterdir()) == []
