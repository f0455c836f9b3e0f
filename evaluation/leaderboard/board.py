"""The leaderboard as data: measured rows in groups that may be ranked together, and the published rows beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sim2real_bench.errors import ForeignFileError
from sim2real_bench.evaluation.benchmarks import BENCHMARKS, choose
from sim2real_bench.evaluation.leaderboard.checks import check_submission
from sim2real_bench.evaluation.leaderboard.published import KINDS, Published, Track, read_published
from sim2real_bench.evaluation.leaderboard.submissions import RESULTS_FOLDER, Submission, submission_folders
from sim2real_bench.evaluation.plan import STANDARD_CONTROLLERS, Configuration, EvaluationPlan, MethodRow
from sim2real_bench.evaluation.statistics import ranks
from sim2real_bench.evaluation.table import BOUNDS, Difference, Table, TableRow, build_table

_NOT_PROTOCOL = ("rows", "agents", "preset")  # two evaluations that differ only here drive the very same episodes


@dataclass(frozen=True)
class Accepted:
    """A submission with its table, recomputed from the episode records."""

    submission: Submission
    plan: EvaluationPlan
    table: Table


@dataclass(frozen=True)
class Entry:
    """One measured row: which submission it is from, and its place among the rows it may be compared with.

    Attributes:
        row: of the table.
        rank: among the complete rows of the group; None for incomplete rows and privileged bounds.
        checkpoint_hash: SHA-256 of the weights, "" without a network.
        submission: who measured it.
        repeated_by: names of later submissions that drove the same checkpoint through the same episodes.
        difference: to the baseline of the same submission, None without one.
    """

    row: TableRow
    rank: int | None
    checkpoint_hash: str
    submission: Submission
    repeated_by: tuple[str, ...]
    difference: Difference | None


@dataclass(frozen=True)
class Group:
    """Rows that drove the very same episodes under the same rules on the same simulator: they are ranked together.

    Attributes:
        protocol: hash of everything but the rows.
        configuration: of the first submission.
        head: the first submission's table, for what all rows share.
        entries: best first; privileged bounds on top, incomplete rows last.
    """

    protocol: str
    configuration: Configuration
    head: Table
    entries: tuple[Entry, ...]

    @property
    def title(self) -> str:
        """What sets the group apart, in words."""
        starts, controllers = self.configuration.episodes_per_controller, len(self.configuration.controllers)
        version, backend = self.head.backend_version, self.head.backend
        simulator = version if backend in version else f"{backend} {version}".strip()
        controller_set = self.configuration.controller_set
        whose = "" if controller_set == STANDARD_CONTROLLERS else f" of {controller_set!r}"
        return (
            f"{simulator}, {self.head.town}, preset {self.head.preset}: {starts} starts x {controllers} "
            f"controllers{whose}, at most {self.head.horizon_s:g} s"
        )


@dataclass(frozen=True)
class Board:
    """One track: what was measured here and what the papers print.

    Attributes:
        name: id of the benchmark with its version, or of the track.
        track: published rows; None where no paper has any.
        groups: never to be ranked across; the largest protocol first.
    """

    name: str
    track: Track | None
    groups: tuple[Group, ...]


class Leaderboard:
    """All accepted results and all published rows.

    Args:
        folders: of accepted results; the package's own are always there.

    Raises:
        ForeignFileError: a submission is not valid; every problem is named.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        roots = dict.fromkeys([RESULTS_FOLDER, *folders])
        self.accepted = tuple(_accepted(folder) for root in roots for folder in submission_folders(root))

    @cached_property
    def published(self) -> Published:
        """The papers' figures."""
        return read_published()

    @property
    def names(self) -> list[str]:
        """Every benchmark and track there is something about, the driving benchmarks first."""
        tracks = [track.id for track in self.published.tracks]
        return list(dict.fromkeys([*(self._newest(name) for name in tracks), *sorted(self._benchmarks)]))

    @cached_property
    def _benchmarks(self) -> set[str]:
        return {item.plan.configuration.benchmark for item in self.accepted} | set(BENCHMARKS.names())

    def _newest(self, name: str) -> str:
        """The newest version of a benchmark that was named without one; other names as they are."""
        versions = [known for known in self._benchmarks if _bare(known) == name]
        return max(versions, key=_version) if versions else name

    def board(self, name: str, backend: str | None = None, preset: str | None = None) -> Board:
        """The board of a benchmark or track.

        Args:
            name: a benchmark (its newest version when it has none) or a track.
            backend: only rows of this backend.
            preset: only rows measured with this preset.

        Raises:
            UnknownNameError: nothing is known by that name.
        """
        full = self._newest(name)
        choose("benchmark or track", full, self.names)
        mine = [item for item in self.accepted if item.plan.configuration.benchmark == full]
        if backend is not None:
            mine = [item for item in mine if item.table.backend == backend]
        if preset is not None:
            mine = [item for item in mine if item.table.preset == preset]
        track = next((track for track in self.published.tracks if track.id == _bare(full)), None)
        return Board(full, track, _grouped(mine))

    def boards(self, kind: str | None = None, backend: str | None = None, preset: str | None = None) -> list[Board]:
        """All boards, or those of one kind: driving, arm or perception.

        Raises:
            UnknownNameError: no such kind.
        """
        if kind is not None:
            choose("kind of track", kind, KINDS)
        found = [self.board(name, backend, preset) for name in self.names]
        return [board for board in found if kind in (None, board.track.kind if board.track else "driving")]

    def selected(self, track: str, backend: str | None = None, preset: str | None = None) -> list[Board]:
        """The boards a user means by a kind or by the id of a track or benchmark.

        Raises:
            UnknownNameError: with the nearest names.
        """
        if track in KINDS:
            return self.boards(track, backend, preset)
        if self._newest(track) not in self.names:
            choose("track", track, [*KINDS, *self.names])
        return [self.board(track, backend, preset)]


