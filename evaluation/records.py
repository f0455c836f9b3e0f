"""Episode records: the unit of truth, one JSON line per finished attempt, appended and never rewritten."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import Field, field_validator

from sim2real_bench.errors import ForeignFileError, RecordError
from sim2real_bench.evaluation.files import sweep_result_files
from sim2real_bench.evaluation.plan import Configuration, Episode, Frozen, MethodRow
from sim2real_bench.untrusted import Problem, parse_model, problems_error, read_bounded

RECORD_VERSION = 2
READABLE_VERSIONS = (1, 2)  # version 1 had no trajectory
RECORDS_FILE = "episodes.jsonl"
MAX_RECORDS_BYTES = 1 << 30
MAX_TEXT = 4000  # characters of an error; it may hold the end of a simulator's log
MAX_LINE_BYTES = 4 << 20  # a trajectory of a day
_LOG = logging.getLogger(__name__)


class Outcome(StrEnum):
    """How an episode ended. All but the last are the agent's result and count."""

    COLLISION = "collision"
    HORIZON = "horizon"
    STUCK = "stuck"
    OFF_ROAD = "off_road"
    AGENT_ERROR = "agent_error"
    INFRASTRUCTURE_FAILURE = "infrastructure_failure"


class EpisodeKey(Frozen):
    """What makes an episode this one and no other; finished keys are never driven again."""

    benchmark: str
    source: str
    target: str
    method: str
    proxy: str | None
    checkpoint_hash: str
    controller: int
    town: str
    spawn_index: int
    weather: str
    traffic: int
    seed: int

    @property
    def identity(self) -> str:
        """16 hexadecimal digits that name the key in file names; the same in every run and on every machine."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


class EpisodeResult(Frozen):
    """What one drive gave.

    Attributes:
        outcome: how it ended.
        distance_m: the score: metres driven, from the position at every tick. Where the episode ended ``off_road``, or
            ``stuck`` off the road, only up to leaving the road for the last time.
        distance_2s_m: the same with the paper's odometer, straight lines between samples 2 s apart.
        distance_driven_m: metres driven up to the end, on and off the road.
        off_road_share: share of the ticks with the vehicle off the road.
        ticks: simulator ticks driven, without the warm-up.
        sim_time_s: simulated seconds driven.
        wall_time_s: seconds it took.
        collided_with: what was hit, "" if nothing.
        warm_up_resets: how often the reset was repeated because the standing vehicle was hit.
        trajectory: (x, y) metres in the world frame (x forward, y left of it as in the ego frame) at the start, every
            second, and at the end; empty in records of version 1.
        versions: of this package, the simulator and what else the drive depended on.
        error: text of the agent's error or of the infrastructure failure.
    """

    outcome: Outcome
    distance_m: float = 0.0
    distance_2s_m: float = 0.0
    distance_driven_m: float = 0.0
    off_road_share: float = Field(default=0.0, ge=0.0, le=1.0)
    ticks: int = 0
    sim_time_s: float = 0.0
    wall_time_s: float = 0.0
    collided_with: str = ""
    warm_up_resets: int = 0
    trajectory: tuple[tuple[float, float], ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)
    error: str = ""

    @field_validator("error", "collided_with", mode="before")
    @classmethod
    def _writable(cls, value: object) -> object:
        """Texts of agents and simulators hold anything: what is no character is escaped, what is endless is cut."""
        if not isinstance(value, str):
            return value
        text = value.encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


class EpisodeRecord(EpisodeResult):
    """One attempt at one planned episode, as it stands in ``episodes.jsonl``."""

    version: int = RECORD_VERSION
    key: EpisodeKey
    attempt: int = Field(ge=1)
    backend: str

    @property
    def finished(self) -> bool:
        """The episode has its result; only infrastructure failures are driven again."""
        return self.outcome is not Outcome.INFRASTRUCTURE_FAILURE


def episode_key(configuration: Configuration, row: MethodRow, episode: Episode) -> EpisodeKey:
    """The key of a planned episode in a row of the table."""
    return EpisodeKey(
        benchmark=configuration.benchmark,
        source=configuration.source,
        target=configuration.target,
        method=row.method,
        proxy=row.proxy,
        checkpoint_hash=row.checkpoint_hash,
        **episode.model_dump(exclude={"index"}),
    )


def make_record(result: EpisodeResult, key: EpisodeKey, attempt: int, backend: str) -> EpisodeRecord:
    """A result with what it belongs to."""
    fields = {name: getattr(result, name) for name in EpisodeResult.model_fields}
    return EpisodeRecord(**fields, key=key, attempt=attempt, backend=backend)


def parse_record(line: bytes, file: str, number: int) -> EpisodeRecord:
    """The record in one line of a file.

    Raises:
        ForeignFileError: naming file, line and field.
    """
    if len(line) > MAX_LINE_BYTES:
        problem = Problem(file, number, "", f"a line of {len(line):,} bytes; at most {MAX_LINE_BYTES:,} are read")
        raise problems_error([problem])
    return parse_model(EpisodeRecord, line, file, number)


def read_records(path: Path) -> list[EpisodeRecord]:
    """All records of a file; a torn last line is dropped with a warning.

    Raises:
        RecordError: a line is not a record, or an episode has two results.
    """
    return _parsed(path, _whole_lines(path)[0])


class RecordLog:
    """Appends records to ``DIR/episodes.jsonl``; one writer at a time.

    Use as a context manager: entering locks the file, reads what is there, cuts off a torn last line and removes what
    a killed run left of half-written files. The system drops the lock when the process ends, however it ends.

    Attributes:
        records: everything in the file, in order.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RECORDS_FILE
        self.records: list[EpisodeRecord] = []
        self._seen: set[tuple[EpisodeKey, int]] = set()
        self._attempts: Counter[EpisodeKey] = Counter()
        self._finished: set[EpisodeKey] = set()
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            self._open()
        except OSError as error:
            self.close()
            raise RecordError(
                f"cannot write to {self.path}: {error.strerror or error}; choose another folder with --out"
            ) from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file and its lock; safe twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def attempts(self, key: EpisodeKey) -> int:
        """How many attempts at an episode the file holds."""
        return self._attempts[key]

    def is_finished(self, key: EpisodeKey) -> bool:
        """Whether the file holds the episode's result."""
        return key in self._finished

    def append(self, record: EpisodeRecord) -> None:
        """Write one record through to the disk.

        Raises:
            RecordError: the episode has a result already, or the line could not be written; the file then ends with
                the line before.
        """
        _refuse_duplicate(record, self._seen, self._finished, str(self.path))
        try:
            self._write(record.model_dump_json().encode() + b"\n")
        except OSError as error:
            raise RecordError(
                f"cannot write a record to {self.path}: {error.strerror or error}. What is there stays valid: make "
                "room and run the same command again"
            ) from error
        self._remember(record)

    def _write(self, line: bytes) -> None:
        before = os.fstat(self._descriptor)
        if before.st_nlink == 0:
            raise RecordError(f"{self.path} was removed while this run writes to it; run the same command again")
        try:
            _write_all(self._descriptor, line)
            os.fsync(self._descriptor)
        except BaseException:  # also Ctrl-C: no half line, and none that this process does not know of
            os.ftruncate(self._descriptor, before.st_size)
            raise

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._lock()
        sweep_result_files(self.path.parent)
        lines, size = _whole_lines(self.path)
        if size < os.fstat(self._descriptor).st_size:
            os.ftruncate(self._descriptor, size)
            os.fsync(self._descriptor)
        for record in _parsed(self.path, lines):
            self._remember(record)

    def _lock(self) -> None:
        import fcntl  # records can be read where it does not exist

        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RecordError(
                f"another run is writing to {self.path.parent}; wait until it ends or choose another folder with --out"
            ) from error
        except OSError as error:
            raise RecordError(
                f"the file system of {self.path.parent} has no locks ({error.strerror or error}), so two runs could "
                "write there at once; choose a folder elsewhere with --out"
            ) from error

    def _remember(self, record: EpisodeRecord) -> None:
        self.records.append(record)
        self._seen.add((record.key, record.attempt))
        self._attempts[record.key] += 1
        if record.finished:
            self._finished.add(record.key)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _whole_lines(path: Path) -> tuple[list[bytes], int]:
    """Complete lines without their newline, and how many bytes they fill; a write is complete with its newline."""
    try:
        data = read_bounded(path, MAX_RECORDS_BYTES)
    except (OSError, ForeignFileError) as error:
        raise RecordError(f"cannot read the records {path}: {error}") from error
    size = data.rfind(b"\n") + 1
    if size < len(data):
        _LOG.warning("%s: dropped a torn last line of %d bytes; its episode is driven again", path, len(data) - size)
    return data[:size].splitlines(), size


