"""The § variant of modular transfer: f^P learns on labels that a recogniser predicts, as it will meet them.

Source: Mueller et al., "Driving Policy Transfer via Modularity and Abstraction" (CoRL 2018), which trains its policy
on predicted segmentations; the paper marks the row with a section sign. The recogniser of the source simulator is
trained on the very images whose labels it then predicts.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sim2real_bench.agents.checkpoints import checkpoint_hash
from sim2real_bench.agents.recognisers import RecogniserNetwork
from sim2real_bench.agents.waypoints import CameraGeometry, ImageGeometry, MapGeometry
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.examples import Images, PackedMasks
from sim2real_bench.distill.fitting import FitSettings, Yardstick, fit_checkpoint
from sim2real_bench.distill.modular.recognition import load_recogniser_of, recogniser_images
from sim2real_bench.distill.task_distillation import ProxySettings, observation_of, proxy_examples

_CHUNK = 64


@torch.no_grad()
def predicted_masks(recogniser: RecogniserNetwork, images: Images) -> PackedMasks:
    """The road masks a recogniser sees in images, one bit a pixel."""
    recogniser.eval()
    packed = []
    for start in range(0, len(images), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(images)), dtype=np.int64)
        masks = recogniser.masks(images.batch(rows))[:, 0]
        packed.append(np.packbits(masks.numpy().astype(np.uint8), axis=-1))
    return PackedMasks(np.concatenate(packed))


def fit_predicted_proxy(
    source: RolloutDataset, proxy: ProxySettings, recogniser_path: Path, name: str, settings: FitSettings
) -> Path:
    """Train f^P as task distillation does, on predicted instead of true labels of the source.

    Returns:
        The weights file of the checkpoint ``name``.
    """
    recogniser = load_recogniser_of(recogniser_path, proxy.proxy)
    masks = predicted_masks(recogniser, recogniser_images(source, proxy.proxy))
    examples = replace(proxy_examples(source, proxy), masks=masks)
    return fit_checkpoint(
        name,
        observation_of(proxy.proxy),
        examples,
        settings,
        data={"source": source.hash, "source_recogniser": checkpoint_hash(recogniser_path)},
        yardsticks=[Yardstick("driven_path", _geometries(source, proxy), examples.waypoints)],
        notes=f"f^P: {proxy.proxy} labels that {recogniser_path.name} predicts for {source.config.simulator} images, "
        f"to waypoints of its driver {source.config.driver}; augmentation {proxy.changes}",
    )


def _geometries(source: RolloutDataset, proxy: ProxySettings) -> list[ImageGeometry]:
    if proxy.proxy == "map":
        return [MapGeometry()]
    if proxy.target_camera is not None:
        return [CameraGeometry(proxy.target_camera)]
    return [CameraGeometry(camera) for camera in source.cameras()]