def board_document(board: Board, published: Published, backend: str | None = None) -> dict[str, Any]:
    """What ``--json`` prints: the shape of ``table.json`` for the first group, and beside it all that is kept apart.

    Additional keys: rows carry ``origin`` ("measured"), ``submission``, ``checkpoint_hash`` and ``repeated_by``;
    ``other_protocols`` holds the further groups in the same shape; ``published`` the papers' rows, never ranked.
    """
    tables = [_group_document(board, group) for group in board.groups]
    first = (
        tables[0]
        if tables
        else {"benchmark": board.name, "backend": backend, "rows": [], "differences": [], "notes": []}
    )
    return {**first, "other_protocols": tables[1:], "published": _published_rows(board.track, published)}


def _accepted(folder: Path) -> Accepted:
    checked, submission = check_submission(folder)
    if checked.problems or checked.plan is None or submission is None:
        raise ForeignFileError(tuple(f"{folder.name}/{problem}" for problem in checked.problems))
    return Accepted(submission, checked.plan, build_table(checked.plan, checked.records))


def _protocol(item: Accepted) -> str:
    fixed = item.plan.configuration.model_dump(mode="json", exclude=set(_NOT_PROTOCOL))
    content = [fixed, item.plan.spawn_count, item.table.backend_version]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _grouped(items: Sequence[Accepted]) -> tuple[Group, ...]:
    apart: dict[str, list[Accepted]] = {}
    for item in sorted(items, key=lambda item: (item.submission.date, item.submission.name)):
        apart.setdefault(_protocol(item), []).append(item)
    groups = [_group(protocol, members) for protocol, members in apart.items()]
    return tuple(sorted(groups, key=_size, reverse=True))


def _size(group: Group) -> tuple[bool, float, int, int, str]:
    # Controllers of somebody's own never come first: the first table is what the benchmark's id means.
    own = group.configuration.controller_set == STANDARD_CONTROLLERS
    return (own, group.head.horizon_s, group.configuration.episodes_per_controller, len(group.entries), group.protocol)


def _group(protocol: str, items: Sequence[Accepted]) -> Group:
    firsts: dict[tuple[str, str | None, str], tuple[Accepted, MethodRow, TableRow]] = {}
    repeats: dict[tuple[str, str | None, str], list[str]] = {}
    for item in items:  # oldest first: what was accepted once is not displaced by a later copy
        for planned, row in zip(item.plan.configuration.rows, item.table.rows, strict=True):
            key = (planned.method, planned.proxy, planned.checkpoint_hash)
            if key in firsts:
                repeats[key].append(item.submission.name)
            else:
                firsts[key], repeats[key] = (item, planned, row), []
    places = ranks([_score(row) for _, _, row in firsts.values()])
    entries = [
        Entry(row, rank, planned.checkpoint_hash, item.submission, tuple(repeats[key]), _difference(item.table, row))
        for (key, (item, planned, row)), rank in zip(firsts.items(), places, strict=True)
    ]
    first = items[0]
    return Group(protocol, first.plan.configuration, first.table, tuple(sorted(entries, key=_order)))


def _score(row: TableRow) -> float | None:
    return row.distance_m.mean if row.complete and row.method not in BOUNDS else None


def _order(entry: Entry) -> tuple[int, int, str]:
    if entry.rank is None:
        return (0 if entry.row.complete else 2, 0, entry.row.label)
    return (1, entry.rank, entry.row.label)


def _difference(table: Table, row: TableRow) -> Difference | None:
    return next((item for item in table.differences if (item.method, item.proxy) == (row.method, row.proxy)), None)


def _group_document(board: Board, group: Group) -> dict[str, Any]:
    head = asdict(group.head)
    rows = [
        {
            **asdict(entry.row), "rank": entry.rank, "origin": "measured", "submission": entry.submission.name,
            "checkpoint_hash": entry.checkpoint_hash, "repeated_by": list(entry.repeated_by),
        }
        for entry in group.entries
    ]  # fmt: skip
    differences = [
        {**asdict(entry.difference), "submission": entry.submission.name} for entry in group.entries if entry.difference
    ]
    return {**head, "benchmark": board.name, "rows": rows, "differences": differences, "protocol": group.protocol}


def _published_rows(track: Track | None, published: Published) -> list[Mapping[str, Any]]:
    if track is None:
        return []
    return [
        {"origin": "published", **row.model_dump(mode="json"), "citation": published.paper(row.paper).citation}
        for row in track.rows
    ]


def _bare(name: str) -> str:
    stem, _, number = name.rpartition("-v")
    return stem if stem and number.isdigit() else name


def _version(name: str) -> int:
    number = name.rpartition("-v")[2]
    return int(number) if number.isdigit() else 0
