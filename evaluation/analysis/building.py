"""From chains of networks, recorded samples and a results folder to one analysis."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.analysis.chains import Chain, Kind
from sim2real_bench.evaluation.analysis.factors import (
    DISTILLATION,
    IMAGE_OVERLAP,
    LABEL_OVERLAP,
    RECOGNITION,
    Factors,
    factors_of,
)
from sim2real_bench.evaluation.analysis.measuring import ChainPaths
from sim2real_bench.evaluation.analysis.metres import MetreFactors, metre_factors
from sim2real_bench.evaluation.analysis.order import Pair, Verdict, distances, pairs_of, rank_correlation, verdict
from sim2real_bench.evaluation.analysis.paths import deviation_m, stays_on_road
from sim2real_bench.evaluation.analysis.recordings import Recordings
from sim2real_bench.evaluation.analysis.samples import Samples
from sim2real_bench.evaluation.analysis.shares import Estimate, Product
from sim2real_bench.evaluation.results import Results

PathsOf = Callable[[Chain], ChainPaths]
_PRODUCT, _WHOLE, _AGREEMENT = "product", "whole", "agreement"
_POSITIVE = Estimate(1.0, (1.0, 1.0))


@dataclass(frozen=True)
class Domain:
    """What one domain was judged on.

    Attributes:
        data: folder of the data set.
        data_hash: its content hash.
        places: tracks, or the town.
        episodes: how many were judged.
        samples: how many samples they hold.
        held_out: they are the part of a training data set that no network learnt from; else nothing of it was learnt.
        driver: share of the paths the recording driver itself drove on which a vehicle stays on the road.
    """

    data: str
    data_hash: str
    places: tuple[str, ...]
    episodes: int
    samples: int
    held_out: bool
    driver: Estimate


@dataclass(frozen=True)
class Row:
    """One row of the table, taken apart.

    Attributes:
        label: method, with the proxy in brackets.
        kind: how its networks are chained.
        factors: by symbol.
        product: of the factors.
        whole: share of the row's own paths in the target on which a vehicle stays on the road.
        agreement: share of its paths that stay within the tolerance of those of f^P on true labels; None without f^P.
        from_driven_m: median distance of its paths from those the target's driver drove, metres.
        recognition: what its recogniser's card says about its labels.
        distance_m: mean distance it drove, metres; None where it was not evaluated.
    """

    label: str
    kind: Kind
    factors: Mapping[str, Estimate]
    product: Estimate
    whole: Estimate
    agreement: Estimate | None
    from_driven_m: float
    recognition: Mapping[str, float]
    distance_m: Estimate | None


@dataclass(frozen=True)
class Claim:
    """One inequality between two rows.

    Attributes:
        text: with symbols.
        left: label of the row on its left side.
        right: label of the row on its right side.
        difference: left side minus right side.
        verdict: agrees where the interval is above zero, contradicts where it is below.
    """

    text: str
    left: str
    right: str
    difference: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Analysis:
    """Section 3.2 of the task-distillation paper in numbers."""

    tolerance_m: float
    source: Domain
    target: Domain
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]
    results: str | None
    pairs: tuple[Pair, ...]
    rank_correlation: float | None
    metres: tuple[MetreFactors, ...]
    skipped: Mapping[str, str]

    def to_json(self) -> str:
        """Text of ``analysis.json``; what nothing defines is null."""
        return json.dumps(_plain(asdict(self)), indent=2, allow_nan=False) + "\n"


@dataclass(frozen=True)
class Evaluated:
    """A results folder, and how to name it."""

    name: str
    results: Results


def analyse(
    chains: Sequence[Chain],
    paths_of: PathsOf,
    samples: Samples,
    evaluated: Evaluated | None = None,
    skipped: Mapping[str, str] | None = None,
) -> Analysis:
    """Judge all chains on the same samples and compare with what they drove.

    Args:
        chains: rows to take apart; one whose agent has no path to judge is left out, with the reason.
        paths_of: computes, or reads, the paths of a chain.
        samples: of both domains.
        evaluated: where the rows drove.
        skipped: rows that were left out before, with the reasons.
    """
    found: dict[str, Factors] = {}
    medians, left_out = {}, dict(skipped or {})
    for chain in chains:
        try:
            paths = paths_of(chain)
        except ConfigurationError as error:
            left_out[chain.label] = str(error)
            continue
        found[chain.label] = factors_of(chain, paths, samples)
        medians[chain.label] = float(np.median(deviation_m(paths.target, samples.target.waypoints)))
    kept = [chain for chain in chains if chain.label in found]
    return _assembled(kept, found, medians, samples, evaluated, left_out)


def _assembled(
    chains: Sequence[Chain],
    found: Mapping[str, Factors],
    medians: Mapping[str, float],
    samples: Samples,
    evaluated: Evaluated | None,
    skipped: Mapping[str, str],
) -> Analysis:
    wanted = _claims(chains)
    pairs = [(_key(a.label, _PRODUCT), _key(b.label, _PRODUCT)) for a, b in combinations(chains, 2)]
    products = _products(found) | _drivers(samples)
    values, gaps = samples.pool().estimates(products, [*((left, right) for _, left, right in wanted), *pairs])
    claims = tuple(
        Claim(text, _label(left), _label(right), gap, verdict(gap, _POSITIVE))
        for (text, left, right), gap in zip(wanted, gaps, strict=False)
    )
    differences = {(_label(a), _label(b)): gap for (a, b), gap in zip(pairs, gaps[len(wanted) :], strict=True)}
    compared = pairs_of(differences, evaluated.results) if evaluated else []
    driven = distances(evaluated.results, list(found)) if evaluated else {}
    return Analysis(
        tolerance_m=samples.tolerance_m,
        source=_domain(samples.source, values["source"]),
        target=_domain(samples.target, values["target"]),
        rows=tuple(_row(chain, found[chain.label], values, medians[chain.label], driven) for chain in chains),
        claims=claims,
        results=evaluated.name if evaluated else None,
        pairs=tuple(compared),
        rank_correlation=rank_correlation(compared),
        metres=tuple(metre_factors(chains, evaluated.results)) if evaluated else (),
        skipped=dict(skipped),
    )


def _products(found: Mapping[str, Factors]) -> dict[str, Product]:
    products: dict[str, Product] = {}
    for label, factors in found.items():
        products |= {_key(label, symbol): factor for symbol, factor in factors.by_symbol.items()}
        products |= {_key(label, _PRODUCT): factors.product, _key(label, _WHOLE): factors.whole}
        if factors.agreement is not None:
            products[_key(label, _AGREEMENT)] = factors.agreement
    return products


def _drivers(samples: Samples) -> dict[str, Product]:
    source = samples.on_source(stays_on_road(samples.source.waypoints, samples.source.roads))
    target = samples.on_target(stays_on_road(samples.target.waypoints, samples.target.roads))
    return {"source": Product((source,)), "target": Product((target,))}


def _claims(chains: Sequence[Chain]) -> list[tuple[str, str, str]]:
    """(text, key of the left side, key of the right side) of the paper's inequalities, for all rows they fit."""
    claims = []
    of = {kind: [chain for chain in chains if chain.kind is kind] for kind in Kind}
    for distilled in of[Kind.DISTILLED]:
        for modular in of[Kind.MODULAR]:
            if modular.proxy == distilled.proxy:
                text = f"{DISTILLATION} > {RECOGNITION}"
                claims.append((text, _key(distilled.label, DISTILLATION), _key(modular.label, RECOGNITION)))
        for image in (*of[Kind.DIRECT], *of[Kind.TRANSLATED]):
            text = f"{LABEL_OVERLAP} > {IMAGE_OVERLAP}"
            claims.append((text, _key(distilled.label, LABEL_OVERLAP), _key(image.label, IMAGE_OVERLAP)))
            text = f"a^P {LABEL_OVERLAP} {DISTILLATION} > a^S {IMAGE_OVERLAP}"
            claims.append((text, _key(distilled.label, _PRODUCT), _key(image.label, _PRODUCT)))
    return claims


def _row(
    chain: Chain, factors: Factors, values: Mapping[str, Estimate], median_m: float, driven: Mapping[str, Estimate]
) -> Row:
    return Row(
        label=chain.label,
        kind=chain.kind,
        factors={symbol: values[_key(chain.label, symbol)] for symbol in factors.by_symbol},
        product=values[_key(chain.label, _PRODUCT)],
        whole=values[_key(chain.label, _WHOLE)],
        agreement=values.get(_key(chain.label, _AGREEMENT)),
        from_driven_m=median_m,
        recognition=dict(chain.recognition),
        distance_m=driven.get(chain.label),
    )


def _domain(recordings: Recordings, driver: Estimate) -> Domain:
    data = recordings.data
    return Domain(
        data=str(data.folder),
        data_hash=data.hash,
        places=data.config.places,
        episodes=len(recordings.episodes),
        samples=len(recordings),
        held_out=recordings.learnt,
        driver=driver,
    )


def _key(label: str, what: str) -> str:
    return f"{label}|{what}"


def _label(key: str) -> str:
    return key.rpartition("|")[0]


def _plain(value: Any) -> Any:
    """The same with None for what is not a number; JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
