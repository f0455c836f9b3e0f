"""Ticks per second of the embedded CARLA server through the genuine client, beside the raw renderer's frames.

``python -m benchmarks.embedded_server`` measures a few minutes; ``--profile`` shows where the time of a tick goes,
``--ticks 20000`` watches the memory over a long drive (without a camera, and a tenth of it with one).
"""

import argparse
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import psutil

from benchmarks.embedded_profile import profile
from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess
from sim2real_bench.envs.carla.embedded.render.renderer import Renderer
from sim2real_bench.envs.carla.embedded.render.view import ActorLook, CameraView
from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES, Town, build_town

TOWN = "MiniTown01"
WIDTH, HEIGHT = 384, 160
TICKS = 60
ROUNDS = 3
WARM_UP = 10
TARGETS = {("rgb", 0): 120, ("rgb + semantic + depth", 50): 80}
TRAFFIC = (0, 20, 50)
EGO = "vehicle.lincoln.mkz_2020"
ALL_THREE = ("rgb", "semantic_segmentation", "depth")
DELTA_S = 0.05


def per_second(action: Callable[[], object]) -> float:
    """Calls per second, the best of some rounds after a warm-up."""
    for _ in range(WARM_UP):
        action()
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(TICKS):
            action()
        best = max(best, TICKS / (time.perf_counter() - start))
    return best


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, all threads: steadier than wall time on a shared machine."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _camera(library: Any, kind: str) -> Any:
    blueprint = library.find(f"sensor.camera.{kind}")
    for name, value in (("image_size_x", WIDTH), ("image_size_y", HEIGHT), ("fov", 90)):
        blueprint.set_attribute(name, str(value))
    return blueprint


