"""Matching sensor frames to ticks, and decoding images."""

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sim2real_bench.envs.carla.sensors import CollisionSensor, FrameQueue, decode_depth, decode_labels, decode_rgb
from sim2real_bench.errors import StepTimeoutError


def frame(number: int) -> SimpleNamespace:
    return SimpleNamespace(frame=number)


def test_older_frames_are_dropped() -> None:
    queue = FrameQueue("rgb")
    for number in (3, 4, 5):
        queue.put(frame(number))
    assert queue.wait(5, 1.0).frame == 5
    assert queue.drain() == []


def test_a_late_frame_is_awaited() -> None:
    queue = FrameQueue("rgb")
    queue.put(frame(6))
    timer = threading.Timer(0.05, queue.put, [frame(7)])
    timer.start()
    assert queue.wait(7, 30.0).frame == 7
    timer.join()


def test_a_missing_frame_names_sensor_and_frame() -> None:
    queue = FrameQueue("labels")
    queue.put(frame(8))
    with pytest.raises(StepTimeoutError, match=r"'labels' sent no image for frame 9 within 0.01 s; newest .* came: 8"):
        queue.wait(9, 0.01)


def test_a_skipped_frame_is_an_error_at_once() -> None:
    queue = FrameQueue("rgb")
    queue.put(frame(11))
    with pytest.raises(StepTimeoutError, match="frame 10 but already frame 11"):
        queue.wait(10, 30.0)


def test_images_are_decoded_from_bgra() -> None:
    image = np.array([[[10, 20, 30, 255], [1, 2, 14, 255]]], np.uint8)
    np.testing.assert_array_equal(decode_rgb(image), [[[30, 20, 10], [14, 2, 1]]])
    np.testing.assert_array_equal(decode_labels(image), [[30, 14]])


def test_depth_is_24_bits_over_red_green_blue() -> None:
    # Red is the low byte: CARLA's documented (R + 256 G + 65536 B) / (2^24 - 1) * 1000 m.
    image = np.array([[[0, 0, 0, 255], [255, 255, 255, 255], [7, 5, 3, 255]]], np.uint8)
    expected = [0.0, 1000.0, (3 + 256 * 5 + 65536 * 7) / (2**24 - 1) * 1000.0]
    np.testing.assert_allclose(decode_depth(image)[0], expected, rtol=1e-6)


class FakeSession:
    """Hands out a sensor and keeps its callback."""

    def spawn(self, *arguments: Any) -> str:
        return "sensor"

    def listen(self, sensor: Any, callback: Any) -> None:
        self.send = callback


def hit(number: int, impulse: float, other: Any) -> SimpleNamespace:
    vector = SimpleNamespace(x=0.0, y=impulse * 0.6, z=impulse * 0.8)
    return SimpleNamespace(frame=number, normal_impulse=vector, other_actor=other)


def test_the_strongest_collision_counts_and_is_forgotten(carla_embedded: None) -> None:
    session: Any = FakeSession()
    sensor = CollisionSensor(session, "vehicle")
    wall = SimpleNamespace(type_id="static.wall")
    for event in (hit(4, 900.0, wall), hit(6, 20.0, None), hit(6, 50.0, wall)):
        session.send(event)
    strongest = sensor.strongest(after_frame=5)  # frame 4 is from before the episode
    assert strongest is not None
    assert (strongest.frame, strongest.other) == (6, "static.wall")
    assert strongest.impulse_ns == pytest.approx(50.0)
    assert sensor.strongest(after_frame=5) is None
    session.send(hit(7, 20.0, None))
    last = sensor.strongest(after_frame=5)
    assert last is not None and last.other == "unknown"
