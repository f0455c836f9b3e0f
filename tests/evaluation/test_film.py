"""Films: whole or absent, in constant memory, and never at the cost of an episode."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import psutil
import pytest
from fake_driving import FakeAgent, episode, limits, row, settings
from fake_filming import CAMERA, ENVIRONMENT, PictureEnv

from sim2real_bench.errors import MissingDependencyError
from sim2real_bench.evaluation.driving import drive_episode
from sim2real_bench.evaluation.film import stream as video_stream
from sim2real_bench.evaluation.film.choice import (
    chosen_episodes,
    film_path,
    find_film,
    keep_chosen_films,
    remove_torn_films,
)
from sim2real_bench.evaluation.film.frames import HEIGHT, WIDTH, Caption, film_frame, with_ending
from sim2real_bench.evaluation.film.recorder import FILM_OBSERVATIONS, Film, ending_of
from sim2real_bench.evaluation.film.stream import VideoError, VideoStream, find_encoder, partial_path
from sim2real_bench.evaluation.records import EpisodeRecord, EpisodeResult, Outcome, read_records
from sim2real_bench.evaluation.results import read_results
from sim2real_bench.evaluation.runner import evaluate

LIMITS = limits(horizon_ticks=30)
CAPTION = Caption("task-distillation (map)", "controller 3 | rain | start 7", 1.2, 18.0, 5.0, -0.4, 0.3)


def observation():
    env = PictureEnv(observations=FILM_OBSERVATIONS)
    return env.reset(seed=1, options={"spawn_index": 0, "weather": "noon", "town": "T"})[0]


def frames_in(path: Path) -> int:
    return imageio_ffmpeg.count_frames_and_secs(path)[0]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def use_as_ffmpeg(monkeypatch, tmp_path: Path, program: str) -> None:
    """A program that lists the encoder as ffmpeg does, and then does what ``program`` says."""
    script = tmp_path / "ffmpeg"
    script.write_text(f'#!/bin/sh\ncase "$*" in *-encoders*) echo " V....D libx264 H.264"; exit 0;; esac\n{program}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(script))


def filmed_drive(path: Path) -> EpisodeResult:
    env, agent = PictureEnv(observations=FILM_OBSERVATIONS), FakeAgent("direct", 0)
    with Film(path, "direct", episode(), LIMITS, agent) as film:
        result = drive_episode(env, agent, episode(), LIMITS, show=film.show)
        film.end(result)
    return result


def test_a_video_holds_every_frame_and_has_its_name_only_when_whole(tmp_path: Path) -> None:
    stream = VideoStream(tmp_path / "deep" / "a.mp4", 10.0)
    for number in range(25):
        stream.write(np.full((48, 64, 3), 10 * number, np.uint8))
        assert not stream.path.exists()
    path = stream.finish()
    stream.discard()
    assert path.suffix == find_encoder().suffix and frames_in(path) == 25
    assert left_in(tmp_path) == [path.name]


def test_a_discarded_video_leaves_nothing(tmp_path: Path) -> None:
    stream = VideoStream(tmp_path / "a.mp4", 10.0)
    while left_in(tmp_path) != [partial_path(stream.path).name]:  # ffmpeg opens it in its own time
        stream.write(np.zeros((48, 64, 3), np.uint8))
    stream.discard()
    stream.discard()
    assert left_in(tmp_path) == []


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    stream = VideoStream(tmp_path / "a.mp4", 10.0)
    stream.write(np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(VideoError, match=r"\(48, 66, 3\)"):
        stream.write(np.zeros((48, 66, 3), np.uint8))
    stream.discard()


def test_memory_stays_the_same_over_many_frames(tmp_path: Path) -> None:
    """Six hundred frames of 1.2 MB each; whoever kept them would need 700 MB."""
    stream = VideoStream(tmp_path / "a.mp4", 10.0)
    shown, info = observation(), {"camera": CAMERA}
    held = []
    for number in range(600):
        caption = replace(CAPTION, time_s=number / 10)
        stream.write(film_frame(shown, info, np.array([[6.0, 0.0], [18.0, 1.0]]), caption))
        if number in (100, 599):
            me = psutil.Process()
            held.append(sum(process.memory_info().rss for process in (me, *me.children())))
    assert frames_in(stream.finish()) == 600
    assert held[1] - held[0] < 64 << 20


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("echo no encoder today >&2; exit 1", id="ends at once"),
        pytest.param("head -c 2000000 > /dev/null; echo crashed >&2; exit 1", id="crashes in the middle"),
        pytest.param("sleep 30", id="takes no frame"),
        pytest.param('ulimit -f 16; exec "$REAL_FFMPEG" "$@"', id="no room for the file"),
    ],
)
def test_a_broken_ffmpeg_costs_the_film_and_nothing_else(monkeypatch, tmp_path: Path, caplog, program: str) -> None:
    before = psutil.Process().children()  # other tests in this process may have left some, a resource tracker for one
    undisturbed = filmed_drive(tmp_path / "good" / "a.mp4")
    monkeypatch.setenv("REAL_FFMPEG", imageio_ffmpeg.get_ffmpeg_exe())
    use_as_ffmpeg(monkeypatch, tmp_path, program)
    monkeypatch.setattr(video_stream, "_WRITE_TIMEOUT_S", 0.5)
    assert filmed_drive(tmp_path / "films" / "a.mp4") == undisturbed
    assert "is dropped" in caplog.text
    assert left_in(tmp_path / "films") == []
    assert set(psutil.Process().children()) <= set(before)


def test_a_folder_that_cannot_be_written_costs_the_film(tmp_path: Path, caplog) -> None:
    (tmp_path / "films").write_text("a file where the folder should be")
    assert filmed_drive(tmp_path / "films" / "a.mp4").ticks == LIMITS.horizon_ticks
    assert "is dropped" in caplog.text


def test_an_agent_with_odd_waypoints_costs_the_film(tmp_path: Path, caplog) -> None:
    env, agent = PictureEnv(observations=FILM_OBSERVATIONS), FakeAgent("direct", 0)
    agent.waypoints = "to the left"
    with Film(tmp_path / "a.mp4", "direct", episode(), LIMITS, agent) as film:
        assert drive_episode(env, agent, episode(), LIMITS, show=film.show).ticks == LIMITS.horizon_ticks
    assert "is dropped" in caplog.text and left_in(tmp_path) == []


def test_an_exception_in_the_drive_leaves_no_film(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        Film(tmp_path / "a.mp4", "r", episode(), LIMITS, FakeAgent("a", 0)) as film,
    ):
        film.show(observation(), {"camera": CAMERA, "speed_mps": 1.0, "distance_m": 2.0}, np.zeros(2, np.float32))
        raise KeyboardInterrupt
    assert left_in(tmp_path) == []


def test_without_ffmpeg_the_remedy_is_named(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "nowhere"))
    with pytest.raises(MissingDependencyError, match=r"pip install .*video"):
        find_encoder()


def test_a_frame_shows_camera_labels_map_and_both_kinds_of_waypoints() -> None:
    shown = observation()
    frame = film_frame(shown, {"camera": CAMERA}, np.array([[6.0, 0.0], [12.0, 2.0]]), CAPTION)
    assert frame.shape == (HEIGHT, WIDTH, 3) and frame.dtype == np.uint8
    bare = film_frame({key: shown[key] for key in shown if key != "waypoints"}, {}, None, CAPTION)
    for place in (np.s_[:240, :576], np.s_[240:, :576], np.s_[:288, 576:]):  # camera, labels, map view
        assert (frame[place] != bare[place]).any()
    assert (frame[288:, 576:] == bare[288:, 576:]).all()
    assert (with_ending(frame, "stuck after 3 m") != frame).any()


def test_a_frame_without_pictures_still_has_its_caption() -> None:
    frame = film_frame({}, {}, None, CAPTION)
    assert len(np.unique(frame[288:, 576:].reshape(-1, 3), axis=0)) > 20


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_words(outcome: Outcome) -> None:
    assert ending_of(EpisodeResult(outcome=outcome, distance_m=12.3)).endswith("12 m")


def test_the_filmed_drive_is_the_drive(tmp_path: Path) -> None:
    env, agent = PictureEnv(observations=FILM_OBSERVATIONS), FakeAgent("direct", 0)
    unfilmed = drive_episode(env, agent, episode(), LIMITS)
    assert filmed_drive(tmp_path / "a.mp4") == unfilmed
    assert frames_in(tmp_path / f"a{find_encoder().suffix}") == unfilmed.ticks + 15  # the last frame stands 1.5 s


def test_chosen_episodes_are_the_worst_the_median_and_the_best(tmp_path: Path) -> None:
    evaluate(settings(tmp_path, episodes=1, rows=(row("reference"),)))
    records = read_records(tmp_path / "episodes.jsonl")
    ordered = sorted(records, key=lambda record: record.distance_m)
    assert chosen_episodes(records) == {"worst": ordered[0], "median": ordered[2], "best": ordered[-1]}
    assert chosen_episodes(records[:1]) == {"best": records[0]}
    assert len(chosen_episodes(records[:2])) == 2
    assert chosen_episodes([]) == {}


def picture_settings(out: Path, film: bool, **changes):
    found = settings(out, rows=(row("reference"), row("direct")), horizon=20, **changes)
    configuration = found.configuration.model_copy(update={"environment": ENVIRONMENT})
    return replace(found, configuration=configuration, film=film)


def timeless_records(folder: Path) -> dict[str, EpisodeRecord]:
    """By key: two workers finish in any order."""
    records = read_records(folder / "episodes.jsonl")
    assert len({record.key.identity for record in records}) == len(records)
    return {record.key.identity: record.model_copy(update={"wall_time_s": 0.0}) for record in records}


def test_a_filmed_evaluation_keeps_the_films_of_the_chosen_episodes(tmp_path: Path) -> None:
    evaluate(picture_settings(tmp_path / "plain", film=False))
    torn = tmp_path / "filmed" / "videos" / ".0123456789abcdef-a1.part.mp4"  # of a run that was killed
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"torn")
    evaluate(picture_settings(tmp_path / "filmed", film=True))
    assert timeless_records(tmp_path / "filmed") == timeless_records(tmp_path / "plain")
    results = read_results(tmp_path / "filmed")
    wanted = set()
    for one in results.plan.configuration.rows:
        chosen = chosen_episodes(list(results.drives(one).values()))
        wanted |= {find_film(tmp_path / "filmed", record) for record in chosen.values()}
    assert len(wanted) == 6 and {path.name for path in wanted} == set(left_in(tmp_path / "filmed" / "videos"))


def test_a_killed_worker_leaves_no_torn_film(tmp_path: Path) -> None:
    seeds = [str(record.key.seed) for record in _planned_records(tmp_path / "first")]
    faults = {"folder": str(tmp_path), "faults": {seeds[0]: ["kill", 1]}}
    evaluate(picture_settings(tmp_path / "run", film=True, episodes=1, options=faults))
    records = read_records(tmp_path / "run" / "episodes.jsonl")
    assert sum(not record.finished for record in records) == 1
    videos = tmp_path / "run" / "videos"
    assert not [name for name in left_in(videos) if ".part" in name]
    assert all(frames_in(path) > 0 for path in videos.iterdir())


def _planned_records(folder: Path):
    evaluate(settings(folder, episodes=1, rows=(row("reference"),)))
    return read_records(folder / "episodes.jsonl")


def test_torn_films_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    evaluate(settings(tmp_path, episodes=1, rows=(row("reference"),)))
    results = read_results(tmp_path)
    for record in results.records:
        path = film_path(tmp_path, record.key, record.attempt)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"whole")
    partial_path(path).write_bytes(b"torn")
    (path.parent / "mine.mp4").write_bytes(b"not ours")
    remove_torn_films(tmp_path)
    assert not partial_path(path).exists() and len(left_in(path.parent)) == 6
    keep_chosen_films(tmp_path, results.plan, results.records)
    kept = {find_film(tmp_path, record) for record in chosen_episodes(results.records).values()}
    assert set(path.parent.iterdir()) == kept | {path.parent / "mine.mp4"}


def test_the_encoder_writes_what_browsers_play() -> None:
    assert find_encoder().suffix in (".mp4", ".webm")
    assert os.access(video_stream.ffmpeg_program(), os.X_OK)
