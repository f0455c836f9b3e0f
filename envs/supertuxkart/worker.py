"""The worker program: holds the engine and fills the shared block. Started by ``WorkerProcess``, not by people.

It is a program of its own because the engine is GPL-3, allows one race per process, and ends its process on errors.
"""

import argparse
import importlib.metadata
import json
import shutil
import signal
import socket
import sys
from pathlib import Path

import numpy as np

from sim2real_bench.envs.classes import StkClass
from sim2real_bench.envs.observation import DEPTH, LABELS, MAP_VIEW, MAX_DEPTH_M, RGB, WAYPOINT_DISTANCES_M
from sim2real_bench.envs.supertuxkart.engine import STEP_S, Engine
from sim2real_bench.envs.supertuxkart.labels import Labeller, RoadIndex
from sim2real_bench.envs.supertuxkart.map_view import MapRenderer
from sim2real_bench.envs.supertuxkart.protocol import (
    FAILED,
    MAX_PACKET,
    OK,
    QUIT,
    RESET,
    STEP,
    ResetRequest,
    SharedBlock,
    WorkerSettings,
    unpack_action,
)

_TELEPORT_FACTOR = 1.5
_TELEPORT_MARGIN_M = 1.0


class Worker:
    """Answers requests: steps the engine, then writes telemetry and the observations that were asked for."""

    def __init__(self, settings: WorkerSettings, block: SharedBlock) -> None:
        self._settings = settings
        self._block = block
        self._engine = Engine(settings)
        self._map: MapRenderer | None = None
        self._labeller = Labeller(settings.width, settings.height, settings.ego_in_labels)
        self._roads: dict[int, RoadIndex] = {}
        self._distance_m = 0.0
        self._requests = 0

    def reset(self, request: ResetRequest) -> None:
        """Start a new race and write its first state."""
        self._engine.reset(request)
        self._distance_m = 0.0
        self._requests = 0
        if MAP_VIEW in self._settings.observations:
            pickups = [item.position for item in self._engine.items if item.label == StkClass.PICKUP]
            self._map = MapRenderer(self._engine.line, np.array(pickups).reshape(-1, 3))
        self._write(progress=0.0, rescued=False)

    def step(self, steer: float, throttle: float) -> None:
        """Step ``action_repeat`` times and write the last state."""
        progress, rescued = 0.0, False
        for _ in range(self._settings.action_repeat):
            forward, teleported = self._tick(steer, throttle)
            progress += forward
            rescued = rescued or teleported
        self._write(progress, rescued)

    def _tick(self, steer: float, throttle: float) -> tuple[float, bool]:
        """One engine step: progress along the track in metres, and whether the engine moved the kart by itself.

        Progress is the way moved along the direction of the drive line where the kart is: the engine's own distance
        down the track stands still before the first crossing of the start line and jumps where branches meet. A rescue
        puts the kart elsewhere; that is no driving, so the way is limited by what the speed allows.
        """
        engine = self._engine
        before, speed = engine.pose[:3, 3], abs(engine.speed_mps)
        engine.step(steer, throttle)
        limit = max(speed, abs(engine.speed_mps)) * STEP_S * _TELEPORT_FACTOR + _TELEPORT_MARGIN_M
        moved = engine.pose[:3, 3] - before
        distance = float((moved @ moved) ** 0.5)
        if distance > limit:
            return 0.0, True
        self._distance_m += distance
        return float(moved @ engine.line.directions[engine.place.node]), False

    def _write(self, progress: float, rescued: bool) -> None:
        engine, telemetry = self._engine, self._block.telemetry
        place, line = engine.place, engine.line
        telemetry["world_from_ego"][0] = engine.pose
        telemetry["speed_mps"][0] = abs(engine.speed_mps)
        telemetry["lateral_m"][0] = place.lateral_m
        telemetry["off_road"][0] = abs(place.lateral_m) > line.half_widths[place.node]
        telemetry["distance_m"][0] = self._distance_m
        telemetry["distance_down_track_m"][0] = engine.distance_down_track_m
        telemetry["track_length_m"][0] = line.length_m
        telemetry["progress_m"][0] = progress
        telemetry["laps"][0] = engine.laps
        telemetry["rescued"][0] = rescued
        ahead = line.ahead(place, WAYPOINT_DISTANCES_M)
        telemetry["waypoints"][0] = ((ahead - engine.pose[:3, 3]) @ engine.pose[:3, :3])[:, :2]
        if self._map is not None:
            self._map.draw(self._block.arrays[MAP_VIEW], engine.pose, engine.other_poses())
        fresh = self._settings.renders and self._requests % self._settings.camera_every == 0
        telemetry["camera_fresh"][0] = fresh
        if fresh:
            self._write_picture()
        self._requests += 1

    def _write_picture(self) -> None:
        engine, arrays, telemetry = self._engine, self._block.arrays, self._block.telemetry
        picture = engine.picture(want_image=RGB in arrays, want_depth=DEPTH in arrays or LABELS in arrays)
        camera = picture.view.on_vehicle(engine.pose)
        telemetry["camera_focal"][0] = camera.focal_x, camera.focal_y
        telemetry["camera_rotation"][0] = camera.rotation
        telemetry["camera_position"][0] = camera.position
        if picture.image is not None:
            arrays[RGB][:] = picture.image
        if picture.depth_m is None:
            return
        if DEPTH in arrays:
            np.minimum(picture.depth_m, np.float32(MAX_DEPTH_M), out=arrays[DEPTH])
        if LABELS in arrays:
            arrays[LABELS][:] = self._labeller.label(
                picture.depth_m, picture.view, self._road(), engine.items, engine.pose, engine.other_poses()
            )

    def _road(self) -> RoadIndex:
        """The road index of the current track; the engine keeps its drive lines, so their identity is the key."""
        line = self._engine.line
        if id(line) not in self._roads:
            self._roads[id(line)] = RoadIndex(line.quads)
        return self._roads[id(line)]


