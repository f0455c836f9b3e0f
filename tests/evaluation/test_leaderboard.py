"""The leaderboard: published figures are the papers', measured rows come from records, and nothing unlike is ranked."""

import html
import io
import json
import shutil
import subprocess
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from sim2real_bench.errors import ForeignFileError, UnknownNameError
from sim2real_bench.evaluation.benchmarks import BENCHMARKS, STK_CARLA_V1
from sim2real_bench.evaluation.leaderboard import RESULTS_FOLDER, accepted_result
from sim2real_bench.evaluation.leaderboard import page as page_module
from sim2real_bench.evaluation.leaderboard.board import Accepted, Leaderboard, _grouped, board_document
from sim2real_bench.evaluation.leaderboard.board_text import to_markdown, to_terminal
from sim2real_bench.evaluation.leaderboard.checks import check_submission
from sim2real_bench.evaluation.leaderboard.page import to_html
from sim2real_bench.evaluation.leaderboard.published import Figure, figure_text, read_published
from sim2real_bench.evaluation.leaderboard.submissions import submission_folders
from sim2real_bench.evaluation.leaderboard.submit import SubmissionRequest, submit
from sim2real_bench.evaluation.plan import EvaluationPlan, make_plan, read_plan
from sim2real_bench.evaluation.records import EpisodeRecord, episode_key, read_records
from sim2real_bench.evaluation.table import build_table, table_of
from sim2real_bench.registry import Spec

ACCEPTED = accepted_result()


def submitted(root: Path, name: str, *, note: str = "", contact: str = "me@example.org", **changes) -> Path:
    """The accepted result once more with changed fields of its configuration (and of its records), as ``name``."""
    plan = read_plan(ACCEPTED / "plan.json")
    simulator = changes.pop("simulator", None)
    scale = changes.pop("scale", 1.0)
    configuration = plan.configuration.model_copy(update=changes)
    again = make_plan(configuration, plan.spawn_count)
    folder = root / f"results-of-{name}"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(again.model_dump_json())
    records = _records(plan, again, simulator, scale)
    (folder / "episodes.jsonl").write_text("".join(record.model_dump_json() + "\n" for record in records))
    request = SubmissionRequest(folder, name, ("Somebody",), contact, "2026-11-22", note)
    return submit(request, root / "accepted")


def _records(plan: EvaluationPlan, again: EvaluationPlan, simulator: str | None, scale: float) -> list[EpisodeRecord]:
    """The old results in the plan's order, under the new plan's keys; unknown methods drive as direct did."""
    by_key = {record.key: record for record in read_records(ACCEPTED / "episodes.jsonl")}
    old_rows = {(row.method, row.proxy): row for row in plan.configuration.rows}
    records = []
    for row in again.configuration.rows:
        old_row = old_rows.get((row.method, row.proxy), old_rows["direct", None])
        for episode, old_episode in zip(again.episodes, plan.episodes, strict=True):
            record = by_key[episode_key(plan.configuration, old_row, old_episode)]
            update = {
                "key": episode_key(again.configuration, row, episode),
                "backend": again.configuration.backend,
                "distance_m": record.distance_m * scale,
            }
            if simulator:
                update["versions"] = {**record.versions, "simulator": simulator}
            records.append(record.model_copy(update=update))
    return records


def test_every_accepted_result_is_valid():
    folders = list(submission_folders())
    assert ACCEPTED in folders
    for folder in folders:
        checked, submission = check_submission(folder)
        assert checked.problems == []
        assert submission is not None and submission.name == folder.name


def test_all_published_figures_are_there():
    published = read_published()
    count = {
        paper.id: sum(len(row.figures) for track in published.tracks for row in track.rows if row.paper == paper.id)
        for paper in published.papers
    }
    assert count == {"task-distillation": 206, "twin-vae": 14, "road": 382, "spigan": 343, "taskgan": 5}


