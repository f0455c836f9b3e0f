"""Image augmentation in torch: photometric changes for students, holes and edges for masks, mirrors for all.

The photometric probabilities and ranges are those of the released task-distillation code; its "add 0.25 to 2.5 grey
levels" is read as a multiplication, as in the code it was taken from (Learning by Cheating).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_LUMA = (0.299, 0.587, 0.114)
_BLUR_RADIUS = 3  # pixels; covers the largest sigma of 1.3


def uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    """Uniform numbers in [low, high) of a shape."""
    return low + (high - low) * torch.rand(*shape, generator=generator)


def chosen(generator: torch.Generator, count: int, probability: float) -> Tensor:
    """Indices of the samples of a batch that something happens to, each with ``probability``."""
    return torch.nonzero(torch.rand(count, generator=generator) < probability).flatten()


def mirror(images: Tensor, targets: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror samples left to right together with their waypoints.

    Args:
        images: (B, C, H, W).
        targets: (B, 5, 2) normalised: x to the right.
        which: indices of the samples to mirror.

    Returns:
        New images and targets.
    """
    if not len(which):
        return images, targets
    images, targets = images.clone(), targets.clone()
    images[which] = images[which].flip(-1)
    targets[which, :, 0] = -targets[which, :, 0]
    return images, targets


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each of (B, C, H, W) images with its own ``sigma`` (B,), pixels."""
    batch, channels, height, width = images.shape
    offsets = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma[:, None].clamp_min(1e-3)) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    flat = F.pad(images.reshape(1, batch * channels, height, width), [_BLUR_RADIUS] * 4, mode="replicate")
    flat = F.conv2d(flat, kernel[:, None, None, :], groups=batch * channels)
    return F.conv2d(flat, kernel[:, None, :, None], groups=batch * channels).view(images.shape)


def saturate(images: Tensor, amount: Tensor) -> Tensor:
    """Mix (B, 3, H, W) images with their grey versions; ``amount`` (B, 1, 1, 1): 0 = grey, 1 = unchanged."""
    grey = (images * torch.tensor(_LUMA, dtype=images.dtype).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return grey + amount * (images - grey)


def photometric(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random colour and sharpness changes, each on its own small share of the samples.

    Args:
        images: (B, 3, H, W) in [0, 1].
        generator: source of all randomness.

    Returns:
        New images of the same shape in [0, 1].
    """
    result = images.clone()
    count = len(images)

    def pick(probability: float) -> tuple[Tensor, tuple[int, int, int, int]]:
        which = chosen(generator, count, probability)
        return which, (len(which), 1, 1, 1)

    which, one = pick(0.05)
    if len(which):
        result[which] = gaussian_blur(result[which], uniform(generator, 0.0, 1.3, len(which)))
    which, one = pick(0.05)
    if len(which):
        noise = torch.randn(result[which].shape, generator=generator)
        result[which] = result[which] + noise * uniform(generator, 0.0, 0.05, *one)
    which, one = pick(0.05)
    if len(which):
        kept = torch.rand((len(which), 1, *images.shape[2:]), generator=generator) >= uniform(generator, 0.0, 0.1, *one)
        result[which] = result[which] * kept
    which, one = pick(0.10)
    result[which] = result[which] + uniform(generator, -0.05, 0.05, len(which), 3, 1, 1)
    which, one = pick(0.20)
    result[which] = result[which] * uniform(generator, 0.25, 2.5, *one)
    which, one = pick(0.05)
    result[which] = 0.5 + (result[which] - 0.5) * uniform(generator, 0.5, 1.5, *one)
    which, one = pick(0.05)
    result[which] = saturate(result[which], uniform(generator, 0.0, 1.0, *one))
    return result.clamp_(0.0, 1.0)


def dilate(masks: Tensor, radius: int) -> Tensor:
    """Grow the ones of (B, 1, H, W) masks by a square of ``radius`` pixels; a negative radius shrinks them."""
    if radius == 0:
        return masks
    size, sign = 2 * abs(radius) + 1, 1.0 if radius > 0 else -1.0
    # A square window is separable, and shrinking is growing of the negative.
    grown = F.max_pool2d(sign * masks, (1, size), 1, (0, abs(radius)))
    return sign * F.max_pool2d(grown, (size, 1), 1, (abs(radius), 0))


def ragged_edges(masks: Tensor, generator: torch.Generator, max_radius: int) -> Tensor:
    """Grow or shrink half of the masks by one radius drawn for the batch, at most ``max_radius`` pixels."""
    if max_radius == 0:
        return masks
    radius = int(torch.randint(-max_radius, max_radius + 1, (1,), generator=generator))
    which = chosen(generator, len(masks), 0.5)
    if radius == 0 or not len(which):
        return masks
    result = masks.clone()
    result[which] = dilate(masks[which], radius)
    return result


def holes(masks: Tensor, generator: torch.Generator, probability: float, largest: float = 0.3) -> Tensor:
    """Blank up to three rectangles in some masks: what stands on the road hides it.

    Args:
        masks: (B, 1, H, W).
        generator: source of all randomness.
        probability: share of the samples.
        largest: sides of a rectangle as a share of the image's sides, at most.
    """
    height, width = masks.shape[2:]
    result = masks.clone()
    for index in chosen(generator, len(masks), probability).tolist():
        for _ in range(int(torch.randint(1, 4, (1,), generator=generator))):
            top, left, tall, wide = torch.rand(4, generator=generator).tolist()
            row, column = int(top * height), int(left * width)
            result[
                index,
                :,
                row : row + int(tall * largest * height) + 1,
                column : column + int(wide * largest * width) + 1,
            ] = 0
    return result
