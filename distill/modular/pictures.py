"""A picture of what a recogniser sees: images beside their road masks, coloured by what is right and what is not."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from sim2real_bench.agents.recognisers import RecogniserNetwork
from sim2real_bench.distill.examples import Indices
from sim2real_bench.distill.modular.recognition import RecognitionExamples
from sim2real_bench.distill.training import predict

UInt8 = npt.NDArray[np.uint8]
HIT, MISS, FALSE_ALARM, REJECTION = (200, 200, 200), (220, 60, 50), (60, 110, 230), (25, 25, 25)  # RGB
_GAP = 4  # pixels
_COLUMNS = 2  # pairs of image and mask beside each other


def coloured(predicted: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_]) -> UInt8:
    """(H, W, 3) RGB: road found is grey, missed red, imagined blue, and the rest dark."""
    picture = np.empty((*true.shape, 3), np.uint8)
    for where, colour in (
        (predicted & true, HIT),
        (~predicted & true, MISS),
        (predicted & ~true, FALSE_ALARM),
        (~predicted & ~true, REJECTION),
    ):
        picture[where] = colour
    return picture


def recognition_picture(network: RecogniserNetwork, examples: RecognitionExamples, indices: Indices) -> UInt8:
    """(H, W, 3) RGB: the images of ``indices``, each with its coloured mask to the right."""
    images, masks = examples.batch(indices, None)
    predicted = predict(network, images.__getitem__, len(indices)).numpy()[:, 0] > 0.0
    pairs = [
        _beside(np.round(image * 255.0).astype(np.uint8), coloured(found, mask > 0.5))
        for image, found, mask in zip(images.permute(0, 2, 3, 1).numpy(), predicted, masks[:, 0].numpy(), strict=True)
    ]
    blank = np.full_like(pairs[0], 255)
    pairs += [blank] * (-len(pairs) % _COLUMNS)
    rows = [np.hstack(pairs[start : start + _COLUMNS]) for start in range(0, len(pairs), _COLUMNS)]
    return np.vstack(rows)


def png(picture: UInt8) -> bytes:
    """A picture (H, W, 3) RGB as the content of a PNG file."""
    return bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def _beside(image: UInt8, mask: UInt8) -> UInt8:
    """An image and a mask of the same height, with a white edge."""
    width = round(mask.shape[1] * image.shape[0] / mask.shape[0])
    mask = np.asarray(cv2.resize(mask, (width, image.shape[0]), interpolation=cv2.INTER_NEAREST), np.uint8)
    edge = np.full((image.shape[0], _GAP, 3), 255, np.uint8)
    pair = np.hstack([image, edge, mask, edge])
    return np.vstack([pair, np.full((_GAP, pair.shape[1], 3), 255, np.uint8)])
