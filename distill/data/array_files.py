"""Reading arrays from an ``.npz`` file that a stranger may have made: nothing is unpickled, no memory on a promise.

An ``.npz`` file is a ZIP archive of ``.npy`` entries. Each entry states its type and shape in a header; both are
compared with what is expected, and with the entry's own size, before memory is taken. The decompressor is never asked
for more bytes than that.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

MAX_ENTRIES = 64
MAX_FILE_BYTES = 4 << 30
MAX_ARRAYS_BYTES = 4 << 30
"""All arrays asked for of one file, decompressed; an hour of 384x160 images, labels and map views has a third."""
_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_SUFFIX = ".npy"

Array = npt.NDArray[Any]


def array_shapes(path: Path, types: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays in a file that are named in ``types``, from their headers alone.

    Raises:
        ValueError: an array has another type than expected, or a header that contradicts its entry.
        zipfile.BadZipFile: no archive.
        OSError: it cannot be read.
    """
    with _opened(path) as archive:
        return {name: _open_entry(archive, entry, types[name])[1] for name, entry in _entries(archive, types).items()}


def read_arrays(path: Path, types: Mapping[str, Any], names: Collection[str]) -> dict[str, Array]:
    """The arrays ``names`` of a file, as far as it has them; entries of other names are passed over.

    Args:
        path: an ``.npz`` file.
        types: the type every array must have.
        names: which to read.

    Raises:
        ValueError: as for ``array_shapes``, or more than ``MAX_ARRAYS_BYTES``.
        zipfile.BadZipFile: no archive, or a checksum does not fit.
        zlib.error: compressed data are damaged.
        OSError: it cannot be read.
    """
    with _opened(path) as archive:
        entries = {name: entry for name, entry in _entries(archive, types).items() if name in names}
        total = sum(entry.file_size for entry in entries.values())
        if total > MAX_ARRAYS_BYTES:
            raise ValueError(f"its arrays have {total:,} bytes; at most {MAX_ARRAYS_BYTES:,} are read")
        return {name: _read_entry(archive, entry, types[name]) for name, entry in entries.items()}


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
        raise ValueError(f"it is no regular file of at most {MAX_FILE_BYTES:,} bytes")
    with zipfile.ZipFile(path) as archive:
        if len(archive.infolist()) > MAX_ENTRIES:
            raise ValueError(f"it has {len(archive.infolist())} entries; at most {MAX_ENTRIES} are read")
        yield archive


def _entries(archive: zipfile.ZipFile, types: Mapping[str, Any]) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.filename.removesuffix(_SUFFIX)
        if name not in types or not entry.filename.endswith(_SUFFIX):
            continue
        if name in found:
            raise ValueError(f"it holds {name} twice")
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is encrypted, or compressed in an unknown way")
        found[name] = entry
    return found


def _open_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, kind: Any) -> tuple[IO[bytes], tuple[int, ...], bool]:
    """The entry behind its header, the shape, and whether the first index changes fastest."""
    stream = archive.open(entry)
    try:
        read_header = _HEADER_READERS[np.lib.format.read_magic(stream)]
        shape, first_fastest, dtype = read_header(stream)
    except (KeyError, TypeError, RecursionError, MemoryError, SyntaxError) as error:
        raise ValueError(f"{entry.filename} has no readable header") from error
    wanted = np.dtype(kind)
    if dtype != wanted or dtype.hasobject:
        raise ValueError(f"{entry.filename} holds {dtype}, not {wanted}")
    count = 1
    for side in shape:
        count *= int(side)
    if any(side < 0 for side in shape) or stream.tell() + count * wanted.itemsize != entry.file_size:
        raise ValueError(f"{entry.filename} states the shape {shape}, which is not what the entry holds")
    return stream, tuple(shape), first_fastest


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, kind: Any) -> Array:
    stream, shape, first_fastest = _open_entry(archive, entry, kind)
    with stream:
        flat = np.empty(int(np.prod(shape, dtype=np.int64)), kind)
        view = flat.data.cast("B") if flat.size else memoryview(b"")
        while view:
            count = stream.readinto(view)  # type: ignore[attr-defined]
            if not count:
                raise ValueError(f"{entry.filename} ends too soon")
            view = view[count:]
        if stream.read(1):  # reading to the end also compares the checksum
            raise ValueError(f"{entry.filename} holds more than its shape says")
    return flat.reshape(shape, order="F" if first_fastest else "C")
