"""The report's text: complete, escaped, self-contained; its drawings: right."""

import base64
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from fake_driving import ROWS, row, settings
from fake_results import write_results
from report_results import ENDS, WORDS, write_driven, write_films
from typer.testing import CliRunner

from sim2real_bench.agents.cards import SHIPPED_FOLDER, read_card
from sim2real_bench.cli import build_app
from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES
from sim2real_bench.envs.carla.embedded.town.maps import MAPS
from sim2real_bench.errors import ConfigurationError, RecordError
from sim2real_bench.evaluation.film.choice import find_film
from sim2real_bench.evaluation.plan import Configuration
from sim2real_bench.evaluation.records import EpisodeResult, Outcome, read_records
from sim2real_bench.evaluation.report import REPORT_FILE, ReportOptions, report
from sim2real_bench.evaluation.report.charts import Scale, distance_chart, survival_chart, survival_curves
from sim2real_bench.evaluation.report.content import read_content
from sim2real_bench.evaluation.report.page import evaluate_command
from sim2real_bench.evaluation.report.replays import Replay, read_replays, remember_replays
from sim2real_bench.evaluation.report.roads import read_roads, roads_of, roads_of_town
from sim2real_bench.evaluation.report.svg import drawing, element, path_data, quartiles, ticks
from sim2real_bench.evaluation.report.town import town_map
from sim2real_bench.evaluation.runner import evaluate

ABSENT = ("carla", "torch", "shapely", "moderngl", "msgpack", "imageio_ffmpeg", "matplotlib", "ray", "safetensors")
EMPTY_MAP = "<OpenDRIVE><header/></OpenDRIVE>"


def text_of(html: str) -> str:
    """What a reader sees, roughly: no style, no script, no tags."""
    bare = re.sub(r"(?s)<(style|script)>.*?</\1>", "", html)
    return re.sub(r"\s+", " ", re.sub(r"(?s)<[^>]*>", " ", bare))


@pytest.fixture
def driven(tmp_path: Path) -> Path:
    return write_driven(tmp_path / "run")


def test_a_report_holds_every_part(driven: Path) -> None:
    roads = roads_of_town(read_content(driven).plan.configuration)
    page = report(driven, options=ReportOptions(roads=roads))
    assert (driven / REPORT_FILE).read_text() == page.html
    for part in ("result", "distances", "survival", "outcomes", "splits", "map", "films", "episodes", "configuration"):
        assert f'<section id="{part}">' in page.html
    words = text_of(page.html)
    for row_ in read_content(driven).rows:
        assert row_.label in words and f"{row_.numbers.distance_m.mean:.1f}" in words
    assert "sim2real-bench evaluate --source stk --target carla" in words
    assert "fake 1.0" not in words and "static.wall" in words
    assert page.html.count("data-episode=") == sum(len(row_.records) for row_ in read_content(driven).rows)
    assert page.has_map and '<path d="M' in page.html and 'class="carriageway"' in page.html


def test_a_report_needs_no_simulator_and_no_torch(driven: Path) -> None:
    program = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT!r}:
            raise ImportError(f"{{name}} is not installed here")
sys.meta_path.insert(0, Absent())
sys.argv = ["sim2real-bench", "report", {str(driven)!r}]
from sim2real_bench.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=driven)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'class="carriageway"' in (driven / REPORT_FILE).read_text()


def test_strangers_texts_stay_text(tmp_path: Path) -> None:
    rows = (row("reference"), row(f"x{WORDS}", f"y{WORDS}").model_copy(update={"supervision": WORDS}))
    fields = {"preset": WORDS, "town": WORDS, "weathers": (WORDS,)}
    page = report(write_driven(tmp_path / "run", rows=rows, words=WORDS, **fields))
    assert "window.hacked" in text_of(page.html).replace("&#34;", '"')
    assert page.html.count("<script>") == 1 and "<img" not in page.html
    for start in re.findall(r"<(?!/|!)[^>]*>", page.html):
        assert "onerror=" not in re.sub(r'"[^"]*"', '""', start)


