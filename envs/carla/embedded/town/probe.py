"""Reads a foreign map in a process of its own first: a text that brings the map library down brings down only that.

``python -m sim2real_bench.envs.carla.embedded.town.probe NAME < map.xodr``
"""

from __future__ import annotations

import re
import subprocess
import sys

from sim2real_bench.errors import ConfigurationError

LARGEST_TEXT = 20_000_000
"""Characters."""
_LONGEST_ROADS_M = 200_000.0
_TIMEOUT_S = 60.0  # a busy machine takes some seconds for what is read in one
_REFUSED = 3
_ROAD_LENGTH = re.compile(r"<road\s[^>]*?\blength\s*=\s*[\"']([^\"']*)[\"']")


def probe(name: str, xodr: str) -> None:
    """Make sure that a text can be read without harm.

    Raises:
        ConfigurationError: it is too large, or reading it fails, crashes or takes too long.
    """
    if len(xodr) > LARGEST_TEXT:
        raise ConfigurationError(
            f"map {name!r} has {len(xodr)} characters; this server takes {LARGEST_TEXT} at most: cut out a part of it"
        )
    _refuse_lengths(name, xodr)
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, name], input=xodr, capture_output=True, text=True, encoding="utf-8",
            timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"map {name!r} could not be read within {_TIMEOUT_S:.0f} s; cut out a part of it"
        ) from error
    if done.returncode == _REFUSED:
        raise ConfigurationError(done.stdout.strip())
    if done.returncode != 0:
        last = done.stderr.strip().rsplit("\n", 1)[-1]
        raise ConfigurationError(
            f"map {name!r} cannot be read: the map library ended with status {done.returncode} ({last}); "
            "check the text with another OpenDRIVE reader"
        )


def _refuse_lengths(name: str, xodr: str) -> None:
    total = 0.0
    for text in _ROAD_LENGTH.findall(xodr):
        try:
            length = float(text)
        except ValueError as error:
            raise ConfigurationError(f"map {name!r} has a road of length {text!r}, which is no number") from error
        if not 0.0 <= length < float("inf"):
            raise ConfigurationError(f"map {name!r} has a road of length {text}; lengths are metres above 0")
        total += length
    if total > _LONGEST_ROADS_M:
        raise ConfigurationError(
            f"map {name!r} has {total / 1000:.0f} km of roads; this server takes {_LONGEST_ROADS_M / 1000:.0f} km at "
            "most: cut out a part of it"
        )


def main() -> int:
    """Read the map on standard input as the server will read it."""
    from sim2real_bench.envs.carla.embedded.town.build import plan_from_text

    try:
        plan_from_text(sys.argv[1], sys.stdin.read())
    except ConfigurationError as error:
        sys.stdout.write(str(error))
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
