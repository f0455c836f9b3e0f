"""The OpenGL context without a window, the compiled programs, and the blocks of uniforms they share."""

from __future__ import annotations

import logging
from importlib import resources
from typing import Any

import numpy as np

from sim2real_bench.errors import MissingDependencyError

_log = logging.getLogger(__name__)

SHADERS = "sim2real_bench.envs.carla.embedded.render.shaders"
_HEADER = "#version 330\n"
BLOCKS = {"Air": 0, "View": 1}
"""Binding points of the uniform blocks of ``common.glsl``."""


def create_context() -> Any:
    """A standalone OpenGL 3.3 context on EGL.

    EGL's first device is taken: a graphics card where its driver offers one, else Mesa's software renderer. The
    environment variable ``GLCONTEXT_DEVICE_INDEX`` chooses another one by its number.

    Raises:
        MissingDependencyError: moderngl, EGL or a driver is not installed.
    """
    try:
        import moderngl
    except ImportError as error:
        raise MissingDependencyError(
            "the embedded server draws with moderngl, which is not installed; "
            "install it with: pip install 'sim2real-bench[carla]'"
        ) from error
    try:
        settings: dict[str, Any] = {"standalone": True, "backend": "egl", "require": 330}
        context = moderngl.create_context(**settings)
    except Exception as error:  # glcontext and moderngl raise plain Exception
        raise MissingDependencyError(
            f"no OpenGL 3.3 context could be made through EGL ({error}); on Debian or Ubuntu install it with: "
            "apt-get install libegl1 libgl1 libgl1-mesa-dri"
        ) from error
    _log.info("drawing on %s, OpenGL %s", context.info["GL_RENDERER"], context.info["GL_VERSION"])
    return context


def packed(*parts: Any) -> bytes:
    """Numbers one after another as the 4-byte floats of a uniform block; a matrix goes in by columns."""
    flat = [np.asarray(part, np.float32).T.reshape(-1) for part in parts]
    return np.concatenate(flat).tobytes()


class Programs:
    """Compiles each combination of shader files and defines once."""

    def __init__(self, context: Any, units: dict[str, int]) -> None:
        """``units``: texture unit of each sampler."""
        self._context = context
        self._units = units
        self._texts: dict[str, str] = {}
        self._compiled: dict[tuple[str, str, tuple[str, ...]], Any] = {}
        self._buffers: dict[str, Any] = {}

    def _text(self, name: str) -> str:
        if name not in self._texts:
            self._texts[name] = resources.files(SHADERS).joinpath(name).read_text(encoding="utf-8")
        return self._texts[name]

    def get(self, vertex: str, fragment: str, *defines: str) -> Any:
        """A program from two shader files; the common uniforms stand before both."""
        key = (vertex, fragment, defines)
        if key not in self._compiled:
            head = _HEADER + "".join(f"#define {define}\n" for define in defines) + self._text("common.glsl")
            actor = self._text("actor.glsl") if "placed(" in self._text(vertex) else ""
            program = self._context.program(head + actor + self._text(vertex), head + self._text(fragment))
            self._compiled[key] = self._connected(program)
        return self._compiled[key]

    def per_vertex(self, vertex: str, result: str) -> Any:
        """A program that only works out one number per vertex."""
        text = _HEADER + self._text("common.glsl") + self._text(vertex)
        return self._connected(self._context.program(text, varyings=[result]))

    def _connected(self, program: Any) -> Any:
        for name, unit in self._units.items():
            if name in program:  # the compiler removes what is not used
                program[name] = unit
        for name, binding in BLOCKS.items():
            if name in program:
                program[name].binding = binding
        return program

    def write_block(self, name: str, data: bytes) -> None:
        """Set all uniforms of a block for every program."""
        if name not in self._buffers:
            self._buffers[name] = self._context.buffer(reserve=len(data), dynamic=True)
        self._buffers[name].write(data)
        self._buffers[name].bind_to_uniform_block(BLOCKS[name])