def test_the_command_on_the_page_plans_the_same(tmp_path: Path) -> None:
    wanted = ("--methods", "reference,task-distillation", "--proxy", "map", "--episodes", "3", "--horizon", "70")
    wanted += ("--town", "MiniTown01", "--seed", "4", "--preset", "standard")
    app = build_app()

    def planned(*options: str) -> str:
        result = CliRunner().invoke(app, ["evaluate", *options, "--show-config"])
        assert result.exit_code == 0, result.output
        return result.output

    shown = planned(*wanted)
    command = evaluate_command(Configuration.model_validate_json(shown))
    assert command.startswith("sim2real-bench evaluate ")
    assert planned(*shlex.split(command)[2:]) == shown


def test_a_command_to_copy_runs_nothing_else(tmp_path: Path) -> None:
    configuration = settings(tmp_path).configuration.model_copy(update={"town": "x; rm -rf ~", "preset": "$(reboot)"})
    words = shlex.split(evaluate_command(configuration))
    assert "x; rm -rf ~" in words and "$(reboot)" in words


def test_a_page_asks_no_other_machine(driven: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\0" * 5000)
    write_films(driven, film)
    html = report(driven).html
    sources = re.findall(r'(?:src|href|srcset|poster|data|action)="([^"]*)"', html)
    assert sources and all(source.startswith(("#", "data:video/mp4;base64,")) for source in sources)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", html))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "url(" not in html and "@import" not in html
    assert "default-src 'none'" in html


def test_films_are_embedded_up_to_the_limit(driven: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(bytes(range(256)) * 12)  # 3072 bytes are 4096 in base64
    assert write_films(driven, film) == 9
    page = report(driven, options=ReportOptions(film_limit_bytes=4 * 4096))
    assert (page.films.embedded, page.films.beside) == (4, 5)
    assert page.films.embedded_bytes == 4 * 4096 and page.films.left_out_bytes == 5 * 3072
    assert page.html.count(base64.b64encode(film.read_bytes()).decode()) == 4
    links = re.findall(r'<source src="(videos/[^"]*)"', page.html)
    assert len(links) == 5 and all((driven / link).read_bytes() == film.read_bytes() for link in links)
    everything = report(driven, tmp_path / "elsewhere" / "page.html", ReportOptions(film_limit_bytes=0))
    assert everything.html.count('<source src="file:///') == 9


def test_every_shown_film_says_whether_it_is_the_recorded_drive(driven: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.webm"
    film.write_bytes(b"film")
    write_films(driven, film)
    names = sorted(path.stem for path in (driven / "videos").iterdir())
    remember_replays(driven, [Replay(names[0], "it differs <b>much</b>", False)])
    remember_replays(driven, [Replay(names[1], "as in the record", True)])
    assert set(read_replays(driven)) == set(names[:2])
    html = report(driven).html
    assert '<span class="differs">it differs &lt;b&gt;much&lt;/b&gt;</span>' in html
    assert '<span class="as-recorded">as in the record</span>' in html
    assert 'type="video/webm"' in html
    remember_replays(driven, [Replay(names[2], "could not be driven again: no room", False)])
    (driven / "videos" / f"{names[2]}.webm").unlink()
    html = report(driven).html
    assert '<span class="differs">could not be driven again: no room</span>' in html and "not filmed" in html
    (driven / "videos" / "replays.json").write_text('[{"film": 1}]')
    with pytest.raises(RecordError, match=r"replays\.json"):
        report(driven)


def test_cards_of_the_driven_weights_are_shown(tmp_path: Path) -> None:
    card = read_card(SHIPPED_FOLDER / "stk-direct")
    known = row("direct").model_copy(update={"checkpoint_hash": card.weights_sha256})
    unknown = row("task-distillation", "map").model_copy(update={"checkpoint_hash": "ab" * 32})
    html = report(write_driven(tmp_path / "run", rows=(known, unknown))).html
    assert card.notes[:20] in html and f"seed</dt><dd>{card.seed}</dd>" in html
    assert "No card with this hash" in html and "ab" * 32 in html
    for suffix in (".json", ".safetensors"):
        shutil.copy(SHIPPED_FOLDER / f"stk-direct{suffix}", tmp_path / f"mine{suffix}")
    own = (tmp_path / "mine.json").read_text().replace(card.weights_sha256, "ab" * 32)
    (tmp_path / "mine.json").write_text(own)
    (tmp_path / "other.json").write_text("[1, 2")
    html = report(tmp_path / "run", options=ReportOptions(card_folders=(tmp_path,))).html
    assert "No card with this hash" not in html and "<dd>mine</dd>" in html


def test_an_unfinished_folder_says_so(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "run", lambda row, episode: 50.0, leave_out=lambda row, _: row.method == "direct")
    page = report(folder)
    assert "Not complete" in page.html and "0/30" in text_of(page.html) and not page.has_map
    (folder / "episodes.jsonl").unlink()
    page = report(folder)
    assert '<section id="distances">' not in page.html and "0 finished episodes" in text_of(page.html)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"plan\.json"):
        report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_leaves_the_old_one(driven: Path) -> None:
    (driven / "blocked").mkdir()
    with pytest.raises(RecordError, match="cannot write"):
        report(driven, driven / "blocked")
    assert (driven / "blocked").is_dir() and not list(driven.glob(".blocked*"))


@pytest.mark.parametrize("name", TOWN_NAMES)
def test_roads_are_those_of_the_client_library(carla_embedded, name: str) -> None:
    """Lane edges of carla.Map, an independent reader, lie on the outlines (and none of its lanes is missing)."""
    import carla
    import shapely

    path = MAPS / f"{name}.xodr"
    outlines = [outline for kind, outline in read_roads(path).surfaces if kind == "carriageway"]
    ours = shapely.union_all([shapely.Polygon(outline).buffer(0) for outline in outlines])
    theirs = []
    for waypoint in carla.Map(name, path.read_text()).generate_waypoints(5.0):
        pose, half = waypoint.transform, waypoint.lane_width / 2
        yaw = np.radians(pose.rotation.yaw)
        centre, side = np.array([pose.location.x, -pose.location.y]), half * np.array([np.sin(yaw), np.cos(yaw)])
        theirs += [centre, centre + 0.98 * side, centre - 0.98 * side]
    points = shapely.points(np.array([point for point in theirs if np.isfinite(point).all()]))
    assert len(points) > 200
    assert shapely.distance(ours, points).max() < 0.1


def test_a_bend_is_where_geometry_puts_it() -> None:
    """A quarter of a circle of radius 20 m to the left, one lane of 4 m on its right."""
    quarter = np.pi / 2 * 20
    xodr = f"""<OpenDRIVE><road id="1" length="{quarter}" junction="-1"><planView>
        <geometry s="0" x="10" y="5" hdg="0" length="{quarter}"><arc curvature="0.05"/></geometry></planView>
        <lanes><laneSection s="0"><right><lane id="-1" type="driving"><width sOffset="0" a="4" b="0" c="0" d="0"/>
        </lane></right></laneSection></lanes></road></OpenDRIVE>"""
    roads = roads_of(xodr)
    ((kind, outline),) = roads.surfaces
    assert kind == "carriageway"
    radii = np.linalg.norm(outline - (10, 25), axis=1)
    half = len(outline) // 2
    assert np.allclose(radii[:half], 20, atol=1e-3) and np.allclose(radii[half:], 24, atol=1e-3)
    assert np.allclose(roads.centre_lines[0][-1], (30, 25), atol=1e-3)


@pytest.mark.parametrize(
    ("geometry", "end"),
    [
        ('<line/>', (10.0, 0.0)),
        ('<poly3 a="0" b="0" c="0.01" d="0"/>', (10.0, 1.0)),
        ('<paramPoly3 pRange="normalized" aU="0" bU="10" cU="0" dU="0" aV="0" bV="0" cV="2" dV="0"/>', (10.0, 2.0)),
        ('<paramPoly3 pRange="arcLength" aU="0" bU="1" cU="0" dU="0" aV="0" bV="0.1" cV="0" dV="0"/>', (10.0, 1.0)),
    ],
)  # fmt: skip
def test_all_kinds_of_geometry_are_read(geometry: str, end: tuple[float, float]) -> None:
    xodr = f"""<OpenDRIVE><road id="1" length="10" junction="-1"><planView>
        <geometry s="0" x="0" y="0" hdg="0" length="10">{geometry}</geometry></planView><lanes>
        <laneSection s="0"><left><lane id="1" type="driving"><width sOffset="0" a="3"/></lane></left></laneSection>
        </lanes></road></OpenDRIVE>"""
    assert np.allclose(roads_of(xodr).centre_lines[0][-1], end)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no xml", "no OpenDRIVE map"),
        ("<svg/>", "not <OpenDRIVE>"),
        (EMPTY_MAP, "no lanes"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><OpenDRIVE>&b;</OpenDRIVE>', "document type"),
        ('<OpenDRIVE><road length="1e9"/></OpenDRIVE>', "long"),
        ('<OpenDRIVE><road length="nan"/></OpenDRIVE>', "no OpenDRIVE map"),
        ('<OpenDRIVE><road length="ten"/></OpenDRIVE>', "no OpenDRIVE map"),
        ('<OpenDRIVE><road length="9"><lanes><laneSection s="0"/></lanes></road></OpenDRIVE>', "no "),
    ],
)
def test_what_is_no_map_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "a.xodr").write_text(text)
    with pytest.raises(ConfigurationError, match=problem):
        read_roads(tmp_path / "a.xodr")


def test_roads_come_with_embedded_towns_only(driven: Path) -> None:
    configuration = read_content(driven).plan.configuration
    assert roads_of_town(configuration) is not None
    for changes in ({"backend": "server"}, {"town": "Town02"}, {"town": "../MiniTown02"}, {"target": "other"}):
        assert roads_of_town(configuration.model_copy(update=changes)) is None


def test_every_episode_ends_in_the_mark_of_its_outcome(driven: Path) -> None:
    content = read_content(driven)
    drawn = str(town_map(content.driven, None, {}))
    root = ElementTree.fromstring(drawn)
    episodes = [one for one in root.iter() if one.get("class", "").startswith("episode ")]
    assert len(episodes) == sum(len(row_.records) for row_ in content.rows)
    shapes = {}
    for one in episodes:
        end = next(part for part in one if (part.get("class") or "").startswith("end"))
        shapes.setdefault(one.get("data-outcome"), set()).add(len(re.findall(r"[ ,]", end.get("d"))))
    assert set(shapes) == {str(end) for end in ENDS}
    assert len({frozenset(found) for found in shapes.values()}) >= 4  # told apart by shape, not by colour


def test_numbers_of_any_size_are_drawn(driven: Path) -> None:
    path = driven / "episodes.jsonl"
    huge, *others = read_records(path)
    changes = {"trajectory": ((-1e300, 1e300), (1e300, 0.0)), "distance_m": 1e30, "distance_driven_m": 0.0}
    lines = [record.model_dump_json() + "\n" for record in (huge.model_copy(update=changes), *others)]
    path.write_text("".join(lines))
    page = report(driven)
    assert page.html.count('class="way"') == len(others) and "nan" not in page.html.split("<body>")[1].lower()


def test_charts_are_well_formed_and_within_their_frames(driven: Path) -> None:
    content = read_content(driven)
    curves = survival_curves(content.driven)
    for width in (1080.0, 350.0):
        for chart in (
            distance_chart(content.driven, content.reach_m, width),
            survival_chart(content.driven, curves, content.reach_m, width),
        ):
            root = ElementTree.fromstring(str(chart))
            assert root.get("role") == "img" and "direct" in root.get("aria-label")
            columns = [float(one.get(name)) for one in root.iter() for name in ("cx", "x1", "x2") if one.get(name)]
            assert columns and min(columns) >= 0 and max(columns) <= width


def test_dots_stand_at_their_distances(driven: Path) -> None:
    content = read_content(driven)
    first = content.driven[0]
    root = ElementTree.fromstring(str(distance_chart([first], content.reach_m, 1000.0)))
    columns = [float(one.get("cx")) for one in root.iter() if one.get("class") == "dot"]
    scale = Scale(1000.0, content.reach_m)
    assert np.allclose(columns, [scale(metres) for metres in first.distances], atol=0.01)


def test_svg_escapes_texts_and_attributes() -> None:
    drawn = str(drawing(10, 10, 'a"<b>', element("text", "<script>", data_tip='"><x y="')))
    root = ElementTree.fromstring(drawn)
    assert root.get("aria-label") == 'a"<b>'
    (inner,) = root
    assert inner.text == "<script>" and inner.get("data-tip") == '"><x y="'


def test_ticks_are_round_and_within() -> None:
    assert ticks(333.0, 8) == [0, 50, 100, 150, 200, 250, 300]
    assert ticks(0.0) == [0.0] and ticks(1.0, 5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


def test_quartiles_are_numpy_medians() -> None:
    assert quartiles([4.0, 1.0, 3.0, 2.0, 10.0]) == (1.0, 2.0, 3.0, 4.0, 10.0)


def test_path_data_is_short() -> None:
    assert path_data([(0, 0), (1.04, 2.0)], closed=True) == "M0,0 1,2Z" and path_data(np.empty((0, 2))) == ""


def test_more_rows_than_colours_are_dashed(tmp_path: Path) -> None:
    rows = tuple(row(f"m{number}") for number in range(8))
    content = read_content(write_driven(tmp_path / "run", rows=rows, episodes=1))
    assert content.rows[0].style == "c0" and content.rows[7].style == "c0 dashed"
    assert read_content(write_driven(tmp_path / "other", rows=ROWS)).rows[0].style == "bound"


def test_an_episode_driven_again_is_compared_with_its_record(tmp_path: Path) -> None:
    from fake_filming import ENVIRONMENT

    from sim2real_bench.evaluation.report.replay import film_chosen, require_known, unfilmed_count

    wanted = settings(tmp_path, episodes=1, horizon=20, rows=(row("reference"), row("direct")))
    wanted = replace(wanted, configuration=wanted.configuration.model_copy(update={"environment": ENVIRONMENT}))
    evaluate(wanted)
    path = tmp_path / "episodes.jsonl"
    before = read_records(path)
    falsified = before[-1].model_copy(update={"distance_m": 900.0, "outcome": Outcome.HORIZON})
    path.write_text("".join(one.model_dump_json() + "\n" for one in (*before[:-1], falsified)))
    content = path.read_bytes()
    assert unfilmed_count(tmp_path) == 6
    told: list[int] = []
    replays = film_chosen(wanted, lambda done, note: told.append(done))
    assert told == [1, 2, 3, 4, 5, 6] and path.read_bytes() == content
    assert [replay.agrees for replay in replays].count(False) == 1
    (differing,) = [replay for replay in replays if not replay.agrees]
    assert (
        differing.film == find_film(tmp_path, falsified).stem
        and "in the record horizon after 900.0 m" in differing.note
    )
    assert film_chosen(wanted) == () and read_replays(tmp_path) == {replay.film: replay for replay in replays}
    with pytest.raises(ConfigurationError, match="not driven again"):
        require_known(wanted.configuration, {})


def test_weights_that_are_not_at_hand_are_not_driven(tmp_path: Path) -> None:
    from sim2real_bench.evaluation.execution.worker import AGENTS
    from sim2real_bench.evaluation.report.replay import require_known

    plan = settings(tmp_path, rows=(row("reference"),)).configuration
    fields = {"agents": AGENTS, "environment": "sim2real_bench.envs.carla.environment:CarlaDriveEnv"}
    require_known(plan.model_copy(update=fields), {})
    other = row("direct").model_copy(update={"checkpoint_hash": "cd" * 32})
    with pytest.raises(ConfigurationError, match=r"direct was driven with weights cdcdcd.*--checkpoint"):
        require_known(plan.model_copy(update=fields | {"rows": (other,)}), {})


def test_a_record_of_the_first_version_has_no_trajectory() -> None:
    assert EpisodeResult(outcome=Outcome.COLLISION).trajectory == ()
