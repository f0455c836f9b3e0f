"""The page: content, charts, films and cards poured into the template; what it needs is inside it."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from sim2real_bench import __version__
from sim2real_bench.evaluation.plan import Configuration
from sim2real_bench.evaluation.records import EpisodeRecord, Outcome
from sim2real_bench.evaluation.report.cards import cards_of
from sim2real_bench.evaluation.report.charts import at_both_widths, distance_chart, survival_chart, survival_curves
from sim2real_bench.evaluation.report.content import OUTCOME_WORDS, ReportContent, ReportRow
from sim2real_bench.evaluation.report.films import Films, show_films
from sim2real_bench.evaluation.report.replays import read_replays
from sim2real_bench.evaluation.report.roads import RoadOutlines
from sim2real_bench.evaluation.report.splits import split_panels
from sim2real_bench.evaluation.report.svg import drawing
from sim2real_bench.evaluation.report.town import end_mark, episode_id, town_map

DEFAULT_FILM_LIMIT_MIB = 32
_FILES = resources.files(__package__)


@dataclass(frozen=True)
class ReportOptions:
    """What goes into a report besides the results.

    Attributes:
        film_limit_bytes: of embedded films; those beyond it are linked as files.
        roads: of the town, None where its map is not at hand.
        card_folders: where cards of checkpoints are looked for, besides those of the package.
    """

    film_limit_bytes: int = DEFAULT_FILM_LIMIT_MIB << 20
    roads: RoadOutlines | None = None
    card_folders: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Page:
    """A finished page.

    Attributes:
        html: its text.
        films: what became of the films.
        has_map: the trajectories are drawn.
    """

    html: str
    films: Films
    has_map: bool


def render_page(content: ReportContent, page: Path, options: ReportOptions) -> Page:
    """The HTML of a report that will be written to ``page``.

    Raises:
        RecordError: a film cannot be read.
    """
    films = show_films(content.rows, page, options.film_limit_bytes, read_replays(content.folder))
    town = town_map(content.driven, options.roads, _films_by_episode(content.rows, films))
    script = _FILES.joinpath("page.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": _number, "interval": _interval, "signed": _signed, "mib": _mib}
    template = environment.from_string(_FILES.joinpath("page.html").read_text(encoding="utf-8"))
    html = template.render(
        content=content,
        configuration=content.plan.configuration,
        table=content.table,
        thresholds=[
            metres
            for metres in map(str, content.plan.configuration.completion_m)
            if any(row.completion[metres] is not None for row in content.table.rows)
        ],
        style=Markup(_FILES.joinpath("page.css").read_text(encoding="utf-8")),  # our own files, not data
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        charts=_charts(content),
        outcome_words=[(str(outcome), words) for outcome, words in OUTCOME_WORDS.items()],
        marks=[(words, _mark(outcome)) for outcome, words in OUTCOME_WORDS.items() if outcome in _seen(content)],
        town=town,
        roads_known=options.roads is not None,
        films=films,
        cards=cards_of(content.rows, options.card_folders),
        episodes=[_episode(row, index, record) for row in content.rows for index, record in enumerate(row.records)],
        facts=_facts(content.plan.configuration),
        versions=_versions(content.records),
        attempts=Counter(str(record.outcome) for record in content.records)[Outcome.INFRASTRUCTURE_FAILURE],
        folder=shlex.quote(str(content.folder)),
        command=evaluate_command(content.plan.configuration),
        made_with=__version__,
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    return Page(html, films, town is not None)


def evaluate_command(configuration: Configuration) -> str:
    """The command that drives the same plan again; quoted, for it is copied into shells and its words are anybody's."""
    methods = list(dict.fromkeys(row.method for row in configuration.rows))
    proxies = {row.proxy for row in configuration.rows} - {None}
    options = {
        "source": configuration.source,
        "target": configuration.target,
        "preset": configuration.preset,
        "methods": ",".join(methods),
        "proxy": proxies.pop() if len(proxies) == 1 else None,
        "episodes": configuration.episodes_per_controller,
        "horizon": configuration.limits.horizon_ticks,
        "town": configuration.town,
        "seed": configuration.seed,
        "backend": configuration.backend,
        "controllers": configuration.controller_set,
    }
    words = [f"--{name} {shlex.quote(str(value))}" for name, value in options.items() if value is not None]
    return " ".join(["sim2real-bench evaluate", *words])


def _charts(content: ReportContent) -> dict[str, Any]:
    rows, reach = content.driven, content.reach_m
    if not rows:
        return {}
    configuration = content.plan.configuration
    controllers = [str(controller) for controller in configuration.controllers]
    curves = survival_curves(rows)
    return {
        "distances": at_both_widths(lambda width: distance_chart(rows, reach, width)),
        "survival": at_both_widths(lambda width: survival_chart(rows, curves, reach, width)),
        "weathers": split_panels(rows, configuration.weathers, lambda record: record.key.weather, reach),
        "controllers": split_panels(rows, controllers, lambda record: str(record.key.controller), reach),
    }


def _films_by_episode(rows: Sequence[ReportRow], films: Films) -> dict[str, str]:
    """Identifier of the film of an episode, by the episode's identifier."""
    found: dict[str, str] = {}
    for row, shown in zip(rows, films.by_row, strict=True):
        places = {record.key: index for index, record in enumerate(row.records)}
        found |= {episode_id(row, places[film.record.key]): film.identifier for film in shown if film.source}
    return found


def _seen(content: ReportContent) -> set[Outcome]:
    return {record.outcome for row in content.rows for record in row.records}


def _mark(outcome: Outcome) -> Markup:
    return drawing(18, 18, OUTCOME_WORDS[outcome], end_mark(outcome, 9, 9, 5.5), class_="mark")


@dataclass(frozen=True)
class _Episode:
    """A line of the list of all episodes."""

    identifier: str
    row: ReportRow
    record: EpisodeRecord
    outcome: str


def _episode(row: ReportRow, index: int, record: EpisodeRecord) -> _Episode:
    return _Episode(episode_id(row, index), row, record, OUTCOME_WORDS[record.outcome])


def _facts(configuration: Configuration) -> list[tuple[str, str]]:
    """The resolved configuration, flat, without the rows (they have a table of their own)."""
    found = []
    for name, value in configuration.model_dump(mode="json", exclude={"rows"}).items():
        if isinstance(value, dict):
            found += [(f"{name}.{inner}", str(one)) for inner, one in value.items()]
        else:
            found.append((name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return found


def _versions(records: Iterable[EpisodeRecord]) -> list[tuple[str, str]]:
    """What drove the finished episodes; several versions of one thing are all named."""
    found: dict[str, set[str]] = {}
    for record in records:
        if record.finished:
            for name, version in record.versions.items():
                found.setdefault(name, set()).add(version)
    return [(name, ", ".join(sorted(versions))) for name, versions in sorted(found.items())]


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _signed(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")


def _interval(ends: Sequence[float] | None, digits: int = 0) -> str:
    return "–" if ends is None else f"[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]".replace("-", "−")


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
