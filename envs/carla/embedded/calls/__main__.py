"""``python -m sim2real_bench.envs.carla.embedded.calls [FILE]``: write the table of calls."""

import argparse
import sys
from pathlib import Path

from sim2real_bench.envs.carla.embedded.calls.report import document


def main(arguments: list[str] | None = None) -> int:
    """Write the file; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=Path("docs/carla-calls.md"), help="what to write")
    file: Path = parser.parse_args(arguments).file
    file.write_text(document(), encoding="utf-8")
    sys.stdout.write(f"{file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
