"""Ticks per second of the embedded CARLA server through the genuine client, beside the raw renderer's frames."""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import psutil

from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess
from sim2real_bench.envs.carla.embedded.render.renderer import Renderer
from sim2real_bench.envs.carla.embedded.render.view import ActorLook, CameraView
from sim2real_bench.envs.carla.embedded.town import Town, build_town

TOWN = "MiniTown01"
WIDTH, HEIGHT = 384, 160
TICKS = 100
ROUNDS = 3
WARM_UP = 10
TARGET_PER_SECOND = 80
VEHICLES = 20
EGO = "vehicle.lincoln.mkz_2020"
ALL_THREE = ("rgb", "semantic_segmentation", "depth")


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


@contextmanager
def driving(client: Any, cameras: Sequence[str], vehicles: int) -> Iterator[Callable[[], None]]:
    """A synchronous episode; yields a function that ticks once and waits for every camera's image of that tick."""
    import carla

    world = client.load_world(TOWN)
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.1
    world.apply_settings(settings)
    library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
    spacing = max(1, len(points) // max(vehicles, 1))
    cars = [world.spawn_actor(library.find(EGO), point) for point in points[::spacing][:vehicles]]
    mount = carla.Transform(carla.Location(2.0, 0.0, 1.4))
    images: queue.Queue[Any] = queue.Queue()
    sensors = []
    for kind in cameras:
        blueprint = library.find(f"sensor.camera.{kind}")
        for name, value in (("image_size_x", WIDTH), ("image_size_y", HEIGHT), ("fov", 90)):
            blueprint.set_attribute(name, str(value))
        sensors.append(world.spawn_actor(blueprint, mount, attach_to=cars[0]))
        sensors[-1].listen(images.put)

    def tick() -> None:
        for car in cars:
            car.apply_control(carla.VehicleControl(throttle=0.3, steer=0.02))
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
        settings.synchronous_mode = False
        world.apply_settings(settings)


def raw_renderer(town: Town, vehicles: int) -> float:
    """Frames per second of the renderer alone, with the camera in the same place."""
    renderer = Renderer(town)
    spacing = max(1, len(town.spawn_points) // max(vehicles, 1))
    points = town.spawn_points[::spacing][:vehicles]
    start = points[0]
    forward = np.array([np.cos(np.radians(start.yaw_deg)), np.sin(np.radians(start.yaw_deg))])
    looks = [ActorLook(p.x, p.y, 0.0, p.yaw_deg, "sedan", (120, 20, 20), 2.446, 1.064) for p in points[1:]]
    frame = 0

    def render() -> None:
        nonlocal frame
        frame += 1
        x, y = np.array([start.x, start.y]) + (2.0 + 0.02 * frame) * forward
        view = CameraView(WIDTH, HEIGHT, 90.0, float(x), float(y), 1.4, 0.0, start.yaw_deg, 0.0)
        renderer.render(view, looks, frame)

    try:
        return per_second(render)
    finally:
        renderer.close()


def run() -> None:
    import carla

    town = build_town(TOWN)
    raw = {vehicles: raw_renderer(town, vehicles) for vehicles in (1, VEHICLES)}
    print(f"raw renderer, {WIDTH}x{HEIGHT}, rgb + semantic + depth: {raw[1]:.0f} frames/s")
    cases: tuple[tuple[str, tuple[str, ...], int], ...] = (
        ("no camera", (), 1),
        ("one rgb camera", ("rgb",), 1),
        ("rgb + semantic + depth", ALL_THREE, 1),
        (f"rgb, {VEHICLES} vehicles", ("rgb",), VEHICLES),
    )
    with EmbeddedServerProcess(TOWN) as server:
        client = carla.Client(server.host, server.port)
        client.set_timeout(60.0)
        for name, cameras, vehicles in cases:
            with driving(client, cameras, vehicles) as tick:
                before = cpu_seconds(server.pid)
                speed = per_second(tick)
                cost = 1e3 * (cpu_seconds(server.pid) - before) / (WARM_UP + ROUNDS * TICKS)
            share = f", {speed / raw[vehicles]:.0%} of the raw renderer" if cameras else ""
            target = f" (target {TARGET_PER_SECOND})" if cameras == ("rgb",) and vehicles == 1 else ""
            print(f"{name}: {speed:.0f} ticks/s{share}{target}; server {cost:.1f} ms CPU a tick")
