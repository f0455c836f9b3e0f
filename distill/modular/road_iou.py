"""How well road is recognised: intersection over union from one confusion matrix over a whole data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RoadConfusion:
    """Counted pixels; two of them can be added.

    Attributes:
        hits: road, and recognised as road.
        misses: road, but not recognised.
        false_alarms: recognised as road, but none.
        rejections: neither.
    """

    hits: int = 0
    misses: int = 0
    false_alarms: int = 0
    rejections: int = 0

    @classmethod
    def between(cls, predicted: Bool, true: Bool) -> RoadConfusion:
        """Count the pixels of masks of any, equal shape."""
        return cls(
            int((predicted & true).sum()),
            int((~predicted & true).sum()),
            int((predicted & ~true).sum()),
            int((~predicted & ~true).sum()),
        )

    def __add__(self, other: RoadConfusion) -> RoadConfusion:
        return RoadConfusion(
            self.hits + other.hits,
            self.misses + other.misses,
            self.false_alarms + other.false_alarms,
            self.rejections + other.rejections,
        )

    @property
    def road_iou(self) -> float:
        """Hits / (hits + misses + false alarms); 1 where there is neither road nor a false alarm."""
        return _share(self.hits, self.misses + self.false_alarms)

    @property
    def rest_iou(self) -> float:
        """The same of what is not road."""
        return _share(self.rejections, self.misses + self.false_alarms)

    @property
    def mean_iou(self) -> float:
        """mIoU: the mean over the two classes."""
        return (self.road_iou + self.rest_iou) / 2.0

    @property
    def accuracy(self) -> float:
        """The share of pixels that are right."""
        return _share(self.hits + self.rejections, self.misses + self.false_alarms)

    def metrics(self) -> dict[str, float]:
        """What a card tells of a recogniser."""
        return {
            "mean_iou": self.mean_iou,
            "road_iou": self.road_iou,
            "rest_iou": self.rest_iou,
            "pixel_accuracy": self.accuracy,
        }


def _share(right: int, wrong: int) -> float:
    return right / (right + wrong) if right + wrong else 1.0
