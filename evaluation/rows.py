"""From what a user types (methods, proxies, checkpoints) to the rows of a plan."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sim2real_bench.agents.cards import card_path, read_card
from sim2real_bench.agents.source_scores import read_source_score, source_distance_m
from sim2real_bench.distill.method import METHODS, PROXIES, checkpoint_for, method_named, method_supervision
from sim2real_bench.errors import CheckpointError, ConfigurationError, DataError
from sim2real_bench.evaluation.benchmarks import Benchmark, choose
from sim2real_bench.evaluation.plan import STANDARD_CONTROLLERS, MethodRow

_LOG = logging.getLogger(__name__)
ALL_PROXIES = ALL_METHODS = "all"
PAPER_ORDER = (
    "reference", "proxy", "direct", "cycada", "cycada-raw-control", "modular-predicted", "modular", "task-distillation",
)  # fmt: skip
"""Bounds first, then the rows of the task-distillation paper's table 1; other methods come after them."""


def resolve_rows(
    methods: Sequence[str],
    proxy: str = ALL_PROXIES,
    checkpoints: Mapping[str, Path] | None = None,
    source_scores: Path | None = None,
) -> tuple[MethodRow, ...]:
    """One row for each method, or for each proxy of a method that has them.

    Args:
        methods: registered names.
        proxy: ``map``, ``camera``, another one that a method has, or ``all``; methods without a proxy do not mind.
        checkpoints: row label to weights, for rows that do not use the shipped ones.
        source_scores: folder that ``sim2real-bench source-score`` wrote, besides the scores that come with the package.

    Raises:
        DataError: a file of ``source_scores`` cannot be read.
        UnknownNameError: an unknown method or proxy, with the nearest names.
        ConfigurationError: a repeated method, or a checkpoint for a row that is not evaluated.
        CheckpointError: weights that cannot be read.
    """
    if not methods or len(set(methods)) != len(methods):
        raise ConfigurationError(f"methods {', '.join(methods)!r}: name one or more, each once")
    entries = [method_named(name) for name in methods]
    if proxy != ALL_PROXIES:
        choose("proxy", proxy, list(dict.fromkeys([*PROXIES, *(one for entry in entries for one in entry.proxies)])))
    chosen = [
        (entry.name, one)
        for entry in entries
        for one in (entry.proxies or (None,))
        if proxy == ALL_PROXIES or one in (None, proxy)
    ]
    weights = checkpoints or {}
    scores = _scores_in(source_scores)
    rows = tuple(_row(name, one, weights, scores) for name, one in chosen)
    unused = sorted(set(weights) - {row.label for row in rows})
    if unused:
        labels = ", ".join(row.label for row in rows)
        raise ConfigurationError(f"--checkpoint for {', '.join(unused)}, which is not evaluated; rows: {labels}")
    return rows


def in_table_order(names: Iterable[str]) -> list[str]:
    """Methods as a table lists them: the paper's in its order, then the others as they come."""
    places = {name: place for place, name in enumerate(PAPER_ORDER)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def installed_methods() -> list[str]:
    """This package's methods that can drive with what is installed, in the order of the table.

    Those whose weights do not come with the package are left out, and the log names them.
    """
    names = in_table_order(spec.name for spec in METHODS if not spec.is_plug_in)
    missing = [name for name in names if not _has_weights(name)]
    if missing:
        _LOG.warning("left out, because their weights are not in this installation: %s", ", ".join(missing))
    return [name for name in names if name not in missing]


def _has_weights(name: str) -> bool:
    try:
        for proxy in method_named(name).proxies or (None,):
            checkpoint_for(name, proxy)
    except CheckpointError:
        return False
    return True


def parse_checkpoints(texts: Sequence[str]) -> dict[str, Path]:
    """Row label to path, from ``METHOD=PATH`` or ``METHOD:PROXY=PATH``.

    Raises:
        ConfigurationError: a text of another form, or a row named twice.
    """
    found: dict[str, Path] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path:
            raise ConfigurationError(f"--checkpoint {text!r}: write METHOD=PATH or METHOD:PROXY=PATH")
        method, _, proxy = name.partition(":")
        label = MethodRow(method=method, proxy=proxy or None).label
        if label in found:
            raise ConfigurationError(f"--checkpoint names {label} twice")
        found[label] = Path(path)
    return found


def controllers_hash(name: str = STANDARD_CONTROLLERS) -> str:
    """SHA-256 of a set of controllers: results with other gains are other results."""
    from sim2real_bench.agents import controllers  # imports SciPy

    return controllers.controllers_hash(name)


def controller_ids(benchmark: Benchmark, name: str) -> tuple[int, ...]:
    """The controllers of a set that drive: all of them, or those the benchmark chose from its own set.

    Raises:
        UnknownNameError: with the nearest known names.
        PlugInError: the package that brings the set is broken.
    """
    from sim2real_bench.agents import controllers

    count = controllers.controllers_named(name).count
    return benchmark.controllers if name == benchmark.controller_set else tuple(range(count))


def _scores_in(folder: Path | None) -> dict[str, float]:
    """Hash of the weights to metres on held-out tracks, for the finished scores of a folder."""
    if folder is None:
        return {}
    scores = [read_source_score(path) for path in sorted(folder.glob("*.json"))]
    if not scores:
        raise DataError(f"--source-scores {folder} holds no score; make some with: sim2real-bench source-score")
    return {score.weights_sha256: metres for score in scores if (metres := score.distance_m()) is not None}


def _row(method: str, proxy: str | None, checkpoints: Mapping[str, Path], scores: Mapping[str, float]) -> MethodRow:
    label = MethodRow(method=method, proxy=proxy).label
    path = checkpoints.get(label) or checkpoint_for(method, proxy)
    return MethodRow(
        method=method,
        proxy=proxy,
        checkpoint_hash=_weights_hash(path) if path else "",
        supervision=method_supervision(method, proxy),
        source_distance_m=_source_distance_m(path, scores) if path else None,
    )


def _source_distance_m(path: Path, scores: Mapping[str, float]) -> float | None:
    """How far the policy that was carried over drives in its source simulator; None where nobody measured it.

    It is the row's own network (f^S, f^P), the teacher of its network (f^P of f^T), or one of its parts.
    """
    if not card_path(path).is_file():
        return None
    card = read_card(path)
    hashes = (card.weights_sha256, card.data.get("teacher", ""), *card.part_hashes)
    return next((metres for one in hashes if (metres := scores.get(one) or source_distance_m(one))), None)


def _weights_hash(path: Path) -> str:
    if path.suffix and path.suffix != ".safetensors":  # a plug-in's own format
        return hashlib.sha256(path.read_bytes()).hexdigest()
    from sim2real_bench.agents.checkpoints import checkpoint_hash  # imports torch

    return checkpoint_hash(path)
