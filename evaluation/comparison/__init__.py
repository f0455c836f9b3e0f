"""Two results compared: is the second worse than the first, beyond chance?"""

from sim2real_bench.evaluation.comparison.folders import Comparison, compare
from sim2real_bench.evaluation.comparison.rows import BETTER, NO_WORSE, WORSE, Change, RowComparison

__all__ = ["BETTER", "NO_WORSE", "WORSE", "Change", "Comparison", "RowComparison", "compare"]
