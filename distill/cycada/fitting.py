"""From data sets to translators' checkpoints: load, train, measure, write weights, cards and pictures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sim2real_bench.agents.checkpoints import CheckpointCard, checkpoint_hash, load_checkpoint, weights_path
from sim2real_bench.agents.networks import WaypointNetwork
from sim2real_bench.agents.translators import TranslatorNetwork, save_translator
from sim2real_bench.agents.waypoints import CameraGeometry
from sim2real_bench.distill.cycada.settings import TranslatorSettings
from sim2real_bench.distill.cycada.training import TrainingPlace, train_translators
from sim2real_bench.distill.cycada.unpaired import UnpairedImages, chosen_images, small_images
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.examples import Indices, RgbImages
from sim2real_bench.distill.fitting import FitSettings, Yardstick
from sim2real_bench.distill.training import predict
from sim2real_bench.envs.observation import RGB
from sim2real_bench.errors import ConfigurationError

JUDGED = 500  # target images on which the finished translator is measured, at most


def fit_translators(
    source: RolloutDataset,
    target: RolloutDataset,
    policy: Path,
    names: tuple[str, str],
    translator: TranslatorSettings,
    settings: FitSettings,
) -> Path:
    """Train translators both ways on images alone, with f^S as the keeper of what they mean.

    Args:
        source: its colour images.
        target: its colour images; its paths are only measured against at the end.
        policy: checkpoint of f^S.
        names: of the checkpoints: target to source style, source to target style.
        translator: sizes, steps and weights.
        settings: of these seed, device, folder, resuming and progress.

    Returns:
        The weights file of the translator to the source's style.

    Raises:
        ConfigurationError: f^S does not read colour images.
    """
    network, card = load_checkpoint(policy)
    if card.observation != RGB:
        raise ConfigurationError(
            f"{policy} reads {card.observation!r}; the translators are trained with one for {RGB!r}"
        )
    data = {"source": source.hash, "target": target.hash, "policy": checkpoint_hash(policy)}
    images = UnpairedImages(small_images(source, translator.reduction), small_images(target, translator.reduction))
    networks, standing = train_translators(
        images,
        network,
        translator,
        TrainingPlace(settings.out, names[0], settings.training.validate_every),
        seed=settings.training.seed,
        identity=", ".join(f"{name} {value}" for name, value in sorted(data.items())),
        device=settings.device,
        resume=settings.resume,
        progress=settings.progress(names[0]),
    )
    metrics = {f"{name}_loss": value for name, value in standing.running} | {
        "steps": float(standing.step),
        "source_images": float(len(images.source)),
        "target_images": float(len(images.target)),
    }
    errors = _driven_path_errors(target, network.cpu(), networks.to_source)
    for name, made in zip(names, (networks.to_source, networks.to_target), strict=True):
        card = CheckpointCard(
            observation=RGB,
            command=settings.command,
            seed=settings.training.seed,
            data=data,
            metrics=metrics | (errors if made is networks.to_source else {}),
            notes=f"CyCADA's translator, trained both ways without pairs: {asdict(translator)}",
        )
        save_translator(settings.out / name, made, card)
    return weights_path(settings.out / names[0])


def _driven_path_errors(
    target: RolloutDataset, policy: WaypointNetwork, translator: TranslatorNetwork
) -> dict[str, float]:
    """Median distance of f^S's waypoints from the target's driven paths, metres, without and with translation.

    They were not learnt from: the card tells what the translation is worth. All images were seen in training.
    """
    chosen = np.unique(np.linspace(0, len(target) - 1, JUDGED).astype(np.int64))
    images = RgbImages(chosen_images(target, chosen))
    geometries = [CameraGeometry(camera) for camera in target.cameras()]
    stick = Yardstick("driven_path", list(geometries), target.stack("waypoints"))

    def error(translate: bool) -> float:
        def shown(rows: Indices) -> Tensor:
            batch = images.batch(rows)
            with torch.no_grad():
                return translator.translate(batch) if translate else batch

        answers: npt.NDArray[np.float32] = predict(policy, shown, len(chosen)).numpy()
        return stick.median_error_m(answers, chosen)

    return {"driven_path_median_error_m": error(True), "untranslated_driven_path_median_error_m": error(False)}