@pytest.mark.parametrize(
    ("track", "label", "metric", "figure"),
    [
        ("stk-carla", "direct", "distance", Figure(value=22.4, std=3.2, min=16.6, max=26.0)),
        ("stk-carla", "task-distillation (map)", "distance", Figure(value=260.5, std=15.2, min=244.5, max=281.3)),
        ("stk-carla", "task-distillation (camera)", "completion_1000", Figure(value=0.0)),
        ("vizdoom-carla", "modular-predicted (camera)", "distance", Figure(value=148.6, std=40.3, min=92.6, max=211.2)),
        ("synthia-sf-carla", "task-distillation (depth)", "miou", Figure(value=55.2)),
        ("coppelia-joints", "taskgan-inverse", "joints_l2", Figure(value=0.00597)),
        ("vkitti-kitti", "twin-vae", "miou_share", Figure(value=0.063)),
        ("synthia-vistas-7", "spigan (depth)", "negative_transfer_ratio", Figure(value=0.42)),
    ],
)
def test_figures_are_as_printed(track: str, label: str, metric: str, figure: Figure):
    rows = [row for row in read_published().track(track).rows if row.label == label and metric in row.figures]
    assert rows[0].figures[metric] == figure


def test_class_figures_average_to_the_printed_mean_or_the_misprint_is_noted():
    seen = 0
    for track in read_published().tracks:
        for row in track.rows:
            classes = [f.value for name, f in row.figures.items() if name.startswith("iou_")]
            if "miou" not in row.figures or not classes or None in classes:
                continue
            seen += 1
            differs = abs(np.mean(classes) - row.figures["miou"].value) > 0.101  # both sides are rounded to 0.1
            assert differs == any("misprint" in note for note in row.notes), (track.id, row.printed, np.mean(classes))
    assert seen > 50


def test_figures_show_the_papers_digits():
    published = read_published()
    assert figure_text(Figure(value=26.0, std=2.0), published.metric("distance")) == "26.0 ± 2.0"
    assert figure_text(Figure(value=0.0), published.metric("completion_100")) == "0.00"
    assert figure_text(Figure(min=55.0, max=59.0), published.metric("success_rate_increase")) == "55–59"
    assert figure_text(Figure(), published.metric("miou")) == ""


def test_the_document_has_the_shape_and_the_numbers_of_table_json():
    leaderboard = Leaderboard()
    document = board_document(leaderboard.board("stk-carla", "embedded", "quick"), leaderboard.published)
    table = json.loads(table_of(ACCEPTED, read_plan(ACCEPTED / "plan.json")).to_json())
    assert table.keys() <= document.keys()
    for row in json.loads(json.dumps(document))["rows"]:
        (same,) = [r for r in table["rows"] if (r["method"], r["proxy"]) == (row["method"], row["proxy"])]
        assert same.items() <= row.items()
        assert row["origin"] == "measured" and row["submission"] == "stk-carla-v1-quick"
    assert {row["origin"] for row in document["published"]} == {"published"}
    assert not any("rank" in row for row in document["published"])
    assert len(document["published"]) == 11


def test_a_bare_name_means_the_newest_version(monkeypatch: pytest.MonkeyPatch):
    assert Leaderboard().board("stk-carla").name == "stk-carla-v1"
    monkeypatch.setitem(
        BENCHMARKS._specs, "stk-carla-v2", Spec("stk-carla-v2", f"{__name__}:STK_CARLA_V1", "the next version")
    )
    assert Leaderboard().board("stk-carla").name == "stk-carla-v2"
    assert Leaderboard().board("stk-carla").groups == ()
    assert len(Leaderboard().board("stk-carla-v1").groups) >= 1
    assert STK_CARLA_V1.name == "stk-carla-v1"


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="stk-carla-v1"):
        Leaderboard().board("stk-carla-v9")
    with pytest.raises(UnknownNameError, match="gtav-cityscapes"):
        Leaderboard().selected("gta-cityscapes")
    with pytest.raises(UnknownNameError, match="stk-carla-v1-quick"):
        accepted_result("stk-carla-quick")


