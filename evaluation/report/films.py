"""The films of the worst, median and best episodes: inside the page up to a limit, as files beside it beyond that."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sim2real_bench.errors import RecordError
from sim2real_bench.evaluation.film.choice import BEST, MEDIAN, WORST, film_path
from sim2real_bench.evaluation.records import EpisodeRecord
from sim2real_bench.evaluation.report.content import ReportRow, describe
from sim2real_bench.evaluation.report.replays import Replay

ROLES = (WORST, MEDIAN, BEST)
_TYPES = {".mp4": "video/mp4", ".webm": "video/webm"}


@dataclass(frozen=True)
class ShownFilm:
    """A film as the page shows it.

    Attributes:
        identifier: of its element.
        role: ``worst``, ``median`` or ``best``.
        record: what it shows.
        caption: the episode in one line.
        source: a data URL, or a path relative to the page; "" where there is no film.
        media_type: for the browser.
        embedded: it is inside the page.
        note: how it came about, where it is no film of the recorded drive itself.
        differs: the filmed drive is not as in the record.
    """

    identifier: str
    role: str
    record: EpisodeRecord
    caption: str
    source: str = ""
    media_type: str = ""
    embedded: bool = False
    note: str = ""
    differs: bool = False


@dataclass(frozen=True)
class Films:
    """All films of a report.

    Attributes:
        by_row: the films of each row, in the order of ``ROLES``.
        embedded: how many are inside the page.
        beside: how many are files beside it.
        embedded_bytes: their size inside the page.
        left_out_bytes: the size of those that did not fit into the limit.
    """

    by_row: tuple[tuple[ShownFilm, ...], ...]
    embedded: int
    beside: int
    embedded_bytes: int
    left_out_bytes: int


def show_films(rows: Sequence[ReportRow], page: Path, limit_bytes: int, replays: Mapping[str, Replay]) -> Films:
    """Embed films until the limit is reached, the medians of all rows first; link the others.

    Args:
        rows: with their films.
        page: the HTML file; links are relative to its folder.
        limit_bytes: of all embedded films together, as they stand in the page (base64: a third more than the file).
        replays: what is known about films that were made by driving an episode again.

    Raises:
        RecordError: a film cannot be read.
    """
    sources: dict[str, tuple[str, bool]] = {}
    embedded_bytes = left_out_bytes = 0
    for role in (MEDIAN, WORST, BEST):
        for row in rows:
            film = row.films.get(role)
            if film is None:
                continue
            size = _embedded_size(film)
            fits = embedded_bytes + size <= limit_bytes
            sources[_identifier(row, role)] = (_data_url(film) if fits else _link(film, page), fits)
            embedded_bytes += size if fits else 0
            left_out_bytes += 0 if fits else film.stat().st_size
    by_row = tuple(tuple(_shown(row, role, sources, replays) for role in ROLES if role in row.chosen) for row in rows)
    count = sum(fits for _, fits in sources.values())
    return Films(by_row, count, len(sources) - count, embedded_bytes, left_out_bytes)


def _identifier(row: ReportRow, role: str) -> str:
    return f"film-{row.number}-{role}"


def _shown(
    row: ReportRow, role: str, sources: Mapping[str, tuple[str, bool]], replays: Mapping[str, Replay]
) -> ShownFilm:
    record, identifier = row.chosen[role], _identifier(row, role)
    source, embedded = sources.get(identifier, ("", False))
    media_type = _TYPES[row.films[role].suffix] if source else ""
    replay = replays.get(film_path(Path(), record.key, record.attempt).stem)
    return ShownFilm(
        identifier, role, record, describe(record), source, media_type, embedded,
        note=replay.note if replay else "", differs=replay is not None and not replay.agrees,
    )  # fmt: skip


def _embedded_size(film: Path) -> int:
    return 4 * ((film.stat().st_size + 2) // 3)


def _data_url(film: Path) -> str:
    try:
        content = film.read_bytes()
    except OSError as error:
        raise RecordError(f"cannot read the film {film}: {error.strerror or error}; remove it and try again") from error
    return f"data:{_TYPES[film.suffix]};base64,{base64.b64encode(content).decode()}"


def _link(film: Path, page: Path) -> str:
    """A URL relative to the page's folder, or an absolute one where the folders have nothing in common."""
    target, base = film.resolve(), page.resolve().parent
    if target.is_relative_to(base):
        return quote(target.relative_to(base).as_posix())
    return target.as_uri()
