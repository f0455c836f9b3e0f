"""The verb ``report``: what it says, its exit status, and films of a tiny real run."""

import json
import re

import imageio_ffmpeg
import pytest
import typer
from typer.testing import CliRunner

from sim2real_bench.cli import _guarded, evaluate
from sim2real_bench.cli.report import command
from sim2real_bench.evaluation.benchmarks import STK_CARLA_V1
from sim2real_bench.evaluation.plan import MethodRow, make_plan, resolve_configuration, write_plan
from sim2real_bench.evaluation.records import EpisodeResult, Outcome, episode_key, make_record, read_records

RUNNER = CliRunner()
ROW = MethodRow(method="reference")


def run(*arguments, verb=command):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(_guarded(verb))
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    result.text = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    return result


@pytest.fixture
def folder(tmp_path):
    asked = resolve_configuration(
        STK_CARLA_V1, backend="server", preset="quick", episodes_per_controller=1, horizon_ticks=600, rows=(ROW,),
        agents="none:none",
    )  # fmt: skip
    plan = make_plan(asked, spawn_count=90)
    write_plan(tmp_path / "run" / "plan.json", plan)
    result = EpisodeResult(
        outcome=Outcome.COLLISION, distance_m=50.0, distance_driven_m=60.0, trajectory=((0.0, 0.0), (50.0, 10.0))
    )
    records = [make_record(result, episode_key(asked, ROW, episode), 1, "server") for episode in plan.episodes]
    lines = "".join(record.model_dump_json() + "\n" for record in records)
    (tmp_path / "run" / "episodes.jsonl").write_text(lines)
    return tmp_path / "run"


def test_it_writes_the_page_and_says_what_it_lacks(folder, tmp_path):
    result = run(folder)
    assert result.exit_code == 0, result.output
    assert f"Report: {folder / 'report.html'}" in result.text
    assert "add --film" in result.text and "--map" in result.text
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    assert run(folder, "--out", tmp_path / "new" / "page.html").exit_code == 0
    assert (tmp_path / "new" / "page.html").is_file()


def test_a_map_of_the_users_own_draws_the_roads(folder):
    from sim2real_bench.envs.carla.embedded.town.maps import MAPS

    result = run(folder, "--map", MAPS / "MiniTown01.xodr")
    assert result.exit_code == 0 and "--map" not in result.text
    assert 'class="carriageway"' in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["nowhere"], 1, "plan.json"),
        (["RUN", "--map", "nowhere.xodr"], 2, "cannot read the map"),
        (["RUN", "--film-limit", "-1"], 2, "--film-limit"),
        (["RUN", "--film"], 2, "not driven again"),
        (["RUN", "--film", "--checkpoint", "direct"], 2, "METHOD=PATH"),
        ([], 2, "DIR"),
    ],
)
def test_wrong_usage_is_told_in_one_line(folder, arguments, status, text):
    result = run(*(folder if argument == "RUN" else argument for argument in arguments))
    assert result.exit_code == status, result.output
    assert text in result.text and "Traceback" not in result.text
    assert not (folder / "report.html").exists()


@pytest.mark.simulator
def test_the_chosen_episodes_are_driven_again_and_filmed(carla_embedded, tmp_path):
    short = ("--methods", "reference", "--episodes", "1", "--horizon", "12", "--workers", "1", "--out", tmp_path)
    assert run(*short, verb=evaluate.command).exit_code == 0
    records = (tmp_path / "episodes.jsonl").read_bytes()
    result = run(tmp_path, "--film", "--workers", "1")
    assert result.exit_code == 0, result.output
    assert "Films: 3 inside" in result.text and "differ" not in result.text
    films = list((tmp_path / "videos").glob("*-a1.*"))
    assert [imageio_ffmpeg.count_frames_and_secs(film)[0] for film in films] == [12 + 15] * 3
    assert all(replay["agrees"] for replay in json.loads((tmp_path / "videos" / "replays.json").read_text()))
    assert (tmp_path / "episodes.jsonl").read_bytes() == records
    page = (tmp_path / "report.html").read_text()
    assert page.count("<video ") == 3 and 'class="carriageway"' in page
    assert all(len(record.trajectory) >= 2 for record in read_records(tmp_path / "episodes.jsonl"))