def test_tracks_are_chosen_by_kind_or_name():
    leaderboard = Leaderboard()
    assert {board.track.kind for board in leaderboard.selected("perception")} == {"perception"}
    assert [board.name for board in leaderboard.selected("driving")] == ["stk-carla-v1", "vizdoom-carla"]
    assert [board.name for board in leaderboard.selected("stk-carla")] == ["stk-carla-v1"]
    assert len(leaderboard.boards()) == len(leaderboard.published.tracks)


@pytest.mark.parametrize(
    "change",
    [
        {"backend": "server", "town": "Town02", "simulator": "0.9.16"},
        {"town": "MiniTown03"},
        {"seed": 1},
        {"controllers_hash": "0" * 64},
        {"simulator": "embedded 0.2.0 (protocol 0.9.16)"},
    ],
)
def test_rows_of_another_protocol_are_never_ranked_together(tmp_path: Path, change: dict):
    submitted(tmp_path, "other", **change)
    board = Leaderboard([tmp_path / "accepted"]).board("stk-carla")
    both = {tuple(sorted({entry.submission.name for entry in group.entries})) for group in board.groups}
    assert ("other",) in both and not any(len(names) > 1 for names in both)
    for group in board.groups:
        assert sorted(e.rank for e in group.entries if e.rank) == [1, 2, 3]


def test_the_same_protocol_is_one_ranking_whatever_the_preset_is_called(tmp_path: Path):
    rows = read_plan(ACCEPTED / "plan.json").configuration.rows
    camera = rows[3].model_copy(update={"checkpoint_hash": "a" * 64})
    submitted(tmp_path, "better", rows=(rows[0], rows[1], camera), preset="mine", scale=0.99)
    leaderboard = Leaderboard([tmp_path / "accepted"])
    (group,) = [g for g in leaderboard.board("stk-carla").groups if g.head.preset == "quick"]
    shown = [(e.rank, e.row.label, e.submission.name, e.repeated_by) for e in group.entries]
    assert shown == [
        (None, "reference", "stk-carla-v1-quick", ("better",)),
        (1, "task-distillation (camera)", "stk-carla-v1-quick", ()),
        (2, "task-distillation (camera)", "better", ()),
        (3, "task-distillation (map)", "stk-carla-v1-quick", ()),
        (4, "direct", "stk-carla-v1-quick", ("better",)),
    ]


def test_an_accepted_result_that_was_changed_is_not_shown(tmp_path: Path):
    folder = submitted(tmp_path, "other", seed=1)
    path = folder / "episodes.jsonl"
    path.write_text(path.read_text().replace('"attempt":1', '"attempt":1 ', 1))
    with pytest.raises(ForeignFileError, match=r"other/episodes.jsonl: was changed after it was submitted"):
        Leaderboard([tmp_path / "accepted"])


class _Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "action"):
                self.links.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


EVIL = '"><img src=x onerror=alert(1)><script>alert(1)</script>{{ 7*7 }}</style>\u202e'


@pytest.fixture
def evil(tmp_path: Path) -> Leaderboard:
    """A leaderboard with a submission whose author wrote code wherever text is accepted."""
    rows = read_plan(ACCEPTED / "plan.json").configuration.rows
    own = rows[1].model_copy(update={"method": "own-method", "supervision": EVIL[:90]})
    submitted(tmp_path, "evil", note=EVIL, contact="javascript:alert(1)", rows=(*rows[:3], own))
    return Leaderboard([tmp_path / "accepted"])


def test_the_page_runs_nothing_that_a_submission_says(evil: Leaderboard):
    text = to_html(evil.boards(), evil.published)
    page = _Page(text)
    assert page.tags.count("script") == 1 and page.tags.count("style") == 1 and "img" not in page.tags
    assert page.handlers == []
    assert all(link.startswith(("#", "https://", "http://")) for link in page.links)
    assert "49" not in text[text.index("&lt;script&gt;") : text.index("&lt;script&gt;") + 60]
    assert "javascript:alert(1)" in text  # shown as text, not as a link
    assert "\u202e" not in text


def test_markdown_and_terminal_show_a_submission_as_text(evil: Leaderboard):
    from rich.console import Console

    text = to_markdown(evil.boards(), evil.published)
    assert "<script>" not in text and "\\<script\\>" in text and "\u202e" not in text
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(to_terminal(evil.boards(), evil.published, 160))
    shown = console.export_text()
    assert "published" in shown and "\u202e" not in shown


