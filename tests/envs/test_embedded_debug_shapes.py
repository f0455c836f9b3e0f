"""Debug shapes: what is read from the wire, how long it is kept, and that it is bounded."""

import math

import pytest

from sim2real_bench.envs.carla.embedded.debug_shapes import MAX_SHAPES, DebugShapes, ShapeKind, read_shape
from sim2real_bench.envs.carla.embedded.refusal import RefusedError
from sim2real_bench.envs.carla.embedded.wire import WireError

LINE = [1, [[0.0, 0.0, 1.0], [5.0, 0.0, 1.0], 0.1]]
BOX = [3, [[[1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], 0], [0.0, 90.0, 0.0], 0.1]]


def shape(body=LINE, life_time=1.0, colour=(255, 0, 0)):
    return [body, list(colour), life_time, True]


def test_shapes_end_with_their_time():
    shapes = DebugShapes()
    shapes.add(read_shape(shape(life_time=1.0), 10.0), 10.0)
    shapes.add(read_shape(shape(life_time=-1.0), 10.0), 10.0)
    assert len(shapes.alive(11.0)) == 2
    (left,) = shapes.alive(11.1)
    assert left.expires is None


def test_only_living_shapes_count_towards_the_bound():
    shapes = DebugShapes()
    for _ in range(MAX_SHAPES):
        shapes.add(read_shape(shape(life_time=0.1), 0.0), 0.0)
    with pytest.raises(RefusedError, match="life time"):
        shapes.add(read_shape(shape(), 0.0), 0.0)
    shapes.add(read_shape(shape(), 1.0), 1.0)
    assert len(shapes.alive(1.0)) == 1


def test_a_box_has_twelve_edges_of_its_size():
    box = read_shape(shape(BOX), 0.0)
    lengths = [math.dist(begin, end) for begin, end in box.segments()]
    assert lengths == pytest.approx([2.0] * 12)


def test_texts_and_shapes_are_wiped_apart():
    shapes = DebugShapes()
    shapes.add(read_shape(shape([4, [[0.0, 0.0, 0.0], "here", False]]), 0.0), 0.0)
    shapes.add(read_shape(shape(), 0.0), 0.0)
    shapes.clear(texts=True)
    assert [left.kind for left in shapes.alive(0.0)] == [ShapeKind.LINE]
    shapes.clear(texts=False)
    assert shapes.alive(0.0) == []


@pytest.mark.parametrize(
    "value",
    [
        shape([9, []]),
        shape([1, [[0.0, 0.0, math.nan], [0.0, 0.0, 0.0], 0.1]]),
        shape([4, [[0.0, 0.0, 0.0], "x" * 501, False]]),
        shape(colour=(256, 0, 0)),
        shape(life_time=math.inf),
        [LINE, [0, 0, 0], 1.0],
    ],
)
def test_wrong_shapes_are_refused(value):
    with pytest.raises(WireError):
        read_shape(value, 0.0)
