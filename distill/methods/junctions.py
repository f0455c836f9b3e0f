"""Task distillation with a proxy policy that has seen junctions, although its source has none.

f^P learns from the source's map labels with half of the straight roads made into junctions (``distill.junctions``);
f^T learns from it as in task distillation, except that f^P is asked anew about mirrored images: it keeps to one side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim2real_bench.distill.method import Method, Supervision, network_agent
from sim2real_bench.distill.transfer import SOURCE, Training, TransferRequest, opened

if TYPE_CHECKING:
    from pathlib import Path

    from sim2real_bench.distill.fitting import FitSettings

NAME = "task-distillation-junctions"
PROXY_NAME = f"{SOURCE}-proxy-map-junctions"
STAGES = ("proxy", "target")


def _proxy_training(request: TransferRequest) -> Training:
    folder = request.source()

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.junctions.fitting import fit_junction_proxy

        return fit_junction_proxy(opened(folder), PROXY_NAME, settings)

    words = ("--method", NAME, "--proxy", "map", "--stage", "proxy", "--source-data", str(folder))
    return Training(words, fit)


def _target_training(request: TransferRequest) -> Training:
    folder, teacher = request.target(), request.network("proxy", PROXY_NAME)

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.task_distillation import fit_target

        data = opened(folder, request.target_images)
        return fit_target(data, "map", teacher, SOURCE, settings, method=NAME, keeps_rule=True)

    words = ("--method", NAME, "--proxy", "map", "--stage", "target", *request.target_words())
    return Training((*words, "--proxy-checkpoint", str(teacher)), fit)


def trainings(request: TransferRequest) -> list[Training]:
    """f^P with junctions, then f^T, or one of the two stages."""
    made = []
    if request.wants("proxy"):
        made.append(_proxy_training(request))
    if request.wants("target"):
        made.append(_target_training(request))
    return made


TASK_DISTILLATION_JUNCTIONS = Method(
    NAME,
    {"map": Supervision(source=("map labels",), target=("images", "map labels"))},
    {"map": f"{SOURCE}-carla-{NAME}-map"},
    network_agent,
    trainings,
    stages=STAGES,
)
