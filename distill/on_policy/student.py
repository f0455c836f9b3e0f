"""The second stage on the student's own road: f^T trained, or trained further, on what it saw while it drove itself.

Source: DAgger (Ross et al., AISTATS 2011), algorithm 3.1, with f^P on the true labels as the expert; the second phase
of "Learning by Cheating" (Chen et al., CoRL 2019, section 3.2) does the same for a privileged agent and a student.
"""

from __future__ import annotations

from pathlib import Path

from sim2real_bench.agents.checkpoints import checkpoint_hash, load_checkpoint
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.distill.examples import ImageExamples
from sim2real_bench.distill.fitting import FitSettings, Yardstick, fit_checkpoint
from sim2real_bench.distill.image_changes import image_changes
from sim2real_bench.distill.on_policy.aggregate import Aggregate
from sim2real_bench.distill.task_distillation import load_teacher
from sim2real_bench.envs.observation import RGB
from sim2real_bench.errors import CheckpointError


def load_student(path: Path) -> WaypointNetwork:
    """The network f^T of a checkpoint, to be trained further.

    Raises:
        CheckpointError: it cannot be read, or does not read colour images.
    """
    network, card = load_checkpoint(path)
    if card.observation != RGB:
        raise CheckpointError(f"{path} reads {card.observation!r}; a student that starts from it must read {RGB!r}")
    return network


def fit_student(
    name: str,
    aggregate: Aggregate,
    proxy: str,
    teacher_path: Path,
    settings: FitSettings,
    *,
    start_path: Path | None = None,
    augmentation: str = "paper",
    keeps_rule: bool = False,
) -> Path:
    """Train f^T on all data sets: target image to what f^P answers to the target's labels.

    Args:
        name: of the checkpoint.
        aggregate: rgb with the proxy's labels.
        proxy: "map" or "camera".
        teacher_path: checkpoint of f^P.
        settings: how.
        start_path: checkpoint of an earlier f^T whose weights it begins with; None = random ones.
        augmentation: of the images, see ``image_changes``.
        keeps_rule: f^P prefers one side at junctions, so it is asked about mirrored labels for mirrored images.

    Returns:
        The weights file.
    """
    aggregate.require(proxy)
    changes = image_changes(augmentation)
    start = None if start_path is None else load_student(start_path)
    teacher = load_teacher(teacher_path, proxy)
    targets, metres = aggregate.teacher_targets(teacher, proxy)
    in_mirror = aggregate.mirrored_targets(teacher, proxy) if keeps_rule else None
    begin = {} if start_path is None else {"start": checkpoint_hash(start_path)}
    images = " + ".join(f"{len(part)} ({part.config.driver})" for part in aggregate.parts)
    return fit_checkpoint(
        name,
        RGB,
        ImageExamples(aggregate.images(), targets, aggregate.groups(), changes, in_mirror),
        settings,
        data={**aggregate.hashes, "teacher": checkpoint_hash(teacher_path), **begin},
        yardsticks=[Yardstick("teacher", aggregate.geometries(), metres)],
        notes=f"f^T: {aggregate.simulator} image to what f^P ({proxy}, {teacher_path.name}) answers to its labels; "
        f"{images} images; augmentation {augmentation}"
        + ("; mirrored images have its answers to mirrored labels" if keeps_rule else ""),
        start=start,
    )
