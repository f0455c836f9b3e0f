"""The things of a town one can hit, with names and ids, as ``World.get_environment_objects`` tells them."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sim2real_bench.envs.carla.embedded.collisions import StaticField
from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector
from sim2real_bench.envs.classes import CarlaClass

ANY_TAG = 255
_FIRST_ID = 1_000_000


@dataclass(frozen=True, slots=True)
class EnvironmentObject:
    """A building, a wall, a pole, ...

    Attributes:
        object_id: unique in the town.
        name: class and number within it.
        tag: semantic class.
        pose: the middle of its foot.
        half: half sizes, metres.
    """

    object_id: int
    name: str
    tag: int
    pose: Transform
    half: Vector

    def box(self) -> list[Any]:
        """``[centre in the world, half sizes, rotation, actor id 0]``."""
        pose = self.pose
        return [[pose.x, pose.y, pose.z + self.half[2]], list(self.half), [pose.pitch, pose.yaw, pose.roll], 0]

    def wire(self) -> list[Any]:
        """``[transform, box, id, name, tag]``."""
        return [self.pose.wire(), self.box(), self.object_id, self.name, self.tag]


def environment_objects(field: StaticField) -> Iterator[EnvironmentObject]:
    """One object per obstacle, in the field's order."""
    counts: defaultdict[int, int] = defaultdict(int)
    rows = zip(field.boxes.tolist(), field.bases.tolist(), field.heights.tolist(), field.tags.tolist(), strict=True)
    for index, ((x, y, yaw, half_length, half_width), base, height, tag) in enumerate(rows):
        label = CarlaClass(tag).name.title().replace("_", "")
        name = f"{label}_{counts[tag]}"
        counts[tag] += 1
        pose = Transform(x, y, base, 0.0, math.degrees(yaw), 0.0)
        yield EnvironmentObject(_FIRST_ID + index, name, tag, pose, (half_length, half_width, height / 2.0))
