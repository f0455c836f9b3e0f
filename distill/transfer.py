"""How a method is trained: what ``sim2real-bench transfer`` was asked for, and the networks a method makes of it.

Nothing here imports torch before a training begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sim2real_bench.distill.cycada.settings import TranslatorSettings
from sim2real_bench.errors import ConfigurationError

if TYPE_CHECKING:
    from sim2real_bench.distill.data.rollouts import RolloutDataset
    from sim2real_bench.distill.fitting import FitSettings

ALL_STAGES = "all"
SOURCE = "stk"  # the simulator policies come from: begins the names of checkpoints


@dataclass(frozen=True)
class TransferRequest:
    """What the user asked ``transfer`` for, as far as methods differ in it.

    Attributes:
        proxy: "map" or "camera" for methods that have one.
        stage: stages of the method, separated by commas, or "all".
        source_data: folder of the source's data set.
        target_data: folders of the target's data sets.
        parts: checkpoints to build on, by the stage that would make them; with stage "all" such a stage is left out.
        out: folder of the checkpoints.
        mask_augmentation: change road masks while training on them.
        align_camera: show source labels as the target's camera would see them.
        target_images: learn from the first whole episodes with about so many images; None = from all.
        start_from: checkpoint whose weights a training begins with, for methods that can; None = random weights.
        image_augmentation: a name of ``image_changes``, for methods that can choose; None = the method's own.
        translator: how CyCADA's translators are trained.
    """

    proxy: str | None = None
    stage: str = ALL_STAGES
    source_data: Path | None = None
    target_data: tuple[Path, ...] = ()
    parts: Mapping[str, Path] = field(default_factory=dict)
    out: Path = Path("runs/transfer")
    mask_augmentation: bool = True
    align_camera: bool = True
    target_images: int | None = None
    start_from: Path | None = None
    image_augmentation: str | None = None
    translator: TranslatorSettings = field(default_factory=TranslatorSettings)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages by name; ("all",) for all."""
        return tuple(self.stage.split(","))

    def wants(self, stage: str) -> bool:
        """Whether a stage is to be run."""
        return stage in self.stages or (ALL_STAGES in self.stages and stage not in self.parts)

    def source(self) -> Path:
        """The source's data set.

        Raises:
            ConfigurationError: none was given.
        """
        if self.source_data is None:
            raise _missing("--source-data")
        return self.source_data

    def targets(self) -> tuple[Path, ...]:
        """The target's data sets, at least one.

        Raises:
            ConfigurationError: none was given.
        """
        if not self.target_data:
            raise _missing("--target-data")
        return self.target_data

    def target(self) -> Path:
        """The target's data set, for methods that read one.

        Raises:
            ConfigurationError: none was given, or several.
        """
        folder, *more = self.targets()
        if more:
            given = ", ".join(map(str, self.target_data))
            raise ConfigurationError(f"this method reads one data set of the target; --target-data gave {given}")
        return folder

    def network(self, stage: str, name: str) -> Path:
        """The checkpoint ``name`` that ``stage`` makes, for the stages after it.

        It is the one given in ``parts``; or the one that this command or an earlier one leaves in ``out``; or the
        shipped one.

        Raises:
            CheckpointError: there is none.
        """
        if stage in self.parts:
            return self.parts[stage]
        own = self.out / f"{name}.safetensors"
        if self.wants(stage) or own.exists():
            return own
        from sim2real_bench.agents.checkpoints import shipped_checkpoint

        return shipped_checkpoint(name)

    def target_words(self) -> tuple[str, ...]:
        """The options that repeat which target images are read."""
        words = [word for folder in self.target_data for word in ("--target-data", str(folder))]
        if self.target_images is not None:
            words += ["--target-images", str(self.target_images)]
        return tuple(words)

    def mask_words(self) -> tuple[str, ...]:
        """The options that repeat how road masks are prepared."""
        words = ["--mask-augmentation" if self.mask_augmentation else "--no-mask-augmentation"]
        if self.proxy == "camera":
            words.append("--align-camera" if self.align_camera else "--no-align-camera")
        return tuple(words)


@dataclass(frozen=True)
class Training:
    """One network to train, or one checkpoint to put together of others.

    Attributes:
        words: of the command that makes just this one; the options all trainings share are added to them.
        fit: trains it and answers with the weights file, beside which lies its card.
    """

    words: tuple[str, ...]
    fit: Callable[[FitSettings], Path]


Trainings = Callable[[TransferRequest], Sequence[Training]]
"""What a method trains for a request, in order; raises ``ConfigurationError`` where an option is missing."""


def opened(folder: Path, most_images: int | None = None) -> RolloutDataset:
    """A data set, or its first whole episodes with about ``most_images`` images.

    Raises:
        DataError: it cannot be read, or holds fewer images.
    """
    from sim2real_bench.distill.data.rollouts import RolloutDataset

    data = RolloutDataset(folder)
    return data if most_images is None else data.first(most_images)


def _missing(option: str) -> ConfigurationError:
    return ConfigurationError(f"{option} is missing; record a data set with: sim2real-bench collect")