def _parsed(path: Path, lines: Iterable[bytes]) -> list[EpisodeRecord]:
    records: list[EpisodeRecord] = []
    seen: set[tuple[EpisodeKey, int]] = set()
    finished: set[EpisodeKey] = set()
    for number, line in enumerate(lines, start=1):
        place = f"{path}:{number}"
        try:
            record = parse_record(line, path.name, number)
        except ForeignFileError as error:
            raise RecordError(f"{place} is not an episode record: {error}; mend or remove the line") from error
        if record.version not in READABLE_VERSIONS:
            known = ", ".join(map(str, READABLE_VERSIONS))
            raise RecordError(f"{place} has record version {record.version}; this version reads {known}")
        _refuse_duplicate(record, seen, finished, place)
        seen.add((record.key, record.attempt))
        if record.finished:
            finished.add(record.key)
        records.append(record)
    return records


def _refuse_duplicate(
    record: EpisodeRecord, seen: set[tuple[EpisodeKey, int]], finished: set[EpisodeKey], place: str
) -> None:
    if record.key in finished or (record.key, record.attempt) in seen:
        raise RecordError(
            f"{place}: attempt {record.attempt} at {record.key.method!r}, controller {record.key.controller}, spawn "
            f"{record.key.spawn_index} is there already; an episode has one result"
        )
