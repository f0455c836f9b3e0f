"""Debug shapes of clients: points, lines, arrows, boxes and texts with a life time, in the world or on the screen."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector, compose
from sim2real_bench.envs.carla.embedded.refusal import RefusedError

MAX_SHAPES = 5000
_MAX_TEXT = 500
_MAX_THICKNESS = 1e4
_MAX_LIFE_S = 1e9
_HUD_OFFSET = 5
Segment = tuple[Vector, Vector]


class ShapeKind(IntEnum):
    """The kinds on the wire; the ones for the screen follow in the same order."""

    POINT = 0
    LINE = 1
    ARROW = 2
    BOX = 3
    TEXT = 4


@dataclass(frozen=True)
class DebugShape:
    """A shape.

    Attributes:
        kind: what it is.
        hud: drawn on the spectator's screen only, which a server without a window has not.
        points: the place of a point or text, the ends of a line or arrow (metres), all edges of a box in pairs.
        thickness: of the lines as the client gave it: centimetres in the world; of a point, its size.
        colour: RGB.
        expires: elapsed seconds of its end; None = stays.
        text: what it says.
    """

    kind: ShapeKind
    hud: bool
    points: tuple[Vector, ...]
    thickness: float
    colour: tuple[int, int, int]
    expires: float | None
    text: str = ""

    def segments(self) -> list[Segment]:
        """The lines it consists of."""
        return list(zip(self.points[0::2], self.points[1::2], strict=False))


class DebugShapes:
    """What clients have drawn in an episode."""

    def __init__(self) -> None:
        self._shapes: list[DebugShape] = []

    def add(self, shape: DebugShape, elapsed: float) -> None:
        """Keep a shape until its time is over.

        Raises:
            RefusedError: there are too many.
        """
        if len(self._shapes) >= MAX_SHAPES and len(self.alive(elapsed)) >= MAX_SHAPES:
            raise RefusedError(f"an episode holds at most {MAX_SHAPES} debug shapes; give them a life time")
        self._shapes.append(shape)

    def alive(self, elapsed: float) -> list[DebugShape]:
        """The shapes that are to be seen now; the others are forgotten."""
        self._shapes = [shape for shape in self._shapes if shape.expires is None or elapsed <= shape.expires + 1e-6]
        return self._shapes

    def clear(self, texts: bool) -> None:
        """Forget all texts, or all other shapes."""
        self._shapes = [shape for shape in self._shapes if (shape.kind is ShapeKind.TEXT) is not texts]


def read_shape(value: object, elapsed: float) -> DebugShape:
    """``[[kind, fields], [r, g, b], life time in seconds, persistent]``; a life time of 0 means one tick.

    Raises:
        WireError: it does not hold that.
    """
    body, colour, life_time, persistent = wire.array(value, "debug shape", 4)
    index, fields = wire.array(body, "shape", 2)
    number = wire.integer(index, "shape kind", 0, 8)
    hud = number >= _HUD_OFFSET
    kind = ShapeKind(number - _HUD_OFFSET if hud else number)
    points, thickness, text = _READERS[kind](fields)
    red, green, blue = (wire.integer(channel, "colour", 0, 255) for channel in wire.array(colour, "colour", 3))
    life = wire.number(life_time, "life time", -_MAX_LIFE_S, _MAX_LIFE_S)
    wire.flag(persistent, "persistent")
    expires = None if life < 0.0 else elapsed + life
    return DebugShape(kind, hud, points, thickness, (red, green, blue), expires, text)


Parts = tuple[tuple[Vector, ...], float, str]


def _thickness(value: object) -> float:
    return wire.number(value, "thickness", 0.0, _MAX_THICKNESS)


def _point(fields: object) -> Parts:
    place, size = wire.array(fields, "point", 2)
    return (wire.location(place),), _thickness(size), ""


def _line(fields: object) -> Parts:
    begin, end, thickness = wire.array(fields, "line", 3)
    return (wire.location(begin), wire.location(end)), _thickness(thickness), ""


def _arrow(fields: object) -> Parts:
    line, size = wire.array(fields, "arrow", 2)
    _thickness(size)
    return _line(line)


def _box(fields: object) -> Parts:
    box, rotation, thickness = wire.array(fields, "box", 3)
    if not isinstance(box, list) or len(box) not in (3, 4):
        raise wire.WireError("box: expected location, extent and rotation")
    centre, half = wire.location(box[0]), wire.vector(box[1], "extent")
    pitch, yaw, roll = wire.vector(rotation, "rotation", wire.MAX_ANGLE_DEG)
    pose = Transform(*centre, pitch, yaw, roll)
    corners = [
        compose(pose, Transform(sx * half[0], sy * half[1], sz * half[2])).location
        for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)
    ]  # fmt: skip
    edges = [(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b).bit_count() == 1]
    return tuple(corners[end] for edge in edges for end in edge), _thickness(thickness), ""


def _text(fields: object) -> Parts:
    place, content, shadow = wire.array(fields, "text", 3)
    wire.flag(shadow, "shadow")
    return (wire.location(place),), 0.0, wire.text(content, "text", _MAX_TEXT)


_READERS: dict[ShapeKind, Any] = {
    ShapeKind.POINT: _point, ShapeKind.LINE: _line, ShapeKind.ARROW: _arrow, ShapeKind.BOX: _box, ShapeKind.TEXT: _text,
}  # fmt: skip
