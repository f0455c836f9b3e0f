"""Keeps built towns and textures on disk between processes: building costs a second or two, reading a few hundredths.

An entry is one ``.npz`` file in the user's cache folder, without pickled objects: all arrays, and a JSON description of
the dataclasses around them. Its name holds a hash of the sources of this package and of what was asked for, so a
changed source or map never meets an old entry. A cache that cannot be read or written costs time, nothing else.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import logging
import os
import platform
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import platformdirs

from sim2real_bench.envs.carla.embedded.town import Town, build_town
from sim2real_bench.envs.carla.embedded.town.maps import MAPS
from sim2real_bench.envs.carla.embedded.town.palette import Palette
from sim2real_bench.envs.carla.embedded.town.textures import texture_layers

_log = logging.getLogger(__name__)

T = TypeVar("T")
_PACKAGE = "sim2real_bench.envs.carla.embedded.town"
_OLD_S = 30 * 86400.0
_UNREADABLE = (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, zipfile.BadZipFile)


def stored_town(name: str) -> Town:
    """``build_town``, from the cache where it is there.

    Raises:
        UnknownNameError: no such town.
    """
    source = MAPS / f"{name}.xodr"
    if not source.is_file():
        return build_town(name)  # says which towns there are
    return _kept(name, source.read_bytes(), lambda: build_town(name))


def stored_layers(palette: Palette) -> npt.NDArray[np.uint8]:
    """``texture_layers``, from the cache where they are there, with row 0 at the bottom as OpenGL has it."""
    return _kept("textures", repr(palette).encode(), lambda: np.ascontiguousarray(texture_layers(palette)[:, ::-1]))


def stored_bytes(name: str, asked: bytes, make: Callable[[], bytes]) -> bytes:
    """What ``make`` makes out of a town, from the cache where it is there; ``asked`` tells entries apart."""
    return _kept(name, asked, lambda: np.frombuffer(make(), np.uint8)).tobytes()


def cache_folder() -> Path:
    """Where the entries are."""
    return platformdirs.user_cache_path("sim2real-bench") / "towns"


def _kept(name: str, asked: bytes, make: Callable[[], T]) -> T:
    key = hashlib.sha256(_sources() + asked).hexdigest()[:24]
    path = cache_folder() / f"{name}-{key}.npz"
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _decode(json.loads(archive["tree"].tobytes()), archive)
    except FileNotFoundError:
        pass
    except _UNREADABLE as error:
        _log.warning("cannot read %s (%s); making its content again", path, error)
    made = make()
    try:
        _write(path, made)
    except OSError as error:
        _log.info("cannot write %s (%s); the next start will take as long", path, error)
    return made


def _write(path: Path, content: object) -> None:
    """Replace an entry in one step; others may be reading it."""
    arrays: list[npt.NDArray[Any]] = []
    tree = json.dumps(_encode(content, arrays)).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            named: dict[str, Any] = {f"a{number}": array for number, array in enumerate(arrays)}
            np.savez(file, tree=np.frombuffer(tree, np.uint8), **named)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _forget_old_entries(path)


def _forget_old_entries(newest: Path) -> None:
    """Remove what earlier versions of the program left, once it is a month old."""
    for entry in newest.parent.glob(f"{newest.stem.rpartition('-')[0]}-*.npz"):
        if entry.stat().st_mtime < time.time() - _OLD_S:
            entry.unlink(missing_ok=True)


@cache
def _sources() -> bytes:
    """A digest of everything that an entry's content depends on, apart from what is asked for."""
    digest = hashlib.sha256(f"{sys.version} {np.__version__} {platform.machine()}".encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.digest()


def _encode(content: Any, arrays: list[npt.NDArray[Any]]) -> Any:
    """A tree of JSON values; arrays are replaced by their numbers."""
    if isinstance(content, np.ndarray):
        arrays.append(content)
        return {"array": len(arrays) - 1}
    if dataclasses.is_dataclass(content) and not isinstance(content, type):
        fields = {entry.name: _encode(getattr(content, entry.name), arrays) for entry in dataclasses.fields(content)}
        kind = type(content)
        return {"class": f"{kind.__module__}:{kind.__qualname__}", "fields": fields}
    if isinstance(content, tuple):
        return {"tuple": [_encode(element, arrays) for element in content]}
    if content is None or isinstance(content, str | int | float):
        return content.item() if isinstance(content, np.generic) else content
    raise TypeError(f"a {type(content).__name__} cannot be kept in the cache of towns")


def _decode(tree: Any, arrays: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[f"a{tree['array']}"]
    if "tuple" in tree:
        return tuple(_decode(element, arrays) for element in tree["tuple"])
    module, _, name = tree["class"].partition(":")
    if not module.startswith(_PACKAGE):
        raise ValueError(f"{module} does not belong to a town")
    kind = getattr(importlib.import_module(module), name)
    if not dataclasses.is_dataclass(kind):
        raise ValueError(f"{name} is no part of a town")
    return kind(**{key: _decode(value, arrays) for key, value in tree["fields"].items()})  # type: ignore[operator]
