"""Where something mounted on an actor is: fixed to it, or at the end of a spring arm that follows its heading only.

A spring arm here is stiff: it neither lags behind a turn nor draws in before a wall.
"""

import math
from enum import IntEnum

from sim2real_bench.envs.carla.embedded.geometry import Transform, compose, wrap_degrees

_ARM_LIFT_M = 0.3  # a spring arm that is no ghost sits this much higher, to clear bumps


class Attachment(IntEnum):
    """``carla.AttachmentType``."""

    RIGID = 0
    SPRING_ARM = 1
    SPRING_ARM_GHOST = 2


def mounted(parent: Transform, mount: Transform, attachment: Attachment = Attachment.RIGID) -> Transform:
    """The world transform of something mounted on ``parent``.

    A spring arm leads from the parent to the mount's location and keeps the parent's yaw, but not its pitch and roll.
    Its far end looks back along the arm; the mount's rotation comes on top of that.
    """
    if attachment is Attachment.RIGID:
        return compose(parent, mount)
    x, y, z = mount.location
    level = math.hypot(x, y)
    pitch = math.degrees(math.atan2(-z, level)) if level or z else 0.0
    yaw = math.degrees(math.atan2(-y, -x)) if level else 0.0
    arm = Transform(parent.x, parent.y, parent.z, pitch, wrap_degrees(parent.yaw + yaw), 0.0)
    if attachment is Attachment.SPRING_ARM:
        arm = Transform(arm.x, arm.y, arm.z + _ARM_LIFT_M, arm.pitch, arm.yaw, arm.roll)
    back = Transform(-math.hypot(level, z), 0.0, 0.0, mount.pitch, mount.yaw, mount.roll)
    return compose(arm, back)
