"""The report in a real browser: no errors, films that play, strangers' texts that stay text, nothing fetched."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_driving import row
from report_results import WORDS, write_driven, write_films

from sim2real_bench.evaluation.film.stream import VideoStream
from sim2real_bench.evaluation.report import ReportOptions, report
from sim2real_bench.evaluation.report.content import read_content
from sim2real_bench.evaluation.report.roads import roads_of_town

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--mute-audio",
    "--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0",
)  # fmt: skip

# Runs before everything else in a copy of the page and tells the test what it saw. The page's own policy would forbid
# both (that it does is part of the test), so the copy has none.
PROBE = """<script>
const seen = {errors: [], videos: []};
addEventListener("error", (event) => seen.errors.push(String(event.message || event.target.outerHTML)), true);
addEventListener("load", async () => {
  const videos = [...document.querySelectorAll("video")];
  for (const video of videos) {
    video.preload = "auto";
    await new Promise((done) => {
      if (video.readyState >= 2 || video.error) return done();
      video.addEventListener("loadeddata", done); video.addEventListener("error", done); video.load();
      video.querySelector("source").addEventListener("error", done);
    });
    seen.videos.push([video.duration, video.videoWidth, video.videoHeight, video.error && video.error.message]);
  }
  try { (%s)(); } catch (error) { seen.errors.push(String(error)); }
  seen.resources = performance.getEntriesByType("resource").map((entry) => entry.name.slice(0, 40));
  await fetch("PLACE", {method: "POST", mode: "no-cors", body: JSON.stringify(seen)});
});
</script>"""

LOOK = """() => {
  const wide = document.documentElement.scrollWidth;
  seen.overflow = wide - document.documentElement.clientWidth;
  seen.hacked = window.hacked ?? null;
  seen.scripts = document.scripts.length;
  seen.images = document.images.length;
  const episodes = [...document.querySelectorAll(".episode")];
  seen.episodes = episodes.length;
  const box = document.querySelector(".filters input");
  box.click();
  seen.hidden = document.querySelectorAll(".episode.hidden").length;
  box.click();
  const way = episodes[0].querySelector("path");
  episodes[0].scrollIntoView({block: "center", behavior: "instant"});
  const point = way.getPointAtLength(way.getTotalLength() / 2).matrixTransform(way.getScreenCTM());
  seen.pointed = Boolean(document.elementFromPoint(point.x, point.y)?.closest(".episode")?.dataset.tip);
  episodes[0].dispatchEvent(new MouseEvent("click", {bubbles: true}));
  seen.chosen = document.getElementById("chosen").textContent;
  seen.tip = episodes[0].dataset.tip;
  seen.lit = document.querySelectorAll(".episode.lit").length;
  episodes[0].focus();
  episodes[0].dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
  seen.next = document.activeElement.id;
  const table = document.querySelector("#result table");
  const headings = [...table.tHead.rows[0].cells];
  const column = headings.findIndex((cell) => cell.textContent.startsWith("distance"));
  const heading = headings[column];
  const values = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[column].dataset.sort));
  heading.querySelector("button").click();
  seen.descending = values();
  heading.querySelector("button").click();
  seen.ascending = values();
  seen.sorted = heading.getAttribute("aria-sort");
  const names = (element) => element.getAttribute("aria-label") || element.textContent.trim();
  seen.unnamed = [...document.querySelectorAll("button, a, svg, video, [role=region]")]
    .filter((element) => !names(element)).map((element) => element.outerHTML.slice(0, 80));
  seen.ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
}"""


@pytest.fixture(scope="session")
def browser() -> str:
    """A Chromium that runs; required in CI."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        reason = "no Chromium here: apt-get install chromium"
        if os.environ.get("SIM2REAL_REQUIRE_SIMULATORS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextlib.contextmanager
def listener() -> Iterator[tuple[str, "threading.Event", list[dict]]]:
    """A server on loopback that takes one report from a page."""
    said, told = threading.Event(), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            said.set()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", said, told
    finally:
        server.shutdown()
        server.server_close()


def run_browser(browser: str, page: Path, *options: str, until: threading.Event | None = None) -> str:
    """Open a page; answers with what the browser logged."""
    command = [browser, *OPTIONS, f"--user-data-dir={page.parent / 'profile'}", *options, page.as_uri()]
    log = page.parent / "browser.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=stream, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            if until is None:
                process.wait(120)
            else:
                assert until.wait(120), f"the page said nothing: {log.read_text()[-2000:]}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return log.read_text()


def look_at(browser: str, page: Path, *options: str) -> dict:
    """What a copy of the page, with the probe in it, says about itself."""
    html = page.read_text()
    start, end = html.index("<meta http-equiv"), html.index(">", html.index("<meta http-equiv")) + 1
    with listener() as (place, said, told):
        copy = page.with_name("probed.html")
        copy.write_text(html[:start] + (PROBE % LOOK).replace("PLACE", place) + html[end:])
        run_browser(browser, copy, "--remote-debugging-port=0", *options, until=said)
    return told[0]


def a_film(path: Path) -> Path:
    stream = VideoStream(path, 10.0)
    for number in range(20):
        stream.write(np.full((480, 864, 3), 10 * number, np.uint8))
    return stream.finish()


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A report of a folder whose every text is an attack, with films."""
    folder = tmp_path_factory.mktemp("report")
    rows = (row("reference"), row("direct"), row(WORDS, WORDS).model_copy(update={"supervision": WORDS}))
    write_driven(folder / "run", rows=rows, words=WORDS, episodes=2, weathers=(WORDS, "noon"))
    write_films(folder / "run", a_film(folder / "film.mp4"))
    content = read_content(folder / "run")
    report(folder / "run", options=ReportOptions(roads=roads_of_town(content.plan.configuration)))
    return folder / "run" / "report.html"


def test_the_page_works(browser: str, page: Path) -> None:
    seen = look_at(browser, page, "--window-size=1300,900")
    assert seen["errors"] == []
    assert seen["hacked"] is None and seen["images"] == 0 and seen["scripts"] == 2  # its own and the probe
    assert [name for name in seen["resources"] if not name.startswith(("data:", "file:"))] == []
    assert seen["episodes"] == 30 and seen["hidden"] == 10
    assert seen["lit"] == 1 and seen["chosen"].startswith(seen["tip"]) and "window.hacked" in seen["tip"] + WORDS
    assert seen["pointed"] and seen["next"].startswith("e")
    assert seen["descending"] == sorted(seen["descending"], reverse=True)
    assert seen["ascending"] == sorted(seen["ascending"]) and seen["sorted"] == "ascending"
    assert seen["unnamed"] == [] and len(seen["ids"]) == len(set(seen["ids"]))
    assert seen["overflow"] <= 0


def test_the_films_play(browser: str, page: Path) -> None:
    seen = look_at(browser, page)
    assert len(seen["videos"]) == 9
    for duration, width, height, error in seen["videos"]:
        assert error is None and (width, height) == (864, 480)
        assert duration == pytest.approx(2.0, abs=0.2)


def test_a_phone_shows_it_without_scrolling_sideways(browser: str, page: Path) -> None:
    # Headless windows are at least 500 pixels wide; a frame in the page is as narrow as one likes.
    frame = page.with_name("phone.html")
    frame.write_text(f'<body style="margin:0"><iframe src="{page.name}" width="380" height="1500"></iframe>')
    with listener() as (place, said, told):
        copy = page.with_name("narrow.html")
        html = page.read_text()
        start, end = html.index("<meta http-equiv"), html.index(">", html.index("<meta http-equiv")) + 1
        copy.write_text(html[:start] + (PROBE % LOOK).replace("PLACE", place) + html[end:])
        frame.write_text(frame.read_text().replace(page.name, copy.name))
        run_browser(browser, frame, "--remote-debugging-port=0", until=said)
    assert told[0]["errors"] == [] and told[0]["overflow"] <= 0


def test_the_untouched_page_is_drawn_without_a_word_from_the_console(browser: str, page: Path) -> None:
    pictures = {}
    for look, options in {"light": (), "dark": ("--blink-settings=preferredColorScheme=0",)}.items():
        path = page.with_name(f"{look}.png")
        log = run_browser(browser, page, f"--screenshot={path}", "--window-size=1300,1600", *options)
        assert "CONSOLE" not in log, log
        pictures[look] = cv2.imread(str(path))
    assert pictures["light"].shape == (1600, 1300, 3)
    assert pictures["light"].mean() > 200 > 60 > pictures["dark"].mean()
    assert len(np.unique(pictures["light"].reshape(-1, 3), axis=0)) > 100


def test_a_script_that_is_not_the_pages_own_does_not_run(browser: str, page: Path) -> None:
    """Should a text ever escape the escaping: the page's policy allows one script, by its hash."""
    attacked = page.with_name("attacked.html")
    attack = "<script>console.error('attacked')</script><img src='x' onerror=\"console.error('attacked')\"></main>"
    attacked.write_text(page.read_text().replace("</main>", attack))
    log = run_browser(browser, attacked, f"--screenshot={page.with_name('attacked.png')}")
    assert "Content Security Policy" in log and '"attacked"' not in log
