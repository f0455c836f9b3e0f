"""What a user asked to analyse: rows, by name or from a results folder, and samples no network has learnt from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sim2real_bench.agents.cards import SHIPPED_FOLDER
from sim2real_bench.agents.checkpoints import checkpoint_hash
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.method import METHODS, checkpoint_for, method_named
from sim2real_bench.errors import CheckpointError, ConfigurationError
from sim2real_bench.evaluation.analysis.building import Evaluated
from sim2real_bench.evaluation.analysis.chains import Chain, chain_of, find_checkpoint
from sim2real_bench.evaluation.analysis.recordings import held_out
from sim2real_bench.evaluation.analysis.samples import Samples
from sim2real_bench.evaluation.plan import MethodRow
from sim2real_bench.evaluation.results import read_measured_results
from sim2real_bench.evaluation.rows import ALL_PROXIES, parse_checkpoints

Chosen = tuple[list[Chain], dict[str, str]]
"""Chains, and the rows that have none: label to the reason."""


def evaluated_in(folder: Path | None) -> Evaluated | None:
    """A results folder, where one was given.

    Raises:
        RecordError: it cannot be read.
    """
    return None if folder is None else Evaluated(str(folder), read_measured_results(folder))


def chosen_chains(
    methods: Sequence[str],
    proxy: str,
    checkpoints: Sequence[str],
    folders: Sequence[Path],
    evaluated: Evaluated | None,
) -> Chosen:
    """The chains of the rows a user asked for.

    Args:
        methods: registered names; empty = all rows of ``evaluated``, or else all registered methods.
        proxy: "map", "camera" or "all".
        checkpoints: ``METHOD=PATH`` or ``METHOD:PROXY=PATH``.
        folders: where checkpoints are looked for by their hashes, besides the shipped ones.
        evaluated: rows are analysed with the very weights that drove there.

    Raises:
        UnknownNameError: an unknown method.
        ConfigurationError: no row is left.
    """
    given = parse_checkpoints(checkpoints)
    rows = _driven(evaluated, methods) if evaluated else _named(methods or METHODS.names())
    chains, skipped = [], {}
    for row in rows:
        if proxy not in (ALL_PROXIES, row.proxy) and row.proxy:
            continue
        try:
            weights = given.get(row.label) or _weights(row, folders)
            _require_driven(row, weights)
            chains.append(chain_of(row.method, row.proxy, weights, folders))
        except (CheckpointError, ConfigurationError) as error:
            skipped[row.label] = str(error)
    if not chains:
        reasons = "; ".join(f"{label}: {reason}" for label, reason in skipped.items())
        raise ConfigurationError(f"there is no row to analyse. {reasons or f'None has the proxy {proxy!r}.'}")
    return chains, skipped


def judged_samples(
    chains: Sequence[Chain], source_data: Path, target_data: Path, most: int, tolerance_m: float
) -> Samples:
    """About ``most`` samples of either data set, of episodes that no network of the chains learnt from.

    Raises:
        DataError: a data set cannot be read, or too little of it is left.
    """
    cards = [card for chain in chains for card in chain.cards()]
    source = held_out(RolloutDataset(source_data), cards).first(most)
    target = held_out(RolloutDataset(target_data), cards).first(most)
    return Samples(source, target, tolerance_m)


def _named(methods: Sequence[str]) -> Iterator[MethodRow]:
    for name in methods:
        for proxy in method_named(name).proxies or (None,):
            yield MethodRow(method=name, proxy=proxy)


def _driven(evaluated: Evaluated, methods: Sequence[str]) -> Iterator[MethodRow]:
    rows = evaluated.results.plan.configuration.rows
    missing = [name for name in methods if name not in {row.method for row in rows}]
    if missing:
        raise ConfigurationError(
            f"{evaluated.name} holds no row of {', '.join(missing)}; leave out --methods, or these"
        )
    yield from (row for row in rows if not methods or row.method in methods)


def _require_driven(row: MethodRow, weights: Path) -> None:
    """The very weights that drove, where it is known which did."""
    found = checkpoint_hash(weights)
    if row.checkpoint_hash not in ("", found):
        raise ConfigurationError(f"{weights} ({found[:12]}) is not what drove there ({row.checkpoint_hash[:12]})")


def _weights(row: MethodRow, folders: Sequence[Path]) -> Path:
    if row.checkpoint_hash:
        return find_checkpoint(row.checkpoint_hash, (*folders, SHIPPED_FOLDER))
    shipped = checkpoint_for(row.method, row.proxy)
    if shipped is None:
        raise ConfigurationError("it has no network")
    return shipped
