"""The game engine, wrapped: races, steps and what the karts do. Only the worker program imports this module."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pystk2

from sim2real_bench.envs.classes import StkClass
from sim2real_bench.envs.supertuxkart.camera import ONBOARD, CameraReader, CameraView, mount_onboard
from sim2real_bench.envs.supertuxkart.drive_line import DriveLine, Place, build_drive_line, read_quads
from sim2real_bench.envs.supertuxkart.frames import ego_pose, engine_yaw_quaternion, to_engine, to_world
from sim2real_bench.envs.supertuxkart.heights import road_heights
from sim2real_bench.envs.supertuxkart.labels import Item
from sim2real_bench.envs.supertuxkart.protocol import ResetRequest, WorkerSettings
from sim2real_bench.errors import SimulatorError

Float = npt.NDArray[np.float64]

STEP_S = 0.1
_CEREMONY_S = 6.0  # the countdown takes 5.1 s
_SETTLE_STEPS = 5
_DROP_M = 0.4  # a kart is placed this high above the road, so that no wheel starts inside it
_LAPS = 1000  # a race that ends would stop the kart
_EGO_KART = "tux"
_OPPONENT_KARTS = ("gnu", "kiki", "wilber", "konqi", "nolok", "pidgin", "puffy")
# Label, radius, bottom and top (metres, relative to the item) of what lies on the road.
_ITEM_SHAPES = {
    "BONUS_BOX": (StkClass.PICKUP, 1.0, -0.05, 1.5),
    "NITRO_BIG": (StkClass.PICKUP, 0.75, 0.0, 1.5),
    "NITRO_SMALL": (StkClass.PICKUP, 0.6, 0.0, 1.2),
    "EASTER_EGG": (StkClass.PICKUP, 0.6, 0.0, 1.2),
    "BANANA": (StkClass.BACKGROUND, 0.9, 0.0, 1.5),
    "BUBBLEGUM": (StkClass.BACKGROUND, 0.6, 0.0, 0.6),
}
_STANDING_MPS = 0.5


@dataclass(frozen=True)
class Picture:
    """What the camera saw.

    Attributes:
        image: (H, W, 3) uint8 RGB, or None.
        depth_m: (H, W) float32 metres along the optical axis, or None.
        view: the camera.
    """

    image: npt.NDArray[np.uint8] | None
    depth_m: npt.NDArray[np.float32] | None
    view: CameraView


class Engine:
    """One engine per process, one race at a time; the own kart is the last of the players."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._data = Path(settings.data_path)
        self._world = pystk2.WorldState()
        self._race: Any = None
        self._lines: dict[tuple[str, bool], DriveLine] = {}
        self._brake_debt = 0.0
        self._node = 0
        graphics = pystk2.GraphicsConfig.ld() if settings.renders else pystk2.GraphicsConfig.none()
        graphics.screen_width, graphics.screen_height = settings.width, settings.height
        # Without a display a picture is rendered when it is read and not otherwise.
        graphics.display = False
        graphics.particles_effects = 0
        with _silenced():
            pystk2.init(graphics)
        if settings.renders and settings.camera == ONBOARD:
            mount_onboard(pystk2.__file__, settings.width, settings.height)
        self._reader = CameraReader() if settings.renders else None

    def reset(self, request: ResetRequest) -> None:
        """Start a new race and place the own kart.

        A new race every time: the engine's own restart crashes it in some modes.
        """
        if self._race is not None:
            self._race.stop()
            self._race = None
        with _silenced():
            self._race = pystk2.Race(self._race_config(request))
            self._race.start()
        self._race.config.step_size = _CEREMONY_S
        self._race.step(pystk2.Action())
        self._race.config.step_size = STEP_S
        self._world.update()
        self.line = self._drive_line(request)
        self.items = self._find_items()
        self._brake_debt = 0.0
        if request.start is not None:
            self._place(request)
        self._update()

    def step(self, steer: float, throttle: float) -> None:
        """Advance 0.1 s.

        The engine's brake is on or off, and reverses a standing kart: braking by a fraction is braking in that fraction
        of the steps, and a standing kart does not brake.
        """
        action = pystk2.Action()
        action.steer = steer
        action.acceleration = max(throttle, 0.0)
        self._brake_debt = min(self._brake_debt + max(-throttle, 0.0), 1.0) if throttle < 0 else 0.0
        if self._brake_debt >= 1.0 - 1e-6:
            self._brake_debt = 0.0
            action.brake = self._speed > _STANDING_MPS
        self._race.step(action)
        self._update()

    @property
    def own_index(self) -> int:
        """The own kart's place in the list of karts."""
        return self._settings.opponents

    def _update(self) -> None:
        self._world.update()
        kart = self._world.karts[self.own_index]
        self.pose = ego_pose(kart.location, kart.rotation)
        # Along the kart's nose, so that rolling backwards is negative.
        self._speed = float(kart.velocity_lc[2])
        self.laps = int(kart.finished_laps)
        node = int(kart.node)
        if 0 <= node < len(self.line.successors):
            self._node = node
        self.place: Place = self.line.locate(self.pose[:3, 3].tolist(), self._node)
        self.distance_down_track_m = self.line.distance_down_track_m(self.place)

    @property
    def speed_mps(self) -> float:
        """Speed along the kart's nose; negative backwards."""
        return self._speed

    def other_poses(self) -> list[Float]:
        """(4, 4) poses of the other karts."""
        karts = self._world.karts
        return [ego_pose(kart.location, kart.rotation) for kart in karts[: self.own_index]]

    def drivers(self) -> list[tuple[Float, int, bool]]:
        """Pose (4, 4), quadrilateral and whether it stands on the road, of each of the game's own drivers."""
        count = len(self.line.successors)
        return [
            (ego_pose(kart.location, kart.rotation), int(kart.node), bool(kart.is_on_road and not kart.jumping))
            for kart in self._world.karts[: self.own_index]
            if 0 <= int(kart.node) < count
        ]

    def drivers_finished_laps(self) -> int:
        """Laps the first of the game's own drivers has finished."""
        return max(int(kart.finished_laps) for kart in self._world.karts[: self.own_index])

    def picture(self, want_image: bool, want_depth: bool) -> Picture:
        """Render the state after the last step; only what is wanted is copied."""
        if self._reader is None:
            raise SimulatorError("this worker was started without pictures")
        data = self._race.render_data[0]
        image = np.asarray(data.image) if want_image else None
        depth = np.asarray(data.depth) if want_depth else None
        view = self._reader.read(self._settings.width, self._settings.height)
        return Picture(image, depth if depth is None else view.depth_m(depth), view)

    def _race_config(self, request: ResetRequest) -> Any:
        player = pystk2.PlayerConfig
        config = pystk2.RaceConfig()
        config.track, config.reverse = request.track, request.reverse
        config.step_size, config.laps, config.seed, config.overlay = STEP_S, _LAPS, request.seed, False
        config.num_kart = self._settings.opponents + 1
        config.players.clear()
        for name in _OPPONENT_KARTS[: self._settings.opponents]:
            config.players.append(
                player(kart=name, controller=player.Controller.AI_CONTROL, camera_mode=player.CameraMode.OFF)
            )
        config.players.append(
            player(kart=_EGO_KART, controller=player.Controller.PLAYER_CONTROL, camera_mode=player.CameraMode.ON)
        )
        return config

    def _drive_line(self, request: ResetRequest) -> DriveLine:
        key = (request.track, request.reverse)
        if key not in self._lines:
            track = pystk2.Track()
            track.update()
            quads_file = self._data / "tracks" / request.track / "quads.xml"
            quads = read_quads(quads_file)
            self._lines[key] = build_drive_line(
                quads,
                np.array(track.path_nodes, np.float64),
                np.array(track.path_width, np.float64),
                np.array(track.path_distance, np.float64),
                track.successors,
                track.length,
                road_heights(quads_file, len(quads)),
            )
        return self._lines[key]

    def _find_items(self) -> list[Item]:
        # Read once per race: a taken box stays in the list until it comes back, so the list does not change.
        return [
            Item(label, to_world(item.location), radius, bottom, top)
            for item in self._world.items
            if item.type.name in _ITEM_SHAPES
            for label, radius, bottom, top in [_ITEM_SHAPES[item.type.name]]
        ]

    def _place(self, request: ResetRequest) -> None:
        """Put the kart on the road; where it does not stay there (a gap, a shortcut), try the next quadrilateral."""
        line = self.line
        first = int((request.start or 0.0) * len(line.start))
        for attempt in range(len(line.start)):
            node = (first + attempt) % len(line.start)
            direction = line.directions[node]
            left = np.array([-direction[1], direction[0], 0.0])
            cosine, sine = np.cos(request.yaw_rad), np.sin(request.yaw_rad)
            position = line.start[node] + request.lateral * line.half_widths[node] * left + [0.0, 0.0, _DROP_M]
            quaternion = engine_yaw_quaternion(cosine * direction + sine * left)
            self._world.set_kart_location(self.own_index, to_engine(position).tolist(), list(quaternion), 0.0)
            for _ in range(_SETTLE_STEPS):
                self._race.step(pystk2.Action())
            self._node = node
            self._update()
            if abs(self.place.lateral_m) < line.half_widths[self.place.node] and abs(self.place.above_m) < 1.5:
                return


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Send what the engine writes to stdout to nowhere; stderr stays, it holds the reason if the engine ends."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
