"""How many starts a t-test over starts needs, and what a given number of them can tell.

The unit is a start: the mean over the controllers that share it. Paired: both methods drive the same starts, and the
spread is that of the starts' differences. Unpaired: each drives its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

MOST_STARTS = 1_000_000


@dataclass(frozen=True)
class Spread:
    """The standard deviation between starts of what is averaged over them.

    Attributes:
        first: of the paired differences; or of the first method, where a second is given.
        second: of the second method, unpaired; None: paired.
    """

    first: float
    second: float | None = None

    def error(self, starts: int) -> float:
        """Standard error of the difference of means with so many starts (of each method, if unpaired)."""
        return math.hypot(self.first, self.second or 0.0) / math.sqrt(starts)

    def freedom(self, starts: int) -> float:
        """Degrees of freedom: those of the paired test, or Welch's and Satterthwaite's."""
        if self.second is None:
            return starts - 1.0
        a, b = self.first**2, self.second**2
        return (starts - 1.0) * (a + b) ** 2 / (a * a + b * b) if a + b > 0 else 2.0 * (starts - 1.0)

    def scaled(self, factor: float) -> Spread:
        """The same with other standard deviations."""
        return Spread(factor * self.first, None if self.second is None else factor * self.second)


def t_test_power(difference: float, spread: Spread, starts: int, *, level: float = 0.95) -> float:
    """The chance that a two-sided t-test finds a true difference, by the noncentral t distribution.

    For unpaired tests of fewer than ten starts it is up to 0.05 too high: Welch's test must estimate its degrees of
    freedom, too.

    Args:
        difference: true difference of the means.
        spread: between starts, in the same unit.
        starts: of each method, at least 2.
        level: 1 minus the chance to find a difference where there is none.
    """
    from scipy import special

    error, freedom = spread.error(starts), spread.freedom(starts)
    if error == 0.0:
        return 1.0 if difference else 1.0 - level
    critical = float(special.stdtrit(freedom, 0.5 + level / 2.0))
    shift = abs(difference) / error
    missed = special.nctdtr(freedom, shift, critical) - special.nctdtr(freedom, shift, -critical)
    return 1.0 if math.isnan(missed) else 1.0 - float(missed)  # NaN: so far away that nothing is missed


def starts_needed(difference: float, spread: Spread, *, level: float = 0.95, power: float = 0.8) -> int | None:
    """The fewest starts (of each method) that find a true difference with the wanted chance.

    Args:
        difference: true difference of the means, not 0.
        spread: between starts.
        level: of the test.
        power: wanted chance to find the difference.

    Returns:
        None where more than ``MOST_STARTS`` would be needed.
    """

    def enough(starts: int) -> bool:
        return t_test_power(difference, spread, starts, level=level) >= power

    return _first(enough, 2, MOST_STARTS)


def detectable_difference(spread: Spread, starts: int, *, level: float = 0.95, power: float = 0.8) -> float | None:
    """The smallest true difference that so many starts find with the wanted chance.

    Args:
        spread: between starts; the difference has its unit.
        starts: of each method.
        level: of the test.
        power: wanted chance.

    Returns:
        None with fewer than two starts.
    """
    if starts < 2:
        return None
    error = spread.error(starts)
    steps = _first(lambda step: t_test_power(step * error / 1000.0, spread, starts, level=level) >= power, 1, 10**7)
    return None if steps is None else steps * error / 1000.0


def spread_range(starts: int, *, level: float = 0.95) -> tuple[float, float] | None:
    """Factors between which the true standard deviation lies, times the one measured from so many starts.

    By the chi-square distribution, for values that are about normal.

    Returns:
        None with fewer than two starts.
    """
    from scipy import special

    if starts < 2:
        return None
    freedom, tail = starts - 1.0, (1.0 - level) / 2.0
    low, high = (float(special.chdtri(freedom, share)) for share in (tail, 1.0 - tail))
    return math.sqrt(freedom / low), math.sqrt(freedom / high)


def _first(holds: Callable[[int], bool], least: int, most: int) -> int | None:
    """The smallest whole number from which on a rising condition holds."""
    high = least
    while not holds(high):
        if high >= most:
            return None
        high = min(2 * high, most)
    low = max(least, high // 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
