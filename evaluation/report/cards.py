"""The cards of the checkpoints that were driven, found by the hash of their weights."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sim2real_bench.agents.cards import SHIPPED_FOLDER, CheckpointCard, read_card
from sim2real_bench.errors import CheckpointError
from sim2real_bench.evaluation.report.content import ReportRow

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShownCard:
    """A checkpoint as the page shows it.

    Attributes:
        rows: labels of the rows that drove it.
        weights_sha256: of the weights file.
        name: of the file, "" where no card was found.
        facts: name and value, in the order of the card.
    """

    rows: tuple[str, ...]
    weights_sha256: str
    name: str
    facts: tuple[tuple[str, str], ...]


def cards_of(rows: Sequence[ReportRow], folders: Sequence[Path]) -> list[ShownCard]:
    """One card for each checkpoint that was driven, and one for each part of such a checkpoint.

    Args:
        rows: of the report.
        folders: where cards (``NAME.json`` beside the weights) are looked for, before those of the package.
    """
    found = {card.weights_sha256: (name, card) for name, card in _cards_in([SHIPPED_FOLDER, *folders])}
    by_hash: dict[str, list[str]] = {}
    for row in rows:
        if row.row.checkpoint_hash:
            by_hash.setdefault(row.row.checkpoint_hash, []).append(row.label)
    known = list(by_hash)
    for digest in known:
        for part in found[digest][1].part_hashes if digest in found else ():
            labels = by_hash.setdefault(part, [])
            labels += [label for label in by_hash[digest] if label not in labels]
            if part not in known:
                known.append(part)
    shown = []
    for digest, labels in by_hash.items():
        name, card = found.get(digest, ("", None))
        shown.append(ShownCard(tuple(labels), digest, name, tuple(_facts(card)) if card else ()))
    return shown


def _cards_in(folders: Iterable[Path]) -> Iterable[tuple[str, CheckpointCard]]:
    """Every card of the folders with the name of its file; other files are passed over."""
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            try:
                yield path.stem, read_card(path.with_suffix(""))
            except CheckpointError as error:
                _LOG.info("passed over: %s", error)


def _facts(card: CheckpointCard) -> Iterable[tuple[str, str]]:
    for name, value in card.model_dump(exclude={"weights_sha256", "format"}).items():
        if isinstance(value, dict) and value:
            yield name, ", ".join(f"{key} {_short(entry)}" for key, entry in value.items())
        elif value not in ("", {}):
            yield name, _short(value)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    is_hash = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return f"{text[:12]}…" if is_hash else text
