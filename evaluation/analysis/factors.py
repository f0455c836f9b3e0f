"""The accuracies of section 3.2 of the task-distillation paper, as far as recorded samples can tell them.

With a^S and a^P the source accuracies of f^S and f^P, G^I and G^L what is left of them on the target's images and true
labels, a^l and a^d how well recognition and distillation keep what f^P says:

    direct             a^S G^I
    modular            a^P G^L a^l
    task distillation  a^P G^L a^d
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sim2real_bench.evaluation.analysis.chains import Chain, Kind
from sim2real_bench.evaluation.analysis.measuring import ChainPaths
from sim2real_bench.evaluation.analysis.paths import deviation_m, stays_on_road
from sim2real_bench.evaluation.analysis.samples import Samples
from sim2real_bench.evaluation.analysis.shares import Product

SOURCE_IMAGE, SOURCE_LABEL = "a^S", "a^P"
IMAGE_OVERLAP, LABEL_OVERLAP = "G^I", "G^L"
RECOGNITION, DISTILLATION = "a^l", "a^d"
KEEPS = {Kind.MODULAR: RECOGNITION, Kind.DISTILLED: DISTILLATION}
"""By kind of chain: the symbol of how much of what f^P gets right on true labels the row gets right."""


@dataclass(frozen=True)
class Factors:
    """What a chain's accuracy is multiplied from.

    Attributes:
        by_symbol: the factors, in order.
        whole: the accuracy of the row's own paths in the target, measured at once.
        agreement: share of the row's paths that stay within the tolerance of those of f^P on true labels; None for rows
            without f^P, and for f^P itself.
    """

    by_symbol: Mapping[str, Product]
    whole: Product
    agreement: Product | None = None

    @property
    def product(self) -> Product:
        """What the paper's formula predicts for the whole."""
        product = Product(())
        for factor in self.by_symbol.values():
            product = product * factor
        return product


def factors_of(chain: Chain, paths: ChainPaths, samples: Samples) -> Factors:
    """The factors of a chain, all in one currency: right is a path on which a vehicle stays on the road.

    a^S and a^P are the right ones of all source samples, G^I and G^L the quotient of the same shares in target and
    source. a^l and a^d are shares of those target samples on which f^P is right on true labels: on how many of them the
    row is right, too. So a product is the share of the target's samples on which every step was right.
    """
    start = samples.on_source(stays_on_road(paths.source, samples.source.roads))
    right = stays_on_road(paths.target, samples.target.roads)
    whole = samples.on_target(right)
    if paths.proxy_target is None:
        factors = {SOURCE_IMAGE: Product((start,)), IMAGE_OVERLAP: Product((whole,), (start,))}
        return Factors(factors, Product((whole,)))
    told_right = stays_on_road(paths.proxy_target, samples.target.roads)
    told = samples.on_target(told_right)
    factors = {SOURCE_LABEL: Product((start,)), LABEL_OVERLAP: Product((told,), (start,))}
    if chain.kind not in KEEPS:
        return Factors(factors, Product((whole,)))
    factors[KEEPS[chain.kind]] = Product((samples.on_target(right & told_right),), (told,))
    agrees = samples.on_target(deviation_m(paths.target, paths.proxy_target) <= samples.tolerance_m)
    return Factors(factors, Product((whole,)), Product((agrees,)))