def serve(channel: socket.socket, worker: Worker, hang_limit_s: int) -> None:
    """Answer requests until the other end quits or goes away."""
    versions = {"pystk2": importlib.metadata.version("PySuperTuxKart2")}
    channel.send(OK + json.dumps(versions).encode())
    while True:
        signal.alarm(0)
        packet = channel.recv(MAX_PACKET)
        if not packet or packet[:1] == QUIT:
            return
        # The default action ends a process that hangs inside the engine, even if nobody is left to do it.
        signal.alarm(hang_limit_s)
        try:
            if packet[:1] == STEP:
                worker.step(*unpack_action(packet))
            elif packet[:1] == RESET:
                worker.reset(ResetRequest.unpack(packet))
            channel.send(OK)
        except Exception as error:
            channel.send(FAILED + f"{type(error).__name__}: {error}".encode()[: MAX_PACKET - 1])


def main() -> None:
    """Run the worker program."""
    parser = argparse.ArgumentParser(prog="python -m sim2real_bench.envs.supertuxkart.worker", description=__doc__)
    parser.add_argument("--socket", type=int, required=True, help="descriptor of the request socket")
    parser.add_argument("--memory", type=int, required=True, help="descriptor of the shared memory")
    parser.add_argument("--home", type=Path, required=True, help="private folder, removed at the end")
    parser.add_argument("--settings", type=WorkerSettings.from_json, required=True, help="JSON of WorkerSettings")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business; it then closes the socket
    # A whole process group may be told to end; the home folder is removed on the way out.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    settings = arguments.settings
    signal.alarm(settings.hang_limit_s)
    try:
        with socket.socket(fileno=arguments.socket) as channel:
            block = SharedBlock(settings.observations, settings.width, settings.height, arguments.memory)
            serve(channel, Worker(settings, block), settings.hang_limit_s)
    finally:
        shutil.rmtree(arguments.home, ignore_errors=True)


if __name__ == "__main__":
    main()
