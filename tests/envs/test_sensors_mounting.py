"""Mountings: fixed, and at the end of a spring arm."""

import pytest

from sim2real_bench.envs.carla.embedded.attachments import Attachment, mounted
from sim2real_bench.envs.carla.embedded.geometry import Transform, compose


def test_a_spring_arm_looks_back_along_itself():
    # 4 m behind and 3 m above: the arm falls by atan(3/4), the mount's own pitch comes on top.
    pose = mounted(
        Transform(10.0, 5.0, 1.0, yaw=90.0), Transform(x=-4.0, z=3.0, pitch=8.0), Attachment.SPRING_ARM_GHOST
    )
    assert pose.values() == pytest.approx((10.0, 1.0, 4.0, -36.8699 + 8.0, 90.0, 0.0), abs=1e-4)


def test_a_spring_arm_that_is_no_ghost_sits_higher():
    mount = Transform(x=-4.0, z=3.0)
    low, high = (mounted(Transform(), mount, kind) for kind in (Attachment.SPRING_ARM_GHOST, Attachment.SPRING_ARM))
    assert high.z - low.z == pytest.approx(0.3)


def test_a_spring_arm_keeps_level_on_a_slope():
    mount = Transform(x=-4.0, z=3.0)
    tilted = mounted(Transform(pitch=15.0, yaw=30.0, roll=5.0), mount, Attachment.SPRING_ARM_GHOST)
    assert tilted.values() == pytest.approx(mounted(Transform(yaw=30.0), mount, Attachment.SPRING_ARM_GHOST).values())


def test_a_spring_arm_to_the_front_looks_at_its_bearer():
    pose = mounted(Transform(), Transform(x=5.0), Attachment.SPRING_ARM_GHOST)
    assert pose.values() == pytest.approx((5.0, 0.0, 0.0, 0.0, -180.0, 0.0))


def test_a_rigid_mounting_takes_on_every_angle():
    parent, mount = Transform(1.0, 2.0, 3.0, 10.0, 20.0, 30.0), Transform(1.0, 0.5, 2.0, -5.0, 40.0, 0.0)
    assert mounted(parent, mount) == compose(parent, mount)
    assert mounted(parent, Transform()).values() == pytest.approx(parent.values())
    assert mounted(Transform(), Transform(pitch=8.0), Attachment.SPRING_ARM).pitch == pytest.approx(8.0)
