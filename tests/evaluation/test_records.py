"""The append-only log: nothing twice, nothing half, nobody else."""

import errno
import fcntl
import json
import logging
import os
import resource
import subprocess
import sys

import pytest
from fake_driving import configuration, episode, row

from sim2real_bench.errors import RecordError
from sim2real_bench.evaluation.records import (
    MAX_TEXT,
    RECORDS_FILE,
    EpisodeResult,
    Outcome,
    RecordLog,
    episode_key,
    make_record,
    read_records,
)


def record(seed=1, attempt=1, outcome=Outcome.COLLISION, **fields):
    key = episode_key(configuration(), row("direct"), episode(seed=seed))
    result = EpisodeResult(outcome=outcome, distance_m=12.5, versions={"simulator": "fake"}, **fields)
    return make_record(result, key, attempt, "embedded")


def filled(folder, *records):
    with RecordLog(folder) as log:
        for one in records:
            log.append(one)
    return folder / RECORDS_FILE


def test_records_survive_their_file(tmp_path):
    written = [record(1, collided_with="static.wall"), record(2, outcome=Outcome.STUCK, error="ä\n|")]
    path = filled(tmp_path, *written)
    assert read_records(path) == written
    assert path.read_bytes().count(b"\n") == 2
    first = json.loads(path.read_text().splitlines()[0])
    assert first["version"] == 2
    assert first["outcome"] == "collision"
    assert first["key"]["method"] == "direct"


def test_a_later_run_appends(tmp_path):
    filled(tmp_path, record(1))
    with RecordLog(tmp_path) as log:
        assert [one.key.seed for one in log.records] == [1]
        log.append(record(2))
    assert [one.key.seed for one in read_records(tmp_path / RECORDS_FILE)] == [1, 2]


@pytest.mark.parametrize("cut", [1, 2, 60])
def test_a_torn_last_line_is_dropped_with_a_warning_and_cut_off(tmp_path, caplog, cut):
    path = filled(tmp_path, record(1), record(2))
    path.write_bytes(path.read_bytes()[:-cut])
    with caplog.at_level(logging.WARNING):
        assert [one.key.seed for one in read_records(path)] == [1]
    assert "torn last line" in caplog.text
    filled(tmp_path, record(3))
    assert [one.key.seed for one in read_records(path)] == [1, 3]


def test_an_episode_has_one_result(tmp_path):
    with RecordLog(tmp_path) as log:
        log.append(record(1, attempt=1, outcome=Outcome.INFRASTRUCTURE_FAILURE))
        assert log.attempts(record(1).key) == 1
        assert not log.is_finished(record(1).key)
        with pytest.raises(RecordError, match="one result"):
            log.append(record(1, attempt=1))
        log.append(record(1, attempt=2))
        assert log.is_finished(record(1).key)
        for attempt in (2, 3):
            with pytest.raises(RecordError, match="one result"):
                log.append(record(1, attempt=attempt))
    assert len(read_records(tmp_path / RECORDS_FILE)) == 2


def test_a_duplicate_in_the_file_is_refused(tmp_path):
    path = filled(tmp_path, record(1))
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(RecordError, match=rf"{RECORDS_FILE}:2.*one result"):
        read_records(path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda line: line.pop("key"), "key"),
        (lambda line: line.update(outcome="great"), "outcome"),
        (lambda line: line.update(distance_m="far"), "distance_m"),
        (lambda line: line.update(attempt=0), "attempt"),
        (lambda line: line.update(version=3), "version 3"),
        (lambda line: line.update(off_road_share=1.5), "off_road_share"),
    ],
)
def test_a_line_that_is_no_record_is_an_error_with_its_place(tmp_path, change, problem):
    path = filled(tmp_path, record(1), record(2))
    first, second = path.read_text().splitlines()
    line = json.loads(first)
    change(line)
    path.write_text(f"{json.dumps(line)}\n{second}\n")
    with pytest.raises(RecordError, match=problem) as caught:
        read_records(path)
    assert f"{path}:1" in str(caught.value)


def test_a_broken_line_in_the_middle_is_an_error_not_a_torn_line(tmp_path):
    path = filled(tmp_path, record(1), record(2))
    path.write_text(path.read_text().replace("{", "", 1))
    with pytest.raises(RecordError, match=f"{RECORDS_FILE}:1"):
        read_records(path)


def test_a_second_writer_is_refused(tmp_path):
    program = (
        "import sys; from pathlib import Path; from sim2real_bench.evaluation.records import RecordLog\n"
        "with RecordLog(Path(sys.argv[1])): pass"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with RecordLog(tmp_path):
        other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert "another run is writing" in other.stderr
    assert subprocess.run(command, check=False).returncode == 0


def test_a_full_disk_is_a_clear_error_and_leaves_no_half_line(tmp_path):
    path = filled(tmp_path, record(1))
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with RecordLog(tmp_path) as log:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 40, hard))  # a write stops in the middle of the line
        try:
            with pytest.raises(RecordError, match="cannot write a record"):
                log.append(record(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.read_bytes() == before
        log.append(record(2))
    assert [one.key.seed for one in read_records(path)] == [1, 2]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="--out"), RecordLog(tmp_path / "file" / "runs"):
        pass


def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(RecordError, match=r"has no locks .*--out"), RecordLog(tmp_path):
        pass


def test_the_lock_ends_with_the_log_and_leaves_no_file(tmp_path):
    with RecordLog(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [RECORDS_FILE]
    with RecordLog(tmp_path):
        pass


def test_half_written_files_of_a_killed_run_are_swept(tmp_path):
    torn = [".plan.json.a1b2c3d4", ".table.csv.________"]
    kept = ["notes.txt", ".table.csv", ".plan.json.backup-of-mine", "plan.json"]
    for name in (*torn, *kept):
        (tmp_path / name).touch()
    with RecordLog(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {*kept, RECORDS_FILE}


def test_an_interruption_leaves_no_line_that_this_process_does_not_know_of(tmp_path, monkeypatch):
    path = filled(tmp_path, record(1))
    before = path.read_bytes()

    def interrupted(descriptor):
        raise KeyboardInterrupt

    with RecordLog(tmp_path) as log:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", interrupted)
            with pytest.raises(KeyboardInterrupt):
                log.append(record(2))
        assert path.read_bytes() == before
        log.append(record(2))
    assert len(read_records(path)) == 2


def test_attempts_and_identities_of_keys(tmp_path):
    failure = Outcome.INFRASTRUCTURE_FAILURE
    filled(tmp_path, record(1, 1, failure), record(2, 1), record(1, 2, failure))
    with RecordLog(tmp_path) as log:
        assert [log.attempts(record(seed).key) for seed in (1, 2, 3)] == [2, 1, 0]
    identities = {record(seed).key.identity for seed in (1, 2, 3)}
    assert len(identities) == 3
    assert all(len(identity) == 16 for identity in identities)
    assert record(1).key.identity == "a8f92c82b20e8634"


def test_whatever_an_agent_says_can_be_written_and_read(tmp_path):
    said = ["lone \udcff surrogate", "endless " * 10_000, "nul \0 and \x1b[31mred", "x" * MAX_TEXT]
    path = filled(tmp_path, *(record(seed, outcome=Outcome.AGENT_ERROR, error=text) for seed, text in enumerate(said)))
    read = [one.error for one in read_records(path)]
    assert read[0] == "lone \\udcff surrogate"
    assert read[1].startswith("endless endless") and read[1].endswith("…") and len(read[1]) == MAX_TEXT
    assert read[2:] == said[2:]
