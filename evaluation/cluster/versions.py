"""What must be the same on every machine of a cluster: a result must not depend on where it was driven."""

from __future__ import annotations

import hashlib
import importlib
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import sim2real_bench
from sim2real_bench.registry import plug_in_packages

CODE = "code of sim2real-bench"
_PARTS = ("envs", "agents", "distill", "evaluation")
_PACKAGES = ("carla", "numpy", "torch", "ray")
# What decides a result: programs, shaders, maps, settings, weights.
_SUFFIXES = (".py", ".vert", ".frag", ".glsl", ".xodr", ".json", ".safetensors")


def installed() -> dict[str, str]:
    """Versions of Python (without its last number), of libraries and plug-ins that matter, and a hash of our code.

    A local label (``+cpu``) is left out; a package that is not installed has the version "".
    """
    versions = {package: _version(package) for package in _PACKAGES}
    python = ".".join(platform.python_version_tuple()[:2])
    return (
        {"Python": python, "sim2real-bench": sim2real_bench.__version__, CODE: code_hash()[:12]}
        | versions
        | plug_in_packages()
    )


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """One phrase for each version that differs."""
    return [
        f"{name} {there.get(name) or 'not installed'} (here {here[name] or 'not installed'})"
        for name in here
        if there.get(name) != here[name]
    ]


def code_hash() -> str:
    """SHA-256 over names and contents of this package's files, wherever and however it is installed."""
    digest = hashlib.sha256()
    for name, path in sorted(_files()):
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files() -> Iterator[tuple[str, Path]]:
    """The package's own files, then those of its parts, which lie elsewhere in an editable installation."""
    yield from _below("", Path(sim2real_bench.__file__).parent, _PARTS)
    for part in _PARTS:
        module = importlib.import_module(f"sim2real_bench.{part}")
        yield from _below(f"{part}/", Path(str(module.__file__)).parent)


def _below(prefix: str, folder: Path, without: tuple[str, ...] = ()) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.suffix in _SUFFIXES and name.parts[0] not in without:
            yield prefix + name.as_posix(), path


def _version(package: str) -> str:
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""
