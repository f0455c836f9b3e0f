"""The command line as a user meets it: help, version, errors."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from sim2real_bench import __version__
from sim2real_bench.cli import _guarded, build_app
from sim2real_bench.errors import ConfigurationError, SimulatorError

VERBS = ("evaluate", "train", "collect", "transfer", "list", "doctor", "serve", "pictures")


def run_program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sim2real_bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    result = CliRunner().invoke(build_app(), [verb, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout and verb in result.stdout


def test_version() -> None:
    result = run_program("--version")
    assert (result.returncode, result.stdout) == (0, f"sim2real-bench {__version__}\n")


def test_an_unknown_verb_is_wrong_usage_without_a_traceback() -> None:
    result = run_program("evalute")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr and "evalute" in result.stderr


@pytest.mark.parametrize(("error", "status"), [(ConfigurationError("x=3"), 2), (SimulatorError("it died"), 1)])
def test_our_errors_become_one_line_and_a_status(
    error: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def verb() -> None:
        raise error

    with pytest.raises(typer.Exit) as ending:
        _guarded(verb)()
    assert ending.value.exit_code == status
    assert capsys.readouterr().err == f"error: {error}\n"


def test_a_defect_keeps_its_traceback() -> None:
    def verb() -> None:
        raise KeyError("a bug of ours")

    with pytest.raises(KeyError):
        _guarded(verb)()


def test_list_as_json_names_what_scripts_rely_on() -> None:
    result = run_program("list", "--json")
    assert result.returncode == 0, result.stderr
    names = {section: {row["name"] for row in rows} for section, rows in json.loads(result.stdout).items()}
    assert {"reference", "direct", "task-distillation"} <= names["methods"]
    assert names["benchmarks"] == {"stk-carla-v1"}
    assert {"stk", "carla"} <= names["simulators"]
    assert names["presets"] == {"quick", "standard", "paper"}
    assert names["embedded towns"] == {"MiniTown01", "MiniTown02", "MiniTown03", "MiniHighway01"}