def browsed(folder: Path) -> str:
    """The page as it stands in a browser after its script ran; errors in its console fail the test."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    leaderboard = Leaderboard()
    path = folder / "leaderboard.html"
    path.write_text(to_html(leaderboard.boards(), leaderboard.published))
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         f"--user-data-dir={folder}/profile", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout


def test_the_page_needs_nothing_else_and_renders_without_errors(tmp_path: Path):
    page = _Page(browsed(tmp_path))
    assert page.tags.count("button") > 100  # the script made every heading a button
    assert page.tags.count("section") == len(Leaderboard().boards())


def test_results_are_package_data():
    assert RESULTS_FOLDER.name == "results" and asdict(Leaderboard().accepted[0].table)["benchmark"] == "stk-carla-v1"


def test_a_row_that_lacks_an_episode_has_no_rank_and_stands_last():
    plan, records = read_plan(ACCEPTED / "plan.json"), read_records(ACCEPTED / "episodes.jsonl")
    best = plan.configuration.rows[3]
    lacking = next(record for record in records if record.key.checkpoint_hash == best.checkpoint_hash)
    submission = Leaderboard().accepted[0].submission
    table = build_table(plan, [record for record in records if record is not lacking])
    (group,) = _grouped([Accepted(submission, plan, table)])
    last = group.entries[-1]
    assert (last.row.label, last.rank, last.row.episodes_finished) == (best.label, None, 24)
    assert [entry.rank for entry in group.entries] == [None, 1, 2, None]


_DRIVER = """
const seen = {};
const heading = (text) => [...document.querySelectorAll("section#stk-carla-v1 table.published th button")]
  .find((button) => button.textContent.includes(text));
const first = () => document.querySelector("section#stk-carla-v1 table.published tbody th").firstChild.textContent;
seen.printed = first();
heading("distance").click(); seen.falling = first();
heading("distance").click(); seen.rising = first();
[...document.querySelectorAll(".chips button")].find((chip) => chip.textContent === "arm").click();
seen.arm = [...document.querySelectorAll("section:not([hidden])")].map((section) => section.id);
document.querySelector(".chips button").click();
const find = document.getElementById("find");
find.value = "negative"; find.dispatchEvent(new Event("input"));
seen.nothing = !document.getElementById("none").hidden;
find.value = "curriculum"; find.dispatchEvent(new Event("input"));
seen.found = [...document.querySelectorAll("section:not([hidden])")].map((section) => section.id);
document.title = JSON.stringify(seen);
"""


def test_the_page_sorts_and_filters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "files"
    shutil.copytree(Path(page_module.__file__).parent, folder, ignore=shutil.ignore_patterns("results", "__pycache__"))
    (folder / "page.js").write_text((folder / "page.js").read_text() + _DRIVER)
    monkeypatch.setattr(page_module, "_FOLDER", folder)
    text = browsed(tmp_path)
    seen = json.loads(html.unescape(text[text.index("<title>") + 7 : text.index("</title>")]))
    assert seen == {
        "printed": "task-distillation (map)",
        "falling": "task-distillation (map)",
        "rising": "direct",
        "arm": ["coppelia-reach", "coppelia-joints"],
        "nothing": True,
        "found": ["gtav-cityscapes", "synthia-cityscapes"],
    }


def test_other_controllers_stand_behind_and_are_named(tmp_path: Path):
    rows = read_plan(ACCEPTED / "plan.json").configuration.rows
    for name, weights in (("one", "a"), ("two", "b")):  # together more rows: they would stand first otherwise
        again = (*rows[:3], rows[3].model_copy(update={"checkpoint_hash": 64 * weights}))
        submitted(tmp_path, name, controller_set="mine", controllers_hash="0" * 64, rows=again)
    titles = [group.title for group in Leaderboard([tmp_path / "accepted"]).board("stk-carla").groups]
    assert len(titles) == 2
    assert "mine" not in titles[0] and "controllers of 'mine'" in titles[1]
