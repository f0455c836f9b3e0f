"""Pictures of translations: what a translator makes of held images, and what comes back."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from sim2real_bench.agents.atomic_files import write_atomically
from sim2real_bench.agents.translators import TranslatorNetwork
from sim2real_bench.distill.cycada.unpaired import Pixels, UnpairedImages, as_pixels, as_tensor
from sim2real_bench.errors import DataError

ROWS = 4
_GAP_PX = 4
_WHITE = 255


def translation_grid(to_source: TranslatorNetwork, to_target: TranslatorNetwork, images: UnpairedImages) -> Pixels:
    """(H, W, 3) uint8 RGB: on the left target images, in source style, and back; on the right source images, likewise.

    Args:
        to_source: target to source style.
        to_target: source to target style.
        images: of which ``ROWS``, evenly spread, are shown (fewer where there are fewer).
    """
    left = _columns(images.target, to_source, to_target)
    right = _columns(images.source, to_target, to_source)
    rows = min(len(left), len(right))
    return _joined([_joined([*left[row], *right[row]], axis=1) for row in range(rows)], axis=0)


@torch.no_grad()
def _columns(images: Pixels, there: TranslatorNetwork, back: TranslatorNetwork) -> list[list[Pixels]]:
    """For each shown image: itself, translated, and translated back, (h, w, 3) each."""
    # The middle of each of ROWS equal stretches: the data begin and end with the same few places.
    count = min(ROWS, len(images))
    shown = images[((np.arange(count) + 0.5) * len(images) / count).astype(np.int64)]
    translated = there(as_tensor(shown).to(next(there.parameters()).device))
    steps = (shown, as_pixels(translated.cpu()), as_pixels(back(translated).cpu()))
    return [[np.moveaxis(step[row], 0, -1) for step in steps] for row in range(count)]


def _joined(pictures: list[Pixels], axis: int) -> Pixels:
    """Pictures in a row (axis 1) or a column (axis 0), white between them."""
    shape = list(pictures[0].shape)
    shape[axis] = _GAP_PX
    gap = np.full(shape, _WHITE, np.uint8)
    pieces = [piece for picture in pictures for piece in (gap, picture)][1:]
    return np.concatenate(pieces, axis=axis)


def write_grid(path: Path, grid: Pixels) -> None:
    """Write an RGB picture as PNG.

    Raises:
        DataError: it cannot be written.
    """
    written, content = cv2.imencode(".png", grid[..., ::-1])
    try:
        if not written:
            raise OSError("OpenCV cannot encode it")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.tobytes())
    except OSError as error:
        raise DataError(f"cannot write {path}: {error}") from error
