"""Draws a town from any camera: picture, semantic classes, depth and instances in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sim2real_bench.envs.carla.embedded.render.atmosphere import Atmosphere, atmosphere
from sim2real_bench.envs.carla.embedded.render.clusters import Clusters
from sim2real_bench.envs.carla.embedded.render.context import Programs, create_context, packed
from sim2real_bench.envs.carla.embedded.render.fleet import (
    BEAM_FORMAT,
    BEAM_NAMES,
    CONTACT_FORMAT,
    CONTACT_NAMES,
    MASK_AHEAD_M,
    MASK_HALF_M,
    Body,
    Fleet,
    Shown,
    body_content,
)  # fmt: skip
from sim2real_bench.envs.carla.embedded.render.geometry import VERTEX_FORMAT, VERTEX_NAMES, lamp_light
from sim2real_bench.envs.carla.embedded.render.occlusion import Horizon
from sim2real_bench.envs.carla.embedded.render.projection import FAR_M, NEAR_M, Camera, camera_of, sun_projection
from sim2real_bench.envs.carla.embedded.render.signal_lamps import LAMP_FORMAT, LAMP_NAMES, SignalLamps
from sim2real_bench.envs.carla.embedded.render.sky import Sky
from sim2real_bench.envs.carla.embedded.render.targets import Targets
from sim2real_bench.envs.carla.embedded.render.view import (
    DEFAULT_IMAGES,
    IMAGE_NAMES,
    ActorLook,
    CameraView,
    Images,
)  # fmt: skip
from sim2real_bench.envs.carla.embedded.town.model import Town
from sim2real_bench.envs.carla.embedded.town.store import stored_layers
from sim2real_bench.envs.carla.embedded.town.textures import SIDE, cloud_texture
from sim2real_bench.envs.carla.weather import Weather
from sim2real_bench.errors import ConfigurationError, SimulatorError

SHADOW_SIDE, MASK_SIDE, SKY_SIZE = 4096, 512, (1024, 256)
_SAMPLERS = (
    "layers", "shadow_map", "clouds", "lamp_map", "mask", "sky", "leaves", "pass_colour", "pass_class",
    "pass_depth", "noise",
)  # fmt: skip
_UNITS = {name: unit for unit, name in enumerate(_SAMPLERS)}
_MAX_SIZES = 6  # image sizes whose buffers are kept
_SHADOW_MIN_SUN = 0.3  # weaker direct light throws no shadow
_MESH = (VERTEX_FORMAT, *VERTEX_NAMES)


class Renderer:
    """One OpenGL context for one town; use it from one thread, and only one per process.

    Args:
        town: what to draw.
        supersample: samples per pixel side for the picture, 1 to 4; class and depth are always taken at the centre
            of the pixel. With 1, edges are smoothed afterwards.

    Raises:
        ConfigurationError: ``supersample`` is out of range.
        MissingDependencyError: no OpenGL through EGL.
    """

    def __init__(self, town: Town, supersample: int = 1) -> None:
        if not 1 <= supersample <= 4:
            raise ConfigurationError(f"supersample is {supersample}; choose 1 to 4")
        self._town, self._supersample = town, supersample
        self._sample = (supersample - 1) // 2
        self._shift_pixels = (self._sample + 0.5) / supersample - 0.5
        self._context = context = create_context()
        with context:
            self._programs = Programs(context, _UNITS)
            self._leaf_program = self._programs.per_vertex("leaf_sun.vert", "sun_seen")
            self._clusters = Clusters(context, town.meshes)
            self._static = [(self._clusters.vertices, *_MESH)]
            self._fleet = Fleet(context, town.meshes.parked)
            self._signal_lamps = SignalLamps(context, town.signals)
            self._dome = Sky(context)
            self._make_textures()
            quad = np.array([-1, -1, 1, -1, 1, 1, -1, -1, 1, 1, -1, 1], np.float32)
            self._quad = context.buffer(quad.tobytes())
            self._triangle = context.buffer(np.array([-1, -1, 3, -1, -1, 3], np.float32).tobytes())
        self._targets: dict[tuple[int, int], Targets] = {}
        self._arrays: dict[tuple[object, ...], Any] = {}
        self._sun: tuple[float, float, float] | None = None
        self._masked = False  # moving actors cast shadows or light in this frame
        self.after_pass: Callable[[str], None] | None = None  # for profiles: told of each part drawn
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
        self._leaf_sampler = context.sampler(
            texture=self._layers, repeat_x=True, repeat_y=True, filter=(context.NEAREST_MIPMAP_NEAREST, context.NEAREST)
        )
        self._sun_seen = context.buffer(np.ones(sum(self._clusters.leaves), np.float32).tobytes())
        grain = np.random.default_rng(1).integers(0, 256, (512, 512), np.uint8)
        self._noise = self._texture((512, 512), 1, grain.tobytes(), repeat=True)
        self._noise.filter = (context.NEAREST, context.NEAREST)
        light = lamp_light(meshes.lamps, meshes.bounds)
        self._lamp_map = self._texture((light.shape[1], light.shape[0]), 4, light.tobytes())
        # The sky is drawn from a copy: software drivers stop for every texture that has been drawn to.
        self._sky, self._sky_drawn = self._texture(SKY_SIZE, 4), self._texture(SKY_SIZE, 4)
        self._sky.repeat_x = True
        self._sky_target = context.framebuffer([self._sky_drawn])
        self._mask = self._texture((MASK_SIDE, MASK_SIDE), 2)
        self._mask_target = context.framebuffer([self._mask])
        self._shadow_map = context.depth_texture((SHADOW_SIDE, SHADOW_SIDE))
        self._shadow_map.compare_func = "<="
        self._shadow_map.repeat_x = self._shadow_map.repeat_y = False
        self._shadow_target = context.framebuffer(depth_attachment=self._shadow_map)

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
        block = packed(
            sun_projection(air.sun, self._town.meshes.bounds), (*air.fog, air.fog_density), (x0, y0, x1 - x0, y1 - y0),
            air.sun, air.night, air.sun_colour, air.wet, air.sky_top, air.puddles, air.sky_horizon, air.cloud,
            air.bounce, air.fog_start_m, (air.rain, air.noise, air.saturation, air.exposure), (NEAR_M, FAR_M),
            air.wind, 0.0,
        )  # fmt: skip
        self._programs.write_block("Air", block)
        self._air = air
        self._sunny = max(air.sun_colour) >= _SHADOW_MIN_SUN
        wanted = (("WET", air.wet > 0.02), ("NIGHT", air.night > 0.02), ("SHADOWS", self._sunny))
        self._weather_defines = tuple(name for name, on in wanted if on)  # left-out parts would not be seen
        self._bind_textures()
        if self._sunny and air.sun != self._sun:
            self._draw_shadow_map()
            self._sun = air.sun
        self._light_leaves()
        self._bake_sky()

    def _array(self, key: tuple[object, ...], program: Any, content: list[tuple[Any, ...]], indices: Any = None) -> Any:
        if key not in self._arrays:
            self._arrays[key] = self._context.vertex_array(program, content, indices, skip_errors=True)
        return self._arrays[key]

    def _draw_shadow_map(self) -> None:
        context = self._context
        self._shadow_target.use()
        context.viewport = (0, 0, SHADOW_SIDE, SHADOW_SIDE)
        self._shadow_target.clear()
        context.enable_only(context.DEPTH_TEST)
        for name in ("BUILDING", "GENERAL", "LEAF", "BODY"):
            count = self._clusters.write_all(name)
            if count:
                program = self._programs.get("shadow.vert", "shadow.frag", *(("LEAF",) if name == "LEAF" else ()))
                array = self._array(("shadow", name), program, self._static, self._clusters.indices[name])
                array.render(vertices=count)

    def _light_leaves(self) -> None:
        first, count = self._clusters.leaves
        if not self._sunny:
            self._sun_seen.write(np.ones(first + count, np.float32).tobytes())
        elif count:
            program = self._leaf_program
            array = self._array(("leaf_sun",), program, self._static)
            array.transform(self._sun_seen, self._context.POINTS, count, first=first, buffer_offset=4 * first)

    def _bake_sky(self) -> None:
        self._sky_target.use()
        self._context.viewport = (0, 0, *SKY_SIZE)
        self._context.enable_only(self._context.NOTHING)
        program = self._programs.get("screen.vert", "sky_bake.frag")
        self._array(("sky_bake",), program, [(self._triangle, "2f", "corner")]).render()
        self._sky.write(self._sky_target.read(components=4))

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
            ConfigurationError: an unknown body or image name, or too few states of signals.
        """
        unknown = want.difference(IMAGE_NAMES)
        if unknown or not want:
            raise ConfigurationError(f"images {sorted(want)} cannot be drawn; choose from {', '.join(IMAGE_NAMES)}")
        with self._current():
            return self._frame(view, actors, frame, signals, tuple(name for name in IMAGE_NAMES if name in want))

    def _frame(
        self, view: CameraView, actors: Sequence[ActorLook], frame: int, signals: Sequence[int], names: tuple[str, ...]
    ) -> Images:
        targets = self._targets_for(view.width, view.height)
        camera = camera_of(view, self._shift_pixels)
        reach = min(600.0, self._air.fog_start_m + 3.6 / self._air.fog_density)
        horizon = Horizon(camera, self._clusters.walls)
        counts = self._clusters.write_visible(camera, reach, horizon)
        sun = self._air.sun if self._sunny else None
        shown = self._fleet.write_frame(actors, camera, reach, horizon, sun, self._air.night)
        lamps = self._signal_lamps.write(signals, camera, reach)
        self._set_view(camera, view, frame)
        self._bind_textures()
        self._done("visibility")
        self._draw_mask(shown)
        self._done("moving shadows and light")
        self._draw_scene(targets, camera, counts, shown, lamps)
        self._draw_images(targets, names)
        self._done("images")
        images = targets.read(names)
        self._done("read-back")
        return images

    def _done(self, part: str) -> None:
        if self.after_pass is not None:
            self._context.finish()
            self.after_pass(part)

    def _set_view(self, camera: Camera, view: CameraView, frame: int) -> None:
        middle = camera.eye[:2] + np.asarray(camera.heading) * MASK_AHEAD_M
        floor = self._town.relief.height(view.x, view.y)
        block = packed(
            camera.view_projection, (*middle, 1.0 / MASK_HALF_M, 0.0), camera.eye, floor, (view.width, view.height),
            (frame % 1000) * 0.37 % 7.0, 0.0,
        )  # fmt: skip
        self._programs.write_block("View", block)

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
        self._leaf_sampler.use(_UNITS["leaves"])
        self._noise.use(_UNITS["noise"])

    def _draw_mask(self, shown: Shown) -> None:
        """Shadows and light cones of moving actors on the ground around the camera, from above."""
        context = self._context
        masked = bool(shown.casting or shown.beams)
        if masked or self._masked:
            self._mask_target.use()
            self._mask_target.clear()
        self._masked = masked
        if not masked:
            return
        context.viewport = (0, 0, MASK_SIDE, MASK_SIDE)
        context.enable_only(context.BLEND)
        context.blend_func = context.ONE, context.ONE
        for body, count in shown.casting:
            program = self._programs.get("mask.vert", "mask.frag")
            self._body_array(("mask", id(body)), program, body).render(instances=count)
        if shown.beams:
            program = self._programs.get("beam.vert", "beam.frag")
            content = [(self._quad, "2f", "corner"), (self._fleet.beam, BEAM_FORMAT, *BEAM_NAMES)]
            self._array(("beam",), program, content).render(instances=shown.beams)

    def _body_array(self, key: tuple[object, ...], program: Any, body: Body) -> Any:
        return self._array(key, program, body_content(body, _MESH), body.indices)

    def _draw_scene(self, targets: Targets, camera: Camera, counts: dict[str, int], shown: Shown, lamps: int) -> None:
        context = self._context
        targets.scene.use()
        context.viewport = (0, 0, *targets.pass_size)
        targets.scene.clear(0.0, 0.0, 0.0, 0.0, 1.0)
        context.enable_only(context.DEPTH_TEST | context.CULL_FACE)
        for name in ("BUILDING", "BODY"):
            self._draw_static(name, counts[name])
        for body, count in shown.bodies:
            program = self._programs.get("surface.vert", "surface.frag", "BODY", "MOVING", *self._weather_defines)
            self._body_array((id(body), *self._weather_defines), program, body).render(instances=count)
        self._done("moving actors")
        for name in ("GENERAL", "GROUND"):
            self._draw_static(name, counts[name])
        context.disable(context.CULL_FACE)
        self._draw_static("LEAF", counts["LEAF"])
        if lamps:
            program = self._programs.get("lamp.vert", "lamp.frag")
            content = [(self._quad, "2f", "corner"), (self._signal_lamps.instances, LAMP_FORMAT, *LAMP_NAMES)]
            self._array(("lamp",), program, content).render(instances=lamps)
        sky, (first, count) = self._programs.get("sky.vert", "sky.frag"), self._dome.sector(camera)
        content = [(self._dome.vertices, "3f 2f", "position", "uv_in")]
        self._array(("sky",), sky, content, self._dome.indices).render(first=first, vertices=count)
        self._done("signal lamps, sky")
        # The alpha of each output blends that output: decals say in the alpha of the class whether they change it.
        context.enable(context.BLEND)
        context.blend_func = context.SRC_ALPHA, context.ONE_MINUS_SRC_ALPHA
        targets.scene.depth_mask = False
        self._draw_static("DECAL", counts["DECAL"])
        if shown.contacts:
            program = self._programs.get("contact.vert", "contact.frag")
            content = [(self._quad, "2f", "corner"), (self._fleet.contact, CONTACT_FORMAT, *CONTACT_NAMES)]
            self._array(("contact",), program, content).render(instances=shown.contacts)
        targets.scene.depth_mask = True
        context.disable(context.BLEND)
        self._done("dark below vehicles")

    def _draw_static(self, name: str, count: int) -> None:
        if not count:
            return
        masked = ("MASK",) if self._masked and name in ("GROUND", "DECAL") else ()
        defines = (name, *self._weather_defines, *masked)
        program = self._programs.get("surface.vert", "surface.frag", *defines)
        content = self._static if name != "LEAF" else [*self._static, (self._sun_seen, "1f", "sun_seen")]
        self._array(defines, program, content, self._clusters.indices[name]).render(vertices=count)
        self._done(name.lower())

    def _draw_images(self, targets: Targets, names: tuple[str, ...]) -> None:
        context = self._context
        for name, texture in (
            ("pass_colour", targets.colour),
            ("pass_class", targets.tags),
            ("pass_depth", targets.depth),
        ):
            texture.use(_UNITS[name])
        targets.output(names).use()
        context.viewport = (0, 0, targets.width, targets.height)
        context.enable_only(context.NOTHING)
        defines = (f"SS {self._supersample}", f"SAMPLE {self._sample}", *(("RAIN",) if self._air.rain > 0.02 else ()))
        defines += tuple(f"{name.upper()} {place}" for place, name in enumerate(names))
        program = self._programs.get("screen.vert", "post.frag", *defines)
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
