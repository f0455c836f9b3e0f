"""The moving actors of a frame as instances of their bodies: in view, with their shadows, lamps and light cones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.envs.carla.embedded.render.body_mesh import body_mesh
from sim2real_bench.envs.carla.embedded.render.lod import LEVELS, level_reach, simplified
from sim2real_bench.envs.carla.embedded.render.occlusion import Horizon
from sim2real_bench.envs.carla.embedded.render.poses import affine_rows, linear_light, rotations
from sim2real_bench.envs.carla.embedded.render.projection import Camera
from sim2real_bench.envs.carla.embedded.render.view import ActorLook
from sim2real_bench.envs.carla.embedded.town.bodies import BODIES, mesh_name
from sim2real_bench.envs.carla.embedded.town.model import ParkedCar
from sim2real_bench.errors import ConfigurationError

Float = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.float32]

INSTANCE_FORMAT = "4f 4f 4f 4f 4f 2f /i"
INSTANCE_NAMES = ("row_x", "row_y", "row_z", "paint", "lamps", "more_lamps")
CONTACT_FORMAT, CONTACT_NAMES = "4f 4f 4f 2f /i", ("row_x", "row_y", "row_z", "half_size")
BEAM_FORMAT, BEAM_NAMES = "4f 1f /i", ("at", "strength")
MASK_AHEAD_M, MASK_HALF_M = 22.0, 28.0
_CAPACITY = 256  # actors of one mesh in one frame
_MAX_BEAMS = 32
_REACH_M = 140.0
_CONTACT_REACH_M = 60.0
_MARGIN_M = 0.6  # mirrors and lifted lamps reach beyond the box
_CONTACT_MARGIN_M = 0.42
_SHADOW_HEIGHT_M = 1.6

POSITION, LOW_BEAM, HIGH_BEAM, BRAKE, RIGHT, LEFT, REVERSE, FOG = 1, 2, 4, 8, 16, 32, 64, 128
BEACON = 512
"""Flags of ``carla.VehicleLightState``."""


@dataclass(frozen=True)
class Body:
    """A mesh on the GPU and the instances of this frame."""

    vertices: Any
    indices: Any
    instances: Any


@dataclass(frozen=True)
class Shown:
    """What a frame draws of the moving actors.

    Attributes:
        bodies: body and number of instances in view.
        casting: body and number of instances that throw a shadow into view.
        contacts: number of dark patches below.
        beams: number of light cones.
    """

    bodies: list[tuple[Body, int]]
    casting: list[tuple[Body, int]]
    contacts: int
    beams: int


def _numbers(looks: Sequence[ActorLook]) -> Float:
    """(N, 12): place, angles, half length and width, lights, actor id, visible, half height."""
    for look in looks:
        if look.body not in BODIES:
            raise ConfigurationError(f"body {look.body!r} is unknown; choose one of {', '.join(BODIES)}")
    rows = [
        (
            look.x, -look.y, look.z, look.pitch_deg, look.yaw_deg, look.roll_deg, look.half_length, look.half_width,
            look.lights, look.actor_id & 0xFFFF, look.visible, look.half_height or BODIES[look.body].half_height,
        )
        for look in looks
    ]  # fmt: skip
    return np.array(rows, np.float64).reshape(-1, 12)


def _lamps(flags: Ints) -> Rows:
    """(N, 6) light of head, tail, left, right, reversing lamps and beacon."""

    def on(flag: int, strength: float) -> Float:
        return np.asarray(((flags & flag) != 0) * strength)

    head = np.maximum.reduce([on(POSITION, 0.5), on(LOW_BEAM, 1.6), on(HIGH_BEAM, 2.4), on(FOG, 0.8)])
    tail = np.maximum.reduce([on(POSITION | LOW_BEAM | HIGH_BEAM, 0.45), on(FOG, 0.9), on(BRAKE, 2.2)])
    return np.stack([head, tail, on(LEFT, 2.4), on(RIGHT, 2.4), on(REVERSE, 1.5), on(BEACON, 2.5)], 1).astype(
        np.float32
    )


class Fleet:
    """Holds the bodies on the GPU and writes the instances of each frame."""

    def __init__(self, context: Any, parked: Sequence[ParkedCar]) -> None:
        self._context = context
        self._parked = _parked_contacts(parked)
        self._meshes: dict[tuple[str, int], tuple[Any, Any]] = {}
        self._bodies: dict[tuple[str, int, bool], Body] = {}
        self.contact = context.buffer(reserve=_CAPACITY * 14 * 4)
        self.beam = context.buffer(reserve=_MAX_BEAMS * 5 * 4)

    def _body(self, mesh: str, level: int, casting: bool) -> Body:
        """A mesh at a level of detail, made at its first use; shadow casters have instances of their own."""
        if (mesh, level) not in self._meshes:
            made = simplified(body_mesh(mesh), level)
            buffers = (self._context.buffer(part.tobytes()) for part in (made.vertices, made.triangles))
            self._meshes[mesh, level] = (next(buffers), next(buffers))
        key = (mesh, level, casting)
        if key not in self._bodies:
            self._bodies[key] = Body(*self._meshes[mesh, level], self._context.buffer(reserve=_CAPACITY * 22 * 4))
        return self._bodies[key]

    def write_frame(
        self,
        looks: Sequence[ActorLook],
        camera: Camera,
        reach_m: float,
        horizon: Horizon,
        sun: tuple[float, float, float] | None,
        night: float,
    ) -> Shown:
        """Write the instances of a frame; ``sun`` is None when it throws no shadows."""
        if not looks:
            return Shown([], [], self._write_contacts(np.zeros((0, 12)), camera), 0)
        numbers, planes = _numbers(looks), camera.planes
        places, radii = numbers[:, :3], np.hypot(numbers[:, 6], numbers[:, 7]) + _MARGIN_M
        heights = 2.0 * numbers[:, 11]
        apart = np.hypot(*(places[:, :2] - camera.eye[:2]).T)
        middles = places + np.array([0.0, 0.0, 0.8])
        inside = (middles @ planes[:, :3].T + planes[:, 3] > -np.maximum(radii, heights)[:, None]).all(1)
        seen = np.nonzero(inside & (apart < min(reach_m, _REACH_M)) & (numbers[:, 10] > 0.0))[0]
        seen = seen[~horizon.hides(places[seen], radii[seen], places[seen, 2] + heights[seen])]
        seen = seen[np.argsort(apart[seen], kind="stable")]
        casting = np.zeros(0, np.int64) if sun is None else _casting(places, radii, camera, sun)
        bodies = self._write_bodies(looks, numbers, seen, apart * 192.0 / camera.focal_pixels, False)
        shadows = self._write_bodies(looks, numbers, casting, np.full(len(looks), 20.0), True)
        contacts = self._write_contacts(numbers[seen], camera)
        return Shown(bodies, shadows, contacts, self._write_beams(numbers, apart) if night > 0.02 else 0)

    def _write_bodies(
        self, looks: Sequence[ActorLook], numbers: Float, chosen: Ints, apart: Float, casting: bool
    ) -> list[tuple[Body, int]]:
        if not len(chosen):
            return []
        groups: dict[tuple[str, int], list[int]] = {}
        for place, index in enumerate(chosen.tolist()):
            look = looks[index]
            size = max(look.half_length, BODIES[look.body].half_height)
            level = next(k for k, (_, end) in enumerate(level_reach(size)[:LEVELS]) if apart[index] < end)
            groups.setdefault((mesh_name(look.body, look.phase), level), []).append(place)
        rows = self._rows([looks[index] for index in chosen.tolist()], numbers[chosen])
        written = []
        for (mesh, level), members in groups.items():
            body = self._body(mesh, level, casting)
            body.instances.write(rows[members[:_CAPACITY]].tobytes())
            written.append((body, min(len(members), _CAPACITY)))
        return written

    @staticmethod
    def _rows(looks: Sequence[ActorLook], numbers: Float) -> Rows:
        shapes = [BODIES[look.body] for look in looks]
        usual = np.array([(shape.half_length, shape.half_width, shape.half_height) for shape in shapes])
        factors = numbers[:, (6, 7, 11)] / usual
        turns = rotations(numbers[:, 3], numbers[:, 4], numbers[:, 5])
        paint = linear_light([look.colour for look in looks])
        return np.concatenate(
            [affine_rows(numbers[:, :3], turns, factors), paint, numbers[:, 9:10], _lamps(numbers[:, 8].astype(int))], 1
        ).astype(np.float32)

    def _write_contacts(self, numbers: Float, camera: Camera) -> int:
        """The dark below the moving actors in view and the parked ones."""
        rows = np.concatenate([_contacts(numbers), self._parked])
        places = rows[:, (3, 7, 11)]
        near = np.hypot(*(places[:, :2] - camera.eye[:2]).T) < _CONTACT_REACH_M
        near &= (places @ camera.planes[:, :3].T + camera.planes[:, 3] > -rows[:, 12:13] * 1.5).all(1)
        chosen = rows[near][:_CAPACITY]
        self.contact.write(chosen.tobytes())
        return len(chosen)

    def _write_beams(self, numbers: Float, apart: Float) -> int:
        """Light cones on the ground before the nearest vehicles that have their head lamps on."""
        flags = numbers[:, 8].astype(int)
        lit = np.nonzero(((flags & (LOW_BEAM | HIGH_BEAM)) != 0) & (apart < 90.0))[0]
        lit = lit[np.argsort(apart[lit], kind="stable")][:_MAX_BEAMS]
        if len(lit):
            yaw = -np.radians(numbers[lit, 4])
            front = numbers[lit, :2] + np.stack([np.cos(yaw), np.sin(yaw)], 1) * (numbers[lit, 6:7] - 0.4)
            strength = np.where(flags[lit] & HIGH_BEAM, 1.5, 1.0)
            self.beam.write(np.c_[front, np.cos(yaw), np.sin(yaw), strength].astype(np.float32).tobytes())
        return len(lit)


def _contacts(numbers: Float) -> Rows:
    """(N, 14) matrix rows without stretch, and the half size of the dark, a little more than the body's."""
    turns = rotations(numbers[:, 3], numbers[:, 4], numbers[:, 5])
    half = numbers[:, 6:8] + _CONTACT_MARGIN_M * np.minimum(numbers[:, 7:8] / 0.9, 1.0)
    return np.concatenate([affine_rows(numbers[:, :3], turns), half], 1).astype(np.float32)


