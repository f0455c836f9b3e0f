"""The table of faults in ``docs/faults.md``: ``python -m sim2real_bench.evaluation.faults.page`` prints it."""

from __future__ import annotations

import re
import sys

from sim2real_bench.evaluation.faults.kinds import KINDS


def markdown_table() -> str:
    """Every kind, what a run does about it, and what stands in the record's ``error`` (… where it varies)."""
    lines = ["| fault | who | does | the run | the record says |", "|---|---|---|---|---|"]
    for kind in KINDS:
        said = re.sub(r"\\(.)", r"\1", kind.message.replace(".*", "…"))
        lines.append(
            f"| `{kind.name}` | {kind.place} | {kind.does} | {kind.consequence} | {f'`{said}`' if said else '–'} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown_table())
