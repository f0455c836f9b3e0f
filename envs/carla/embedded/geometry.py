"""Rigid transforms in CARLA's frame: metres and degrees, x forward, y right, z up, yaw clockwise seen from above."""

import math
from dataclasses import dataclass

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]


@dataclass(frozen=True, slots=True)
class Transform:
    """A pose: location in metres, rotation in degrees (the order on the wire)."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0

    @property
    def location(self) -> Vector:
        """(x, y, z) in metres."""
        return self.x, self.y, self.z

    def values(self) -> tuple[float, float, float, float, float, float]:
        """x, y, z, pitch, yaw, roll."""
        return self.x, self.y, self.z, self.pitch, self.yaw, self.roll

    def wire(self) -> list[list[float]]:
        """``[[x, y, z], [pitch, yaw, roll]]``."""
        return [[self.x, self.y, self.z], [self.pitch, self.yaw, self.roll]]


def wrap_degrees(angle: float) -> float:
    """The same angle in [-180, 180)."""
    return (angle + 180.0) % 360.0 - 180.0


def rotation_matrix(pitch: float, yaw: float, roll: float) -> Matrix:
    """World from local axes, as ``carla.Transform.get_matrix`` has it (degrees)."""
    cp, sp = math.cos(math.radians(pitch)), math.sin(math.radians(pitch))
    cy, sy = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    cr, sr = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    return (
        (cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr),
        (cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr),
        (sp, -cp * sr, cp * cr),
    )


def rotate(matrix: Matrix, vector: Vector) -> Vector:
    """``matrix`` times ``vector``."""
    x, y, z = vector
    first, second, third = (row[0] * x + row[1] * y + row[2] * z for row in matrix)
    return first, second, third


def transpose(matrix: Matrix) -> Matrix:
    """The inverse of a rotation."""
    return (
        (matrix[0][0], matrix[1][0], matrix[2][0]),
        (matrix[0][1], matrix[1][1], matrix[2][1]),
        (matrix[0][2], matrix[1][2], matrix[2][2]),
    )


def _product(first: Matrix, second: Matrix) -> Matrix:
    columns = [rotate(first, column) for column in transpose(second)]
    return transpose((columns[0], columns[1], columns[2]))


def _angles(matrix: Matrix) -> Vector:
    """(pitch, yaw, roll) in degrees of a rotation matrix."""
    pitch = math.degrees(math.asin(max(-1.0, min(1.0, matrix[2][0]))))
    yaw = math.degrees(math.atan2(matrix[1][0], matrix[0][0]))
    roll = math.degrees(math.atan2(-matrix[2][1], matrix[2][2]))
    return pitch, yaw, roll


def compose(parent: Transform, relative: Transform) -> Transform:
    """The world transform of something mounted on ``parent``."""
    matrix = rotation_matrix(parent.pitch, parent.yaw, parent.roll)
    dx, dy, dz = rotate(matrix, relative.location)
    x, y, z = parent.x + dx, parent.y + dy, parent.z + dz
    if parent.pitch == 0.0 and parent.roll == 0.0:
        return Transform(x, y, z, relative.pitch, wrap_degrees(parent.yaw + relative.yaw), relative.roll)
    child = rotation_matrix(relative.pitch, relative.yaw, relative.roll)
    return Transform(x, y, z, *_angles(_product(matrix, child)))


def relative_to(parent: Transform, world: Transform) -> Transform:
    """The mounting transform that ``compose`` turns back into ``world``."""
    inverse = transpose(rotation_matrix(parent.pitch, parent.yaw, parent.roll))
    x, y, z = rotate(inverse, (world.x - parent.x, world.y - parent.y, world.z - parent.z))
    child = rotation_matrix(world.pitch, world.yaw, world.roll)
    return Transform(x, y, z, *_angles(_product(inverse, child)))
