"""How a method is trained: what ``sim2real-bench transfer`` was asked for, and the networks a method makes of it.

Nothing here imports torch before a training begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.errors import ConfigurationError

if TYPE_CHECKING:
    from sim2real_bench.distill.data.rollouts import RolloutDataset
    from sim2real_bench.distill.fitting import FitSettings

STAGES = ("proxy", "target", "all")
SOURCE = "stk"  # the simulator f^P comes from: begins the names of checkpoints


@dataclass(frozen=True)
class TransferRequest:
    """What the user asked ``transfer`` for, as far as methods differ in it.

    Attributes:
        proxy: "map" or "camera" for methods that have one.
        stage: "proxy", "target" or "all", for methods that train in stages.
        source_data: folder of the source's data set.
        target_data: folder of the target's data set.
        proxy_checkpoint: f^P to use instead of the one an earlier stage left.
        out: folder of the checkpoints.
        mask_augmentation: change road masks while training on them.
        align_camera: show source labels as the target's camera would see them.
    """

    proxy: str | None = None
    stage: str = "all"
    source_data: Path | None = None
    target_data: Path | None = None
    proxy_checkpoint: Path | None = None
    out: Path = Path("runs/transfer")
    mask_augmentation: bool = True
    align_camera: bool = True

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ConfigurationError(f"stage {self.stage!r} is unknown; choose {', '.join(STAGES)}")

    def source(self) -> Path:
        """The source's data set.

        Raises:
            ConfigurationError: none was given.
        """
        return _given(self.source_data, "--source-data")

    def target(self) -> Path:
        """The target's data set.

        Raises:
            ConfigurationError: none was given.
        """
        return _given(self.target_data, "--target-data")


@dataclass(frozen=True)
class Training:
    """One network to train.

    Attributes:
        words: of the command that trains just this network; the options all trainings share are added to them.
        fit: trains it and answers with the weights file, beside which lies its card.
    """

    words: tuple[str, ...]
    fit: Callable[[FitSettings], Path]


Trainings = Callable[[TransferRequest], Sequence[Training]]
"""What a method trains for a request, in order; raises ``ConfigurationError`` where an option is missing."""


def direct_trainings(request: TransferRequest) -> list[Training]:
    """f^S on source images."""
    folder = request.source()

    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.direct import fit_direct

        return fit_direct(_opened(folder), settings)

    return [Training(("--method", "direct", "--source-data", str(folder)), fit)]


def task_distillation_trainings(request: TransferRequest) -> list[Training]:
    """f^P on source labels, then f^T on target images, or one of the two stages."""
    proxy = request.proxy or ""
    trainings = []
    if request.stage in ("proxy", "all"):
        trainings.append(_proxy(request, request.source(), proxy))
    if request.stage in ("target", "all"):
        trainings.append(_target(request.target(), proxy, _teacher(request, proxy)))
    return trainings


def _given(path: Path | None, option: str) -> Path:
    if path is None:
        raise ConfigurationError(f"{option} is missing; record a data set with: sim2real-bench collect")
    return path


def _opened(folder: Path) -> RolloutDataset:
    from sim2real_bench.distill.data.rollouts import RolloutDataset

    return RolloutDataset(folder)


def _proxy(request: TransferRequest, source_data: Path, proxy: str) -> Training:
    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.agents.inputs import DRIVING_CAMERA
        from sim2real_bench.distill.examples import MIRROR_ONLY
        from sim2real_bench.distill.task_distillation import MASK_CHANGES, ProxySettings, fit_proxy

        changes = MASK_CHANGES[proxy] if request.mask_augmentation else MIRROR_ONLY
        preparation = ProxySettings(proxy, changes, DRIVING_CAMERA if request.align_camera else None)
        return fit_proxy(_opened(source_data), preparation, settings)

    words = ["--method", "task-distillation", "--proxy", proxy, "--stage", "proxy", "--source-data", str(source_data)]
    words.append("--mask-augmentation" if request.mask_augmentation else "--no-mask-augmentation")
    if proxy == "camera":
        words.append("--align-camera" if request.align_camera else "--no-align-camera")
    return Training(tuple(words), fit)


def _target(target_data: Path, proxy: str, teacher: Path) -> Training:
    def fit(settings: FitSettings) -> Path:
        from sim2real_bench.distill.task_distillation import fit_target

        return fit_target(_opened(target_data), proxy, teacher, SOURCE, settings)

    words = ("--method", "task-distillation", "--proxy", proxy, "--stage", "target", "--target-data", str(target_data))
    return Training((*words, "--proxy-checkpoint", str(teacher)), fit)


def _teacher(request: TransferRequest, proxy: str) -> Path:
    """f^P: the one given, the one this command or an earlier stage leaves in the folder, or else the shipped one."""
    own = request.out / f"{SOURCE}-proxy-{proxy}.safetensors"
    if request.proxy_checkpoint is not None:
        return request.proxy_checkpoint
    if request.stage == "all" or own.exists():
        return own
    from sim2real_bench.agents.checkpoints import shipped_checkpoint

    return shipped_checkpoint(f"{SOURCE}-proxy-{proxy}")
