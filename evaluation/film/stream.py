"""A video file written while its frames are made: raw frames go through a pipe to ffmpeg, none is kept.

The file appears under its name when it is whole, and not before: ffmpeg writes beside it to ``.NAME.part.SUFFIX``.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from sim2real_bench.errors import MissingDependencyError, Sim2RealError

Image = npt.NDArray[np.uint8]
PARTIAL = ".part"
"""Stands before the suffix of a file that is being written."""
_WRITE_TIMEOUT_S = 20.0
_FINISH_TIMEOUT_S = 60.0
_INSTALL = 'pip install "sim2real-bench[video]" -c constraints.txt'


class VideoError(Sim2RealError):
    """A video could not be written; what was filmed is not affected."""


@dataclass(frozen=True)
class Encoder:
    """One of ffmpeg's encoders, and the file that browsers play.

    Attributes:
        name: as ``ffmpeg -encoders`` lists it.
        suffix: of the file.
        arguments: of ffmpeg, for small files of moderate quality.
    """

    name: str
    suffix: str
    arguments: tuple[str, ...]


# H.264 with 4:2:0 colours is what every browser plays; VP9 comes next and is several times slower to write.
_ENCODERS = (
    Encoder("libx264", ".mp4", ("-preset", "veryfast", "-crf", "32", "-movflags", "+faststart")),
    Encoder("libopenh264", ".mp4", ("-b:v", "500k", "-movflags", "+faststart")),
    Encoder("libvpx-vp9", ".webm", ("-deadline", "realtime", "-cpu-used", "8", "-crf", "40", "-b:v", "0")),
    Encoder("libvpx", ".webm", ("-deadline", "realtime", "-cpu-used", "8", "-b:v", "700k")),
)
SUFFIXES = tuple(sorted({encoder.suffix for encoder in _ENCODERS}))


def ffmpeg_program() -> str:
    """Path of ffmpeg: of the package imageio-ffmpeg, or what IMAGEIO_FFMPEG_EXE names.

    Raises:
        MissingDependencyError: there is none.
    """
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError(f"films need ffmpeg ({error}); install it: {_INSTALL}") from error


def find_encoder() -> Encoder:
    """The best encoder that this machine's ffmpeg has.

    Raises:
        MissingDependencyError: no ffmpeg, or one without an encoder that browsers can play.
    """
    return _encoder_of(ffmpeg_program())


@cache
def _encoder_of(program: str) -> Encoder:
    try:
        listing = subprocess.run(
            [program, "-hide_banner", "-encoders"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingDependencyError(f"films need ffmpeg, but {program} does not run: {error}; {_INSTALL}") from error
    known = {line.split()[1] for line in listing.splitlines() if len(line.split()) > 1}
    for encoder in _ENCODERS:
        if encoder.name in known:
            return encoder
    wanted = ", ".join(encoder.name for encoder in _ENCODERS)
    raise MissingDependencyError(f"{program} has none of the encoders {wanted}; install another ffmpeg: {_INSTALL}")


class VideoStream:
    """Writes frames of one size to one file.

    Args:
        path: of the file; its suffix is replaced by the encoder's.
        frames_per_second: of the video.
        encoder: instead of the best there is.
    """

    def __init__(self, path: Path, frames_per_second: float, encoder: Encoder | None = None) -> None:
        self._encoder = encoder or find_encoder()
        self.path = path.with_suffix(self._encoder.suffix)
        self._rate = frames_per_second
        self._partial = partial_path(self.path)
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None
        self._shape: tuple[int, ...] = ()

    def write(self, frame: Image) -> None:
        """Add one (height, width, 3) RGB frame, both sides even.

        Raises:
            VideoError: the disk is full, ffmpeg ended or does not take the frame in time, or its size has changed.
        """
        if self._process is None:
            self._shape = frame.shape
            self._open(frame.shape[1], frame.shape[0])
        if frame.shape != self._shape:
            raise VideoError(f"{self.path}: a frame of shape {frame.shape} among frames of shape {self._shape}")
        self._send(np.ascontiguousarray(frame, np.uint8).data.cast("B"))

    def finish(self) -> Path:
        """Wait until the file is whole and give it its name.

        Raises:
            VideoError: it never becomes whole; nothing is left of it.
        """
        try:
            if self._process is None:
                raise VideoError(f"{self.path}: no frame was filmed")
            self._close_pipe()
            try:
                code = self._process.wait(_FINISH_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                raise VideoError(f"{self.path}: ffmpeg did not finish within {_FINISH_TIMEOUT_S:.0f} s") from None
            if code != 0:
                raise VideoError(f"{self.path}: ffmpeg ended with {code}: {self._complaint()}")
            self._partial.replace(self.path)
        except OSError as error:
            raise VideoError(f"{self.path}: {error.strerror or error}") from error
        finally:
            self.discard()
        return self.path

    def discard(self) -> None:
        """End ffmpeg and remove what is not whole; safe twice, and after ``finish``."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
            process.kill()
            process.wait()
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _open(self, width: int, height: int) -> None:
        command = [
            ffmpeg_program(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-f", "rawvideo",
            "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{self._rate:g}", "-i", "pipe:0", "-an",
            "-c:v", self._encoder.name, *self._encoder.arguments, "-pix_fmt", "yuv420p", "-threads", "1",
            "-bitexact", f"file:{self._partial}",
        ]  # fmt: skip
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  (closed by discard)
            # A process group of its own: Ctrl-C is for this program, which ends ffmpeg in order. Should this process
            # be killed, ffmpeg meets the end of its pipe and ends by itself.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._complaints, process_group=0
            )
            os.set_blocking(_descriptor(self._process), False)
        except OSError as error:
            raise VideoError(f"{self.path}: cannot start ffmpeg: {error}") from error

    def _send(self, rest: memoryview) -> None:
        """Write everything, waiting for a slow ffmpeg, but not for ever."""
        assert self._process is not None
        descriptor = _descriptor(self._process)
        deadline = time.monotonic() + _WRITE_TIMEOUT_S
        while rest:
            _, writable, _ = select.select([], [descriptor], [], max(0.0, deadline - time.monotonic()))
            if not writable:
                raise VideoError(f"{self.path}: ffmpeg took no frame for {_WRITE_TIMEOUT_S:.0f} s")
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_WRITE_TIMEOUT_S)  # so that all it said can be read
                raise VideoError(f"{self.path}: {self._complaint() or error}") from error

    def _close_pipe(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()

    def _complaint(self) -> str:
        """The end of what ffmpeg said, on one line."""
        if self._complaints is None:
            return ""
        self._complaints.seek(0)
        return " ".join(self._complaints.read(4000).decode(errors="replace").split())[-400:]


def partial_path(path: Path) -> Path:
    """Where a video is written before it is whole."""
    return path.with_name(f".{path.stem}{PARTIAL}{path.suffix}")


def _descriptor(process: subprocess.Popen[Any]) -> int:
    assert process.stdin is not None
    return process.stdin.fileno()
