"""How a sensor moves with whoever carries it: the rigid body's velocity and acceleration at the mounting."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim2real_bench.envs.carla.embedded.actors import ZERO, Sensor
from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector, rotation_matrix


@dataclass(frozen=True, slots=True)
class CarrierMotion:
    """Motion of a carrier's origin in world axes.

    Attributes:
        velocity: m/s.
        acceleration: m/s².
        turning: angular velocity, rad/s; about z positive is clockwise from above, as yaw.
        arm: metres from the carrier's origin to the sensor.
    """

    velocity: Vector = ZERO
    acceleration: Vector = ZERO
    turning: Vector = ZERO
    arm: Vector = ZERO

    @classmethod
    def of(cls, sensor: Sensor) -> CarrierMotion:
        """The motion of the sensor's parent; at rest without one."""
        if sensor.parent is None:
            return cls()
        record = sensor.parent.record()
        roll_rate, pitch_rate, yaw_rate = (math.radians(rate) for rate in record.angular_velocity)
        here, there = sensor.transform, record.transform
        arm = (here.x - there.x, here.y - there.y, here.z - there.z)
        return cls(record.velocity, record.acceleration, (roll_rate, pitch_rate, yaw_rate), arm)


def cross(first: Vector, second: Vector) -> Vector:
    """Vector product by the usual formula, in CARLA's axes too: a turn by +yaw moves what is ahead to the right."""
    return (
        first[1] * second[2] - first[2] * second[1],
        first[2] * second[0] - first[0] * second[2],
        first[0] * second[1] - first[1] * second[0],
    )


def turning_between(before: Transform, now: Transform, seconds: float) -> Vector:
    """Mean angular velocity (rad/s, world axes) that turns one pose into another by the shorter way."""
    first, second = (np.array(rotation_matrix(pose.pitch, pose.yaw, pose.roll)) for pose in (before, now))
    change = second @ first.T
    axis = np.array([change[2, 1] - change[1, 2], change[0, 2] - change[2, 0], change[1, 0] - change[0, 1]]) / 2.0
    sine = float(np.linalg.norm(axis))
    angle = math.atan2(sine, (float(np.trace(change)) - 1.0) / 2.0)
    x, y, z = (axis * (angle / sine / seconds if sine > 1e-12 else 0.0)).tolist()
    return x, y, z


def plus(*vectors: Vector) -> Vector:
    """Sum."""
    x, y, z = (sum(values) for values in zip(*vectors, strict=True))
    return x, y, z


def mount_velocity(sensor: Sensor) -> Vector:
    """Velocity of the sensor itself, m/s in world axes."""
    motion = CarrierMotion.of(sensor)
    return plus(motion.velocity, cross(motion.turning, motion.arm))