def _parked_contacts(parked: Sequence[ParkedCar]) -> Rows:
    rows = [(c.x, -c.y, c.z, c.pitch_deg, c.yaw_deg, c.roll_deg, c.half_length, c.half_width) for c in parked]
    return _contacts(np.array(rows, np.float64).reshape(-1, 8))


def _casting(places: Float, radii: Float, camera: Camera, sun: tuple[float, float, float]) -> Ints:
    """Which actors throw a shadow on ground that is seen and near: a circle around body and shadow decides."""
    throw = np.array([-sun[0], -sun[1]]) * (_SHADOW_HEIGHT_M / max(sun[2], 0.08))
    middle = np.c_[places[:, :2] + throw / 2.0, places[:, 2]]
    radius, planes = radii + float(np.hypot(*throw)) / 2.0, camera.planes
    seen = (middle @ planes[:, :3].T + planes[:, 3] > -radius[:, None]).all(1)
    near = np.hypot(*(middle[:, :2] - camera.eye[:2]).T) < MASK_AHEAD_M + 2 * MASK_HALF_M
    return np.nonzero(seen & near)[0]


def body_content(body: Body, mesh_format: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The buffers of a body for a vertex array."""
    return [(body.vertices, *mesh_format), (body.instances, INSTANCE_FORMAT, *INSTANCE_NAMES)]
