"""Where the time of a tick of the embedded server goes: the server's world in this process, part by part."""

import math
import time
from collections import defaultdict

from sim2real_bench.envs.carla.embedded import physics
from sim2real_bench.envs.carla.embedded.attributes import AttributeType
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.scenery import SceneryLibrary
from sim2real_bench.envs.carla.embedded.streams import StreamHub
from sim2real_bench.envs.carla.embedded.wire import AttributeValue, Description
from sim2real_bench.envs.carla.embedded.world import World

WIDTH, HEIGHT, TICKS, WARM_UP = 384, 160, 120, 20
_KINDS = ("rgb", "semantic_segmentation", "depth")


class OpenHub(StreamHub):
    """Somebody listens to every stream; messages go nowhere."""

    def listening(self, stream: int) -> bool:
        """Yes."""
        return True

    def publish(self, stream: int, message: bytes) -> None:
        """Drop it."""


class Clock:
    """Adds up seconds of processor time by part; each ``mark`` ends the part that began at the one before."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._last = time.process_time()

    def mark(self, part: str) -> None:
        """A part has ended."""
        now = time.process_time()
        self.seconds[part] += now - self._last
        self._last = now

    def skip(self) -> None:
        """What happened since the last mark does not count."""
        self._last = time.process_time()


def _world(town: str, vehicles: int) -> World:
    world = World(SceneryLibrary(), OpenHub(), town)
    points = world.scenery.spawn_points
    spacing = max(1, len(points) // vehicles)
    cars = [world.spawn(Description(0, "vehicle.lincoln.mkz_2020"), p) for p in points[::spacing][:vehicles]]
    for car in cars:
        car.autopilot = True
    size = tuple(
        AttributeValue(name, AttributeType.INT, str(value))
        for name, value in (("image_size_x", WIDTH), ("image_size_y", HEIGHT))
    )
    for kind in _KINDS:
        description = Description(0, f"sensor.camera.{kind}", size)
        world.spawn(description, Transform(x=2.0, z=1.4), cars[0].actor_id)
    return world


def profile(town: str, vehicles: int) -> None:
    """Print milliseconds of processor time (all threads) a tick by part, with one picture of three kinds.

    After every material the drawing is waited for, which costs something: the sum is larger than the plain tick.
    """
    world = _world(town, vehicles)
    for _ in range(WARM_UP):
        world.tick()
    start = time.process_time()
    for _ in range(TICKS):
        world.tick()
    plain = (time.process_time() - start) / TICKS
    clock, renderer, move = Clock(), world.scenery.renderer, physics.advance

    def drawn(part: str) -> None:
        clock.mark(f"draw: {part}")

    def moved(*arguments: object, **options: object) -> object:
        clock.mark("traffic, actors")
        hits = move(*arguments, **options)  # type: ignore[arg-type]
        clock.mark("physics")
        return hits

    renderer.after_pass = drawn
    physics.advance = moved  # type: ignore[assignment]
    try:
        for _ in range(TICKS):
            clock.skip()
            world.advance()
            clock.mark("world state")
            world.sense()
            clock.mark("camera messages")
    finally:
        renderer.after_pass, physics.advance = None, move
        world.library.close()
    total = math.fsum(clock.seconds.values())
    print(f"{town}, {vehicles} vehicles, {WIDTH}x{HEIGHT} rgb + semantic + depth: {1e3 * plain:.2f} ms CPU a tick")
    for part, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1]):
        print(f"  {part:32s} {1e3 * seconds / TICKS:6.2f} ms {seconds / total:6.1%}")
