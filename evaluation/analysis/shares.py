"""Shares of judged samples, products and quotients of them, and their intervals.

Samples of one recorded episode follow each other by fractions of a second and are not independent: whole episodes are
resampled, those of the source and those of the target each among themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim2real_bench.evaluation.statistics import REPLICATES, Interval, resampled_interval

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """How many samples of each recorded episode are right.

    Attributes:
        hits: (E,) right samples of each episode.
        totals: (E,) judged samples of each episode; 0 where it is of the other data set.
    """

    hits: Float
    totals: Float

    def of(self, weights: Float) -> Float:
        """(R,) the share in each of (R, E) resamples; NaN where a resample holds no judged sample."""
        counted = weights @ self.totals
        return np.divide(weights @ self.hits, counted, out=np.full(len(counted), np.nan), where=counted > 0)


def share_of(
    right: npt.ArrayLike, groups: npt.ArrayLike, episodes: npt.ArrayLike, *, at: int = 0, of: int | None = None
) -> Share:
    """The share of samples that are right.

    Args:
        right: (N,) booleans.
        groups: (N,) the episode of every sample.
        episodes: the episodes of this data set, ascending.
        at: place of the first of them among all episodes that are resampled.
        of: how many episodes there are in all; just these when absent.
    """
    known = np.asarray(episodes)
    places = np.searchsorted(known, np.asarray(groups)) + at
    length = (len(known) + at) if of is None else of
    hits = np.bincount(places, np.asarray(right, np.float64), length).astype(np.float64)
    return Share(hits, np.bincount(places, minlength=length).astype(np.float64))


@dataclass(frozen=True)
class Product:
    """A product of shares and of their reciprocals.

    Attributes:
        factors: multiplied.
        divisors: divided by.
    """

    factors: tuple[Share, ...]
    divisors: tuple[Share, ...] = ()

    def __mul__(self, other: Product) -> Product:
        return Product((*self.factors, *other.factors), (*self.divisors, *other.divisors))

    def of(self, weights: Float) -> Float:
        """(R,) its value in each of (R, E) resamples; NaN where it divides by nothing."""
        value = np.ones(len(weights))
        for share in self.factors:
            value = value * share.of(weights)
        for share in self.divisors:
            below = share.of(weights)
            value = np.divide(value, below, out=np.full(len(value), np.nan), where=below > 0)
        return value


@dataclass(frozen=True)
class Estimate:
    """A measured number.

    Attributes:
        value: NaN where nothing defines it.
        ci95: 95 % interval; None where too little was measured for one.
    """

    value: float
    ci95: Interval | None

    @property
    def negated(self) -> Estimate:
        """The same with the other sign."""
        return Estimate(-self.value, None if self.ci95 is None else (-self.ci95[1], -self.ci95[0]))


@dataclass(frozen=True)
class Pool:
    """All episodes that are resampled.

    Attributes:
        strata: (E,) 0 for the source's episodes, 1 for the target's.
        seed: of the resampling.
        replicates: resamples.
    """

    strata: npt.NDArray[np.int64]
    seed: int = 0
    replicates: int = REPLICATES

    def estimates(
        self, products: Mapping[str, Product], differences: Sequence[tuple[str, str]] = ()
    ) -> tuple[dict[str, Estimate], list[Estimate]]:
        """Values and intervals of products, and of differences of named products, from the same resamples."""
        columns = {name: index for index, name in enumerate(products)}

        def values(weights: Float) -> Float:
            single = np.stack([product.of(weights) for product in products.values()], axis=1)
            return np.column_stack([single, *(single[:, columns[a]] - single[:, columns[b]] for a, b in differences)])

        points = values(np.ones((1, len(self.strata))))[0]
        found = [Estimate(float(point), None) for point in points]
        defined = np.flatnonzero(np.isfinite(points))
        if not len(defined):
            return dict(zip(products, found, strict=False)), found[len(products) :]
        episodes = np.arange(len(self.strata))
        ends = resampled_interval(
            lambda weights: values(weights)[:, defined],
            self.strata,
            episodes,
            seed=self.seed,
            replicates=self.replicates,
        )
        if ends is not None:
            for index, low, high in zip(defined, *ends, strict=True):
                found[index] = Estimate(found[index].value, (float(low), float(high)))
        return dict(zip(products, found, strict=False)), found[len(products) :]
