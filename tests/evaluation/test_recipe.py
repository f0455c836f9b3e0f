"""Chains of commands: what counts as a result, what is skipped, retried, refused, and how a run ends."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sim2real_bench.errors import RecordError, StepFailedError
from sim2real_bench.evaluation.recipe.journal import JOURNAL_FILE, Journal
from sim2real_bench.evaluation.recipe.running import run_steps
from sim2real_bench.evaluation.recipe.steps import Step

PROGRAM = Path(__file__).with_name("recipe_program.py")


def launch(words):
    return [sys.executable, str(PROGRAM), *words]


def step(folder, name, action="make", *more, result="", aside=()):
    path = folder / (result or f"{name}.txt")
    return Step(name, (action, str(path), *more), path, aside)


class Watcher:
    """Remembers what the run told."""

    def __init__(self):
        self.told = []

    def found(self, number, step):
        self.told.append(("found", number, step.name))

    def begins(self, number, step, log):
        self.told.append(("begins", number, step.name))

    def says(self, number, step, line):
        self.told.append(("says", number, line))

    def finished(self, number, step, seconds):
        self.told.append(("finished", number, step.name))


def run(folder, *steps, **options):
    watcher = Watcher()
    run_steps(steps, folder, watcher, launch=launch, **options)
    return watcher.told


def runs(folder):
    return (folder / "runs.txt").read_text().split()


@pytest.mark.parametrize(
    ("name", "text", "finished"),
    [
        ("weights.safetensors", "", True),
        ("manifest.json", '{"complete": true}', True),
        ("manifest.json", '{"complete": false}', False),
        ("manifest.json", '{"complete": tr', False),
        ("table.json", '{"rows": [{"episodes_finished": 5, "episodes_planned": 5}]}', True),
        ("table.json", '{"rows": [{"episodes_finished": 4, "episodes_planned": 5}]}', False),
        ("table.json", '{"rows": ["?"]}', False),
        ("card.json", '{"kind": "waypoints"}', True),
        ("card.json", "[]", False),
    ],
)
def test_what_counts_as_a_result(tmp_path, name, text, finished):
    one = step(tmp_path, "one", result=name)
    assert not one.finished
    one.result.write_text(text)
    assert one.finished is finished


def test_the_command_can_be_pasted_into_a_shell():
    one = Step("one", ("collect", "--out", "my data"), Path("x"), ("--workers", "2"))
    assert one.identity == "sim2real-bench collect --out 'my data'"
    assert one.command == "sim2real-bench collect --out 'my data' --workers 2"


def test_steps_run_in_order_once_with_logs_and_journal(tmp_path):
    steps = [step(tmp_path, "first"), step(tmp_path, "second")]
    assert run(tmp_path, *steps) == [
        ("begins", 1, "first"), ("finished", 1, "first"), ("begins", 2, "second"), ("finished", 2, "second"),
    ]  # fmt: skip
    assert (tmp_path / "logs" / "first.log").read_text().splitlines() == [
        f"$ sim2real-bench make {tmp_path}/first.txt",
        f"doing make {tmp_path}/first.txt",
    ]
    events = [json.loads(line) for line in (tmp_path / JOURNAL_FILE).read_text().splitlines()]
    assert [(event["step"], event["event"]) for event in events] == [
        ("first", "begun"), ("first", "finished"), ("second", "begun"), ("second", "finished"),
    ]  # fmt: skip
    assert run(tmp_path, *steps) == [("found", 1, "first"), ("found", 2, "second")]
    assert runs(tmp_path) == ["first.txt", "second.txt"]


def test_a_result_made_elsewhere_is_taken(tmp_path):
    (tmp_path / "first.txt").write_text("copied here")
    assert run(tmp_path, step(tmp_path, "first"), step(tmp_path, "second"))[0] == ("found", 1, "first")
    assert runs(tmp_path) == ["second.txt"]


def test_a_failing_step_ends_the_run_and_is_what_the_next_run_begins_with(tmp_path):
    steps = [step(tmp_path, "first"), step(tmp_path, "second", "fail", "1"), step(tmp_path, "third")]
    with pytest.raises(StepFailedError, match=r"'second' ended with status 1; the end of .*(?s:.*)the disk is on fire"):
        run(tmp_path, *steps)
    assert runs(tmp_path) == ["first.txt", "second.txt", "second.txt"]  # tried twice
    (tmp_path / "second.txt").write_text("mended")
    assert run(tmp_path, *steps)[-1] == ("finished", 3, "third")


def test_wrong_usage_is_not_tried_again(tmp_path):
    with pytest.raises(StepFailedError, match="status 2"):
        run(tmp_path, step(tmp_path, "one", "fail", "2"), attempts=5)
    assert runs(tmp_path) == ["one.txt"]


def test_a_step_that_fails_once_is_tried_again(tmp_path):
    told = run(tmp_path, step(tmp_path, "one", "fail-once"))
    assert [event for event, *_ in told] == ["begins", "begins", "finished"]


def test_a_command_without_a_result_is_a_failure(tmp_path):
    with pytest.raises(StepFailedError, match=r"left no finished .*one.txt"):
        run(tmp_path, step(tmp_path, "one", "nothing"))


def test_another_command_in_the_same_folder_is_refused(tmp_path):
    run(tmp_path, step(tmp_path, "one", "make", "a", aside=("2 workers",)))
    assert run(tmp_path, step(tmp_path, "one", "make", "a", aside=("4 workers",))) == [("found", 1, "one")]
    with pytest.raises(RecordError, match=r"(?s)was made by: .*one.txt a\nasked for now: .*one.txt b\nChoose another"):
        run(tmp_path, step(tmp_path, "one", "make", "b"))


def test_a_torn_journal_is_read_as_far_as_it_goes(tmp_path):
    one = step(tmp_path, "one", "make", "a")
    run(tmp_path, one)
    with (tmp_path / JOURNAL_FILE).open("a") as file:
        file.write('{"step": "one", "comm')
    assert run(tmp_path, one) == [("found", 1, "one")]


def test_two_runs_in_one_folder_are_refused(tmp_path):
    with Journal(tmp_path), pytest.raises(RecordError, match="another run is at work"):
        run(tmp_path, step(tmp_path, "one"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="choose another --out"), Journal(tmp_path / "file"):
        pass


def test_an_interrupted_run_ends_its_command_and_can_be_continued(tmp_path):
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "from test_recipe import Watcher, launch, run, step\n"
        f"run(Path({str(tmp_path)!r}), step(Path({str(tmp_path)!r}), 'long', 'sleep'))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "runs.txt").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert "Interruption" in errors
    path = str(tmp_path / "long.txt")
    assert [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and _runs(entry, path)] == []
    with Journal(tmp_path):  # the lock went with the command
        pass


def _runs(process, word):
    try:
        return word.encode() in (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
