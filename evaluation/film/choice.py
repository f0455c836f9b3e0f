"""Which episodes' films are worth keeping, and where they lie."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from sim2real_bench.evaluation.film.stream import PARTIAL, SUFFIXES
from sim2real_bench.evaluation.plan import EvaluationPlan
from sim2real_bench.evaluation.records import EpisodeKey, EpisodeRecord
from sim2real_bench.evaluation.results import Results

VIDEOS_FOLDER = "videos"
WORST, MEDIAN, BEST = "worst", "median", "best"
_LOG = logging.getLogger(__name__)


def film_path(folder: Path, key: EpisodeKey, attempt: int) -> Path:
    """Where the film of an attempt goes; the suffix is that of H.264, the encoder may choose another."""
    digest = hashlib.sha256(key.model_dump_json().encode()).hexdigest()[:16]
    return folder / VIDEOS_FOLDER / f"{digest}-a{attempt}.mp4"


def find_film(folder: Path, record: EpisodeRecord) -> Path | None:
    """The film of a record, if there is one."""
    path = film_path(folder, record.key, record.attempt)
    found = [path.with_suffix(suffix) for suffix in SUFFIXES if path.with_suffix(suffix).is_file()]
    return found[0] if found else None


def chosen_episodes(finished: Sequence[EpisodeRecord]) -> dict[str, EpisodeRecord]:
    """The worst, median and best of some finished episodes by distance.

    Of two episodes the shorter is the worst and the longer the best; a single one is the best.
    """
    ordered = sorted(finished, key=lambda record: record.distance_m)
    if not ordered:
        return {}
    chosen = {BEST: ordered[-1], WORST: ordered[0], MEDIAN: ordered[(len(ordered) - 1) // 2]}
    kept: dict[str, EpisodeRecord] = {}
    for role, record in chosen.items():
        if all(record is not other for other in kept.values()):
            kept[role] = record
    return kept


def remove_torn_films(folder: Path) -> None:
    """Remove what a killed run left unfinished; call it while no other run writes to the folder."""
    for path in (folder / VIDEOS_FOLDER).glob(f".*{PARTIAL}.*"):
        _remove(path)


def keep_chosen_films(folder: Path, plan: EvaluationPlan, records: Sequence[EpisodeRecord]) -> None:
    """Remove all films but those of the worst, median and best episode of each row."""
    remove_torn_films(folder)
    results = Results(plan, records)
    wanted = {
        find_film(folder, record)
        for row in plan.configuration.rows
        for record in chosen_episodes(list(results.drives(row).values())).values()
    }
    for suffix in SUFFIXES:
        for path in (folder / VIDEOS_FOLDER).glob(f"*-a*{suffix}"):
            if path not in wanted:
                _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:  # a film too many is no reason to end a run
        _LOG.warning("cannot remove the film %s: %s", path, error.strerror or error)
