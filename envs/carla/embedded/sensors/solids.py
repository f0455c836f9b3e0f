"""The upright boxes a ray can meet in a tick: the town's obstacles, then vehicles, walkers and props."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.collisions import StaticField

if TYPE_CHECKING:
    from sim2real_bench.envs.carla.embedded.actors import Solid

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Solids:
    """Upright oriented boxes, in CARLA's frame.

    Vehicles on a slope are taken upright too: the error is a few centimetres at either end.

    Attributes:
        boxes: (N, 5) x, y, yaw (radians, clockwise from above), half length, half width; metres.
        bottoms: (N,) metres.
        tops: (N,) metres.
        tags: (N,) ``CarlaClass``.
        actors: (N,) actor ids, 0 for the town's obstacles, which come first.
        velocities: (N, 3) m/s, world axes.
        bodies: the actors among them, in order.
    """

    boxes: Float
    bottoms: Float
    tops: Float
    tags: npt.NDArray[np.uint8]
    actors: npt.NDArray[np.uint32]
    velocities: Float
    bodies: tuple[Solid, ...] = ()

    @classmethod
    def of_field(cls, field: StaticField) -> Solids:
        """The town's obstacles alone."""
        count = len(field.boxes)
        return cls(
            field.boxes, field.bases, field.tops, field.tags, np.zeros(count, np.uint32), np.zeros((count, 3))
        )  # fmt: skip

    def with_bodies(self, bodies: Sequence[Solid]) -> Solids:
        """These boxes and those of actors."""
        if not bodies:
            return self
        table = np.array([_row(body) for body in bodies])
        return Solids(
            np.vstack([self.boxes, table[:, :5]]),
            np.append(self.bottoms, table[:, 5]),
            np.append(self.tops, table[:, 6]),
            np.append(self.tags, np.array([body.semantic_tags()[0] for body in bodies], np.uint8)),
            np.append(self.actors, np.array([body.actor_id for body in bodies], np.uint32)),
            np.vstack([self.velocities, [body.velocity for body in bodies]]),
            tuple(bodies),
        )

    def body(self, index: int) -> Solid | int:
        """The actor of a box, or the index itself for one of the town's obstacles."""
        first = len(self.tags) - len(self.bodies)
        return index if index < first else self.bodies[index - first]


def _row(body: Solid) -> tuple[float, ...]:
    box, (low, high) = body.box, body.span
    return box.x, box.y, math.atan2(box.sine, box.cosine), box.half_length, box.half_width, low, high
