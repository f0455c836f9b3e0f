"""Of which networks a row is made: the chain whose accuracies the analysis multiplies.

The cards of checkpoints say it: which observation a network reads, which teacher it learnt from, which parts it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sim2real_bench.agents.cards import SHIPPED_FOLDER, WAYPOINTS_KIND, CheckpointCard, read_card, with_parts
from sim2real_bench.envs.observation import RGB
from sim2real_bench.errors import CheckpointError, ConfigurationError

TEACHER = "teacher"
"""The name under which a student's card holds the hash of f^P."""


class Kind(StrEnum):
    """How a row gets from the source policy to a path in the target."""

    DIRECT = "direct"  # f^S on target images
    TRANSLATED = "translated"  # f^S on target images in the source's style
    PROXY = "proxy"  # f^P on the target's true labels
    MODULAR = "modular"  # f^P on labels recognised in target images
    DISTILLED = "distilled"  # f^T on target images, taught by f^P


@dataclass(frozen=True)
class Chain:
    """The networks of one row.

    Attributes:
        method: registered name.
        proxy: "map", "camera" or None.
        kind: how they are chained.
        weights: the row's own checkpoint.
        start: f^S or f^P, what it begins with in the source.
        recognition: metrics in the card of the row's recogniser; empty without one.
    """

    method: str
    proxy: str | None
    kind: Kind
    weights: Path
    start: Path
    recognition: tuple[tuple[str, float], ...] = ()

    @property
    def label(self) -> str:
        """Name with the proxy in brackets, as in tables."""
        return f"{self.method} ({self.proxy})" if self.proxy else self.method

    def cards(self) -> list[CheckpointCard]:
        """Cards of all its networks."""
        return [read_card(path) for path in {*with_parts(self.weights), *with_parts(self.start)}]


def chain_of(method: str, proxy: str | None, weights: Path, folders: Sequence[Path] = ()) -> Chain:
    """The chain of a row.

    Args:
        method: registered name.
        proxy: "map", "camera" or None.
        weights: the checkpoint it drives with.
        folders: where teachers are looked for, besides the checkpoint's folder and the shipped ones.

    Raises:
        ConfigurationError: its checkpoint does not say how it comes from the source, or does not answer with a path.
        CheckpointError: a card cannot be read, or the teacher is in none of the folders.
    """
    card = read_card(weights)
    if card.parts:
        return _composite(method, proxy, weights)
    if card.kind != WAYPOINTS_KIND:
        raise ConfigurationError(f"its checkpoint is of kind {card.kind!r}, which does not answer with waypoints")
    if TEACHER in card.data:
        teacher = find_checkpoint(card.data[TEACHER], (weights.parent, *folders, SHIPPED_FOLDER))
        return Chain(method, proxy, Kind.DISTILLED, weights, teacher)
    if "target" in card.data:
        raise ConfigurationError("its network learnt from target data without one teacher f^P")
    return Chain(method, proxy, Kind.DIRECT if card.observation == RGB else Kind.PROXY, weights, weights)


def find_checkpoint(weights_sha256: str, folders: Sequence[Path]) -> Path:
    """The checkpoint with these weights.

    Raises:
        CheckpointError: it lies in none of the folders.
    """
    for path in _checkpoints(folders):
        try:
            if read_card(path).weights_sha256 == weights_sha256:
                return path
        except CheckpointError:  # another program's file
            continue
    looked = ", ".join(dict.fromkeys(str(folder) for folder in folders))
    raise CheckpointError(
        f"the teacher with weights {weights_sha256[:12]} lies in none of {looked}; name its folder with --networks"
    )


def _checkpoints(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in folder.glob("*.safetensors") if path.with_suffix(".json").is_file())


def _composite(method: str, proxy: str | None, weights: Path) -> Chain:
    members = {path: read_card(path) for path in with_parts(weights)[1:]}
    policies = [path for path, card in members.items() if card.kind == WAYPOINTS_KIND]
    if len(policies) != 1:
        raise ConfigurationError(f"its checkpoint has {len(policies)} parts that answer with waypoints, not one")
    kind = Kind.TRANSLATED if members[policies[0]].observation == RGB else Kind.MODULAR
    others = [metric for path, card in members.items() if path not in policies for metric in card.metrics.items()]
    recognition = tuple((name, value) for name, value in others if "iou" in name.lower())
    return Chain(method, proxy, kind, weights, policies[0], recognition)
