"""Before anything is driven: which episodes, how long they take, and what they will be able to tell."""

from sim2real_bench.evaluation.planning.power import PowerQuestion, PowerTable, power_table
from sim2real_bench.evaluation.planning.preview import Preview, preview

__all__ = ["PowerQuestion", "PowerTable", "Preview", "power_table", "preview"]