@contextmanager
def driving(client: Any, cameras: Sequence[str], others: int, town: str = TOWN) -> Iterator[Callable[[], None]]:
    """A synchronous episode; yields a function that ticks once and waits for every camera's image of that tick.

    Args:
        client: a ``carla.Client``.
        cameras: kinds of camera, all in the same place on the ego vehicle.
        others: vehicles besides the ego; the server's drivers drive them all.
        town: the map.
    """
    import carla

    world = client.load_world(town)
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, DELTA_S
    world.apply_settings(settings)
    library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
    spacing = max(1, len(points) // (others + 1))
    cars = [world.spawn_actor(library.find(EGO), point) for point in points[::spacing][: others + 1]]
    mount = carla.Transform(carla.Location(2.0, 0.0, 1.4))
    images: queue.Queue[Any] = queue.Queue()
    sensors = [world.spawn_actor(_camera(library, kind), mount, attach_to=cars[0]) for kind in cameras]
    for sensor in sensors:
        sensor.listen(images.put)
    # Without a tick in the same call the command reaches the server's drivers, not the client's traffic manager.
    client.apply_batch([carla.command.SetAutopilot(car, True) for car in cars])

    def tick() -> None:
        frame = world.tick()
        for _ in sensors:
            while images.get(timeout=20).frame < frame:
                pass

    try:
        yield tick
    finally:
        for sensor in sensors:
            sensor.stop()
            sensor.destroy()
        time.sleep(0.3)  # the client drops late images
        settings.synchronous_mode = False
        world.apply_settings(settings)


def raw_renderer(town: Town, others: int, want: frozenset[str]) -> float:
    """Frames per second of the renderer alone, with the camera in the same place."""
    spacing = max(1, len(town.spawn_points) // (others + 1))
    points = town.spawn_points[::spacing][: others + 1]
    start = points[0]
    forward = np.array([np.cos(np.radians(start.yaw_deg)), np.sin(np.radians(start.yaw_deg))])
    looks = [ActorLook(p.x, p.y, 0.0, p.yaw_deg, "sedan", (120, 20, 20), 2.446, 0.92) for p in points[1:]]
    frame = 0

    with Renderer(town) as renderer:

        def render() -> None:
            nonlocal frame
            frame += 1
            x, y = np.array([start.x, start.y]) + (2.0 + 0.02 * frame) * forward
            view = CameraView(WIDTH, HEIGHT, 90.0, float(x), float(y), 1.4, 0.0, start.yaw_deg, 0.0)
            renderer.render(view, looks, frame, want=want)

        return per_second(render)


def speed() -> None:
    """Ticks per second with no, one and three cameras among 0, 20 and 50 other vehicles."""
    import carla

    town = build_town(TOWN)
    cases = (("no camera", ()), ("rgb", ("rgb",)), ("rgb + semantic + depth", ALL_THREE))
    wants = {"rgb": frozenset({"rgb"}), "rgb + semantic + depth": frozenset({"rgb", "semantic", "depth"})}
    raw = {(name, others): raw_renderer(town, others, wants[name]) for name in wants for others in TRAFFIC}
    with EmbeddedServerProcess(TOWN) as server:
        client = carla.Client(server.host, server.port, 8)
        client.set_timeout(60.0)
        for others in TRAFFIC:
            for name, cameras in cases:
                with driving(client, cameras, others) as tick:
                    before = cpu_seconds(server.pid)
                    rate = per_second(tick)
                    cost = 1e3 * (cpu_seconds(server.pid) - before) / (WARM_UP + ROUNDS * TICKS)
                frames = raw.get((name, others))
                share = f", {rate / frames:.0%} of the raw renderer's {frames:.0f}" if frames else ""
                target = f" (target {TARGETS[name, others]})" if (name, others) in TARGETS else ""
                line = f"{name}, {others} others: {rate:.0f} ticks/s{target}{share}; server {cost:.1f} ms CPU a tick"
                print(line, flush=True)


def start_up() -> None:
    """Seconds from the start of the server's process to the first picture in the client's hands."""
    import carla

    began = time.perf_counter()
    with EmbeddedServerProcess(TOWN) as server:
        listening = time.perf_counter() - began
        client = carla.Client(server.host, server.port, 8)
        client.set_timeout(60.0)
        world = client.get_world()
        pictures: queue.Queue[Any] = queue.Queue()
        pose = world.get_map().get_spawn_points()[0]
        camera = world.spawn_actor(_camera(world.get_blueprint_library(), "rgb"), pose)
        camera.listen(pictures.put)
        pictures.get(timeout=60)
        print(f"start-up: listening after {listening:.2f} s, first picture after {time.perf_counter() - began:.2f} s")
        camera.stop()
        time.sleep(0.3)


def memory(ticks: int) -> None:
    """Resident memory at the start, in the middle and at the end of a long drive with 20 vehicles."""
    import carla

    with EmbeddedServerProcess(TOWN) as server:
        client = carla.Client(server.host, server.port, 8)
        client.set_timeout(60.0)
        process = psutil.Process(server.pid)
        for cameras, count in (((), ticks), (("rgb",), max(ticks // 10, 1))):
            with driving(client, cameras, 20) as tick:
                sizes = []
                for done in range(count + 1):
                    if done in (min(200, count // 4), count // 2, count):
                        sizes.append(process.memory_info().rss / 1e6)
                    tick()
            label = "with one camera" if cameras else "without camera"
            print(f"{count} ticks {label}: " + " -> ".join(f"{size:.1f} MB" for size in sizes), flush=True)


def reloads(count: int) -> None:
    """Resident memory while the maps are loaded in turn, with a picture and ten cars on each."""
    import carla

    with EmbeddedServerProcess(TOWN) as server:
        client = carla.Client(server.host, server.port, 8)
        client.set_timeout(60.0)
        process = psutil.Process(server.pid)
        for done in range(1, count + 1):
            with driving(client, ("rgb",), 9, TOWN_NAMES[done % len(TOWN_NAMES)]) as tick:
                for _ in range(5):
                    tick()
            if done in (len(TOWN_NAMES), count // 2, count):
                print(f"{done} map loads: {process.memory_info().rss / 1e6:.1f} MB", flush=True)


def run() -> None:
    """What runs by default."""
    start_up()
    speed()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", action="store_true", help="where the time of a tick goes")
    parser.add_argument("--vehicles", type=int, default=50, help="in the profile")
    parser.add_argument("--ticks", type=int, default=0, help="watch the memory over so many ticks")
    parser.add_argument("--reloads", type=int, default=0, help="watch the memory over so many map loads")
    chosen = parser.parse_args()
    if chosen.reloads:
        reloads(chosen.reloads)
    elif chosen.profile:
        profile(TOWN, chosen.vehicles)
    elif chosen.ticks:
        memory(chosen.ticks)
    else:
        run()


if __name__ == "__main__":
    main()
