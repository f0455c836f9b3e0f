"""What of two results may be compared: which rows, which episodes, in pairs or not; everything else is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.benchmarks import choose
from sim2real_bench.evaluation.plan import Configuration, Episode, MethodRow, differing_fields
from sim2real_bench.evaluation.results import Drives, Results, label_of

REFUSE, COMMON = "refuse", "common"
# Everything else in a configuration changes what a distance means.
_MAY_DIFFER = ("agents", "completion_m", "episodes_per_controller", "preset", "rows", "seed")
_Identity = tuple[int, str, int, str, int, int]


@dataclass(frozen=True)
class Contest:
    """One row of A against one of B, and the episodes of each that are compared.

    Attributes:
        a: row of A.
        b: row of B.
        drives_a: finished episodes of A; in a paired contest those that B finished, too.
        drives_b: of B, in the same order in a paired contest.
    """

    a: MethodRow
    b: MethodRow
    drives_a: Drives
    drives_b: Drives

    @property
    def label(self) -> str:
        """The row's name, or both names where they differ."""
        return self.a.label if self.a.label == self.b.label else f"{self.a.label} → {self.b.label}"


@dataclass(frozen=True)
class Matching:
    """What is compared, and how.

    Attributes:
        paired: both sides drove the same episodes.
        contests: row against row.
        notes: what a reader has to know.
    """

    paired: bool
    contests: tuple[Contest, ...]
    notes: tuple[str, ...]


def match_results(a: Results, b: Results, rows: Sequence[tuple[str, str]] = (), incomplete: str = REFUSE) -> Matching:
    """Choose rows and episodes.

    Args:
        a: the first result.
        b: the second.
        rows: labels of A and of B to compare; empty: all rows that both have.
        incomplete: ``refuse`` rows that lack episodes, or compare the ``common`` ones: those that both finished.

    Raises:
        ConfigurationError: the two are of different benchmarks, backends, towns, ..., share no row, or a row is
            incomplete.
        UnknownNameError: a label that is not there.
    """
    choose("way to treat incomplete rows", incomplete, (REFUSE, COMMON))
    _require_comparable(a.plan.configuration, b.plan.configuration)
    chosen = [(a.row(ours), b.row(theirs)) for ours, theirs in rows] or _shared_rows(a, b)
    if incomplete == REFUSE:
        for name, results, ours in (("A", a, [one for one, _ in chosen]), ("B", b, [other for _, other in chosen])):
            _require_complete(name, results, ours)
    shared = {_identity(e) for e in a.plan.episodes} & {_identity(e) for e in b.plan.episodes}
    contests = tuple(_contest(a, b, ours, theirs, bool(shared)) for ours, theirs in chosen)
    for contest in contests:
        if not (contest.drives_a and contest.drives_b):
            raise ConfigurationError(f"{contest.label}: no finished episode to compare; drive some with 'evaluate'")
    return Matching(bool(shared), contests, (_how(a, b, len(shared)), *_unmatched(a, b, rows), *_versions(a, b)))


def _require_comparable(a: Configuration, b: Configuration) -> None:
    found = {
        name: values for name, values in differing_fields(a, b).items() if name.partition(".")[0] not in _MAY_DIFFER
    }
    if found:
        listed = "; ".join(f"{name}: {first!r} in A, {second!r} in B" for name, (first, second) in found.items())
        raise ConfigurationError(
            f"these results cannot be compared ({listed}): distances mean different things. Drive both with the same "
            "benchmark, backend, town, horizon and controllers"
        )


def _shared_rows(a: Results, b: Results) -> list[tuple[MethodRow, MethodRow]]:
    theirs = {row.label: row for row in b.plan.configuration.rows}
    shared = [(row, theirs[row.label]) for row in a.plan.configuration.rows if row.label in theirs]
    if not shared:
        ours = ", ".join(row.label for row in a.plan.configuration.rows)
        raise ConfigurationError(
            f"A has the rows {ours}; B has {', '.join(theirs)}: none in common. Name one of each with --a-row, --b-row"
        )
    return shared


def _require_complete(side: str, results: Results, rows: Sequence[MethodRow]) -> None:
    planned = len(results.plan.episodes)
    missing = {row.label: planned - len(results.drives(row)) for row in rows}
    listed = ", ".join(f"{label} ({count} of {planned})" for label, count in missing.items() if count)
    if listed:
        raise ConfigurationError(
            f"episodes are missing in {side}: {listed}. Drive them by repeating its 'evaluate' command, or compare "
            "what both finished with --incomplete common"
        )


def _contest(a: Results, b: Results, ours: MethodRow, theirs: MethodRow, paired: bool) -> Contest:
    drives_a, drives_b = a.drives(ours), b.drives(theirs)
    if paired:
        places_a = {_identity(episode): episode for episode in drives_a}
        places_b = {_identity(episode): episode for episode in drives_b}
        both = [identity for identity in places_a if identity in places_b]
        drives_a = {places_a[one]: drives_a[places_a[one]] for one in both}
        drives_b = {places_b[one]: drives_b[places_b[one]] for one in both}
    return Contest(ours, theirs, drives_a, drives_b)


def _identity(episode: Episode) -> _Identity:
    return (
        episode.controller, episode.town, episode.spawn_index, episode.weather, episode.traffic, episode.seed,
    )  # fmt: skip


def _how(a: Results, b: Results, shared: int) -> str:
    ours, theirs = len(a.plan.episodes), len(b.plan.episodes)
    if not shared:
        return (
            f"Not paired: A ({ours} episodes a row) and B ({theirs}) share no start, so B must differ by much more to "
            "be told apart from chance. The same --seed gives the same starts."
        )
    if shared == ours == theirs:
        return f"Paired: A and B have the same {shared} episodes a row."
    return f"Paired: of A's {ours} and B's {theirs} episodes a row the {shared} that both have are compared."


def _unmatched(a: Results, b: Results, rows: Sequence[tuple[str, str]]) -> list[str]:
    if rows:
        return []
    labels = [{row.label for row in results.plan.configuration.rows} for results in (a, b)]
    sides = (("A", labels[0] - labels[1]), ("B", labels[1] - labels[0]))
    return [f"Only {side} has {', '.join(sorted(only))}: not compared." for side, only in sides if only]


def _versions(a: Results, b: Results) -> list[str]:
    """What the two were driven with, where it differs."""
    ours, theirs = _used(a), _used(b)
    different = [
        f"{name} {ours.get(name, 'unknown')} → {theirs.get(name, 'unknown')}"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    ]
    return [f"Driven with different versions: {', '.join(different)}."] if different else []


def _used(results: Results) -> dict[str, str]:
    names = sorted({name for record in results.records for name in record.versions})
    return {
        name: ", ".join(sorted({r.versions[name] for r in results.records if name in r.versions})) for name in names
    }


def parse_rows(names: Sequence[str], a_row: str | None = None, b_row: str | None = None) -> list[tuple[str, str]]:
    """Pairs of labels from what a user types: rows of both, or one of each.

    Raises:
        ConfigurationError: one of ``a_row`` and ``b_row`` alone, or together with ``names``.
    """
    if (a_row is None) != (b_row is None) or (a_row is not None and names):
        raise ConfigurationError("give --a-row and --b-row together and without --row: one row of A against one of B")
    if a_row is not None and b_row is not None:
        return [(label_of(a_row), label_of(b_row))]
    return [(label_of(name), label_of(name)) for name in names]
