"""The OpenGL context without a window, and the compiled programs."""

from __future__ import annotations

from importlib import resources
from typing import Any

from sim2real_bench.errors import MissingDependencyError

SHADERS = "sim2real_bench.envs.carla.embedded.render.shaders"
_HEADER = "#version 330\n"


def create_context() -> Any:
    """A standalone OpenGL 3.3 context on EGL.

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
        return moderngl.create_context(**settings)
    except Exception as error:  # glcontext and moderngl raise plain Exception
        raise MissingDependencyError(
            f"no OpenGL 3.3 context could be made through EGL ({error}); on Debian or Ubuntu install it with: "
            "apt-get install libegl1 libgl1 libgl1-mesa-dri"
        ) from error


class Programs:
    """Compiles each combination of shader files and defines once."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._texts: dict[str, str] = {}
        self._compiled: dict[tuple[str, str, tuple[str, ...]], Any] = {}
        self._units: dict[str, int] = {}
        self._values: dict[str, Any] = {}

    def _text(self, name: str) -> str:
        if name not in self._texts:
            self._texts[name] = resources.files(SHADERS).joinpath(name).read_text(encoding="utf-8")
        return self._texts[name]

    def get(self, vertex: str, fragment: str, *defines: str) -> Any:
        """A program from two shader files; the common uniforms stand before both."""
        key = (vertex, fragment, defines)
        if key not in self._compiled:
            head = _HEADER + "".join(f"#define {define}\n" for define in defines) + self._text("common.glsl")
            program = self._context.program(head + self._text(vertex), head + self._text(fragment))
            self._compiled[key] = program
            for name, unit in self._units.items():
                self._set(program, name, unit)
            for name, value in self._values.items():
                self._set(program, name, value)
        return self._compiled[key]

    def bind_units(self, units: dict[str, int]) -> None:
        """Texture unit of each sampler."""
        self._units = dict(units)

    def set(self, **values: Any) -> None:
        """Set uniforms in every program that uses them; programs compiled later get them too."""
        self._values.update(values)
        for program in self._compiled.values():
            for name, value in values.items():
                self._set(program, name, value)

    @staticmethod
    def _set(program: Any, name: str, value: Any) -> None:
        if name not in program:  # the compiler removed it
            return
        if isinstance(value, bytes):
            program[name].write(value)
        else:
            program[name] = value
