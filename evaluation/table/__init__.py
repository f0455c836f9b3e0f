"""The table of an evaluation: a pure function of the plan and the records."""

from sim2real_bench.evaluation.table.building import build_table, table_of
from sim2real_bench.evaluation.table.model import BASELINE, BOUNDS, Difference, Distance, Table, TableRow
from sim2real_bench.evaluation.table.text import TABLE_FILES, write_table

__all__ = [
    "BASELINE",
    "BOUNDS",
    "TABLE_FILES",
    "Difference",
    "Distance",
    "Table",
    "TableRow",
    "build_table",
    "table_of",
    "write_table",
]
