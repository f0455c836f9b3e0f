"""A disk that is full at any moment of a run: a clear error, nothing half-written, and the run goes on afterwards."""

import errno
import json
import os
import shutil
import subprocess
from dataclasses import replace

import pytest

from sim2real_bench.agents import atomic_files
from sim2real_bench.errors import RecordError
from sim2real_bench.evaluation import records
from sim2real_bench.evaluation.faults.settings import fake_settings
from sim2real_bench.evaluation.records import read_records
from sim2real_bench.evaluation.runner import evaluate

RESULT_FILES = {"plan.json", "episodes.jsonl", "table.json", "table.csv", "table.md"}
SETTINGS = {"methods": ("fast",), "episodes": 3}  # 15 episodes
REMEDY = "make room"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The records of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    evaluate(fake_settings(folder, **SETTINGS))
    return comparable(folder)


def comparable(folder):
    dumps = [r.model_dump(mode="json", exclude={"wall_time_s"}) for r in read_records(folder / "episodes.jsonl")]
    return sorted(dumps, key=lambda dump: json.dumps(dump["key"], sort_keys=True))


def files_in(folder):
    return {path.name for path in folder.iterdir()}


class FullAfter:
    """A system call that succeeds so many times and then finds the disk full."""

    def __init__(self, call, times, wanted=lambda *arguments: True):
        self.call, self.left, self.wanted = call, times, wanted

    def __call__(self, *arguments):
        if self.wanted(*arguments):
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.call(*arguments)


class Calls:
    """The module ``os`` for one module of ours, with some calls replaced."""

    def __init__(self, **replaced):
        self._replaced = replaced

    def __getattr__(self, name):
        return self._replaced.get(name) or getattr(os, name)


@pytest.mark.parametrize(("call", "times"), [("write", 0), ("write", 4), ("fsync", 4)])
def test_a_disk_that_is_full_while_a_record_is_written(tmp_path, monkeypatch, whole, call, times):
    settings = fake_settings(tmp_path, **SETTINGS)
    full = FullAfter(getattr(os, call), times)
    with monkeypatch.context() as patch:
        patch.setattr(records, "os", Calls(**{call: full}))
        with pytest.raises(RecordError, match=f"cannot write a record to .*No space left.*{REMEDY}"):
            evaluate(settings)
    assert len(read_records(tmp_path / "episodes.jsonl")) == times
    assert (tmp_path / "episodes.jsonl").read_bytes().count(b"\n") == times
    assert files_in(tmp_path) == RESULT_FILES
    assert evaluate(settings).complete
    assert comparable(tmp_path) == whole


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_disk_that_is_full_while_a_plan_or_a_table_is_written(tmp_path, monkeypatch, whole, times):
    settings = fake_settings(tmp_path, **SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr(atomic_files, "os", Calls(fsync=FullAfter(os.fsync, times)))
        with pytest.raises(RecordError, match=rf"cannot write .*(plan|table)\..*No space left.*{REMEDY}"):
            evaluate(settings)
    assert files_in(tmp_path) <= RESULT_FILES  # no temporary file
    assert len(read_records(tmp_path / "episodes.jsonl")) == (15 if times else 0)
    assert evaluate(settings).complete
    assert comparable(tmp_path) == whole


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with room for 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a file system needs root")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_is_really_full(small_disk, whole):
    out = small_disk / "out"
    settings = fake_settings(out, **SETTINGS)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (52 << 10))
    with pytest.raises(RecordError, match=f"No space left on device.*{REMEDY}"):
        evaluate(settings)
    some = len(read_records(out / "episodes.jsonl"))
    assert some < 15
    assert files_in(out) <= RESULT_FILES
    ballast.unlink()
    assert evaluate(settings).complete
    assert comparable(out) == whole


def test_a_folder_that_is_removed_while_a_run_writes_to_it(tmp_path):
    out = tmp_path / "out"

    class Removing:
        def begin(self, plan, finished):
            shutil.rmtree(out)

        def attempt(self, record):
            raise AssertionError("nothing can be recorded any more")

    with pytest.raises(RecordError, match="was removed while this run writes to it; run the same command again"):
        evaluate(fake_settings(out, **SETTINGS), Removing())
    assert evaluate(replace(fake_settings(out, **SETTINGS), workers=2)).complete
