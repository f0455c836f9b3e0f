"""The waypoint network: a ResNet-18 trunk, three deconvolutions, and a spatial soft-argmax over five heatmaps."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sim2real_bench.envs.observation import WAYPOINT_COUNT
from sim2real_bench.errors import ConfigurationError

STRIDE = 32  # of the trunk; the image sides are multiples of it
_STAGES = (64, 128, 256, 512)  # channels of the trunk's stages at width 1
DECODER_CHANNELS = (256, 128, 64)  # of the deconvolutions at width 1


def scaled_channels(channels: int, width: float) -> int:
    """Channels at a width multiplier: a multiple of 8, at least 8 (CPU convolutions are fastest in blocks of 8)."""
    return max(8, round(channels * width / 8) * 8)


def spatial_soft_argmax(heatmaps: Tensor, temperature: float = 1.0) -> Tensor:
    """Expected position under the softmax of each heatmap.

    Args:
        heatmaps: (B, K, H, W) logits.
        temperature: divides the logits.

    Returns:
        (B, K, 2) in [-1, 1]: x to the right, y down; -1 and 1 are the centres of the first and the last cell.
    """
    batch, count, height, width = heatmaps.shape
    weights = (heatmaps / temperature).flatten(2).softmax(dim=-1).view(batch, count, height, width)
    columns = torch.linspace(-1.0, 1.0, width, device=heatmaps.device, dtype=weights.dtype)
    rows = torch.linspace(-1.0, 1.0, height, device=heatmaps.device, dtype=weights.dtype)
    return torch.stack([(weights.sum(2) * columns).sum(-1), (weights.sum(3) * rows).sum(-1)], dim=-1)


def peak_soft_argmax(heatmaps: Tensor, share: float) -> Tensor:
    """Expected position near the peak of each heatmap: the mean of one mode, where the soft-argmax is that of all.

    Where a road forks, the mean of both ways lies on neither.

    Args:
        heatmaps: (B, K, H, W) logits.
        share: the mean is taken over this share of the heatmap's height and width to every side of the peak; the peak
            is where the most probability lies in a square of 5 x 5 cells.

    Returns:
        (B, K, 2) in [-1, 1] as ``spatial_soft_argmax``.
    """
    batch, count, height, width = heatmaps.shape
    weights = heatmaps.flatten(2).softmax(dim=-1).view(batch, count, height, width)
    peak = functional.avg_pool2d(weights, 5, 1, 2).flatten(2).argmax(dim=-1)
    row, column = peak[..., None, None] // width, peak[..., None, None] % width
    rows = torch.arange(height, device=heatmaps.device)[:, None]
    columns = torch.arange(width, device=heatmaps.device)
    near = ((rows - row).abs() <= share * height) & ((columns - column).abs() <= share * width)
    return spatial_soft_argmax(heatmaps.masked_fill(~near, -torch.inf))


class _ResidualBlock(nn.Module):
    """ResNet's basic block: two 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def resnet_trunk(channels: int, width: float) -> nn.Sequential:
    """ResNet-18 without its pooling and classifier: output stride 32, ``scaled_channels(512, width)`` channels."""
    stages = [scaled_channels(stage, width) for stage in _STAGES]
    layers: list[nn.Module] = [
        nn.Conv2d(channels, stages[0], 7, 2, 3, bias=False),
        nn.BatchNorm2d(stages[0]),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
    ]
    inputs = stages[0]
    for index, outputs in enumerate(stages):
        layers += [_ResidualBlock(inputs, outputs, 1 if index == 0 else 2), _ResidualBlock(outputs, outputs, 1)]
        inputs = outputs
    return nn.Sequential(*layers)


def deconvolutions(width: float) -> nn.Sequential:
    """Three deconvolutions from the trunk to output stride 4, with ``scaled_channels(64, width)`` channels."""
    layers: list[nn.Module] = []
    inputs = scaled_channels(_STAGES[-1], width)
    for channels in DECODER_CHANNELS:
        outputs = scaled_channels(channels, width)
        layers += [
            nn.BatchNorm2d(inputs),
            nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1),
            nn.ReLU(inplace=True),
        ]
        inputs = outputs
    return nn.Sequential(*layers, nn.BatchNorm2d(inputs))


def initialise(network: nn.Module) -> None:
    """Draw the weights of all convolutions as ResNets do (He et al. 2015)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class WaypointNetwork(nn.Module):
    """Image to five waypoints (task distillation's network for source, proxy and target policies).

    Source: "Domain Adaptation Through Task Distillation" (Zhou et al., ECCV 2020) and its released code: batch
    normalisation of the raw input instead of mean and deviation, no speed input, no pre-trained weights,
    soft-argmax temperature 1.

    Args:
        channels: input channels.
        width: channel multiplier; 1 is the paper's network (12.7 million parameters).
        height_px: image height, a multiple of 32.
        width_px: image width, a multiple of 32.
        peak_share: 0 answers with the soft-argmax; more, in evaluation mode, with ``peak_soft_argmax`` of that share.

    Raises:
        ConfigurationError: a size the network cannot have.
    """

    def __init__(self, channels: int, width: float, height_px: int, width_px: int, peak_share: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= peak_share <= 1.0:
            raise ConfigurationError(f"peak_share={peak_share} must be between 0 and 1")
        if channels < 1 or width <= 0 or height_px < STRIDE or width_px < STRIDE:
            raise ConfigurationError(
                f"waypoint network with channels={channels}, width={width}, image {width_px}x{height_px}: "
                f"channels and width must be positive and the image at least {STRIDE}x{STRIDE}"
            )
        if height_px % STRIDE or width_px % STRIDE:
            raise ConfigurationError(
                f"waypoint network for images of {width_px}x{height_px}: both sides must be multiples of {STRIDE}"
            )
        self.channels, self.width = channels, width
        self.height_px, self.width_px = height_px, width_px
        self.peak_share = peak_share
        self.input_norm = nn.BatchNorm2d(channels)
        self.trunk = resnet_trunk(channels, width)
        self.decoder = nn.Sequential(
            *deconvolutions(width), nn.Conv2d(scaled_channels(DECODER_CHANNELS[-1], width), WAYPOINT_COUNT, 1)
        )
        initialise(self)

    @property
    def architecture(self) -> dict[str, int | float]:
        """The arguments that rebuild this network."""
        sizes: dict[str, int | float] = {
            "channels": self.channels,
            "width": self.width,
            "height_px": self.height_px,
            "width_px": self.width_px,
        }
        return sizes | ({"peak_share": self.peak_share} if self.peak_share else {})

    def heatmaps(self, image: Tensor) -> Tensor:
        """(B, 5, height_px / 4, width_px / 4) logits of a (B, channels, height_px, width_px) image in [0, 1]."""
        if image.shape[1:] != (self.channels, self.height_px, self.width_px):
            raise ConfigurationError(
                f"image of shape {tuple(image.shape)} for a waypoint network that reads "
                f"(batch, {self.channels}, {self.height_px}, {self.width_px})"
            )
        image = image.contiguous(memory_format=torch.channels_last)
        result: Tensor = self.decoder(self.trunk(self.input_norm(image)))
        return result

    def forward(self, image: Tensor) -> Tensor:
        """Waypoints of a batch of images.

        Args:
            image: (B, channels, height_px, width_px) float in [0, 1].

        Returns:
            (B, 5, 2) in [-1, 1] of the image looked at: x to the right, y down.
        """
        heatmaps = self.heatmaps(image)
        if self.peak_share and not self.training:
            return peak_soft_argmax(heatmaps, self.peak_share)
        return spatial_soft_argmax(heatmaps)
