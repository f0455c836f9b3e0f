"""Our own second stages: f^T learns also from what it saw while it drove the training town itself.

``task-distillation-on-policy`` has the paper's teacher and augmentation; ``task-distillation-plus`` has the teacher
that knows junctions, and weather drawn over the images.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.distill.method import Method, Supervision, network_agent
from sim2real_bench.distill.methods.junctions import PROXY_NAME as JUNCTION_TEACHER
from sim2real_bench.distill.methods.task_distillation import proxy_name
from sim2real_bench.distill.transfer import SOURCE, Training, TransferRequest

if TYPE_CHECKING:
    from sim2real_bench.distill.fitting import FitSettings

ON_POLICY, PLUS = "task-distillation-on-policy", "task-distillation-plus"
_AUGMENTATION = {ON_POLICY: "paper", PLUS: "weather"}


def _teacher(method: str, request: TransferRequest) -> Path:
    """The checkpoint of f^P: the given one, else one in ``--out``, else the shipped one."""
    name = proxy_name(request.proxy or "") if method == ON_POLICY else JUNCTION_TEACHER
    return replace(request, stage="student").network("proxy", name)  # f^P is made by another method


def trainings(method: str, request: TransferRequest) -> list[Training]:
    """One network: f^T, on all data sets of the target."""
    folders, proxy, start = request.targets(), request.proxy or "", request.start_from
    teacher = _teacher(method, request)
    augmentation = request.image_augmentation or _AUGMENTATION[method]

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.on_policy.aggregate import open_aggregate
        from sim2real_bench.distill.on_policy.student import fit_student

        aggregate = open_aggregate(folders, request.target_images)
        name = f"{SOURCE}-{aggregate.simulator}-{method}-{proxy}"
        return fit_student(
            name, aggregate, proxy, teacher, settings, start_path=start, augmentation=augmentation,
            keeps_rule=method == PLUS,
        )  # fmt: skip

    words = ("--method", method, "--proxy", proxy, *request.target_words(), "--proxy-checkpoint", str(teacher))
    begin = () if start is None else ("--start-from", str(start))
    return [Training((*words, *begin, "--image-augmentation", augmentation), fit)]


def _method(name: str) -> Method:
    read = Supervision(source=("map labels",), target=("images", "map labels", "own drives"))
    return Method(
        name, {"map": read}, {"map": f"{SOURCE}-carla-{name}-map"}, network_agent, partial(trainings, name)
    )  # fmt: skip


TASK_DISTILLATION_ON_POLICY = _method(ON_POLICY)
TASK_DISTILLATION_PLUS = _method(PLUS)
