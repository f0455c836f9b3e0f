"""The proxy policy that has seen junctions."""

from __future__ import annotations

from pathlib import Path

from sim2real_bench.agents.waypoints import MapGeometry
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.examples import map_examples
from sim2real_bench.distill.fitting import FitSettings, Yardstick, fit_checkpoint
from sim2real_bench.distill.junctions.examples import JunctionExamples
from sim2real_bench.distill.task_distillation import MASK_CHANGES
from sim2real_bench.envs.observation import MAP_VIEW


def fit_junction_proxy(source: RolloutDataset, name: str, settings: FitSettings) -> Path:
    """Train f^P on the source's map labels, half of every batch made into junctions.

    Args:
        source: map views with driven paths.
        name: of the checkpoint.
        settings: how.

    Returns:
        The weights file.
    """
    examples = JunctionExamples(map_examples(source, MASK_CHANGES["map"]))
    return fit_checkpoint(
        name,
        MAP_VIEW,
        examples,
        settings,
        data={"source": source.hash},
        yardsticks=[Yardstick("driven_path", [MapGeometry()], examples.waypoints)],
        notes=f"f^P: {source.config.simulator} map labels to waypoints of its driver {source.config.driver}; "
        f"augmentation {examples.base.changes}; {examples.share:.0%} of a batch made into junctions of straight "
        f"stretches ({int(examples.straight.sum())} of {len(examples.groups)} examples): {examples.ranges}",
    )
