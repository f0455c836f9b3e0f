"""Training and judging recognisers: camera images with the road masks of camera or map.

The paper does not say which recogniser its modular baseline has. This one is the policies' own encoder and decoder
under a per-pixel loss, so that modular transfer and task distillation see the same images through the same network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from sim2real_bench.agents.checkpoints import CheckpointCard, read_card, weights_path
from sim2real_bench.agents.composites import load_parts
from sim2real_bench.agents.inputs import DRIVING_CAMERA
from sim2real_bench.agents.modular import MODULAR_KIND, RECOGNISER
from sim2real_bench.agents.recognisers import RecogniserNetwork, load_recogniser, save_recogniser
from sim2real_bench.distill.augment import chosen, photometric
from sim2real_bench.distill.data.rollouts import RolloutDataset
from sim2real_bench.distill.examples import Images, Indices, label_masks, map_masks, rgb_images
from sim2real_bench.distill.fitting import FitSettings, fit_network, seeded_network
from sim2real_bench.distill.ground_warp import STILL, camera_view, homography, warp_images
from sim2real_bench.distill.modular.road_iou import RoadConfusion
from sim2real_bench.distill.task_distillation import PROXY_OBSERVATION, observation_of
from sim2real_bench.distill.training import Progress, predict
from sim2real_bench.envs.observation import RGB
from sim2real_bench.errors import CheckpointError

_CHUNK = 64


def mask_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy, mean over all pixels of the batch: of a mask's only channel, road or not.

    Args:
        logits: (B, 1, H, W) of road.
        masks: (B, 1, H, W), 0 or 1.
    """
    return F.binary_cross_entropy_with_logits(logits, masks)


class AlignedImages:
    """Colour images as another camera would see them, were everything on the ground.

    Args:
        images: as recorded.
        matrices: (N, 3, 3) float32 homographies from each image to the other camera's.
    """

    def __init__(self, images: Images, matrices: npt.NDArray[np.float32]) -> None:
        self._images, self._matrices = images, matrices

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, indices: Indices) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1]."""
        return warp_images(self._images.batch(indices), torch.from_numpy(self._matrices[indices]), "bilinear")


@dataclass(frozen=True)
class RecognitionExamples:
    """What a recogniser learns from.

    Attributes:
        images: (N) colour images.
        masks: (N) road masks, of the camera or of the map.
        groups: (N,) episode of every example.
    """

    images: Images
    masks: Images
    groups: Indices

    def batch(self, indices: Indices, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """A batch; with a generator half of it is mirrored, and images change in colour and sharpness."""
        images, masks = self.images.batch(indices), self.masks.batch(indices)
        if generator is None:
            return images, masks
        which = chosen(generator, len(images), 0.5)
        if len(which):
            images, masks = images.clone(), masks.clone()
            images[which], masks[which] = images[which].flip(-1), masks[which].flip(-1)
        return photometric(images, generator), masks


def recogniser_images(data: RolloutDataset, proxy: str) -> Images:
    """A data set's images as a recogniser reads them.

    For the map, the network lays images onto the ground as the driving camera sees it. Images of another camera (the
    kart's) are first warped to that view over flat ground; for the camera proxy they stay as recorded.
    """
    images = rgb_images(data)
    matrices = _alignment(data) if proxy == "map" else None
    return images if matrices is None else AlignedImages(images, matrices)


def _alignment(data: RolloutDataset) -> npt.NDArray[np.float32] | None:
    """(N, 3, 3) float32 homographies to the driving camera; None where that is the camera of every image."""
    views = torch.from_numpy(np.stack([camera_view(camera) for camera in data.cameras()])).float()
    target = torch.from_numpy(camera_view(DRIVING_CAMERA)).float().expand(len(views), 3, 4)
    if torch.allclose(views, target, atol=1e-3):
        return None
    motion, _ = STILL.draw(len(views), torch.Generator())
    return homography(views, motion, target).numpy()


def recognition_examples(data: RolloutDataset, proxy: str) -> RecognitionExamples:
    """Images with the road masks of a proxy.

    Raises:
        DataError: the data set lacks one of them.
        UnknownNameError: no such proxy.
    """
    data.require(data.config.simulator, (RGB, observation_of(proxy)))
    masks = map_masks(data) if proxy == "map" else label_masks(data)
    return RecognitionExamples(recogniser_images(data, proxy), masks, data.episode_of_sample())


def fit_recogniser(data: RolloutDataset, proxy: str, name: str, settings: FitSettings) -> Path:
    """Train a recogniser on labelled images of one simulator; its card tells its mIoU on the held-out episodes.

    Returns:
        The weights file of the checkpoint ``name``.
    """
    simulator, output = data.config.simulator, observation_of(proxy)
    examples = recognition_examples(data, proxy)
    width_px, height_px = data.config.image_size
    network = seeded_network(
        settings.training.seed, lambda: RecogniserNetwork(output, settings.width, height_px, width_px)
    )
    fitted = fit_network(name, network, examples, settings, identity=(name, settings.width, data.hash), loss=mask_loss)
    card = CheckpointCard(
        observation=RGB,
        command=settings.command,
        seed=settings.training.seed,
        data={"images": data.hash},
        metrics=fitted.metrics | road_confusion(network, examples, fitted.judged).metrics(),
        notes=f"recogniser: {simulator} image to its {proxy} road mask; IoU on held-out episodes",
    )
    save_recogniser(settings.out / name, network, card)
    return weights_path(settings.out / name)


def road_confusion(
    network: RecogniserNetwork,
    examples: RecognitionExamples,
    indices: Indices,
    progress: Progress = lambda done, total, text: None,
) -> RoadConfusion:
    """Pixels of ``indices``, counted over all their masks."""
    counted = RoadConfusion()
    for start in range(0, len(indices), _CHUNK):
        rows = indices[start : start + _CHUNK]
        images, masks = examples.batch(rows, None)
        answers = predict(network, images.__getitem__, len(rows))
        counted += RoadConfusion.between((answers > 0.0).numpy(), masks.numpy() > 0.5)
        progress(start + len(rows), len(indices), f"mIoU {counted.mean_iou:.3f}")
    return counted


def load_recogniser_of(path: Path, proxy: str) -> RecogniserNetwork:
    """The recogniser of a checkpoint.

    Raises:
        CheckpointError: it cannot be read, or recognises the labels of another proxy.
        UnknownNameError: no such proxy.
    """
    network, _ = load_recogniser(path)
    if network.output != observation_of(proxy):
        raise CheckpointError(
            f"{path} recognises {network.output!r}; for proxy {proxy!r} it must recognise {observation_of(proxy)!r}"
        )
    return network


def proxy_recognised(network: RecogniserNetwork) -> str:
    """The proxy whose labels a recogniser predicts: "map" or "camera"."""
    return next(proxy for proxy, observation in PROXY_OBSERVATION.items() if observation == network.output)


def load_any_recogniser(path: Path) -> RecogniserNetwork:
    """A recogniser, or the one that a modular checkpoint has as a part.

    Raises:
        CheckpointError: it is neither, or cannot be read.
    """
    if read_card(path).kind == MODULAR_KIND:
        path = load_parts(path, MODULAR_KIND)[0][RECOGNISER]
    return load_recogniser(path)[0]


def judged_indices(examples: RecognitionExamples, most: int | None) -> Indices:
    """All examples, or at most ``most`` of them, evenly spread."""
    count = len(examples.groups)
    return np.linspace(0, count - 1, min(count, most or count)).astype(np.int64)
