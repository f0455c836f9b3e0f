"""Task distillation as a method: f^P on source labels, then f^T on target images with f^P as the teacher."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.distill.method import Method, Supervision, network_agent
from sim2real_bench.distill.transfer import SOURCE, Training, TransferRequest, opened

if TYPE_CHECKING:
    from sim2real_bench.distill.fitting import FitSettings
    from sim2real_bench.distill.task_distillation import ProxySettings

NAME = "task-distillation"
STAGES = ("proxy", "target")


def proxy_name(proxy: str) -> str:
    """The name of the checkpoint of f^P."""
    return f"{SOURCE}-proxy-{proxy}"


def proxy_settings(request: TransferRequest) -> ProxySettings:
    """How the source's labels are prepared for f^P; imports torch."""
    from sim2real_bench.agents.inputs import DRIVING_CAMERA
    from sim2real_bench.distill.examples import MIRROR_ONLY
    from sim2real_bench.distill.task_distillation import MASK_CHANGES, ProxySettings

    proxy = request.proxy or ""
    changes = MASK_CHANGES[proxy] if request.mask_augmentation else MIRROR_ONLY
    return ProxySettings(proxy, changes, DRIVING_CAMERA if request.align_camera else None)


def proxy_training(request: TransferRequest) -> Training:
    """f^P on source labels."""
    folder, proxy = request.source(), request.proxy or ""

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.task_distillation import fit_proxy

        return fit_proxy(opened(folder), proxy_settings(request), settings)

    words = ("--method", NAME, "--proxy", proxy, "--stage", "proxy", "--source-data", str(folder))
    return Training((*words, *request.mask_words()), fit)


def target_training(request: TransferRequest) -> Training:
    """f^T on target images, taught by f^P."""
    folder, proxy = request.target(), request.proxy or ""
    teacher = request.network("proxy", proxy_name(proxy))

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.task_distillation import fit_target

        return fit_target(opened(folder, request.target_images), proxy, teacher, SOURCE, settings)

    words = ("--method", NAME, "--proxy", proxy, "--stage", "target", *request.target_words())
    return Training((*words, "--proxy-checkpoint", str(teacher)), fit)


def trainings(request: TransferRequest) -> list[Training]:
    """f^P, then f^T, or one of the two stages."""
    made = []
    if request.wants("proxy"):
        made.append(proxy_training(request))
    if request.wants("target"):
        made.append(target_training(request))
    return made


TASK_DISTILLATION = Method(
    NAME,
    {
        "map": Supervision(source=("map labels",), target=("images", "map labels")),
        "camera": Supervision(source=("camera labels",), target=("images", "camera labels")),
    },
    {proxy: f"{SOURCE}-carla-{NAME}-{proxy}" for proxy in ("map", "camera")},
    network_agent,
    trainings,
    stages=STAGES,
)
