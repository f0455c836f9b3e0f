"""Draws a town from any camera: picture, semantic classes and depth in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sim2real_bench.envs.carla.embedded.render.atmosphere import Atmosphere, atmosphere
from sim2real_bench.envs.carla.embedded.render.context import Programs, create_context
from sim2real_bench.envs.carla.embedded.render.fleet import MASK_AHEAD_M, MASK_HALF_M, Fleet, vehicle_content
from sim2real_bench.envs.carla.embedded.render.geometry import (
    VERTEX_FORMAT,
    VERTEX_NAMES,
    lamp_light,
    sky_dome,
    static_meshes,
)
from sim2real_bench.envs.carla.embedded.render.projection import (
    FAR_M,
    NEAR_M,
    Camera,
    camera_of,
    column_major,
    sun_projection,
)
from sim2real_bench.envs.carla.embedded.render.targets import Targets
from sim2real_bench.envs.carla.embedded.render.view import DEFAULT_IMAGES, IMAGE_NAMES, ActorLook, CameraView, Images
from sim2real_bench.envs.carla.embedded.town.model import Town
from sim2real_bench.envs.carla.embedded.town.store import stored_layers
from sim2real_bench.envs.carla.embedded.town.textures import SIDE, cloud_texture
from sim2real_bench.envs.carla.weather import Weather
from sim2real_bench.errors import ConfigurationError, SimulatorError

SHADOW_SIDE, MASK_SIDE, SKY_SIZE = 4096, 512, (1024, 256)
_SAMPLERS = (
    "layers", "shadow_map", "clouds", "lamp_map", "vehicle_mask", "sky", "pass_colour", "pass_class", "pass_depth",
)  # fmt: skip
_UNITS = {name: unit for unit, name in enumerate(_SAMPLERS)}
_OPAQUE = ("BUILDING", "GENERAL", "DETAIL", "GROUND")
_REACH_M = {"LEAF": 200.0, "DECAL": 120.0, "DETAIL": 110.0}
_MAX_SIZES = 6  # image sizes whose buffers are kept
_SHADOW_MIN_SUN = 0.3  # weaker direct light throws no shadow


class Renderer:
    """One OpenGL context for one town; use it from one thread, and only one per process.

    Args:
        town: what to draw.
        supersample: samples per pixel side for the picture, 1 to 4; class and depth are always taken at the centre
            of the pixel.

    Raises:
        ConfigurationError: ``supersample`` is out of range.
        MissingDependencyError: no OpenGL through EGL.
    """

    def __init__(self, town: Town, supersample: int = 2) -> None:
        if not 1 <= supersample <= 4:
            raise ConfigurationError(f"supersample is {supersample}; choose 1 to 4")
        self._town, self._supersample = town, supersample
        self._sample = (supersample - 1) // 2
        self._shift_pixels = (self._sample + 0.5) / supersample - 0.5
        self._context = context = create_context()
        with context:
            self._programs = Programs(context)
            self._programs.bind_units(_UNITS)
            self._meshes = static_meshes(context, town.meshes)
            self._fleet = Fleet(context, town.meshes.parked)
            self._make_textures()
            self._make_screen()
        self._targets: dict[tuple[int, int], Targets] = {}
        self._arrays: dict[tuple[str, ...], Any] = {}
        self._sun: tuple[float, float, float] | None = None
        self._masked = False  # moving vehicles cast shadows in this frame
        self._air: Atmosphere
        self.set_weather(Weather())

    # Set-up ---------------------------------------------------------------------------------------------------------

    def _texture(self, size: tuple[int, int], components: int, data: bytes | None = None, repeat: bool = False) -> Any:
        texture = self._context.texture(size, components, data)
        texture.filter = (self._context.LINEAR, self._context.LINEAR)
        texture.repeat_x = texture.repeat_y = repeat
        return texture

    def _make_textures(self) -> None:
        context, meshes = self._context, self._town.meshes
        layers = stored_layers(meshes.palette)
        self._layers = context.texture_array((SIDE, SIDE, len(layers)), 4, layers)
        self._clouds = self._texture((SIDE, SIDE), 1, cloud_texture().tobytes(), repeat=True)
        for texture in (self._layers, self._clouds):
            texture.build_mipmaps()
            texture.filter = (context.LINEAR_MIPMAP_NEAREST, context.LINEAR)
        light = lamp_light(meshes.lamps, meshes.bounds)
        self._lamp_map = self._texture((light.shape[1], light.shape[0]), 4, light.tobytes())
        self._sky = self._texture(SKY_SIZE, 4)
        self._sky.repeat_x = True
        self._sky_target = context.framebuffer([self._sky])
        self._mask = self._texture((MASK_SIDE, MASK_SIDE), 1)
        self._mask_target = context.framebuffer([self._mask])
        self._shadow_map = context.depth_texture((SHADOW_SIDE, SHADOW_SIDE))
        self._shadow_map.compare_func = "<="
        self._shadow_map.repeat_x = self._shadow_map.repeat_y = False
        self._shadow_target = context.framebuffer(depth_attachment=self._shadow_map)

    def _make_screen(self) -> None:
        context = self._context
        self._triangle = context.buffer(np.array([-1, -1, 3, -1, -1, 3], np.float32).tobytes())
        quad = np.array([-1, -1, 1, -1, 1, 1, -1, -1, 1, 1, -1, 1], np.float32)
        self._quad = context.buffer(quad.tobytes())
        points, triangles = sky_dome()
        self._dome = (context.buffer(points.tobytes()), context.buffer(triangles.tobytes()))

    # Weather --------------------------------------------------------------------------------------------------------

    def set_weather(self, weather: Weather) -> None:
        """Change the weather; the shadow map is drawn again only when the sun has moved."""
        with self._current():
            self._set_atmosphere(atmosphere(weather))

    def _current(self) -> Any:
        """The context, made current on entry: another one may have been used in this process."""
        if self._context is None:
            raise SimulatorError("the renderer is closed; make a new one")
        return self._context

    def _set_atmosphere(self, air: Atmosphere) -> None:
        x0, y0, x1, y1 = self._town.meshes.bounds
        projection = sun_projection(air.sun, self._town.meshes.bounds)
        self._programs.set(
            sun=air.sun, sun_colour=air.sun_colour, sky_top=air.sky_top, sky_horizon=air.sky_horizon,
            bounce=air.bounce, fog=(*air.fog, air.fog_density), fog_start=air.fog_start_m, wet=air.wet,
            puddles=air.puddles, night=air.night, cloud=air.cloud, lamp_box=(x0, y0, x1 - x0, y1 - y0),
            sun_projection=column_major(projection), near_far=(NEAR_M, FAR_M),
        )  # fmt: skip
        self._air = air
        self._bind_textures()
        if self._sunny and air.sun != self._sun:
            self._draw_shadow_map()
            self._sun = air.sun
        self._bake_sky()

    @property
    def _weather_defines(self) -> tuple[str, ...]:
        """What the programs must do in this weather; left-out parts would not be seen."""
        air = self._air
        wanted = (("WET", air.wet > 0.02), ("NIGHT", air.night > 0.02), ("SHADOWS", self._sunny))
        return tuple(name for name, on in wanted if on)

    @property
    def _sunny(self) -> bool:
        """The sun is bright enough for shadows."""
        return max(self._air.sun_colour) >= _SHADOW_MIN_SUN

    def _array(self, key: tuple[str, ...], program: Any, content: list[tuple[Any, ...]], indices: Any = None) -> Any:
        if key not in self._arrays:
            self._arrays[key] = self._context.vertex_array(program, content, indices, skip_errors=True)
        return self._arrays[key]

    def _material(self, name: str) -> Any:
        masked = self._masked and name in ("GROUND", "DECAL")
        material = "GENERAL" if name == "DETAIL" else name
        defines = (material, *self._weather_defines, *(("MASK",) if masked else ()))
        mesh = self._meshes[name]
        program = self._programs.get("surface.vert", "surface.frag", *defines)
        return self._array((name, *defines), program, [(mesh.vertices, VERTEX_FORMAT, *VERTEX_NAMES)], mesh.indices)

    def _vehicle(self, body: str, vertex: str, fragment: str, *defines: str, moving: bool = False) -> Any:
        program = self._programs.get(vertex, fragment, *defines)
        parts = self._fleet.bodies[body]
        return self._array((body, vertex, *defines), program, vehicle_content(parts, moving), parts.indices)

    def _draw_shadow_map(self) -> None:
        context = self._context
        self._shadow_target.use()
        context.viewport = (0, 0, SHADOW_SIDE, SHADOW_SIDE)
        self._shadow_target.clear()
        context.enable_only(context.DEPTH_TEST)
        for name in ("BUILDING", "GENERAL", "DETAIL", "LEAF"):
            mesh = self._meshes[name]
            defines = ("LEAF",) if name == "LEAF" else ()
            program = self._programs.get("shadow.vert", "shadow.frag", *defines)
            key = ("shadow", name)
            self._array(key, program, [(mesh.vertices, VERTEX_FORMAT, *VERTEX_NAMES)], mesh.indices).render()
        for body, count in self._fleet.write_parked().items():
            if count:
                self._vehicle(body, "shadow.vert", "shadow.frag", "VEHICLE").render(instances=count)

    def _bake_sky(self) -> None:
        self._sky_target.use()
        self._context.viewport = (0, 0, *SKY_SIZE)
        self._context.enable_only(self._context.NOTHING)
        program = self._programs.get("screen.vert", "sky_bake.frag")
        self._array(("sky_bake",), program, [(self._triangle, "2f", "corner")]).render()

    # Frames ---------------------------------------------------------------------------------------------------------

    def render(
        self,
        view: CameraView,
        actors: Sequence[ActorLook],
        frame: int,
        signals: Sequence[int] = (),
        want: frozenset[str] = DEFAULT_IMAGES,
    ) -> Images:
        """Draw one frame.

        Args:
            view: the camera.
            actors: moving vehicles and people; parked cars belong to the town.
            frame: seeds rain and sensor noise: the same frame of the same view gives the same bytes.
            signals: state of each of the town's signals (0 red, 1 yellow, 2 green, 3 off, 4 unknown); empty = all off.
            want: which of ``IMAGE_NAMES`` to make.

        Raises:
            ConfigurationError: an unknown body or image name.
        """
        unknown = want.difference(IMAGE_NAMES)
        if unknown or not want:
            raise ConfigurationError(f"images {sorted(want)} cannot be drawn; choose from {', '.join(IMAGE_NAMES)}")
        with self._current():
            return self._frame(view, actors, frame, tuple(name for name in IMAGE_NAMES if name in want))

    def _frame(self, view: CameraView, vehicles: Sequence[ActorLook], frame: int, names: tuple[str, ...]) -> Images:
        targets = self._targets_for(view.width, view.height)
        camera = camera_of(view, self._shift_pixels)
        planes = camera.planes()
        reach = min(600.0, self._air.fog_start_m + 3.6 / self._air.fog_density)
        shown, casting, contacts = self._fleet.write_frame(vehicles, camera, planes, reach, self._air.sun)
        heading = camera.heading
        middle = camera.eye[:2] + np.asarray(heading) * MASK_AHEAD_M
        self._programs.set(
            view_projection=column_major(camera.view_projection), eye=tuple(camera.eye.tolist()), head_light=heading,
            mask_box=(float(middle[0]), float(middle[1]), 1.0 / MASK_HALF_M, 0.0),
        )  # fmt: skip
        self._bind_textures()
        self._draw_mask(casting)
        self._draw_scene(targets, camera, planes, reach, shown, contacts)
        self._draw_images(targets, frame, names)
        return targets.read(names)

    def _targets_for(self, width: int, height: int) -> Targets:
        size = (width, height)
        if size not in self._targets:
            if len(self._targets) >= _MAX_SIZES:
                self._targets.pop(next(iter(self._targets))).release()
            self._targets[size] = Targets(self._context, width, height, self._supersample)
        return self._targets[size]

    def _bind_textures(self) -> None:
        textures = (self._layers, self._shadow_map, self._clouds, self._lamp_map, self._mask, self._sky)
        for unit, texture in enumerate(textures):
            texture.use(unit)

    def _draw_mask(self, casting: dict[str, int]) -> None:
        self._masked = self._sunny and any(casting.values())
        if not self._masked:
            return
        self._mask_target.use()
        self._mask_target.clear()
        self._context.viewport = (0, 0, MASK_SIDE, MASK_SIDE)
        self._context.enable_only(self._context.NOTHING)
        for body, count in casting.items():
            if count:
                self._vehicle(body, "mask.vert", "mask.frag", moving=True).render(instances=count)

    def _draw_scene(
        self, targets: Targets, camera: Camera, planes: Any, reach: float, shown: dict[str, int], contacts: int
    ) -> None:
        context = self._context
        targets.scene.use()
        context.viewport = (0, 0, *targets.pass_size)
        targets.scene.clear(0.0, 0.0, 0.0, 0.0, 1.0)
        context.enable_only(context.DEPTH_TEST | context.CULL_FACE)
        for body, count in shown.items():
            if count:
                array = self._vehicle(body, "surface.vert", "surface.frag", "VEHICLE", *self._weather_defines)
                array.render(instances=count)
        for name in _OPAQUE:
            self._draw_static(name, camera, planes, reach)
        context.disable(context.CULL_FACE)
        self._draw_static("LEAF", camera, planes, reach)
        sky = self._programs.get("sky.vert", "sky.frag")
        self._array(("sky",), sky, [(self._dome[0], "3f 2f", "position", "uv_in")], self._dome[1]).render()
        # The alpha of each output blends that output: decals say in the alpha of the class whether they change it.
        context.enable(context.BLEND)
        context.blend_func = context.SRC_ALPHA, context.ONE_MINUS_SRC_ALPHA
        targets.scene.depth_mask = False
        self._draw_static("DECAL", camera, planes, reach)
        if contacts:
            program = self._programs.get("contact.vert", "contact.frag")
            content = [(self._quad, "2f", "corner"), (self._fleet.contact, "4f 2f /i", "at", "half_size")]
            self._array(("contact",), program, content).render(instances=contacts)
        targets.scene.depth_mask = True
        context.disable(context.BLEND)

    def _draw_static(self, name: str, camera: Camera, planes: Any, reach: float) -> None:
        array = self._material(name)
        for first, count in self._meshes[name].visible(camera, planes, min(reach, _REACH_M.get(name, reach))):
            array.render(first=first, vertices=count)

    def _draw_images(self, targets: Targets, frame: int, names: tuple[str, ...]) -> None:
        air, context = self._air, self._context
        for name, texture in (
            ("pass_colour", targets.colour),
            ("pass_class", targets.tags),
            ("pass_depth", targets.depth),
        ):
            texture.use(_UNITS[name])
        targets.output(names).use()
        context.viewport = (0, 0, targets.width, targets.height)
        context.enable_only(context.NOTHING)
        defines = (f"SS {self._supersample}", f"SAMPLE {self._sample}", *(("RAIN",) if air.rain > 0.02 else ()))
        defines += tuple(f"{name.upper()} {place}" for place, name in enumerate(names))
        program = self._programs.get("screen.vert", "post.frag", *defines)
        self._programs.set(
            grade=(air.rain, (frame % 1000) * 0.37 % 7.0, air.noise, air.saturation),
            exposure_wind=(air.exposure, air.wind), size=(float(targets.width), float(targets.height)),
        )  # fmt: skip
        self._array(("post", *defines), program, [(self._triangle, "2f", "corner")]).render()

    def close(self) -> None:
        """Give the context back; safe twice."""
        if self._context is None:
            return
        with self._context:
            for targets in self._targets.values():
                targets.release()
        self._targets.clear()
        self._context.release()
        self._context = None

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
