"""sim2real-bench: a policy learnt in one simulator, carried into another by a named method, and judged there."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Public names, imported on first use so that ``import sim2real_bench`` stays light (no torch, no simulator).
_PUBLIC = {
    "EpisodeRecord": "sim2real_bench.evaluation.records",
    "EvaluationPlan": "sim2real_bench.evaluation.plan",
    "Sim2RealError": "sim2real_bench.errors",
    "Supervisor": "sim2real_bench.evaluation.supervisor",
    "compare": "sim2real_bench.evaluation.comparison",
    "evaluate": "sim2real_bench.evaluation.runner",
    "list_envs": "sim2real_bench.envs",
    "list_methods": "sim2real_bench.distill",
    "make": "sim2real_bench.envs",
    "report": "sim2real_bench.evaluation.report",
}
__all__ = [
    "EpisodeRecord",
    "EvaluationPlan",
    "Sim2RealError",
    "Supervisor",
    "__version__",
    "compare",
    "evaluate",
    "list_envs",
    "list_methods",
    "make",
    "report",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'sim2real_bench' has no attribute {name!r}; public names: {', '.join(__all__)}")
    return getattr(import_module(_PUBLIC[name]), name)
