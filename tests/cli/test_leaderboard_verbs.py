"""The verbs ``leaderboard`` and ``submit`` as a user types them."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sim2real_bench.cli import build_app
from sim2real_bench.evaluation.leaderboard import accepted_result

RUN = CliRunner()
WHO = ("--author", "A. Author", "--contact", "https://example.org", "--date", "2026-12-24")


def run(*arguments: object):
    return RUN.invoke(build_app(), [str(argument) for argument in arguments])


@pytest.fixture
def result(tmp_path: Path) -> Path:
    folder = tmp_path / "my-result"
    folder.mkdir()
    for name in ("plan.json", "episodes.jsonl"):
        shutil.copy(accepted_result() / name, folder / name)
    return folder


def test_json_of_one_benchmark():
    done = run("leaderboard", "--benchmark", "stk-carla", "--backend", "embedded", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 0 and document["benchmark"] == "stk-carla-v1" and document["backend"] == "embedded"
    assert {row["method"] for row in document["rows"]} >= {"reference", "direct", "task-distillation"}
    assert all(row["infractions_per_km"] is not None for row in document["rows"])


def test_json_of_a_benchmark_that_nobody_measured():
    document = json.loads(run("leaderboard", "--benchmark", "vizdoom-carla", "--json").stdout)
    assert (document["benchmark"], document["rows"], len(document["published"])) == ("vizdoom-carla", [], 8)


def test_the_terminal_shows_measured_and_published():
    done = run("leaderboard", "--benchmark", "stk-carla")
    assert done.exit_code == 0
    for word in ("measured: embedded", "published: printed", "260.5 ± 15.2", "stk-carla-v1-quick", "CARLA 0.9.6"):
        assert word in done.stdout


def test_files_are_written(tmp_path: Path):
    markdown, html = tmp_path / "a.md", tmp_path / "deep/a.html"
    done = run("leaderboard", "--track", "perception", "--markdown", markdown, "--html", html)
    assert done.exit_code == 0 and f"wrote {html}" in done.stdout
    assert markdown.read_text().startswith("# Leaderboard") and "GTA V" in html.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--benchmark", "stk-karla"), "did you mean 'stk-carla-v1'"),
        (("--track", "percepton"), "did you mean 'perception'"),
        (("--track", "driving", "--benchmark", "stk-carla"), "give one of them"),
    ],
)
def test_wrong_usage_is_answered_with_the_remedy(arguments: tuple[str, ...], words: str):
    done = run("leaderboard", *arguments)
    assert done.exit_code == 2 and words in done.stderr


def test_submit_then_show(result: Path, tmp_path: Path):
    done = run("submit", result, *WHO, "--to", tmp_path / "accepted")
    assert done.exit_code == 0, done.output
    assert "task-distillation (camera) (card found)" in done.stdout
    shown = run("leaderboard", "--benchmark", "stk-carla", "--results", tmp_path / "accepted")
    assert "driven again by my-result" in shown.stdout
    again = run("submit", tmp_path / "accepted/my-result", "--name", "again", "--to", tmp_path / "accepted")
    assert again.exit_code == 0, again.output


def test_submit_checks_without_writing(result: Path, tmp_path: Path):
    assert run("submit", result, "--check").exit_code == 0
    (result / "episodes.jsonl").write_text("{}\n\x1b[31m\n")
    done = run("submit", result, "--check")
    assert done.exit_code == 1
    assert "my-result/episodes.jsonl:1:outcome: Field required" in done.stderr
    assert "problem(s); nothing was written" in done.stderr and "\x1b" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["my-result"]


def test_submit_asks_for_what_is_missing(result: Path, tmp_path: Path):
    done = run("submit", result, "--to", tmp_path / "accepted")
    assert done.exit_code == 2 and "give --author and --contact" in done.stderr
    assert run("submit", tmp_path / "nowhere").exit_code == 1
